"""A judge that is down for a whole run: who judges then, in which series, and what comes after."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from flows.checking import check_alerts
from flows.doctor import examine
from flows.plan_file import read_plan
from flows.wiring import open_parts
from storage.store import Store
from tailwatch.errors import PlanError
from tailwatch.evaluation import Series
from tests.builders import START
from tests.flows.judged_plan import HOUR, JudgedPlan
from tests.stub_endpoint import StubEndpoint, StubReply, StubRequest, refusal_to_serve, verdict

FIRST = Series(evaluator="answer_relevance", version="1", judge="first")
SECOND = Series(evaluator="answer_relevance", version="1", judge="second")
LATER = START + timedelta(hours=2)


class Switch:
    """What an endpoint answers: questions as a judge, or the same refusal to all."""

    def __init__(self, refusal: StubReply | None = None) -> None:
        self.refusal = refusal
        self.asked: list[str] = []

    def __call__(self, request: StubRequest) -> StubReply:
        self.asked.append(request.text)
        return self.refusal or verdict(_choice(request))

    @property
    def judged(self) -> int:
        """How many traces it was asked about, probes and tries again left out."""
        return len({text for text in self.asked if "invoices" in text})


def _choice(request: StubRequest) -> str:
    choices: list[str] = request.body["response_format"]["json_schema"]["schema"]["properties"][
        "choice"
    ]["enum"]
    return choices[0]


@contextmanager
def two_judges(
    folder: Path, first: Switch, second: Switch, traces: int = 3
) -> Iterator[JudgedPlan]:
    with StubEndpoint(first) as one, StubEndpoint(second) as other:
        yield JudgedPlan.written(
            folder,
            [{"input": f"When are invoices of kind {i} sent?"} for i in range(traces)],
            {
                "judge": {
                    "model": "first",
                    "timeout": "5s",
                    "second": {"model": "second", "patience": "0s"},
                },
                "rules": [{"use": "no_data", "options": {"min_tried": 2}}],
            },
            one.url,
            other.url,
        )


def account(store: Store, series: Series) -> tuple[int, dict[str, int]] | None:
    """How many scores and failures the hour has in a series; None where it has no account."""
    found = [c for c in store.coverage("app", HOUR) if c.series == series]
    return (found[0].scored, dict(found[0].failed)) if found else None


def watched(plan: JudgedPlan) -> set[Series]:
    """The series that a check of the hour looks at."""

    async def check() -> set[Series]:
        async with open_parts(read_plan(plan.settings.plan), plan.settings) as parts:
            return {finding.series for finding in check_alerts(parts, [HOUR.end]).findings}

    return asyncio.run(check())


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (refusal_to_serve(401, code="invalid_api_key"), "auth"),
        (StubReply(hang_up=True), "unavailable"),
        (refusal_to_serve(429, code="insufficient_quota"), "rate_limited"),
        (refusal_to_serve(404, code="model_not_found"), "bad_request"),
    ],
)
def test_the_second_judge_opens_series_of_its_own_while_the_first_is_down(
    tmp_path: Path, refusal: StubReply, kind: str
) -> None:
    first, second = Switch(refusal), Switch()
    with two_judges(tmp_path, first, second) as plan:
        report = plan.run(LATER, "run-1")
        with plan.store() as store:
            assert account(store, FIRST) == (0, {kind: 3})
            assert account(store, SECOND) == (3, {})
            (recorded,) = store.runs()
            outcomes = store.recorded("app", [FIRST], HOUR)[FIRST]
    assert report.note is not None
    assert recorded.detail == report.note
    assert f"first is down ({kind}); second judged in its place" in report.note
    assert all(outcome.retryable for outcome in outcomes.values())
    assert (first.judged, second.judged) == (0, 3)


def test_when_the_first_is_back_its_failures_are_made_good_and_the_second_rests(
    tmp_path: Path,
) -> None:
    first, second = Switch(StubReply(hang_up=True)), Switch()
    with two_judges(tmp_path, first, second) as plan:
        plan.run(LATER, "run-1")
        first.refusal = None
        second.asked.clear()
        report = plan.run(LATER + timedelta(hours=1), "run-2")
        with plan.store() as store:
            assert account(store, FIRST) == (3, {})
            assert account(store, SECOND) == (3, {})
            by_series = {s.series: s.n for s in store.summaries("app", HOUR) if not s.segment.field}
            found = watched(plan)
    assert report.note is None
    assert second.asked == []
    assert {FIRST, SECOND} <= found
    assert (by_series[FIRST], by_series[SECOND]) == (3, 3)


def test_an_hour_that_the_first_has_judged_is_not_judged_again(tmp_path: Path) -> None:
    first, second = Switch(), Switch()
    with two_judges(tmp_path, first, second) as plan:
        assert plan.run(LATER, "run-1").note is None
        assert second.asked == []
        first.refusal = refusal_to_serve(403)
        report = plan.run(LATER + timedelta(hours=1), "run-2")
        with plan.store() as store:
            assert account(store, FIRST) == (3, {})
            assert account(store, SECOND) is None
    assert report.note is not None
    assert second.judged == 0


def test_single_failures_bring_no_second_judge(tmp_path: Path) -> None:
    class Shaky(Switch):
        def __call__(self, request: StubRequest) -> StubReply:
            answer = super().__call__(request)
            return StubReply(hang_up=True) if "kind 1 " in request.text else answer

    first, second = Shaky(), Switch()
    with two_judges(tmp_path, first, second) as plan:
        report = plan.run(LATER, "run-1")
        with plan.store() as store:
            assert account(store, FIRST) == (2, {"unavailable": 1})
            assert account(store, SECOND) is None
    assert report.note is None


def test_where_both_are_down_the_first_has_the_failures(tmp_path: Path) -> None:
    first, second = Switch(refusal_to_serve(401)), Switch(refusal_to_serve(403))
    with two_judges(tmp_path, first, second) as plan:
        report = plan.run(LATER, "run-1")
        with plan.store() as store:
            assert account(store, FIRST) == (0, {"auth": 3})
            assert account(store, SECOND) is None
    assert report.note == (
        "the judge first is down (auth), and so is the second one, second (auth)"
    )


def test_a_backfill_waits_for_the_first_judge(tmp_path: Path) -> None:
    first, second = Switch(refusal_to_serve(401)), Switch()
    with two_judges(tmp_path, first, second) as plan:
        assert plan.run(LATER, "run-1", kind="backfill").note is None
    assert second.asked == []


def test_the_doctor_names_both_judges_and_asks_neither(tmp_path: Path) -> None:
    first, second = Switch(), Switch()
    with two_judges(tmp_path, first, second) as plan:
        found = asyncio.run(examine(plan.settings, LATER))
    (judge,) = [each for each in found if each.about == "judge"]
    assert judge.sentence.startswith("first, at most 1.00 USD a run")
    assert judge.sentence.endswith("; second stands in for it while it is down")
    assert (first.asked, second.asked) == ([], [])


def test_each_judge_has_its_own_worst_case(tmp_path: Path) -> None:
    dear, cheap = (
        {"input_usd_per_million": usd, "output_usd_per_million": usd} for usd in (20.0, 2.0)
    )
    plan = JudgedPlan.written(
        tmp_path,
        [{}],
        {"judge": {"model": "small", "price": cheap, "second": {"model": "large", "price": dear}}},
        "http://127.0.0.1:9/v1",
    )

    async def worst() -> tuple[float, float]:
        async with open_parts(read_plan(plan.settings.plan), plan.settings) as parts:
            assert parts.judge is not None
            return parts.judge.worst_case_of("small"), parts.judge.worst_case_of("large")

    small, large = asyncio.run(worst())
    assert large == pytest.approx(10 * small)
    assert small > 0


def test_the_second_judge_must_be_another_model(tmp_path: Path) -> None:
    plan = JudgedPlan.written(
        tmp_path,
        [{}],
        {"judge": {"model": "same", "second": {"model": "same"}}},
        "http://127.0.0.1:9/v1",
    )

    async def opened() -> None:
        async with open_parts(read_plan(plan.settings.plan), plan.settings):
            raise AssertionError("it was accepted")

    with pytest.raises(PlanError, match=r"judge\.second\.model: .* mix in one"):
        asyncio.run(opened())
