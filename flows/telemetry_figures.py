"""The values of the metrics, from what the store has: of one evaluated hour, and of the present."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from flows import metrics
from flows.metrics import Metric, Point, label_text
from storage.store import Store
from tailwatch import __version__
from tailwatch.alert import Alert, AlertState, ScoreSummary, Segment, Severity
from tailwatch.caps import utc_day
from tailwatch.coverage import Coverage
from tailwatch.evaluation import Series
from tailwatch.plan import Plan
from tailwatch.window import HOUR, Window

MOST_ALERTS: Final = 100
MOST_REASONS: Final = 20
"""Types of failures come from outside; the rarer ones are counted together."""

OTHER: Final = "other"
_RECENT_RUNS: Final = 200
_MOST_MESSAGES: Final = 1_000


def hour_points(store: Store, plan: Plan, hour: Window) -> list[Point]:
    """The scores and the coverage of one hour, for the plan's segments."""
    source = plan.source.name
    summaries = _within_plan(store.summaries(source, hour), plan)
    points = [point for summary in summaries for point in _of_summary(source, summary)]
    for account in store.coverage(source, hour):
        points += _of_coverage(source, account)
    return points


def present_points(store: Store, plan: Plan, now: datetime) -> list[Point]:
    """What is owed, open and paid at this moment."""
    source = plan.source.name
    points = [_point(metrics.BUILD, {"version": __version__}, 1)]
    newest, checked = store.last_window(source), store.last_check(source)
    of_source = {"source": label_text(source)}
    if newest is not None:
        points.append(_point(metrics.LAST_EVALUATED, of_source, newest.end.timestamp()))
    if checked is not None:
        points.append(_point(metrics.LAST_CHECK, of_source, checked.timestamp()))
    until = Window.last_settled(now, plan.timing.settle).end
    owed = store.owed_windows(source, Window(until - plan.timing.catch_up * HOUR, until))
    points.append(_point(metrics.HOURS_OWED, of_source, len(owed)))
    if plan.telemetry.otlp:
        untold = store.count_owed_telemetry(source)
        points.append(_point(metrics.TELEMETRY_OWED, of_source, untold))
    points += _of_runs(store)
    points += _of_alerts(plan, store.unresolved_alerts(source))
    points += _of_messages(store, source)
    points += _of_money(store, now)
    return points


def _within_plan(summaries: Sequence[ScoreSummary], plan: Plan) -> list[ScoreSummary]:
    """Those of all traffic and of the plan's segments, of each at most `max_segment_values`.

    An hour may have been summarised under a plan with more.
    """
    by_field: dict[tuple[Series, str], list[ScoreSummary]] = defaultdict(list)
    for summary in summaries:
        if summary.segment.field in ("", *plan.segments):
            by_field[summary.series, summary.segment.field].append(summary)
    return [
        summary
        for found in by_field.values()
        for summary in sorted(found, key=lambda s: (-s.n, s.segment))[: plan.max_segment_values]
    ]


def _of_summary(source: str, summary: ScoreSummary) -> Iterator[Point]:
    labels = _labels(source, summary.series, summary.segment)
    values: dict[Metric, float | None] = {
        metrics.SCORES: summary.n,
        metrics.SCORE_MEAN: summary.mean,
        metrics.SCORE_TAIL_LOW: summary.tail.low,
        metrics.SCORE_TAIL_HIGH: summary.tail.high,
    }
    for quantile in summary.quantiles:
        metric = metrics.SCORE_QUANTILES.get(quantile.probability)
        if metric is not None:
            values[metric] = quantile.value
    for metric, value in values.items():
        if value is not None:
            yield _point(metric, labels, value)


def _of_coverage(source: str, account: Coverage) -> Iterator[Point]:
    labels = _labels(source, account.series)
    for metric, count in (
        (metrics.LISTED, account.listed),
        (metrics.ELIGIBLE, account.eligible),
        (metrics.SAMPLED, account.sampled),
        (metrics.SCORED, account.scored),
        (metrics.UNREADABLE, account.unreadable),
        (metrics.LATE, account.late),
    ):
        yield _point(metric, labels, count)
    for metric, reasons in ((metrics.SKIPPED, account.skipped), (metrics.FAILED, account.failed)):
        for reason, count in _most_frequent(reasons):
            yield _point(metric, {**labels, "reason": label_text(reason)}, count)
    if account.sampled:
        yield _point(metrics.COVERAGE, labels, account.scored / account.sampled)


