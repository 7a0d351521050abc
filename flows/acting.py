"""What a person does with an alert: applied to it as it is now, recorded, and told to others."""

from collections.abc import Callable
from datetime import datetime

from alerts.lifecycle import Advance
from flows.notifying import notices
from flows.parts import Parts
from tailwatch.alert import Alert
from tailwatch.errors import AlertChangedError, ConfigurationError


def found_alert(parts: Parts, alert_id: str) -> Alert:
    """The alert whose id begins so. Raises ConfigurationError when there is none or several."""
    if not alert_id.strip():
        raise ConfigurationError(
            "the alert's id is empty; `tailwatch alerts list --all` shows the ids"
        )
    alert = parts.store.alert(alert_id, parts.source.name)
    if alert is None:
        raise ConfigurationError(
            f"no alert has the id {alert_id!r}; `tailwatch alerts list --all` shows them"
        )
    return alert


def act_on(parts: Parts, alert_id: str, act: Callable[[Alert], Advance], now: datetime) -> Advance:
    """What became of the alert, recorded with its messages; no event when nothing changed.

    When a check changed the alert meanwhile, `act` is asked again about the alert as it is then.
    """
    while True:
        alert = found_alert(parts, alert_id)
        step = act(alert)
        if step.alert is None or not step.events:
            return step
        told = notices(parts, step.alert, step.events, now)
        try:
            parts.store.record_alert(parts.source.name, step.alert, step.events, told, before=alert)
        except AlertChangedError:
            continue
        return step
