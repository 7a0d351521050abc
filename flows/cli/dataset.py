"""`tailwatch dataset export`: people's labels as a golden set."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.context import chosen, console
from flows.golden_export import Export, golden_items
from flows.golden_file import write_golden
from flows.wiring import open_parts
from tailwatch.errors import ConfigurationError
from tailwatch.printable import printable
from tailwatch.review import Origin

app = typer.Typer(help="Golden sets: texts that people have judged.", no_args_is_help=True)


@app.callback()
def dataset() -> None:
    """Keeps this a group whatever the number of its commands."""


@app.command("export")
def export(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="The file to write: JSON lines.")],
    evaluator: Annotated[
        list[str] | None, typer.Option(help="Only labels of this rubric; may be repeated.")
    ] = None,
    origin: Annotated[
        Origin | None, typer.Option(help="Only labels of random samples, or of alerts.")
    ] = None,
    licence: Annotated[
        str | None, typer.Option(help="On what terms the items may be passed on.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Write over a file that is there.")
    ] = False,
) -> None:
    """Write the labelled traces with what most people said. The file holds their texts."""
    command = chosen(context)

    async def work() -> Export:
        async with open_parts(command.plan_file(), command.settings) as parts:
            return await golden_items(parts, evaluator or (), origin=origin, licence=licence)

    done = asyncio.run(work())
    for line in _left_out(done):
        console().print(line, markup=False, soft_wrap=True)
    if not done.items:
        raise ConfigurationError("there is no label to export; `tailwatch label` makes some")
    write_golden(out, done.items, replace=replace)
    console().print(
        f"{len(done.items):,} items written to {out}. They hold the texts of traces.",
        markup=False,
        soft_wrap=True,
    )


def _left_out(done: Export) -> list[str]:
    lines = [
        f"Left out, {count:,} traces on which people disagree with no majority: {name}"
        for name, count in done.ties.items()
    ]
    reasons = Counter(done.gone.values())
    lines += [f"Left out, {count:,} traces: {printable(why)}" for why, count in reasons.items()]
    if done.shared:
        lines.append(
            f"{done.shared:,} verdicts were given by several people; {done.alike:,} alike by all."
        )
    return lines
