"""An evaluator made of a plain function that scores one trace."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tailwatch.alert import Direction
from tailwatch.outcome import Outcome
from tailwatch.protocols import UNIT_SCALE, Scale
from tailwatch.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class PerTraceEvaluator:
    """Scores traces one by one with `score`, from 0 to 1 and higher is better unless told else."""

    name: str
    version: str
    score: Callable[[Trace], Outcome]
    judge: str = ""
    direction: Direction = Direction.HIGHER_IS_BETTER
    scale: Scale = UNIT_SCALE
    batch_size: int = 256

    async def evaluate(self, traces: Sequence[Trace]) -> Sequence[Outcome]:
        """One outcome for each trace, in order."""
        outcomes: list[Outcome] = []
        for trace in traces:
            outcomes.append(self.score(trace))
            # lets time-outs end the batch, and evaluators that wait for a network go on
            await asyncio.sleep(0)
        return outcomes
