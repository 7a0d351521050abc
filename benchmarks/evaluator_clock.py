"""Preloaded in a Dask worker: keeps, in a file, the wall time in which an evaluator was at work."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from evaluators import run
from flows import shared_worker
from tailwatch.outcome import Outcome
from tailwatch.protocols import Evaluator
from tailwatch.trace import Trace


class _Clock:
    """Runs while at least one evaluator does: several at once count once."""

    def __init__(self) -> None:
        self._file = Path(os.environ["TAILWATCH_EVALUATOR_TIMES"]) / str(os.getpid())
        self._at_work = 0
        self._since = self._total = 0.0

    def begin(self) -> None:
        if self._at_work == 0:
            self._since = time.perf_counter()
        self._at_work += 1

    def end(self) -> None:
        self._at_work -= 1
        if self._at_work == 0:
            self._total += time.perf_counter() - self._since
            self._file.write_text(repr(self._total))


LOADED = shared_worker
"""What a worker imports for its first hour is there before, and counts in no run."""


def dask_setup(_: object) -> None:
    """Called by Dask when the worker begins."""
    clock, plain = _Clock(), run._outcomes

    async def clocked(
        evaluator: Evaluator, traces: Sequence[Trace], timeout_s: float
    ) -> Sequence[Outcome]:
        clock.begin()
        try:
            return await plain(evaluator, traces, timeout_s)
        finally:
            clock.end()

    vars(run)["_outcomes"] = clocked
