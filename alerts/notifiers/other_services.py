"""Every other service, by an apprise address such as `mailto://` or `discord://`."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alerts.notifiers.escape import NO_MENTIONS, lines, one_line
from alerts.notifiers.options import refuse_options, require
from alerts.notifiers.post import unlogged
from tailwatch.alert import Change
from tailwatch.errors import ConfigurationError, NotifierUnavailableError
from tailwatch.protocols import AlertMessage, Notifier, Secrets

TITLE_CHARS, BODY_CHARS = 250, 1500
"""What most services take in one message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherServices:
    """Sends through apprise to the address that the environment holds."""

    name: str
    secrets: Secrets

    async def notify(self, message: AlertMessage) -> str:
        return await asyncio.to_thread(self._send, message)

    def _send(self, message: AlertMessage) -> str:
        import apprise  # noqa: PLC0415 - half a second, for those who use it

        url = self.secrets.url()
        kind = (
            apprise.NotifyType.SUCCESS
            if message.change is Change.RESOLVED
            else apprise.NotifyType.WARNING
        )
        with unlogged():
            service = apprise.Apprise()
            if not service.add(url):
                raise ConfigurationError(
                    f"notifier {self.name!r}: {self.secrets.url_env} holds no address that apprise "
                    "knows; see its list of services"
                )
            arrived = service.notify(
                title=one_line(message.title, TITLE_CHARS, NO_MENTIONS),
                body=lines(message.body, BODY_CHARS, NO_MENTIONS),
                notify_type=kind,
                body_format=apprise.NotifyFormat.TEXT,
            )
        if not arrived:
            raise NotifierUnavailableError("apprise could not deliver it; it does not say why")
        return "apprise delivered it"


def other_services(name: str, options: Mapping[str, Any], secrets: Secrets) -> Notifier:
    """Whatever service the apprise address names. Raises ConfigurationError."""
    refuse_options(name, options)
    require(name, secrets, "url_env", "TAILWATCH_NOTIFY_URL")
    return OtherServices(name=name, secrets=secrets)