def _most_frequent(reasons: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    counted: Counter[str] = Counter()
    for place, (reason, count) in enumerate(sorted(reasons.items(), key=lambda r: (-r[1], r[0]))):
        counted[reason if place < MOST_REASONS else OTHER] += count
    return counted.items()


def _of_runs(store: Store) -> Iterator[Point]:
    newest: dict[tuple[str, str], datetime] = {}
    for run in store.runs(limit=_RECENT_RUNS):
        if run.ended_at is not None:
            about = (run.kind, run.status)
            newest[about] = max(run.ended_at, newest.get(about, run.ended_at))
    for (kind, status), ended_at in newest.items():
        labels = {"kind": kind, "status": status}
        yield _point(metrics.LAST_RUN, labels, ended_at.timestamp())


def _of_alerts(plan: Plan, alerts: Sequence[Alert]) -> Iterator[Point]:
    """Also where there are none, so that the end of one is seen as a 0."""
    source = plan.source.name
    severities = {rule.name or rule.use: rule.severity for rule in plan.rules}
    counted = {
        (severity, state): 0 for severity in Severity for state in AlertState if not state.over
    }
    for place, alert in enumerate(alerts):
        severity = _severity(severities, alert)
        counted[severity, alert.state] += 1
        if place < MOST_ALERTS:
            labels = {
                **_labels(source, alert.series, alert.segment),
                "alert_id": alert.alert_id,
                "rule": label_text(alert.rule),
                "severity": severity.value,
                "state": alert.state.value,
            }
            yield _point(metrics.ALERT_ONSET, labels, alert.onset.timestamp())
    for (severity, state), count in counted.items():
        labels = {"source": label_text(source), "severity": severity.value, "state": state.value}
        yield _point(metrics.ALERTS_OPEN, labels, count)


def _severity(severities: Mapping[str, Severity], alert: Alert) -> Severity:
    """The most urgent one of the rules that take part, as messages about the alert have it."""
    rules = {alert.rule, *(monitor.rule for monitor in alert.monitors)}
    known = [severities[rule] for rule in rules if rule in severities]
    return max(known, key=lambda severity: severity.rank, default=Severity.ERROR)


def _of_messages(store: Store, source: str) -> Iterator[Point]:
    waiting = store.notices(source, ["pending", "given_up"], limit=_MOST_MESSAGES)
    counted = Counter((record.notice.destination, record.state) for record in waiting)
    for (destination, state), count in counted.items():
        labels = {
            "source": label_text(source),
            "destination": label_text(destination),
            "state": state,
        }
        yield _point(metrics.MESSAGES, labels, count)


def _of_money(store: Store, now: datetime) -> Iterator[Point]:
    yield _point(metrics.JUDGE_COST, {}, store.paid_in_all(now))
    today = utc_day(now)
    for spend in store.spending(Window(today, today + 24 * HOUR), "evaluator"):
        for state, usd in (
            ("settled", spend.settled_usd),
            ("reserved", spend.reserved_usd),
            ("lost", spend.lost_usd),
        ):
            labels = {"evaluator": label_text(spend.name), "state": state}
            yield _point(metrics.JUDGE_COST_TODAY, labels, usd)


def _labels(source: str, series: Series, segment: Segment | None = None) -> dict[str, str]:
    labels = {
        "source": source,
        "evaluator": series.evaluator,
        "version": series.version,
        "judge": series.judge,
    }
    if segment is not None:
        labels |= {"segment_field": segment.field, "segment_value": segment.value}
    return {name: label_text(value) for name, value in labels.items()}


def _point(metric: Metric, labels: Mapping[str, str], value: float) -> Point:
    return Point(metric=metric, labels=labels, value=float(value))
