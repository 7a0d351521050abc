"""What others may measure of tailwatch: every metric, under the names of Prometheus and OTel."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tailwatch.printable import printable

LABEL_CHARS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A measure by its name for Prometheus (`..._total` where it only grows) and for OpenTelemetry.

    `unit` is OpenTelemetry's, in UCUM.
    """

    name: str
    otel: str
    unit: str
    about: str

    @property
    def counter(self) -> bool:
        return self.name.endswith("_total")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One value of a metric."""

    metric: Metric
    labels: Mapping[str, str]
    value: float


def label_text(text: str) -> str:
    """The text as the value of a label: on one line, of a hundred characters or so.

    What had to be changed ends in a hash of the whole, so that two texts never become one label.
    """
    shown = printable(text, LABEL_CHARS)
    if shown == text:
        return text
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{shown}#{digest}"


_OF_SCORES = "of the scores of an hour, by series and segment"

SCORES = Metric(
    name="tailwatch_scores",
    otel="tailwatch.score.count",
    unit="{score}",
    about=f"Number {_OF_SCORES}",
)
SCORE_MEAN = Metric(
    name="tailwatch_score_mean", otel="tailwatch.score.mean", unit="1", about=f"Mean {_OF_SCORES}"
)
SCORE_QUANTILES: Final = {
    percent / 100: Metric(
        name=f"tailwatch_score_p{percent}",
        otel=f"tailwatch.score.p{percent}",
        unit="1",
        about=f"P{percent} {_OF_SCORES}",
    )
    for percent in (5, 10, 50, 90, 95)
}
SCORE_TAIL_LOW, SCORE_TAIL_HIGH = (
    Metric(
        name=f"tailwatch_score_tail_{end}",
        otel=f"tailwatch.score.tail.{end}",
        unit="1",
        about=f"{end.capitalize()} 95 % limit of the bad end (P10, or P90 where less is better) "
        f"{_OF_SCORES}",
    )
    for end in ("low", "high")
)

LISTED, ELIGIBLE, SAMPLED, SCORED, UNREADABLE, LATE, SKIPPED, FAILED = (
    Metric(
        name=f"tailwatch_traces_{name}",
        otel=f"tailwatch.trace.{name}",
        unit="{trace}",
        about=f"Traces of an hour that {which}",
    )
    for name, which in (
        ("listed", "the source listed"),
        ("eligible", "had ended, or were waited for long enough"),
        ("sampled", "were in the evaluator's sample"),
        ("scored", "got a score"),
        ("unreadable", "could not be read"),
        ("late", "were first seen after the hour's first evaluation"),
        ("skipped", "the evaluator had nothing to say about, by reason"),
        ("failed", "the evaluator failed on, by type of failure"),
    )
)
COVERAGE = Metric(
    name="tailwatch_coverage_ratio",
    otel="tailwatch.coverage",
    unit="1",
    about="Share of the sampled traces of an hour that got a score",
)

BUILD = Metric(
    name="tailwatch_build_info",
    otel="tailwatch.build",
    unit="1",
    about="1, with the version of the program",
)
LAST_EVALUATED = Metric(
    name="tailwatch_last_evaluated_timestamp_seconds",
    otel="tailwatch.last_evaluated",
    unit="s",
    about="End of the newest hour that was evaluated",
)
LAST_RUN = Metric(
    name="tailwatch_last_run_timestamp_seconds",
    otel="tailwatch.last_run",
    unit="s",
    about="End of the newest run, by kind and status, of any source in the store",
)
LAST_CHECK = Metric(
    name="tailwatch_last_check_timestamp_seconds",
    otel="tailwatch.last_check",
    unit="s",
    about="Up to when the alert rules have looked",
)
HOURS_OWED = Metric(
    name="tailwatch_hours_owed",
    otel="tailwatch.hour.owed",
    unit="{hour}",
    about="Hours of the last catch_up that are over and not evaluated",
)
ALERTS_OPEN = Metric(
    name="tailwatch_alerts_open",
    otel="tailwatch.alert.open",
    unit="{alert}",
    about="Alerts that are not over, by severity and state",
)
ALERT_ONSET = Metric(
    name="tailwatch_alert_onset_timestamp_seconds",
    otel="tailwatch.alert.onset",
    unit="s",
    about="When what an alert is about began; one for each of the 100 newest that are not over",
)
MESSAGES = Metric(
    name="tailwatch_messages_waiting",
    otel="tailwatch.message.waiting",
    unit="{message}",
    about="Messages about alerts that were not sent yet (pending) or given up; up to 1,000",
)
JUDGE_COST = Metric(
    name="tailwatch_judge_cost_usd_total",
    otel="tailwatch.judge.cost",
    unit="USD",
    about="What judges were paid since the store exists, for every source in it",
)
JUDGE_COST_TODAY = Metric(
    name="tailwatch_judge_cost_today_usd",
    otel="tailwatch.judge.cost.today",
    unit="USD",
    about="What judges took of today's cap (UTC), by evaluator: settled, reserved or lost",
)
TELEMETRY_OWED = Metric(
    name="tailwatch_telemetry_hours_owed",
    otel="tailwatch.telemetry.hour.owed",
    unit="{hour}",
    about="Hours that the OpenTelemetry collector was not told of, or not of their last change",
)

EVERY_METRIC: Final = (
    SCORES,
    SCORE_MEAN,
    *SCORE_QUANTILES.values(),
    SCORE_TAIL_LOW,
    SCORE_TAIL_HIGH,
    LISTED,
    ELIGIBLE,
    SAMPLED,
    SCORED,
    UNREADABLE,
    LATE,
    SKIPPED,
    FAILED,
    COVERAGE,
    BUILD,
    LAST_EVALUATED,
    LAST_RUN,
    LAST_CHECK,
    HOURS_OWED,
    ALERTS_OPEN,
    ALERT_ONSET,
    MESSAGES,
    JUDGE_COST,
    JUDGE_COST_TODAY,
    TELEMETRY_OWED,
)
"""In the order in which they are shown."""
