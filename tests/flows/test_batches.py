"""Backfills in batches: the same evaluations as online, at half the price, through every fault."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.open_batch import Limits
from storage.store import Store, open_store
from tailwatch.judge_calls import Caps
from tailwatch.outcome import FailureKind, Score, SkipReason
from tailwatch.window import Window
from tests.builders import START
from tests.evaluators.test_rubric_options import sheet_file
from tests.flows.batch_story import LIST_PRICE, Story, by_material
from tests.storage import conftest as stores
from tests.stub_batches import StubBatches
from tests.stub_endpoint import completion

migrated_sqlite = stores.migrated_sqlite

WINDOW_OF_BOOKS = Window(START, START + timedelta(days=9))


@pytest.fixture
def store(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Store]:
    with copied(migrated_sqlite, tmp_path / "store.db") as opened:
        yield opened


def copied(migrated: Path, file: Path) -> Store:
    shutil.copy(migrated, file)
    return open_store(f"sqlite:///{file}")


@pytest.fixture
def provider() -> Iterator[StubBatches]:
    with StubBatches(by_material) as started:
        yield started


@pytest.fixture
def story(store: Store, provider: StubBatches) -> Story:
    return Story(store, provider.url)


def online(migrated: Path, tmp_path: Path, provider: StubBatches, **same: Any) -> dict[str, Any]:
    """What the same backfill online comes to, in a store of its own."""
    with copied(migrated, tmp_path / "online.db") as store:
        story = Story(store, provider.url, **same)
        story.online()
        return story.told()


def test_a_backfill_in_batches_ends_as_one_online(
    story: Story, provider: StubBatches, tmp_path: Path, migrated_sqlite: Path
) -> None:
    first = story.start()
    assert first.job.state == "waiting"
    assert first.report is not None
    assert first.report.in_batch == 12
    assert (len(provider.batches), provider.asked) == (1, [])
    assert len(provider.uploads[0].lines) == 12

    assert story.collect()[0].report is None
    provider.finish()
    (done,) = story.collect()

    assert done.job.state == "done"
    assert story.told() == online(migrated_sqlite, tmp_path, provider)
    assert done.report is not None
    assert done.report.cost_usd == pytest.approx(12 * LIST_PRICE / 2)
    assert done.batches[0].cost_usd == pytest.approx(12 * LIST_PRICE / 2)
    assert done.batches[0].saved_usd == pytest.approx(12 * LIST_PRICE / 2)
    assert provider.files == {}
    assert story.collect() == []


@pytest.mark.parametrize(
    ("rubric", "options", "questions"),
    [
        ("document_relevance", {"depth": 2}, 24),
        ("answer_relevance", {"samples": 2}, 24),
        ("answer_relevance", {"scoring": "expected"}, 12),
    ],
    ids=["documents", "samples", "expected"],
)
def test_every_form_of_question_ends_as_online(
    store: Store,
    provider: StubBatches,
    tmp_path: Path,
    migrated_sqlite: Path,
    rubric: str,
    options: dict[str, Any],
    questions: int,
) -> None:
    same: dict[str, Any] = {"rubrics": (rubric,), "options": options}
    story = Story(store, provider.url, probes=True, **same)
    assert story.start().batches[0].lines == questions - 1
    provider.finish()
    assert story.collect()[0].job.state == "done"
    assert story.told() == online(migrated_sqlite, tmp_path, provider, **same)


@pytest.mark.parametrize("options", [{}, {"samples": 2}], ids=["once", "samples"])
@pytest.mark.parametrize("probes", [True, False], ids=["online first", "batch alone"])
def test_all_criteria_of_a_sheet_are_one_line_and_end_as_online(
    store: Store,
    provider: StubBatches,
    tmp_path: Path,
    migrated_sqlite: Path,
    options: dict[str, Any],
    probes: bool,
) -> None:
    same: dict[str, Any] = {"rubrics": (sheet_file(tmp_path),), "options": options}
    story = Story(store, provider.url, probes=probes, **same)
    questions = 12 * options.get("samples", 1)
    assert story.start().batches[0].lines == questions - probes
    provider.finish()
    (done,) = story.collect()
    assert done.job.state == "done"
    assert {series.evaluator for _, series in story.told()["outcomes"]} == {
        "manners_tone",
        "manners_length",
        "scripted",
    }
    (spent,) = store.spending(WINDOW_OF_BOOKS, "evaluator")
    assert (spent.name, spent.calls) == ("manners", questions)
    scores = [
        evaluation.outcome
        for trace in story.source.traces
        for evaluation in store.evaluations("memory", trace.trace_id)
        if isinstance(evaluation.outcome, Score) and evaluation.series.judge
    ]
    paid = [score.usage.cost_usd for score in scores if score.usage.cost_usd]
    assert len(paid) == 12  # of the two criteria one pays
    # an answer that came before the other opinions on its trace is in the books alone
    in_books = LIST_PRICE if probes and options else 0.0
    assert sum(paid) + in_books == pytest.approx(spent.settled_usd)
    assert paid_once(story.told()) == online(migrated_sqlite, tmp_path, provider, **same)


def paid_once(told: dict[str, Any]) -> dict[str, Any]:
    """What was told, but for which of two criteria took the other's answer."""
    outcomes = {
        key: replace(
            outcome,
            details={n: v for n, v in outcome.details.items() if not n.startswith("reused")},
        )
        for key, outcome in told["outcomes"].items()
    }
    return {**told, "outcomes": outcomes}


