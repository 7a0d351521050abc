"""What a simulation found, as a table for people and as records for scripts."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from alerts import wording
from alerts.expectation import Delay
from alerts.incidents import monitors_of
from alerts.render import one_line
from alerts.resampling import Turned
from alerts.rules.tail_evidence import TailEvidence
from flows.cli.context import console, now, quantity, say_json, shows_tables
from flows.parts import Parts, PlannedRule
from flows.rehearsal import Rehearsed
from flows.simulating import SimulatedSeries, Simulation


def say_history(parts: Parts, found: Rehearsed, *, as_json: bool) -> None:
    """Prints what the rules would have raised."""
    a_week = found.opened / found.weeks
    by_rule = {
        planned.rule.name: sum(
            any(monitor.rule == planned.rule.name for monitor in monitors_of(alert))
            for alert in found.alerts
        )
        for planned in parts.rules
    }
    if as_json:
        say_json(
            {
                "start": found.window.start,
                "end": found.window.end,
                "monitors": found.monitors,
                "opened": found.opened,
                "reopened": found.reopened,
                "alerts_a_week": a_week,
                "alerts_by_rule": by_rule,
            }
        )
        return
    out = console()
    out.print(
        f"{found.window}: {quantity(found.opened, 'alert')} opened, {found.reopened} came back; "
        f"{a_week:.2f} a week. {found.monitors:,} monitors share the budget.",
        markup=False,
    )
    if by_rule:
        told = ", ".join(f"{wording.text(rule)} {count}" for rule, count in by_rule.items())
        out.print(f"Alerts in which each rule takes part: {told}.", markup=False)
    else:
        out.print("The plan has no rules; add some under `rules`, see docs/alerts.md.")
    for alert in found.alerts:
        out.print(one_line(alert, now()), markup=False)
    out.print("Nothing of this was recorded, and nobody was told.")


def say_expectations(
    parts: Parts, asked: Simulation, found: Sequence[SimulatedSeries], *, as_json: bool
) -> None:
    """Prints what to expect, a row for each series and volume."""
    if as_json:
        say_json([_record(each, asked) for each in found])
        return
    names = ["series", "per hour", "baseline", "false alerts a week", "at most"]
    names += [wording.text(str(turned)) for turned in asked.regressions]
    rows = [_cells(each, asked.regressions) for each in found]
    out = console()
    if shows_tables(out):
        out.print(_table(names, rows))
    else:
        for row in rows:
            said = [f"{name} {cell}" for name, cell in zip(names[1:], row[1:], strict=True)]
            out.print(f"{row[0]}: {'; '.join(said)}", markup=False)
    simulated_weeks = asked.weeks * asked.trials
    total = {
        n: sum(e.found.a_week for e in found if e.per_hour == n and e.found is not None)
        for n in asked.per_hour
    }
    sums = "; ".join(
        f"{a_week:.3f} at {'the stored volume' if n is None else f'{n:,} an hour'}"
        for n, a_week in total.items()
    )
    out.print(
        f"\nFalse alerts a week over these series: {sums}. The plan's budget is "
        f"{1 / parts.plan.alerts.false_alarm_weeks:.3f} for the whole project.\n"
        f"Each row: {quantity(simulated_weeks, 'quiet week')}, "
        f"{quantity(asked.trials, 'regression')} of each kind; hours to the alert, "
        "median/P90. Streams are drawn from the baselines' outputs, so what "
        "they did not see, such as a rare bad night, is not in them.",
        markup=False,
    )
    if others := [wording.text(p.rule.name) for p in parts.rules if not _is_simulated(p)]:
        out.print(
            f"Only tail_evidence is simulated on such streams. The others of the plan "
            f"({', '.join(others)}) are tried on the stored hours with --history; the limits among "
            "them have their share of the budget here, too.",
            markup=False,
        )


def _is_simulated(planned: PlannedRule) -> bool:
    return isinstance(planned.rule, TailEvidence)


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for place, name in enumerate(names):
        table.add_column(Text(name), justify="right" if place else "left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _cells(each: SimulatedSeries, regressions: Sequence[Turned]) -> list[str]:
    name, volume = wording.text(str(each.series)), _volume(each.per_hour)
    if each.found is None:
        return [name, volume, "over 90 days", *("-" for _ in range(len(regressions) + 2))]
    delays = {delay.turned: delay for delay in each.found.delays}
    return [
        name,
        volume,
        f"{each.found.baseline_days} days",
        f"{each.found.a_week:.3f}",
        f"{each.found.at_most:.3f}",
        *(_delay(delays.get(turned)) for turned in regressions),
    ]


def _delay(delay: Delay | None) -> str:
    if delay is None or not delay.hours:
        return "-"
    texts = [
        "over 7 d" if hours is None else f"{hours} h"
        for hours in (delay.quantile(0.5), delay.quantile(0.9))
    ]
    return "/".join(texts)


def _record(each: SimulatedSeries, asked: Simulation) -> dict[str, Any]:
    record: dict[str, Any] = {
        "evaluator": each.series.evaluator,
        "version": each.series.version,
        "judge": each.series.judge,
        "per_hour": each.per_hour,
        "seed": asked.seed,
    }
    if each.found is None:
        return record | {"baseline_days": None}
    return record | {
        "baseline_days": each.found.baseline_days,
        "monitors": each.found.monitors,
        "weeks": each.found.weeks,
        "false_alerts": each.found.false_alerts,
        "false_alerts_a_week": each.found.a_week,
        "at_most_a_week": each.found.at_most,
        "regressions": [
            {
                "share": delay.turned.share,
                "segment_field": delay.turned.segment.field,
                "segment_value": delay.turned.segment.value,
                "trials": len(delay.hours),
                "missed": delay.missed,
                "median_hours": delay.quantile(0.5),
                "p90_hours": delay.quantile(0.9),
            }
            for delay in each.found.delays
        ],
    }


def _volume(per_hour: int | None) -> str:
    return "as stored" if per_hour is None else f"{per_hour:,}"
