"""Finished evaluations on their way to the store: in groups, and never in the way of a judge."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from tailwatch.evaluation import Evaluation

GROUP: Final = 100
"""How many finished evaluations are written together, if they come quickly."""
GROUP_S: Final = 0.5
"""How long the first of them waits for the others, in seconds."""


class Recorder:
    """Hands evaluations to `on_batch` in a thread, one call at a time."""

    def __init__(self, on_batch: Callable[[Sequence[Evaluation]], None] | None) -> None:
        self._on_batch = on_batch
        self._turn = asyncio.Lock()
        self._gathered: list[Evaluation] = []
        self._full = asyncio.Event()
        self._finished = False

    async def record(self, batch: Sequence[Evaluation]) -> None:
        """Hands over a batch as it is. What `on_batch` raises passes through."""
        if self._on_batch is not None and batch:
            async with self._turn:
                await asyncio.to_thread(self._on_batch, batch)

    def add(self, evaluations: Sequence[Evaluation]) -> None:
        """Keeps them for the next group, which `run` hands over."""
        self._gathered += evaluations
        if len(self._gathered) >= GROUP:
            self._full.set()

    def finish(self) -> None:
        """Says that nothing more comes."""
        self._finished = True
        self._full.set()

    async def run(self) -> None:
        """Hands over groups until it is finished. What `on_batch` raises passes through."""
        while self._gathered or not self._finished:
            try:
                async with asyncio.timeout(GROUP_S):
                    await self._full.wait()
            except TimeoutError:
                pass  # a small group is better than a late one
            if not self._finished:
                self._full.clear()
            group, self._gathered = self._gathered, []
            await self.record(group)
