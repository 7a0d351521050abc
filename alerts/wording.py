"""Numbers, shares, times and names the way the sentences of alerts write them."""

from datetime import datetime, timedelta

from tailwatch.alert import AlertState, Quantile, Segment
from tailwatch.evaluation import Series
from tailwatch.printable import printable

_NAME_CHARS = 80
_UNITS = {
    "latency_ms": "ms",
    "ttft_ms": "ms",
    "cost_usd": "USD",
    "input_tokens": "tokens",
    "output_tokens": "tokens",
}
_SMALLEST_P = 1e-300


def subject(series: Series, segment: Segment) -> str:
    """What a sentence is about, such as `faithfulness in feature=search`, safe to show."""
    return f"{printable(series.evaluator, _NAME_CHARS)} in {printable(str(segment), _NAME_CHARS)}"


def state(value: AlertState) -> str:
    """Such as `open` or `false alarm`."""
    return value.replace("_", " ")


def name(segment: Segment) -> str:
    """A segment such as `feature=search`, safe to show."""
    return printable(str(segment), _NAME_CHARS)


def text(said: str) -> str:
    """What a person said, safe to show on one line."""
    return printable(said, 4 * _NAME_CHARS)


def amount(series: Series, value: float) -> str:
    """A score of the series with its unit, such as `0.006 USD`; most scores have none."""
    return " ".join(filter(None, (number(value), _UNITS.get(series.evaluator, ""))))


def number(value: float) -> str:
    """Three significant digits below 1,000 and whole numbers above."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def p_value(p: float) -> str:
    return f"p = {p:.1g}" if p >= _SMALLEST_P else f"p < {_SMALLEST_P:.0e}"


def moment(time: datetime, now: datetime | None = None) -> str:
    """Such as `Tue 10 Nov 14:00 UTC`, with the year where it is not that of `now`."""
    year = "" if now is None or now.year == time.year else f" {time.year}"
    return f"{time:%a} {time.day} {time:%b}{year} {time:%H:%M} UTC"


def length(span: timedelta) -> str:
    """A length of time in the largest unit that fits it: `40 min`, `24 h` or `3 d`."""
    hours = span / timedelta(hours=1)
    if hours < 1:
        return f"{round(span / timedelta(minutes=1))} min"
    return f"{round(hours)} h" if hours < 72 else f"{hours / 24:.2g} d"


def quantile(q: Quantile, series: Series | None = None) -> str:
    """Such as `P10 is 0.31 (95 % interval 0.27 to 0.36)`, or that there is not enough data.

    With the unit of the series, where it is given.
    """

    def shown(value: float) -> str:
        return number(value) if series is None else amount(series, value)

    name = f"P{100 * q.probability:g}"
    if q.value is None:
        return f"{name} needs more data"
    if q.low is not None and q.high is not None:
        limits = f"95 % interval {shown(q.low)} to {shown(q.high)}"
    elif q.high is not None:
        limits = f"95 % upper limit {shown(q.high)}, too few for a lower one"
    elif q.low is not None:
        limits = f"95 % lower limit {shown(q.low)}, too few for an upper one"
    else:
        limits = "too few for limits"
    return f"{name} is {shown(q.value)} ({limits})"