def test_a_sheet_whose_answer_lacks_a_criterion_fails_for_each(
    store: Store, provider: StubBatches, tmp_path: Path
) -> None:
    story = Story(store, provider.url, rubrics=(sheet_file(tmp_path),))
    provider.script = lambda _: completion('{"tone": {"explanation": "e", "choice": "polite"}}')
    story.start()
    provider.finish()
    assert story.collect()[0].job.state == "done"
    assert {each.error_type for each in story.failures()} == {FailureKind.BAD_OUTPUT}
    assert len(story.failures()) == 24


def test_nothing_is_told_of_what_waits(story: Story, provider: StubBatches) -> None:
    story.start()
    told = story.told()
    assert {series.evaluator for _, series in told["outcomes"]} == {"scripted"}
    assert {account.series.evaluator for account in told["coverage"]} == {"scripted"}
    assert told["windows"] == []
    provider.finish()
    story.collect()
    assert [w[1] for w in story.told()["windows"]] == ["done"] * 3


def test_starting_it_again_submits_nothing_twice(story: Story, provider: StubBatches) -> None:
    first, again = story.start(), story.start()
    assert first.job.job_id == again.job.job_id
    assert len(provider.batches) == len(provider.uploads) == 1
    provider.finish()
    assert story.start().job.state == "done"
    assert story.start().job.state == "done"  # nothing is outstanding: a new job with no batch
    assert len(provider.uploads) == 1


def test_a_job_that_another_process_works_on_is_left_alone(
    story: Story, store: Store, provider: StubBatches
) -> None:
    job = story.start().job
    provider.finish()
    now = story.clock.now
    store.hold_batch_job(job.job_id, "another", now + timedelta(minutes=15), now)
    assert story.collect()[0].elsewhere
    story.clock.now += timedelta(minutes=15)
    assert story.collect()[0].job.state == "done"


def test_batches_are_cut_where_a_file_is_full(store: Store, provider: StubBatches) -> None:
    story = Story(store, provider.url, limits=Limits(lines=5))
    assert [batch.lines for batch in story.start().batches] == [5, 5, 2]
    provider.finish()
    assert story.collect()[0].job.state == "done"

    sized = Story(store, provider.url, rubrics=("refusal",), limits=Limits(size=1))
    assert [batch.lines for batch in sized.start().batches] == [1] * 12


def test_the_cap_holds_at_half_the_worst_case(store: Store, provider: StubBatches) -> None:
    story = Story(store, provider.url)
    worst = story.start().batches[0].worst_case_usd / 12
    provider.finish()
    capped = Story(
        store,
        provider.url,
        rubrics=("refusal",),
        caps=Caps(run_usd=4.5 * worst),
    )
    progress = capped.start()
    assert progress.batches[0].lines < 8
    assert progress.batches[0].worst_case_usd <= 4.5 * worst
    provider.finish()
    assert capped.collect()[-1].job.state == "done"
    account = capped.told()["coverage"]
    left_out = sum(each.skipped.get("over_budget", 0) for each in account)
    assert left_out == 12 - progress.batches[0].lines
    outcomes = capped.told()["outcomes"].values()
    (said,) = {o.detail for o in outcomes if getattr(o, "reason", None) is SkipReason.OVER_BUDGET}
    assert said.startswith("judge.max_cost_usd (")


def test_equal_questions_are_asked_once_and_known_ones_never(
    store: Store, provider: StubBatches
) -> None:
    story = Story(store, provider.url)
    story.start()
    provider.finish()
    story.collect()
    twins = [replace(t, trace_id=f"{t.trace_id}-twin") for t in story.source.traces]
    new = [replace(twins[0], trace_id=name, output="Another answer.") for name in ("n1", "n2")]
    story.source.traces += [*twins, *new]

    assert story.start().batches[0].lines == 1
    provider.finish()
    (done,) = story.collect()

    assert done.report is not None
    assert done.report.cost_usd == pytest.approx(LIST_PRICE / 2)
    assert len(provider.asked) == 13
    assert all(isinstance(outcome, Score) for outcome in story.told()["outcomes"].values())
