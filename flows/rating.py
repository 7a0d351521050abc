"""The judge-corrected rate of bad outputs: from this period's labels, else from a validation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alerts.judge_card import BAD_LINE, card_of, is_bad
from alerts.rates import (
    LEAST_LABELS,
    Label,
    Rate,
    correlation,
    labels_needed,
    rogan_gladen_rate,
    two_phase_rate,
)
from evaluators.rubric import RubricEvaluator
from flows.parts import Parts
from flows.resolving import resolved
from flows.trust import newest_validations
from flows.validating import judged_rubrics
from tailwatch.evaluation import Series
from tailwatch.review import Origin, ReviewLabel
from tailwatch.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedRate:
    """The rate of one judge in a window; `notes` say what it assumes and what was left out.

    `needed` is how many random labels would bring it to plus or minus the wanted half width.
    """

    series: Series
    window: Window
    rate: Rate
    notes: Sequence[str]
    needed: int


def corrected_rates(
    parts: Parts, names: Sequence[str], window: Window, *, half_width: float
) -> list[CorrectedRate]:
    """The rate of each judged rubric. Raises ConfigurationError as `judged_rubrics` does."""
    return [
        _corrected(parts, series, evaluator, window, half_width)
        for series, evaluator in judged_rubrics(parts, names).items()
    ]


def chances(labels: Sequence[ReviewLabel]) -> Mapping[str, float]:
    """For each randomly drawn trace the chance that it came to be labelled.

    A sample is walked in the order of its places, so its chance is the last place that was reached,
    of its population. Samples are drawn by the same hash, so of a trace in several of them the
    largest chance is that of being in any.
    """
    reached: dict[str, int] = {}
    for label in labels:
        reached[label.draw.sample] = max(label.draw.place, reached.get(label.draw.sample, 0))
    found: dict[str, float] = {}
    for label in labels:
        if label.draw.population is not None:
            chance = reached[label.draw.sample] / label.draw.population
            found[label.trace_id] = max(chance, found.get(label.trace_id, 0.0))
    return found


def _corrected(
    parts: Parts,
    series: Series,
    evaluator: RubricEvaluator,
    window: Window,
    half_width: float,
) -> CorrectedRate:
    judged = parts.store.judged(parts.source.name, series, window)
    verdicts = [is_bad(each.value, BAD_LINE, evaluator.direction) for each in judged]
    weights = [1 / each.inclusion_probability for each in judged]
    by_trace = {each.trace_id: (v, each) for v, each in zip(verdicts, judged, strict=True)}
    every = parts.store.labels(
        parts.source.name,
        window=window,
        evaluator=evaluator.name,
        version=evaluator.rubric.version,
    )
    random = [label for label in every if label.draw.origin is Origin.RANDOM]
    chance, people = chances(random), resolved(random)
    labels = [
        Label(
            judged_bad=by_trace[trace_id][0],
            bad=is_bad(label.score, BAD_LINE, evaluator.direction),
            probability=chance[trace_id] * by_trace[trace_id][1].inclusion_probability,
        )
        for (trace_id, _), label in people.labels.items()
        if trace_id in by_trace
    ]
    rate = two_phase_rate(verdicts, labels, weights)
    notes = []
    refused = {label.trace_id for label in every} - {label.trace_id for label in random}
    if refused:
        notes.append(
            f"{len(refused):,} labels of alerts' worst traces are refused: no random sample"
        )
    validation = newest_validations(parts).get(series)
    if rate.value is None and len(labels) < LEAST_LABELS and validation is not None and judged:
        old = rogan_gladen_rate(verdicts, card_of(validation.card).seen, weights)
        if old.value is not None:
            notes.append(
                f"assumes the judge has not changed since {validation.at:%Y-%m-%d} "
                f"(validated by {validation.labels_from})"
            )
            rate = old
    return CorrectedRate(
        series=series,
        window=window,
        rate=rate,
        notes=notes,
        needed=labels_needed(half_width, _about(rate), correlation(labels)),
    )


def _about(rate: Rate) -> float:
    """A rate to plan with: the corrected one, else the judge's own, else the worst case."""
    known = rate.value if rate.value is not None else rate.judged
    return 0.5 if known is None else known
