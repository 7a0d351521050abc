"""From a judge's verdict to what a rubric says it is worth, and the ways there is none."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from evaluators.material import Material
from evaluators.rubric_file import Rubric
from tailwatch.errors import RetryableError
from tailwatch.outcome import Failed, FailureKind, Skipped, SkipReason, Usage
from tailwatch.protocols import EvaluatorTools, Judge, JudgeQuestion


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

    @property
    def details(self) -> Mapping[str, Any]:
        """What a score made of it alone should say."""
        if self.reused_from is None:
            return {}
        return {"reused": 1, "reused_from": self.reused_from.isoformat()}


async def verdict_for(
    rubric: Rubric, material: Material, judge: Judge
) -> ScoredVerdict | Skipped | Failed:
    """The judge's verdict on the material, scored; a choice the rubric has not is a failure."""
    verdict = await judge.ask(
        JudgeQuestion(
            instructions=rubric.prompt,
            material=material.text,
            choices=rubric.labels,
            max_output_tokens=rubric.max_output_tokens,
            rubric=rubric.name,
            version=rubric.version,
        )
    )
    if isinstance(verdict, Skipped | Failed):
        return verdict
    score, grade = rubric.score_of(verdict.choice), rubric.grade_of(verdict.choice)
    if score is None or grade is None:
        return Failed(
            error_type=FailureKind.BAD_OUTPUT,
            message="the judge chose something that is not among the choices",
            usage=verdict.usage,
        )
    return ScoredVerdict(
        label=verdict.choice,
        score=score,
        grade=grade,
        explanation=verdict.explanation,
        usage=verdict.usage,
        reused_from=verdict.reused_from,
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
