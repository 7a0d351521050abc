"""PagerDuty, by its Events API v2: one incident for an alert, through `dedup_key`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alerts.notifiers.escape import lines, one_line
from alerts.notifiers.options import refuse_options, require, web_address
from alerts.notifiers.post import post
from tailwatch.alert import Change
from tailwatch.protocols import AlertMessage, Notifier, Secrets

EVENTS_URL = "https://events.pagerduty.com"
"""The default of the option `url`; accounts in Europe have https://events.eu.pagerduty.com."""

SUMMARY_CHARS, SOURCE_CHARS, DETAIL_CHARS, KEY_CHARS = 1024, 255, 4000, 255

_ACTIONS = {Change.RESOLVED: "resolve", Change.ACKNOWLEDGED: "acknowledge"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerDuty:
    """Triggers, acknowledges and resolves the incident of an alert.

    A test triggers an incident of its own, of severity info, and resolves it.
    """

    name: str
    url: str
    secrets: Secrets

    async def notify(self, message: AlertMessage) -> str:
        said = await self._send(message, _ACTIONS.get(message.change, "trigger"))
        if message.change is Change.TEST:
            return f"{said}; then {await self._send(message, 'resolve')}"
        return said

    async def _send(self, message: AlertMessage, action: str) -> str:
        key = self.secrets.key()
        event = {"routing_key": key, **payload(message, action)}
        return await post(f"{self.url}/v2/enqueue", event, secrets=[key])


def pagerduty(name: str, options: Mapping[str, Any], secrets: Secrets) -> Notifier:
    """PagerDuty as the plan asks for it. Raises ConfigurationError."""
    refuse_options(name, options, ("url",))
    require(name, secrets, "key_env", "TAILWATCH_PAGERDUTY_KEY")
    url = web_address(name, options.get("url", EVENTS_URL))
    return PagerDuty(name=name, url=url, secrets=secrets)


def payload(message: AlertMessage, action: str) -> dict[str, Any]:
    """The event without its routing key."""
    event: dict[str, Any] = {"event_action": action, "dedup_key": dedup_key(message)}
    if action != "trigger":
        return event
    details = {label: one_line(value, DETAIL_CHARS) for label, value in message.fields.items()}
    return event | {
        "client": "tailwatch",
        "payload": {
            "summary": one_line(message.title, SUMMARY_CHARS),
            "source": one_line(message.source, SOURCE_CHARS),
            "severity": message.severity.value,
            "timestamp": message.at.isoformat(),
            "class": message.change.value,
            "custom_details": {"message": lines(message.body, DETAIL_CHARS), **details},
        },
    }


def dedup_key(message: AlertMessage) -> str:
    """The same for all messages about an alert: its id, after as much of the source as has room."""
    room = KEY_CHARS - len(message.alert_id) - 1
    return f"{message.source[:room]}/{message.alert_id}"
