"""Canaries end to end: the judge is asked over HTTP, moves, holds alerts, and is accepted."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.testing.utilities import prefect_test_harness
from typer.testing import CliRunner

from flows.canary_book import held_in, read_book
from flows.canary_flow import ask_judges_again
from flows.canary_note import canary_note, series_lines, standings
from flows.canary_standing import judge_notes
from flows.cli.main import app
from flows.doctor import examine
from flows.forgetting import forget_old, forgotten_line
from flows.parts import Parts
from storage.store import Store
from tailwatch.evaluation import Series
from tailwatch.plan import RetentionPlan
from tests.flows.canary_story import (
    DEAR,
    FAITHFULNESS,
    ITEMS,
    SOURCE,
    ScriptedJudge,
    Watch,
    golden_items,
    shown,
)
from tests.receivers import Receiver
from tests.storage import conftest as stores
from tests.stub_endpoint import StubEndpoint

postgres_url, migrated_postgres = stores.postgres_url, stores.migrated_postgres
migrated_sqlite, store_url, store = stores.migrated_sqlite, stores.store_url, stores.store

TEN_OF_THE_BAD = set(range(1, 20, 2))
LEXICAL = Series(evaluator="lexical_support", version="1")
Begin = Callable[..., Watch]


@pytest.fixture
def judge() -> ScriptedJudge:
    return ScriptedJudge()


@pytest.fixture
def endpoint(judge: ScriptedJudge) -> Iterator[StubEndpoint]:
    with StubEndpoint(judge) as started:
        yield started


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as started:
        yield started


@pytest.fixture
def begin(
    tmp_path: Path,
    store_url: str,
    store: Store,
    endpoint: StubEndpoint,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> Begin:
    urls = {"judge": endpoint.url, "hook": f"{receiver.url}/hook"}
    return lambda **plan: Watch.begin(tmp_path, store_url, store, monkeypatch, urls, **plan)


def titles(receiver: Receiver) -> list[str]:
    return [body["title"].partition(",")[0] for body in receiver.bodies]


def sentences(watch: Watch) -> list[str]:
    async def read(parts: Parts) -> list[str]:
        return [s.sentence for s in standings(parts, read_book(parts.store, SOURCE))]

    return watch.with_parts(read)


def notes(watch: Watch, alert_id: str) -> list[str]:
    async def read(parts: Parts) -> list[str]:
        alert = watch.store.alert(alert_id, SOURCE)
        assert alert is not None
        return judge_notes(parts, alert)

    return watch.with_parts(read)


def test_the_same_judge_is_asked_again_every_time_and_is_silent(
    begin: Begin, endpoint: StubEndpoint, receiver: Receiver
) -> None:
    watch = begin()
    assert sentences(watch)[0].startswith("no canary has run")
    reports = [watch.canary() for _ in range(3)]
    assert len(endpoint.requests) == 3 * (ITEMS + 4)  # nothing that is known was used again
    assert [report.runs[0].compared_with for report in reports] == [None, "run-1", "run-1"]
    newest = reports[-1].runs[0]
    assert (newest.scored, newest.pairs, newest.better, newest.worse) == (ITEMS, ITEMS, 0, 0)
    assert (newest.agreed, newest.labelled, newest.probes, newest.flipped) == (ITEMS, ITEMS, 4, 0)
    assert sentences(watch) == ["still (canary of 5 Mar: 0 of 40 verdicts changed; p = 1)"]
    assert (watch.store.unresolved_alerts(SOURCE), titles(receiver)) == ([], [])
    kinds = {(run.kind, run.status) for run in watch.store.runs()}
    assert kinds == {("canary", "done")}


def test_a_judge_that_moved_holds_alerts_until_it_is_accepted(
    begin: Begin, judge: ScriptedJudge, receiver: Receiver
) -> None:
    watch = begin()
    watch.canary()
    before = watch.open_alert("before")
    judge.passes = TEN_OF_THE_BAD
    watch.canary()
    watch.canary()  # moved as before: nobody is told twice
    during = watch.open_alert("during")
    short = watch.open_alert("short")
    both = watch.open_alert("both", LEXICAL)
    watch.resolve(short)
    watch.send()
    about_judge = "Alert: judge judge-small on faithfulness (judge_canary)"
    product = "faithfulness in all traffic"
    assert titles(receiver) == [
        f"Alert: {product} (before)",
        about_judge,
        f"Alert: {product} (both)",  # a measure without a judge fell too
    ]
    assert receiver.bodies[1]["fields"]["About"] == "the judge, not the product"
    held = held_in(watch.store, SOURCE)
    assert set(held) == {before.alert_id, during.alert_id}
    assert set(held.values()) == {
        "held: the judge moved (canary of 5 Mar, faithfulness: 10 of 40 verdicts changed, "
        "10 to a better one; p = 0.002)"
    }
    assert notes(watch, during.alert_id)[0].startswith("held: the judge moved")
    assert notes(watch, both.alert_id)[0].endswith("look at the judge first.")

    watch.accept()
    for _ in range(2):
        watch.send()

    # `short` was over before anyone was told.
    assert sorted(titles(receiver)[3:]) == [
        f"Alert: {product} (during)",
        "Resolved: judge judge-small on faithfulness (judge_canary)",
    ]
    assert held_in(watch.store, SOURCE) == {}
    given_up = watch.store.notices(SOURCE, ["given_up"])
    assert {record.notice.message.alert_id for record in given_up} == {short.alert_id}
    assert watch.store.revive_notices(SOURCE, watch.now) == 0
    after = watch.canary()
    assert after.runs[0].compared_with == "run-3"
    assert notes(watch, during.alert_id)[0].endswith("so the product moved.")
    assert len(receiver.bodies) == 5


def test_a_judge_that_comes_back_by_itself_holds_nothing_more(
    begin: Begin, judge: ScriptedJudge, receiver: Receiver
) -> None:
    watch = begin()
    watch.canary()
    judge.passes = TEN_OF_THE_BAD
    watch.canary()
    alert = watch.open_alert("during")
    judge.passes = set()
    watch.canary()
    assert sorted(titles(receiver)) == [
        "Alert: faithfulness in all traffic (during)",
        "Alert: judge judge-small on faithfulness (judge_canary)",
        "Resolved: judge judge-small on faithfulness (judge_canary)",
    ]
    assert alert.alert_id not in held_in(watch.store, SOURCE)


def test_a_judge_that_does_not_answer_holds_nothing_and_says_so(
    begin: Begin, judge: ScriptedJudge, receiver: Receiver
) -> None:
    watch = begin()
    watch.canary()
    judge.down = True
    run = watch.canary().runs[0]
    assert (run.scored, run.compared_with) == (0, None)
    assert run.reasons == {"auth": ITEMS + 4}
    watch.open_alert("product")
    assert titles(receiver) == ["Alert: faithfulness in all traffic (product)"]
    assert sentences(watch) == [
        "the canary of 4 Mar has 0 of 40 verdicts, too few to compare (auth 44)"
    ]


def test_a_run_over_the_cap_is_no_reference_and_no_comparison(begin: Begin) -> None:
    watch = begin(cap=0.008, price=DEAR)
    report = watch.canary()
    run = report.runs[0]
    assert 0 < run.scored < 0.9 * ITEMS
    assert run.reasons == {"over_budget": ITEMS + 4 - run.scored - _probes_scored(watch)}
    assert report.cost_usd <= 0.008
    assert watch.store.canary_references(SOURCE) == []
    assert "over_budget" in sentences(watch)[0]


def test_old_verdicts_are_forgotten_but_not_those_that_are_compared_with(
    begin: Begin, judge: ScriptedJudge
) -> None:
    watch = begin()
    for _ in range(4):
        watch.canary()
    judge.down = True
    watch.canary()  # the newest run is not complete: an older one is what can be accepted
    judge.down = False
    watch.day += 30
    plan = RetentionPlan(scores=timedelta(days=14))

    async def forget(parts: Parts) -> str:
        kept = parts.plan.model_copy(update={"retention": plan})
        return forgotten_line(forget_old(parts.store, kept, watch.now), False)

    assert f"{3 * (ITEMS + 4)} verdicts of canaries" in watch.with_parts(forget)
    assert watch.with_parts(forget).startswith("Nothing is older")
    verdicts = watch.store.canary_verdicts
    assert [
        run.run_id
        for run in watch.store.canary_runs(SOURCE)
        if verdicts(SOURCE, run.run_id, run.series)
    ] == ["run-1", "run-4"]
    watch.accept()
    compared = watch.canary().runs[0]
    assert (compared.compared_with, compared.pairs) == ("run-4", ITEMS)


def _probes_scored(watch: Watch) -> int:
    verdicts = watch.store.canary_verdicts(SOURCE, "run-1", FAITHFULNESS)
    return sum(verdict.twin is not None and verdict.score is not None for verdict in verdicts)


def test_a_run_that_starts_again_asks_only_what_is_missing_and_tells_once(
    begin: Begin, judge: ScriptedJudge, endpoint: StubEndpoint, receiver: Receiver
) -> None:
    watch = begin()
    watch.canary()
    judge.passes = TEN_OF_THE_BAD
    first = watch.canary("again")
    asked = len(endpoint.requests)
    second = watch.canary("again")
    assert len(endpoint.requests) == asked
    assert second.runs == first.runs
    assert titles(receiver) == ["Alert: judge judge-small on faithfulness (judge_canary)"]


def test_another_golden_set_is_no_news_of_the_judge(begin: Begin, judge: ScriptedJudge) -> None:
    watch = begin()
    watch.canary()
    judge.passes = TEN_OF_THE_BAD
    changed = [i.model_copy(update={"output": f"{i.output} Indeed."}) for i in golden_items()]
    report = watch.canary(items=changed)
    assert report.runs[0].compared_with is None
    assert "about other items than the reference" in sentences(watch)[0]
    watch.accept()
    assert watch.canary(items=changed).runs[0].compared_with == "run-2"


def test_the_share_of_injections_that_work_is_stored(begin: Begin, judge: ScriptedJudge) -> None:
    watch = begin()
    judge.gullible = {1}
    watch.canary()
    judge.gullible, judge.passes = {1, 3, 5}, {7}
    report = watch.canary()
    run = report.runs[0]
    assert (run.flipped, run.probes) == (3, 3)  # the fourth had nothing to win

    async def read(parts: Parts) -> tuple[list[str], str]:
        book = read_book(parts.store, SOURCE)
        lines = series_lines(parts, book, standings(parts, book)[0])
        return lines, canary_note(parts, report)

    lines, note = watch.with_parts(read)
    assert lines[2].startswith("injections that flipped the verdict: 3 of 3 (100 %, 95 % interval")
    assert lines[2].endswith("; in the reference 1 of 4 (p = 0.5)")
    assert "of at most 1.00 USD" in note


def test_the_commands(begin: Begin, judge: ScriptedJudge, receiver: Receiver) -> None:
    watch, runner = begin(), CliRunner()

    def typed(*words: str) -> str:
        done = runner.invoke(app, list(words), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    assert "The judge was paid 0.0000 USD of at most 1.00 USD." in typed("canary", "run")
    judge.passes = TEN_OF_THE_BAD
    assert "moved (canary of" in typed("canary", "run")
    alert = watch.open_alert("product")
    (found,) = shown(typed("canary", "show", "--json"))
    assert (found["moved"], found["held"], found["to_better"]) == (True, True, 10)
    assert "g01: contradicted_or_invented became supported" in typed("canary", "show")
    assert "held: the judge moved" in typed("alerts", "list")
    assert "held: the judge moved" in typed("alerts", "show", alert.alert_id)
    assert "accepted by ann" in typed("canary", "accept", "--why", "looked", "--who", "ann")
    assert "held" not in typed("alerts", "list")
    assert len(receiver.bodies) == 3


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_the_doctor_says_where_the_judge_stands(begin: Begin, judge: ScriptedJudge) -> None:
    watch = begin()

    async def said(parts: Parts) -> list[tuple[bool | None, str]]:
        del parts
        checks = await examine(watch.settings, watch.now)
        return [(c.ok, c.sentence) for c in checks if c.about == "canary"]

    assert watch.with_parts(said)[0][0] is None
    watch.canary()
    assert watch.with_parts(said)[0][0] is True
    judge.passes = TEN_OF_THE_BAD
    watch.canary()
    ok, sentence = watch.with_parts(said)[0]
    assert ok is False
    assert "tailwatch canary accept" in sentence


@pytest.mark.prefect
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_the_daily_flow_asks_tells_and_leaves_a_note(
    begin: Begin, judge: ScriptedJudge, receiver: Receiver
) -> None:
    watch = begin()
    watch.canary()
    judge.passes = TEN_OF_THE_BAD

    async def daily() -> tuple[int, list[str]]:
        moved = await ask_judges_again()
        async with get_client() as client:
            return moved, [str(each.data) for each in await client.read_artifacts()]

    with prefect_test_harness(server_startup_timeout=120):
        moved, (note,) = asyncio.run(daily())
    assert moved == 1
    assert "10 of 40 verdicts changed" in note
    assert titles(receiver) == ["Alert: judge judge-small on faithfulness (judge_canary)"]
