"""What the alert statistics speak of: samples, summaries, findings, alerts and their history."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tailwatch.evaluation import Series
from tailwatch.window import Window


class Direction(StrEnum):
    """Which way is good."""

    HIGHER_IS_BETTER = "higher_is_better"
    LOWER_IS_BETTER = "lower_is_better"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Segment:
    """A slice of the traffic: those traces whose `field` has `value`; both empty for all of it."""

    field: str = ""
    value: str = ""

    def __str__(self) -> str:
        return f"{self.field}={self.value}" if self.field else "all traffic"


ALL_TRAFFIC = Segment()


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """Which values of a sample are of flagged traces, and how its whole hour was sampled by bucket.

    `n_flagged` and `n_normal` count the scores of all traffic in the hour; they stand for `outputs`
    outputs, of which the share `flagged_share` is flagged.
    """

    flagged: Sequence[bool]
    n_flagged: int
    n_normal: int
    flagged_share: float
    outputs: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSample:
    """The scores of one series in one segment and one hour, with what did not become a score.

    `weights`, beside `values`, say how many outputs each score stands for, relative to the mean
    score of all traffic in the hour; None where all of them stand for as many. `buckets` is None
    where weights are, and in samples of several hours.
    """

    series: Series
    segment: Segment
    window: Window
    values: Sequence[float]
    skipped: int = 0
    failed: int = 0
    weights: Sequence[float] | None = None
    buckets: Buckets | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantile:
    """A sample quantile with 95 % distribution-free limits; None where n is too small for one."""

    probability: float
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSummary:
    """How one series did in one segment and one hour.

    `quantiles` are P5, P10, P50, P90, P95 and P99. `tail` is the bad end of them: P10 where higher
    is better and P90 where lower is better. `mean` is None when nothing was scored. `restated` says
    that late traces changed it after its first record.
    """

    series: Series
    segment: Segment
    window: Window
    direction: Direction
    n: int
    skipped: int
    failed: int
    mean: float | None
    quantiles: tuple[Quantile, ...]
    restated: bool = False

    @property
    def tail(self) -> Quantile:
        probability = 0.1 if self.direction is Direction.HIGHER_IS_BETTER else 0.9
        return next(q for q in self.quantiles if q.probability == probability)


class FindingStatus(StrEnum):
    OK = "ok"
    BREACH = "breach"
    NO_DATA = "no_data"
    """Too little to judge by; never taken for OK."""
    LEARNING = "learning"
    """The rule's baseline is not complete yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a rule says about one series and segment at one moment.

    `window` is the time it looked at and `sentence` says what happened, how sure it is and since
    when, for a person. `numbers` holds the figures of the sentence for a program. `conclusive`
    says of OK that it ends an incident at once, without more quiet checks.
    """

    rule: str
    series: Series
    segment: Segment
    window: Window
    status: FindingStatus
    sentence: str
    onset: datetime | None = None
    numbers: Mapping[str, float | int | None] = field(default_factory=dict)
    conclusive: bool = False


class AlertState(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    MUTED = "muted"
    RESOLVED = "resolved"
    FALSE_ALARM = "false_alarm"
    """A person says that nothing was wrong."""

    @property
    def over(self) -> bool:
        """Whether the incident has ended."""
        return self in (AlertState.RESOLVED, AlertState.FALSE_ALARM)


class Change(StrEnum):
    """What about an alert is worth a message to people."""

    OPENED = "opened"
    ATTACHED = "attached"
    """One more monitor joined the incident."""
    REOPENED = "reopened"
    """It came back within a day of its end, or its mute ended while it lasted."""
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    """It is over, or was a false alarm."""
    TEST = "test"
    """Nothing happened: a person tries whether messages arrive."""


class Severity(StrEnum):
    """How urgent the alerts of a rule are."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """A larger number for what is more urgent."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertMonitor:
    """A rule on a series and segment that takes part in an incident.

    `breaching` until it is over; `quiet_checks` counts its checks in a row that found nothing.
    """

    rule: str
    series: Series
    segment: Segment
    onset: datetime
    attached_at: datetime
    sentence: str
    breaching: bool = True
    quiet_checks: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One incident, from its opening to its end, under the rule, series and segment that opened it.

    `quiet_checks` counts the checks in a row that found nothing wrong since the last breach.
    `monitors` are all that take part, the one that opened it first.
    """

    rule: str
    series: Series
    segment: Segment
    state: AlertState
    opened_at: datetime
    onset: datetime
    updated_at: datetime
    sentence: str
    numbers: Mapping[str, float | int | None] = field(default_factory=dict)
    quiet_checks: int = 0
    resolved_at: datetime | None = None
    muted_until: datetime | None = None
    monitors: tuple[AlertMonitor, ...] = ()

    @property
    def alert_id(self) -> str:
        """12 hexadecimal digits, the same for the same rule, series, segment and opening time."""
        key = (
            self.rule,
            self.series.evaluator,
            self.series.version,
            self.series.judge,
            self.segment.field,
            self.segment.value,
            self.opened_at.isoformat(),
        )
        text = json.dumps(key, ensure_ascii=False)
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertEvent:
    """One change of an alert: from which state to which, when, by whom and why."""

    alert_id: str
    at: datetime
    before: AlertState | None
    after: AlertState
    who: str
    why: str
