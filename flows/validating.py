"""Validates judges: their verdicts beside people's, from a golden set or from the store."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from alerts.judge_card import Card, Compared, judge_card
from evaluators.document_rubric import DocumentRubricEvaluator
from evaluators.prompt_hash import prompt_hash
from evaluators.questions import ExpectedForm
from evaluators.rubric import RubricEvaluator
from evaluators.run import Assignment, RunContext, run_evaluators
from flows.beside import beside, beside_grades, of_document
from flows.canary import Judged, judged_series
from flows.chunks import EVALUATOR_TIMEOUT_S
from flows.golden_file import GoldenItem, golden_trace
from flows.parts import Parts
from flows.questions import asks_of
from flows.resolving import resolved
from storage.records import RunRecord
from storage.review_records import ValidationRecord
from storage.rows import short_hash
from tailwatch.errors import ConfigurationError
from tailwatch.evaluation import Series
from tailwatch.outcome import Score
from tailwatch.review import Origin
from tailwatch.window import Window

STORE = "labels in the store"

JudgedT = TypeVar("JudgedT", bound=Judged)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A judged rubric, and what is known to be compared: golden items, or labels in the store."""

    series: Series
    evaluator: Judged
    items: Sequence[GoldenItem] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What asking about golden items takes: at most so many calls, within a cap."""

    calls: int
    worst_case_usd: float
    cap_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated:
    """A judge's card, recorded; `notes` say what was left out of it, and why."""

    record: ValidationRecord
    card: Card
    notes: Sequence[str]


def judged_rubrics(parts: Parts, names: Sequence[str]) -> dict[Series, RubricEvaluator]:
    """The plan's judged rubrics about whole traces, all or those of the names.

    Raises ConfigurationError where there is no judge, or none of a name.
    """
    whole = {
        series: evaluator
        for series, evaluator in judged_series(parts).items()
        if isinstance(evaluator, RubricEvaluator)
    }
    return _named(whole, names, "rubric about whole traces")


def all_judged(parts: Parts, names: Sequence[str]) -> dict[Series, Judged]:
    """The same with the rubrics about single documents."""
    return _named(judged_series(parts), names, "rubric")


def _named(
    judged: Mapping[Series, JudgedT], names: Sequence[str], kind: str
) -> dict[Series, JudgedT]:
    if not judged:
        raise ConfigurationError(
            f"no {kind} has a judge; set OPENAI_API_KEY, or TAILWATCH_JUDGE_URL "
            "and TAILWATCH_JUDGE_MODEL for an endpoint of your own"
        )
    known = {series.evaluator for series in judged}
    for name in names:
        if name not in known:
            raise ConfigurationError(
                f"{name!r} is not a judged {kind}; known: {', '.join(sorted(known))}"
            )
    return {
        series: each for series, each in judged.items() if not names or series.evaluator in names
    }


def wanted_of(
    parts: Parts, items: Sequence[GoldenItem], names: Sequence[str]
) -> tuple[list[Wanted], list[str]]:
    """Which rubric is asked about which items, and notes on what is left out.

    Probes are left out, for their labels say what a judge withstands, and so are the worst traces
    of alerts: a judge picked them itself. A rubric about single documents is asked about items with
    one document, for their label is on that. Raises ConfigurationError where nothing is left, and
    for a label that is not one of its rubric's choices.
    """
    usable = [i for i in items if i.probe is None and i.origin != Origin.ALERT.value]
    notes = []
    worst = sum(item.origin == Origin.ALERT.value for item in items)
    if worst:
        notes.append(f"{worst:,} items are an alert's worst, picked by a judge: left out")
    wanted = []
    for series, evaluator in all_judged(parts, names).items():
        mine = [item for item in usable if evaluator.name in item.labels]
        if isinstance(evaluator, DocumentRubricEvaluator):
            single = [item for item in mine if len(item.documents) == 1]
            if len(single) < len(mine):
                notes.append(
                    f"{len(mine) - len(single):,} items have a label of {evaluator.name} and not "
                    "one document, so it is not known which it is on: left out"
                )
            mine = single
        for item in mine:
            if evaluator.rubric.score_of(item.labels[evaluator.name]) is None:
                raise ConfigurationError(
                    f"item {item.id!r}: {item.labels[evaluator.name]!r} is not a choice of "
                    f"{evaluator.name}; they are {', '.join(evaluator.rubric.labels)}"
                )
        if mine:
            wanted.append(Wanted(series=series, evaluator=evaluator, items=mine))
    if not wanted:
        raise ConfigurationError("no item has a label of a judged rubric of this plan")
    return wanted, notes


def cost_of(parts: Parts, wanted: Sequence[Wanted]) -> Cost:
    """What asking about all of the items can cost at the most, before the cap.

    Each judge's calls at its own price; criteria that are asked in one call are counted once.
    """
    if parts.judge is None:
        raise ConfigurationError("no judge is configured")
    most: dict[tuple[str, str, str], int] = {}
    for each in wanted:
        judge, asks = each.series.judge, asks_of(each.evaluator)
        rubric, calls = (each.series.evaluator, 1) if asks is None else (asks.rubric, asks.most)
        for item in each.items:
            key = (judge, rubric, item.id)
            most[key] = max(most.get(key, 0), calls)
    return Cost(
        calls=sum(most.values()),
        worst_case_usd=sum(
            calls * parts.judge.worst_case_of(judge) for (judge, _, _), calls in most.items()
        ),
        cap_usd=parts.judge.caps.run_usd,
    )


