"""What to expect of a plan's tail-evidence rule, from streams resampled from its own baselines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from alerts.expectation import Expectation, expect
from alerts.resampling import Outputs, Turned
from flows.baselines import Pinned, read_baselines
from flows.limit_family import limits_now
from flows.overview import named_series
from flows.parts import Parts
from flows.tail_monitors import monitors_of
from flows.tail_watch import samples_of, tail_rules
from tailwatch.alert import ALL_TRAFFIC, Direction, Segment
from tailwatch.errors import ConfigurationError
from tailwatch.evaluation import Series
from tailwatch.trace import MEASURES
from tailwatch.window import HOUR, Window

_ALL = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What is asked: volumes an hour (None: the baseline's own), regressions, how long, how often.

    Each of `trials` learns a baseline and is followed over `weeks` quiet weeks, and over a week for
    each regression.
    """

    per_hour: tuple[int | None, ...] = (None,)
    regressions: tuple[Turned, ...] = ()
    weeks: int = 4
    trials: int = 20
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedSeries:
    """One series at one volume; `found` is None where a baseline takes too long to learn."""

    series: Series
    per_hour: int | None
    found: Expectation | None


def simulated(
    parts: Parts,
    names: Sequence[str],
    asked: Simulation,
    on_trial: Callable[[], None] | None = None,
) -> list[SimulatedSeries]:
    """Every pinned series of those names (none: all) at every volume.

    The threshold is that of all the project's monitors, limits among them. Signals (`flagged`,
    `thumbs_down`) and series that are still learning are left out. Raises ConfigurationError when
    no series is left, or a regression's segment is in none of the baselines.
    """
    chosen, monitors = simulated_series(parts, names)
    known = {segment for pinned in chosen for segment in pinned.family.monitors}
    for turned in asked.regressions:
        if turned.segment not in known:
            listed = ", ".join(str(segment) for segment in sorted(known - {ALL_TRAFFIC}))
            raise ConfigurationError(
                f"--segment: the baselines have no {turned.segment}; known: {listed or 'none'}"
            )
    found = []
    for pinned in chosen:
        outputs = outputs_of(parts, pinned)
        rule = pinned.watched.rule
        for per_hour in asked.per_hour:
            expectation = expect(
                outputs,
                rule,
                rule.budget(monitors, parts.plan.alerts.false_alarm_weeks),
                per_hour=per_hour,
                regressions=[t for t in asked.regressions if t.segment in pinned.family.monitors],
                weeks=asked.weeks,
                trials=asked.trials,
                seed=asked.seed,
                most_values=parts.plan.max_segment_values,
                on_trial=on_trial,
            )
            found.append(
                SimulatedSeries(series=pinned.watched.series, per_hour=per_hour, found=expectation)
            )
    return found


def simulated_series(parts: Parts, names: Sequence[str]) -> tuple[list[Pinned], int]:
    """The baselines that can be resampled, and how many monitors share the budget in all."""
    if not tail_rules(parts):
        raise ConfigurationError(
            "the plan has no tail_evidence rule, the only one that streams are drawn for; "
            "`tailwatch alerts simulate --history` tries the other rules on the stored hours"
        )
    named_series(parts, names)  # refuses a name that the plan does not have
    baselines = read_baselines(parts)
    pinned = [
        each
        for series, each in sorted(baselines.pinned.items())
        if (not names or series.evaluator in names) and _has_outputs(parts, series)
    ]
    if not pinned:
        learning = "; ".join(
            f"{series}: {each.progress(each.record.start if end is None else end.end)}"
            for series, each in sorted(baselines.learning.items())
            for end in [parts.store.last_window(parts.source.name)]
        )
        raise ConfigurationError(
            f"no baseline of {', '.join(names) or 'this plan'} is complete"
            + (f" ({learning})" if learning else "")
            + "; evaluate more hours, then run `tailwatch alerts check`"
        )
    return pinned, len(monitors_of(parts, baselines.pinned)) + limits_now(parts)


def outputs_of(parts: Parts, pinned: Pinned) -> Outputs:
    """The outputs that a baseline was learned from, with what each stands for."""
    watched, source = pinned.watched, parts.source.name
    window = Window(pinned.record.start, pinned.end)
    scores: list[float] = []
    weights: list[float] = []
    hours: list[int] = []
    values: list[tuple[str | None, ...]] = []
    for sample in samples_of(parts, [watched.series], window, ()):
        traces = parts.store.worst(
            source, watched.series, ALL_TRAFFIC, sample.window, Direction.HIGHER_IS_BETTER, _ALL
        )
        # Both ascend by score, so each trace meets its weight, or that of an equal score.
        stands_for = sample.weights or [1.0] * len(traces)
        for trace, weight in zip(traces, stands_for, strict=False):
            scores.append(trace.value)
            weights.append(weight)
            hours.append((sample.window.start - window.start) // HOUR)
            values.append(
                tuple(
                    value if Segment(field=f, value=value or "") in pinned.family.monitors else None
                    for f in watched.fields
                    for value in [trace.segments[f]]
                )
            )
    return Outputs(
        series=watched.series,
        direction=watched.direction,
        fields=watched.fields,
        scores=np.array(scores),
        weights=np.array(weights),
        hours=np.array(hours, dtype=np.int_),
        values=np.array(values, dtype=object).reshape(len(scores), len(watched.fields)).T,
    )


def _has_outputs(parts: Parts, series: Series) -> bool:
    return series.evaluator in MEASURES or series.evaluator not in parts.plan.measures
