"""The judges of a run: from the plan and the environment to what evaluators ask."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from evaluators.clients.openai_judge import OpenAIJudge, make_judge
from evaluators.clients.probe import why_down
from evaluators.clients.remembered import RememberingJudge
from evaluators.clients.run_ledger import RunLedger
from evaluators.clients.switched import SwitchedJudge
from flows.parts import JudgeTerms, PlannedEvaluator, StandIn
from flows.plan_file import PlanFile
from tailwatch.errors import ConfigurationError, PlanError
from tailwatch.judge_calls import CallLedger
from tailwatch.plan import JudgePlan, Plan
from tailwatch.settings import Settings


@dataclass(frozen=True, slots=True)
class AskedJudge:
    """A judge with what stands before it: a switch, and the memory of what was asked before."""

    judge: OpenAIJudge
    switched: SwitchedJudge
    asked: RememberingJudge

    @classmethod
    def of(cls, judge: OpenAIJudge, reuse: timedelta) -> "AskedJudge":
        """The judge with its switch on, remembering verdicts for as long as `reuse`."""
        switched = SwitchedJudge(judge)
        return cls(judge, switched, RememberingJudge(switched, judge.ledger, reuse))

    def begin(self, run_id: str, ask_again: bool) -> None:
        """Starts a run, in which nothing of earlier ones is used again if it is to `ask_again`."""
        self.judge.ledger.begin(run_id)
        self.switched.switch_on()
        self.asked.begin(ask_again=ask_again)


@asynccontextmanager
async def opened_judges(
    plan_file: PlanFile, settings: Settings, ledger: CallLedger | None = None
) -> AsyncIterator[tuple[OpenAIJudge | None, OpenAIJudge | None]]:
    """The first judge and the second, each None where it is not configured, closed at the end.

    Raises ConfigurationError for a setting of either that cannot be used.
    """
    async with AsyncExitStack() as stack:
        first, second = build_judge(plan_file.plan.judge, settings, ledger), None
        if first is not None:
            stack.push_async_callback(first.close)
            second = build_second_judge(plan_file, settings, first.model, ledger)
        if second is not None:
            stack.push_async_callback(second.close)
        yield first, second


def build_judge(
    plan: JudgePlan | None, settings: Settings, ledger: CallLedger | None = None
) -> OpenAIJudge | None:
    """The judge, or None where neither an API key nor an address is set.

    Its calls are booked in the ledger; without one they are in nobody's books.
    """
    key = settings.judge_api_key.get_secret_value() if settings.judge_api_key else None
    if not key and not settings.judge_url:
        return None
    if plan is None and settings.judge_model is None:
        return None
    chosen = plan or JudgePlan(model=settings.judge_model or "")
    return make_judge(
        chosen,
        url=settings.judge_url,
        api_key=key,
        model=settings.judge_model,
        ledger=None if ledger is None else RunLedger(ledger, chosen.caps, clock=_now),
    )


def build_second_judge(
    plan_file: PlanFile, settings: Settings, first: str, ledger: CallLedger | None = None
) -> OpenAIJudge | None:
    """The judge that stands in for the model `first`; None where the plan has none.

    Raises PlanError when it is the same model: scores of two judges must not mix in one series.
    """
    plan = plan_file.plan.judge
    if plan is None or plan.second is None:
        return None
    second = plan.second
    if second.model == first:
        same = ConfigurationError(
            f"the second judge is {first!r} like the first, so their scores would mix in one "
            "series; name another model"
        )
        raise PlanError([plan_file.fault(("judge", "second", "model"), same)])
    url, key = settings.second_judge_url, settings.second_judge_api_key
    own = {"judge_url": url, "judge_api_key": key} if url or key else {}
    chosen = plan.model_copy(update={"model": second.model, "price": second.price})
    return build_judge(
        chosen, settings.model_copy(update={**own, "judge_model": second.model}), ledger
    )


def _now() -> datetime:
    return datetime.now(UTC)


def terms_of(first: AskedJudge, second: AskedJudge | None) -> JudgeTerms:
    """The terms of the first judge; what is spent on a second one is counted in."""
    both = [first] if second is None else [first, second]

    def begin(run_id: str, ask_again: bool) -> None:
        for each in both:
            each.begin(run_id, ask_again)

    return JudgeTerms(
        model=first.judge.model,
        caps=first.judge.ledger.caps,
        worst_case_usd=first.judge.worst_case_usd,
        spent_usd=lambda: sum(each.judge.spent_usd for each in both),
        begin=begin,
        others_usd={each.judge.model: each.judge.worst_case_usd for each in both[1:]},
    )


def stand_in_of(
    first: AskedJudge,
    second: AskedJudge,
    evaluators: Sequence[PlannedEvaluator],
    patience: timedelta,
) -> StandIn:
    """How the second judge, whom the evaluators ask, stands in for the first."""
    pause_s = patience.total_seconds()
    return StandIn(
        first=first.judge.model,
        model=second.judge.model,
        evaluators=tuple(evaluators),
        first_down=partial(why_down, first.judge, pause_s=pause_s),
        down=partial(why_down, second.judge, pause_s=pause_s),
        take_over=first.switched.switch_off,
    )


def judge_missing(plan: Plan) -> str:
    """What to set where no judge is configured."""
    needed = (
        "set OPENAI_API_KEY"
        if plan.judge is not None
        else "set OPENAI_API_KEY and name a model under `judge:` in the plan"
    )
    return (
        f"no judge is configured: {needed}, "
        "or TAILWATCH_JUDGE_URL and TAILWATCH_JUDGE_MODEL for an endpoint of your own"
    )
