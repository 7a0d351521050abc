"""`tailwatch judge serve`: a model file as a judge on this machine."""

import threading
from pathlib import Path
from typing import Annotated

import typer

from evaluators.clients.local_server import serving
from flows.cli.context import console


def serve(
    gguf: Annotated[
        Path, typer.Option("--gguf", help="The model: a GGUF file of an instruct model.")
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 is any that is free.")] = 8080,
    name: Annotated[
        str | None, typer.Option(help="What the model is called. Default: as its file.")
    ] = None,
    context: Annotated[
        int, typer.Option(min=512, help="Tokens of a question and its answer together.")
    ] = 8192,
    parallel: Annotated[
        int, typer.Option(min=1, max=64, help="How many questions it answers at once.")
    ] = 1,
    threads: Annotated[
        int | None, typer.Option(min=1, help="How many cores it takes. Default: all.")
    ] = None,
) -> None:
    """Serve a model file as a judge on this machine, reachable from here alone. Ctrl-C stops."""
    out = console()
    out.print(f"Loading {gguf} ...", markup=False)
    with serving(
        gguf, port=port, name=name, context=context, parallel=parallel, threads=threads
    ) as url:
        out.print(f"\n  TAILWATCH_JUDGE_URL={url}", markup=False, soft_wrap=True)
        out.print(f"  TAILWATCH_JUDGE_MODEL={name or gguf.stem}\n", markup=False, soft_wrap=True)
        out.print(
            "Set these two where tailwatch runs. How far to believe this judge, "
            "`tailwatch judge validate` says."
        )
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            out.print("Stopped.")
