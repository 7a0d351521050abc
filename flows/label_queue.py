"""What people are asked to label: a random sample of what was judged, or an alert's worst."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluators.document_rubric import DocumentRubricEvaluator
from evaluators.rubric import RubricEvaluator
from evaluators.rubric_file import Rubric
from flows.evidence import evidence_of
from flows.parts import Parts
from storage.rows import short_hash
from tailwatch.alert import Alert
from tailwatch.errors import ConfigurationError
from tailwatch.review import Draw, Origin
from tailwatch.sampling import position
from tailwatch.window import Window

COHORT = "tailwatch-labels"
"""Labels are drawn by other hash positions than what is judged, so that every judged trace has the
same chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A trace that waits for a person's verdicts."""

    trace_id: str
    hour: Window
    draw: Draw


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """The traces of one sample in their order, and a sentence that says what they are."""

    waiting: Sequence[Waiting]
    sentence: str


def rubrics_of(parts: Parts, names: Sequence[str]) -> list[Rubric]:
    """The rubrics of those names, or all of the plan's, about whole traces or single documents.

    Raises ConfigurationError for another name, and when there are none.
    """
    known = {
        planned.evaluator.name: planned.evaluator.rubric
        for planned in parts.evaluators
        if isinstance(planned.evaluator, RubricEvaluator | DocumentRubricEvaluator)
    }
    for name in names:
        if name not in known:
            raise ConfigurationError(
                f"{name!r} is not a rubric in this plan; "
                f"known: {', '.join(sorted(known)) or 'none'}"
            )
    if not known:
        raise ConfigurationError(
            "the plan has no rubric, and people choose among a rubric's choices; add one such as "
            "`- use: faithfulness` under `evaluators`"
        )
    return [rubric for name, rubric in known.items() if not names or name in names]


def depth_of(parts: Parts, rubric: Rubric) -> int | None:
    """Of how many documents of a trace a rubric judges each; None for one about whole traces."""
    return next(
        (
            planned.evaluator.depth
            for planned in parts.evaluators
            if isinstance(planned.evaluator, DocumentRubricEvaluator)
            and planned.evaluator.name == rubric.name
        ),
        None,
    )


def random_queue(parts: Parts, rubrics: Sequence[Rubric], window: Window, size: int) -> Queue:
    """The `size` traces of the window that come first by hash, of those that were judged.

    Judged by any judge under any version of one of the rubrics; where nothing was judged, of all
    that were listed. The same window and rubrics always give the same traces in the same order,
    and more of them begin with the fewer.
    Raises ConfigurationError when there are none.
    """
    names = sorted(rubric.name for rubric in rubrics)
    hours, judged = _judged_hours(parts, names, window), True
    if not hours:
        listed = parts.store.listed(parts.source.name, window)
        hours = {trace_id: Window.hour_of(ref.start_time) for trace_id, ref in listed.items()}
        judged = False
    if not hours:
        raise ConfigurationError(f"no trace of {window} is in the store; run `tailwatch run` first")
    ranked = sorted((position(trace_id, COHORT), trace_id) for trace_id in hours)
    population = len(ranked)
    sample = short_hash(parts.source.name, COHORT, str(window), population, *names)[:12]
    waiting = [
        Waiting(
            trace_id=trace_id,
            hour=hours[trace_id],
            draw=Draw(origin=Origin.RANDOM, sample=sample, place=place, population=population),
        )
        for place, (_, trace_id) in enumerate(ranked[:size], start=1)
    ]
    of_what = "judged" if judged else "listed"
    return Queue(
        waiting=waiting,
        sentence=f"a random {len(waiting):,} of the {population:,} traces {of_what} in {window}",
    )


def alert_queue(parts: Parts, alert: Alert, size: int) -> Queue:
    """The worst traces of an alert, no answer twice. Raises ConfigurationError for none."""
    worst = evidence_of(parts, alert, size).worst
    if not worst:
        raise ConfigurationError(
            f"the alert {alert.alert_id} has no scored traces to show; it may be of a series that "
            "the plan no longer has"
        )
    waiting = [
        Waiting(
            trace_id=trace.trace_id,
            hour=Window.hour_of(trace.start_time or alert.onset),
            draw=Draw(origin=Origin.ALERT, sample=alert.alert_id, place=place),
        )
        for place, trace in enumerate(worst, start=1)
    ]
    return Queue(
        waiting=waiting,
        sentence=f"the worst {len(waiting)} of alert {alert.alert_id}; they are no random sample "
        "and count for no rate",
    )


def _judged_hours(parts: Parts, names: Sequence[str], window: Window) -> Mapping[str, Window]:
    source = parts.source.name
    hours: dict[str, Window] = {}
    for series in parts.store.series_in(source, window):
        if series.evaluator in names:
            judged = parts.store.judged(source, series, window)
            hours |= {output.trace_id: output.hour for output in judged}
    return hours