async def validate_by_items(
    parts: Parts,
    wanted: Sequence[Wanted],
    *,
    labels_from: str,
    run_id: str,
    who: str,
    line: float,
    clock: Callable[[], datetime],
) -> list[Validated]:
    """Asks each judge about its items, under the ordinary cap, and records a card for each."""
    if parts.judge is None:
        raise ConfigurationError("no judge is configured")
    store = parts.store
    parts.judge.begin(run_id, False)
    store.start_run(
        RunRecord(run_id=run_id, kind="validation", started_at=clock(), detail=labels_from)
    )
    spent, failure = parts.judge.spent_usd(), "stopped"
    done: list[Validated] = []
    try:
        for each in wanted:
            compared = await _asked(each, run_id, clock)
            card = _card(each.evaluator, compared, len(each.items) - len(compared), line)
            done.append(_recorded(parts, each, card, labels_from, who, clock(), []))
        failure = ""
    finally:
        store.finish_run(
            run_id,
            ended_at=clock(),
            status="failed" if failure else "done",
            error=failure or None,
            counts={"items": sum(len(each.items) for each in wanted)},
            cost_usd=parts.judge.spent_usd() - spent,
        )
    return done


def validate_by_store(
    parts: Parts, names: Sequence[str], *, who: str, line: float, now: datetime
) -> list[Validated]:
    """Compares the recorded verdicts with the labels of random samples, at no cost.

    Labels of the same rubric version count. Raises ConfigurationError where nothing is labelled.
    """
    done = []
    for series, evaluator in all_judged(parts, names).items():
        labels = parts.store.labels(
            parts.source.name, evaluator=evaluator.name, version=evaluator.rubric.version
        )
        random = [label for label in labels if label.draw.origin is Origin.RANDOM]
        if not random:
            continue
        people = resolved(random)
        given = list(people.labels.values())
        if isinstance(evaluator, DocumentRubricEvaluator):
            compared = beside_grades(parts, series, evaluator, given)
        else:
            compared = beside(parts, series, given)
        notes = _notes(
            len({x.output for x in labels} - {x.output for x in random}), len(people.ties)
        )
        card = _card(evaluator, compared, len(people.labels) - len(compared), line)
        wanted = Wanted(series=series, evaluator=evaluator)
        done.append(_recorded(parts, wanted, card, STORE, who, now, notes))
    if not done:
        raise ConfigurationError(
            "nobody has labelled a random sample for a judged rubric of this plan in its present "
            "version; `tailwatch label` does, or give --labels FILE"
        )
    return done


async def _asked(wanted: Wanted, run_id: str, clock: Callable[[], datetime]) -> list[Compared]:
    """The judge's verdicts beside the labels; without the items on which it gave none."""
    traces = [golden_trace(item) for item in wanted.items]
    assignment = Assignment(
        evaluator=wanted.evaluator,
        traces=traces,
        probabilities={trace.trace_id: 1.0 for trace in traces},
    )
    context = RunContext(
        window=Window.hour_of(clock()), run_id=run_id, clock=clock, timeout_s=EVALUATOR_TIMEOUT_S
    )
    outcomes = {each.trace_id: each.outcome for each in await run_evaluators([assignment], context)}
    rubric = wanted.evaluator.rubric
    compared = []
    for item in wanted.items:
        outcome, human = outcomes[item.id], item.labels[rubric.name]
        score = rubric.score_of(human)
        if not isinstance(outcome, Score) or score is None:
            continue
        if isinstance(wanted.evaluator, DocumentRubricEvaluator):
            choices = sorted(rubric.choices, key=lambda c: abs(c.score - outcome.value))
            compared.append(of_document(human, score, choices[0]))
        else:
            compared.append(
                Compared(
                    human=human,
                    human_score=score,
                    judge=outcome.label,
                    judge_score=outcome.value,
                    model=item.model,
                )
            )
    return compared


def _notes(worst: int, ties: int) -> list[str]:
    notes = []
    if worst:
        notes.append(f"{worst:,} labels are of alerts' worst traces, no random sample: left out")
    if ties:
        notes.append(f"people disagree on {ties:,} outputs with no majority: left out")
    return notes


def _recorded(
    parts: Parts,
    wanted: Wanted,
    card: Card,
    labels_from: str,
    who: str,
    now: datetime,
    notes: Sequence[str],
) -> Validated:
    series, source = wanted.series, parts.source.name
    record = ValidationRecord(
        validation_id=short_hash(
            source, series.evaluator, series.version, series.judge, labels_from, now.isoformat()
        ),
        series=series,
        prompt_hash=prompt_hash(wanted.evaluator),
        at=now,
        who=who,
        labels_from=labels_from,
        card=card.document(),
    )
    parts.store.record_validation(source, record)
    return Validated(record=record, card=card, notes=tuple(notes))


def _card(evaluator: Judged, compared: Sequence[Compared], lost: int, line: float) -> Card:
    return judge_card(
        compared,
        evaluator.direction,
        line=line,
        lost=lost,
        probabilities=isinstance(getattr(evaluator, "form", None), ExpectedForm),
    )
