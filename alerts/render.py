"""An alert as plain text for a terminal or a message: no colours, nothing that steers a display."""

import textwrap
from collections.abc import Sequence
from datetime import datetime

from alerts import wording
from tailwatch.alert import Alert, AlertEvent, AlertMonitor
from tailwatch.printable import printable

_WIDTH = 96
_LABEL = 16
_SENTENCE_CHARS = 2000
_NAME_CHARS = 80


def one_line(alert: Alert, now: datetime, held: str | None = None) -> str:
    """State, id, age and sentence, for a list: one line, however long the sentence is.

    `held` says why nobody is told of it, and comes first.
    """
    age = wording.length(now - alert.opened_at)
    sentence = _safe(alert.sentence if held is None else f"{held}: {alert.sentence}")
    return f"{wording.state(alert.state):<12}  {alert.alert_id}  {age:>6}  {sentence}"


def in_full(
    alert: Alert, events: Sequence[AlertEvent], now: datetime, notes: Sequence[str] = ()
) -> str:
    """What happened, since when, and who did what about it, in a few lines of plain text.

    `notes` come before it: that it is held, or that its judge did not move.
    """
    rows = [
        ("rule", printable(alert.rule, _NAME_CHARS)),
        ("series", printable(str(alert.series), _NAME_CHARS)),
        ("segment", printable(str(alert.segment), _NAME_CHARS)),
        ("began about", _when(alert.onset, now)),
        ("opened", _when(alert.opened_at, now)),
        ("last checked", _when(alert.updated_at, now)),
    ]
    if alert.state.over and alert.resolved_at is not None:
        rows.append(("ended", _when(alert.resolved_at, now)))
    elif alert.quiet_checks:
        rows.append(("quiet", f"for {alert.quiet_checks} checks in a row"))
    if alert.muted_until is not None:
        rows.append(("muted until", wording.moment(alert.muted_until, now)))
    return "\n".join(
        [
            f"{wording.state(alert.state).upper()}  {alert.alert_id}",
            *(line for note in notes for line in _wrapped(_safe(note), "")),
            *_wrapped(_safe(alert.sentence), ""),
            "",
            *(f"  {label:<{_LABEL}}{value}" for label, value in rows),
            *(["", "  monitors", *monitor_lines(alert, "    ")] if alert.monitors else []),
            *(["", "  history", *history_lines(events, now, "    ")] if events else []),
        ]
    )


def monitor_lines(alert: Alert, indent: str = "") -> list[str]:
    """What takes part in an alert, a line for each series; segments that are over come last."""
    by_series: dict[str, list[AlertMonitor]] = {}
    for monitor in alert.monitors:
        by_series.setdefault(f"{monitor.series} ({monitor.rule})", []).append(monitor)
    lines = []
    for series, monitors in by_series.items():
        lasting = ", ".join(wording.name(m.segment) for m in monitors if m.breaching)
        over = ", ".join(wording.name(m.segment) for m in monitors if not m.breaching)
        said = "; over: ".join([lasting, over] if over else [lasting])
        lines += _wrapped(f"{printable(series, _NAME_CHARS)}: {_safe(said)}", indent)
    return lines


def history_lines(events: Sequence[AlertEvent], now: datetime, indent: str = "") -> list[str]:
    """Who changed an alert, when and why, oldest first."""
    lines = []
    for event in events:
        who = printable(event.who, _NAME_CHARS)
        text = (
            f"{wording.moment(event.at, now)}  {wording.state(event.after)} by {who}: "
            f"{_safe(event.why)}"
        )
        lines.extend(_wrapped(text, indent))
    return lines


def _when(time: datetime, now: datetime) -> str:
    return f"{wording.moment(time, now)}, {wording.length(now - time)} ago"


def _safe(text: str) -> str:
    return printable(text, _SENTENCE_CHARS)


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=indent, subsequent_indent=indent and indent + "  "
    )
