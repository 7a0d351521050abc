"""A judge on this machine: llama.cpp in this process, speaking OpenAI's protocol on loopback."""

import importlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from tailwatch.errors import ConfigurationError

HOST: Final = "127.0.0.1"
_MAGIC: Final = b"GGUF"


@contextmanager
def serving(
    gguf: Path,
    *,
    port: int = 0,
    name: str | None = None,
    context: int = 8192,
    parallel: int = 1,
    threads: int | None = None,
) -> Iterator[str]:
    """Serves the model in the file while its block lasts; the address ends in /v1.

    The model is called `name`, by default as its file. `context` is how many tokens a question and
    its answer may have together, `parallel` how many questions are answered at once, and `threads`
    how many cores it takes, by default all. Port 0 is any that is free.

    Raises ConfigurationError when the extra is not installed, the file is no model that llama.cpp
    can load, or the port is taken.
    """
    llama = _library()
    _refuse_other_files(gguf)
    _refuse_taken(port)
    parameters = _parameters(llama, context, parallel)
    parameters.model.path = str(gguf)
    parameters.model_alias = {name or gguf.stem}
    parameters.port = port
    if threads is not None:
        parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
    try:
        server = llama.Server(parameters)
    except RuntimeError:
        raise ConfigurationError(
            f"llama.cpp cannot load {gguf}: the file may be damaged or newer than this xllamacpp, "
            f"or there is too little memory for it with {context * parallel:,} tokens of context"
        ) from None
    try:
        yield f"{server.listening_address}/v1"
    finally:
        # Its destructor stops the threads that serve.
        del server


def _parameters(llama: Any, context: int, parallel: int) -> Any:
    parameters = llama.CommonParams()
    parameters.hostnames = [HOST]
    parameters.n_ctx = context * parallel
    parameters.n_parallel = parallel
    parameters.offline = True
    parameters.verbosity = 0
    # Its pages, its view of the slots and other origins' scripts have no business with a judge.
    parameters.ui = False
    parameters.endpoint_slots = False
    parameters.cors_origins = ""
    return parameters


def _library() -> Any:
    if find_spec("xllamacpp") is None:
        raise ConfigurationError(
            "a judge of your own needs llama.cpp, which is not installed; "
            "pip install 'tailwatch[local-llm]' sets it up"
        )
    return importlib.import_module("xllamacpp")


def _refuse_other_files(gguf: Path) -> None:
    try:
        with gguf.open("rb") as file:
            start = file.read(len(_MAGIC))
    except OSError as error:
        raise ConfigurationError(f"the model {gguf} cannot be read: {error.strerror}") from error
    if start != _MAGIC:
        raise ConfigurationError(
            f"{gguf} is not a GGUF file; llama.cpp loads no other form of a model"
        )


def _refuse_taken(port: int) -> None:
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((HOST, port))
        except OSError as error:
            raise ConfigurationError(
                f"port {port} cannot be listened on ({error.strerror}); choose another with --port"
            ) from error
