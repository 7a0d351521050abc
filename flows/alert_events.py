"""Changes of alerts as events of Prefect, for the automations that people hang on them."""

import logging
from collections.abc import Sequence

from prefect.events import emit_event

from alerts.notifiers.message import change_of
from storage.store import Store
from tailwatch.alert import Alert, AlertEvent
from tailwatch.printable import printable

log = logging.getLogger(__name__)

_TEXT_CHARS = 1000


def emit_alert_events(store: Store, source: str, events: Sequence[AlertEvent]) -> None:
    """Emits `tailwatch.alert.opened` and its like for each change that people are told of.

    Prefect promises nothing about them; what people must hear of goes through the outbox.
    """
    for event in events:
        change, alert = change_of(event), store.alert(event.alert_id, source)
        if change is None or alert is None:
            continue
        try:
            emit_event(
                event=f"tailwatch.alert.{change}",
                resource={
                    "prefect.resource.id": f"tailwatch.alert.{event.alert_id}",
                    "prefect.resource.name": f"alert {event.alert_id}",
                },
                payload=event_payload(source, alert, event),
            )
        except RuntimeError:  # Prefect's sender has stopped: its server is out of reach
            log.warning("Prefect did not take the event of alert %s", event.alert_id)


def event_payload(source: str, alert: Alert, event: AlertEvent) -> dict[str, object]:
    """What an automation may use in its conditions and templates."""
    return {
        "source": source,
        "alert_id": alert.alert_id,
        "rule": printable(alert.rule),
        "series": printable(str(alert.series)),
        "segment": printable(str(alert.segment)),
        "state": alert.state.value,
        "onset": alert.onset.isoformat(),
        "at": event.at.isoformat(),
        "who": printable(event.who),
        "why": printable(event.why, _TEXT_CHARS),
        "sentence": printable(alert.sentence, _TEXT_CHARS),
        "numbers": dict(alert.numbers),
    }
