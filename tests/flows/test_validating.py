"""Validation from a golden set and from the store, what is said of judges, and corrected rates."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.rates import Method
from flows.golden_file import GoldenItem
from flows.label_queue import random_queue, rubrics_of
from flows.parts import JudgeTerms, Parts
from flows.rating import CorrectedRate, chances, corrected_rates
from flows.resolving import resolved
from flows.trust import alert_trust, trust, trust_lines
from flows.validating import (
    Validated,
    cost_of,
    validate_by_items,
    validate_by_store,
    wanted_of,
)
from tailwatch.alert import ALL_TRAFFIC, Alert, AlertState
from tailwatch.errors import ConfigurationError
from tailwatch.judge_calls import Caps
from tailwatch.review import Draw, Origin, ReviewLabel
from tests.fakes import SteppingClock
from tests.flows.judged_traces import (
    TONE,
    WINDOW,
    WordJudge,
    judged_parts,
    relevance_evaluator,
    retrieving,
    tone_evaluator,
    traces,
)

NOW = datetime(2026, 3, 5, tzinfo=UTC)


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    """120 judged traces: a quarter rude, a quarter curt."""
    return with_terms(judged_parts(tmp_path, traces(120), tone_evaluator(WordJudge())))


def with_terms(parts: Parts) -> Parts:
    terms = JudgeTerms(
        model="judge-a",
        caps=Caps(run_usd=0.5),
        worst_case_usd=0.01,
        spent_usd=lambda: 0.0,
        begin=lambda *_: None,
    )
    return replace(parts, judge=terms)


def label_all(parts: Parts, number: int, *, who: str = "ada", wrong: int = 0) -> None:
    """A random sample labelled as the judge does, but for the first `wrong`, called rude."""
    queue = random_queue(parts, rubrics_of(parts, ()), WINDOW, number)
    labels = []
    for place, waiting in enumerate(queue.waiting):
        choice = ("polite", "rude", "polite", "curt")[int(waiting.trace_id[1:]) % 4]
        labels.append(
            label(waiting.trace_id, "rude" if place < wrong else choice, who=who, draw=waiting.draw)
        )
    parts.store.record_labels(labels)


def label(trace_id: str, choice: str, *, who: str = "ada", draw: Draw | None = None) -> ReviewLabel:
    return ReviewLabel(
        source="test",
        trace_id=trace_id,
        evaluator="tone",
        version="1",
        who=who,
        choice=choice,
        score={"polite": 1.0, "curt": 0.5, "rude": 0.0}[choice],
        hour=WINDOW,
        at=NOW,
        took_s=1.0,
        draw=draw or Draw(origin=Origin.ALERT, sample="a", place=1),
    )


def by_store(parts: Parts) -> Validated:
    [done] = validate_by_store(parts, (), who="ada", line=0.5, now=NOW)
    return done


def test_a_judge_is_unvalidated_until_it_was_compared(parts: Parts) -> None:
    [series] = trust(parts)
    assert trust(parts) == {series: "unvalidated"}
    label_all(parts, 100, wrong=20)
    done = by_store(parts)
    assert done.card.n == 100
    assert done.record.series == series
    said = trust(parts)[series]
    assert said.startswith("AUROC 0.")
    assert said.endswith(", n 100")
    assert trust_lines(parts, [series]) == [f"Validation of {series}: {said}"]
    assert trust_lines(parts, []) == []


def test_another_judge_version_or_prompt_is_unvalidated_again(parts: Parts) -> None:
    label_all(parts, 60)
    by_store(parts)
    for evaluator in (
        tone_evaluator(WordJudge(model="judge-b")),
        tone_evaluator(WordJudge(), {**TONE, "version": "2"}),
        tone_evaluator(WordJudge(), {**TONE, "instructions": "Is it rude?"}),
        tone_evaluator(
            WordJudge(),
            {**TONE, "choices": [*TONE["choices"][:2], {**TONE["choices"][2], "score": 0.1}]},
        ),
    ):
        other = replace(parts, evaluators=(replace(parts.evaluators[0], evaluator=evaluator),))
        assert list(trust(other).values()) == ["unvalidated"]
    same = replace(
        parts, evaluators=(replace(parts.evaluators[0], evaluator=tone_evaluator(WordJudge())),)
    )
    assert "AUROC" in trust_lines(same, trust(same))[0]


def test_an_alert_says_how_far_its_judge_is_to_be_believed(parts: Parts) -> None:
    alert = Alert(
        rule="floor",
        series=parts.evaluators[0].series,
        segment=ALL_TRAFFIC,
        state=AlertState.OPEN,
        opened_at=NOW,
        onset=NOW,
        updated_at=NOW,
        sentence="worse",
    )
    assert alert_trust(parts, alert) == ["Validation of tone v1 judge-a: unvalidated"]
    latency = replace(alert, series=replace(alert.series, evaluator="latency_ms", judge=""))
    assert alert_trust(parts, latency) == []


def test_an_alerts_worst_and_ties_take_no_part(parts: Parts) -> None:
    label_all(parts, 60)
    label_all(parts, 60, who="bob", wrong=10)
    parts.store.record_labels([label("t119x", "rude")])
    done = by_store(parts)
    assert "1 labels are of alerts' worst" in done.notes[0]
    assert "with no majority" in done.notes[1]
    assert 50 <= done.card.n < 60


@pytest.fixture
def retrieval(tmp_path: Path) -> Parts:
    """40 traces of which a judge has graded three documents each."""
    return with_terms(judged_parts(tmp_path, retrieving(40), relevance_evaluator(WordJudge())))


def on_document(trace_id: str, document: str, choice: str, place: int) -> ReviewLabel:
    draw = Draw(origin=Origin.RANDOM, sample="s", place=place, population=40)
    given = label(trace_id, "polite", draw=draw)
    score = {"helps": 1.0, "useless": 0.0}[choice]
    return replace(given, evaluator="relevance", document=document, choice=choice, score=score)


def test_a_judge_of_documents_is_compared_document_by_document(retrieval: Parts) -> None:
    labels = []
    for number in range(40):
        first = "useless" if number % 3 == 0 else "helps"
        said = {"a": first, "b": "useless", "without id, rank 2": "helps"}
        if number < 4:
            said["b"] = "helps"  # where the person and the judge differ
        said["unseen"] = "helps"  # of which the judge has said nothing
        labels += [on_document(f"t{number:03}", *each, number + 1) for each in said.items()]
    retrieval.store.record_labels(labels)
    done = by_store(retrieval)
    assert (done.card.n, done.card.lost) == (120, 40)
    assert done.card.agreed.value == pytest.approx(116 / 120)
    assert done.record.series.version == "1-depth3"
    assert next(iter(trust(retrieval).values())).startswith("AUROC 0.")
    with pytest.raises(ConfigurationError, match="about whole traces"):
        corrected_rates(retrieval, (), WINDOW, half_width=0.05)


def test_a_golden_set_asks_about_items_with_one_document(retrieval: Parts) -> None:
    items = [
        GoldenItem.model_validate(
            {
                "id": f"g{number}",
                "input": "q",
                "documents": [{"text": f"it {('helps', 'useless')[number % 2]}"}] * of,
                "labels": {"relevance": ("helps", "useless")[number % 2]},
                "origin": "random",
            }
        )
        for number, of in enumerate([1] * 60 + [2])
    ]
    wanted, notes = wanted_of(retrieval, items, ["relevance"])
    assert "1 items have a label of relevance and not one document" in notes[0]
    assert len(wanted[0].items) == 60
    [done] = asyncio.run(
        validate_by_items(
            retrieval,
            wanted,
            labels_from="g.jsonl",
            run_id="v",
            who="ada",
            line=0.5,
            clock=SteppingClock(NOW),
        )
    )
    assert (done.card.n, done.card.agreed.value, done.card.auroc.value) == (60, 1.0, 1.0)


def test_without_random_labels_there_is_nothing_to_validate_by(parts: Parts) -> None:
    parts.store.record_labels([label("t001", "rude")])
    with pytest.raises(ConfigurationError, match="tailwatch label"):
        by_store(parts)


def item(number: int, choice: str, **fields: object) -> GoldenItem:
    given = {
        "id": f"g{number}",
        "output": f"this is {choice}",
        "labels": {"tone": choice},
        "origin": "random",
        "model": f"m{number % 2}",
    }
    return GoldenItem.model_validate(given | fields)


def test_a_golden_set_is_asked_about_within_the_cap_and_recorded(parts: Parts) -> None:
    judge = WordJudge()
    parts = replace(
        parts, evaluators=(replace(parts.evaluators[0], evaluator=tone_evaluator(judge)),)
    )
    items = [item(i, ("polite", "rude")[i % 3 == 0]) for i in range(60)]
    items += [item(60, "rude", output=" "), item(61, "rude", origin="alert")]
    items.append(item(62, "rude", labels={"other": "x"}))
    wanted, notes = wanted_of(parts, items, ())
    cost = cost_of(parts, wanted)
    assert (cost.calls, cost.cap_usd) == (61, 0.5)
    assert cost.worst_case_usd == pytest.approx(0.61)
    assert "alert's worst" in notes[0]
    assert judge.asked == 0

    [done] = asyncio.run(
        validate_by_items(
            parts,
            wanted,
            labels_from="g.jsonl",
            run_id="v",
            who="ada",
            line=0.5,
            clock=SteppingClock(NOW),
        )
    )

    assert judge.asked == 60
    assert (done.card.n, done.card.lost) == (60, 1)
    assert (done.card.auroc.value, done.record.labels_from) == (1.0, "g.jsonl")
    assert done.card.within.value == 1.0
    assert [run.kind for run in parts.store.runs(10) if run.run_id == "v"] == ["validation"]


def test_each_judge_costs_its_own_price_and_a_shared_question_once(parts: Parts) -> None:
    assert parts.judge is not None
    second = replace(parts.evaluators[0], evaluator=tone_evaluator(WordJudge(model="judge-b")))
    both = replace(
        parts,
        judge=replace(parts.judge, others_usd={"judge-b": 0.05}),
        evaluators=(*parts.evaluators, second),
    )
    items = [item(i, "rude") for i in range(10)]
    wanted, _ = wanted_of(both, items, ())
    cost = cost_of(both, wanted)
    assert cost.calls == 20
    assert cost.worst_case_usd == pytest.approx(10 * 0.01 + 10 * 0.05)
    assert cost_of(both, [*wanted, wanted[0]]) == cost


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([item(1, "polite", labels={"tone": "kind"})], "'kind' is not a choice of tone"),
        ([item(1, "polite", labels={})], "no item has a label"),
    ],
)
def test_labels_that_do_not_fit_are_explained(
    parts: Parts, items: list[GoldenItem], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        wanted_of(parts, items, ())


def test_without_a_judge_nothing_is_validated(tmp_path: Path) -> None:
    bare = judged_parts(tmp_path, traces(2), tone_evaluator(None))
    assert trust(bare) == {}
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        validate_by_store(bare, (), who="ada", line=0.5, now=NOW)


def rate_of(parts: Parts) -> CorrectedRate:
    [found] = corrected_rates(parts, (), WINDOW, half_width=0.05)
    return found


def test_the_rate_is_corrected_by_this_times_labels(parts: Parts) -> None:
    assert "0 of at least 30" in (rate_of(parts).rate.why or "")
    label_all(parts, 60, wrong=12)
    found = rate_of(parts).rate
    assert found.method is Method.TWO_PHASE
    assert found.judged == 0.25
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert 0.25 < found.value < 0.5
    assert found.low < found.value < found.high


def test_labels_of_an_alerts_worst_are_refused(parts: Parts) -> None:
    parts.store.record_labels([label(f"t{i:03}", "rude") for i in range(1, 120, 3)])
    found = rate_of(parts)
    assert found.rate.value is None
    assert "refused: no random sample" in found.notes[0]


def test_old_labels_correct_by_the_judges_errors_and_say_what_they_assume(parts: Parts) -> None:
    label_all(parts, 100)
    by_store(parts)
    parts.store.delete_labels([each.label_id for each in parts.store.labels("test")])
    found = rate_of(parts)
    assert found.rate.method is Method.ROGAN_GLADEN
    assert found.rate.value == pytest.approx(0.25, abs=0.01)
    assert "assumes the judge has not changed since 2026-03-05" in found.notes[0]


def test_the_chance_of_a_label_is_how_far_its_sample_was_walked() -> None:
    def drawn(sample: str, place: int, population: int) -> Draw:
        return Draw(origin=Origin.RANDOM, sample=sample, place=place, population=population)

    labels = [
        label("a", "rude", draw=drawn("first", 1, 100)),
        label("b", "rude", draw=drawn("first", 4, 100)),
        label("b", "rude", draw=drawn("second", 1, 10)),
    ]
    assert chances(labels) == {"a": 0.04, "b": 0.1}


def test_the_majority_and_the_newest_word_count() -> None:
    later = replace(label("t", "polite", who="ada"), at=NOW + timedelta(hours=1))
    said = [label("t", "rude"), later, label("t", "curt", who="bob")]
    assert resolved(said).ties == (("t", None),)
    found = resolved([*said, label("t", "polite", who="eve"), label("u", "rude", who="eve")])
    assert {i: each.choice for (i, _), each in found.labels.items()} == {"t": "polite", "u": "rude"}
    assert (found.people, found.shared, found.alike) == (3, 1, 0)
