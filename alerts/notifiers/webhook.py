"""Any program of your own, by a JSON document posted to its address."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alerts.notifiers.options import refuse_options, require, web_address
from alerts.notifiers.post import post
from tailwatch.protocols import AlertMessage, Notifier, Secrets

VERSION = 1
"""Of the document's form: new keys may be added to it, none removed or changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Posts the message; with a key in the environment, as a bearer token beside it."""

    name: str
    secrets: Secrets

    async def notify(self, message: AlertMessage) -> str:
        url = web_address(self.name, self.secrets.url())
        headers = {"Idempotency-Key": message.message_id}
        if self.secrets.key_env is None:
            return await post(url, payload(message), headers=headers)
        key = self.secrets.key()
        headers["Authorization"] = f"Bearer {key}"
        return await post(url, payload(message), headers=headers, secrets=[key])


def webhook(name: str, options: Mapping[str, Any], secrets: Secrets) -> Notifier:
    """A webhook as the plan asks for it. Raises ConfigurationError."""
    refuse_options(name, options)
    require(name, secrets, "url_env", "TAILWATCH_WEBHOOK_URL")
    return Webhook(name=name, secrets=secrets)


def payload(message: AlertMessage) -> dict[str, Any]:
    """The document. Its texts are as they are: whoever shows them escapes them."""
    return {
        "version": VERSION,
        "message_id": message.message_id,
        "change": message.change.value,
        "severity": message.severity.value,
        "source": message.source,
        "alert_id": message.alert_id,
        "at": message.at.isoformat(),
        "title": message.title,
        "body": message.body,
        "fields": dict(message.fields),
    }
