"""From a judge's verdict to what a rubric says it is worth, and the ways there is none."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from evaluators.material import Material
from evaluators.questions import Form
from tailwatch.errors import RetryableError
from tailwatch.outcome import Failed, FailureKind, Skipped, SkipReason, Usage
from tailwatch.protocols import EvaluatorTools, Judge


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredVerdict:
    """A choice with its score from 0 to 1 and its grade, 0 for the rubric's lowest score.

    `reused_from` is when it was given, if it was paid for earlier.
    """

    label: str
    score: float
    grade: int
    explanation: str
    usage: Usage
    reused_from: datetime | None = None
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def details(self) -> Mapping[str, Any]:
        """What a score made of it alone should say."""
        if self.reused_from is None:
            return self.told
        return {**self.told, "reused": 1, "reused_from": self.reused_from.isoformat()}


async def verdict_for(
    form: Form, material: Material, judge: Judge, sample: int = 0
) -> ScoredVerdict | Skipped | Failed:
    """The judge's verdict on the material, scored; a choice the rubric has not is a failure."""
    verdict = await judge.ask(form.question(material, sample))
    if isinstance(verdict, Skipped | Failed):
        return verdict
    chosen = form.chosen(verdict.choice, verdict.explanation)
    grade = None if chosen is None else form.rubric.grade_of(chosen.label)
    if chosen is None or grade is None:
        return Failed(
            error_type=FailureKind.BAD_OUTPUT,
            message="the judge chose something that is not among the choices",
            usage=verdict.usage,
        )
    return ScoredVerdict(
        label=chosen.label,
        score=chosen.score,
        grade=grade,
        explanation=chosen.explanation,
        usage=verdict.usage,
        reused_from=verdict.reused_from,
        told=chosen.details,
    )


def questions_in_hand(tools: EvaluatorTools) -> int:
    """How many traces are to be under way so that the judge never waits for a question."""
    return getattr(tools.judge, "in_hand", 64)


def no_judge(tools: EvaluatorTools) -> Skipped:
    """What every trace gets where no judge is configured, with what to set."""
    return Skipped(reason=SkipReason.NOT_CONFIGURED, detail=tools.judge_missing)


ResultT = TypeVar("ResultT")


def contained(result: ResultT | BaseException) -> ResultT | Failed:
    """What one of several tasks came to. Its own fault becomes `Failed`, so that its neighbours'
    verdicts, which are paid for, are kept; a cancellation goes on.
    """
    if not isinstance(result, BaseException):
        return result
    if not isinstance(result, Exception):
        raise result
    return Failed(
        error_type=type(result).__name__,
        message="the judge's client raised this instead of returning a failure",
        retryable=isinstance(result, RetryableError),
    )
