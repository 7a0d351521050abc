"""Slack, by an incoming webhook whose address is the secret.

Every block is plain text: nothing in it becomes a link, a mention or a format.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alerts.notifiers.escape import SLACK, lines, one_line
from alerts.notifiers.options import refuse_options, require, web_address
from alerts.notifiers.post import post
from tailwatch.alert import Change
from tailwatch.protocols import AlertMessage, Notifier, Secrets

HEADER_CHARS, SECTION_CHARS, FIELD_CHARS, FIELDS = 150, 3000, 200, 10
"""Slack takes up to 150 characters in a header, 3,000 in a section and 10 fields of 2,000."""

_MARKS = {
    Change.OPENED: "🔴",
    Change.ATTACHED: "🟠",
    Change.REOPENED: "🔴",
    Change.ACKNOWLEDGED: "👀",
    Change.RESOLVED: "🟢",
    Change.TEST: "⚪",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack:
    """Posts to the incoming webhook whose address the environment holds."""

    name: str
    secrets: Secrets

    async def notify(self, message: AlertMessage) -> str:
        url = web_address(self.name, self.secrets.url())
        return await post(url, payload(message))


def slack(name: str, options: Mapping[str, Any], secrets: Secrets) -> Notifier:
    """Slack as the plan asks for it. Raises ConfigurationError."""
    refuse_options(name, options)
    require(name, secrets, "url_env", "TAILWATCH_SLACK_URL")
    return Slack(name=name, secrets=secrets)


def payload(message: AlertMessage) -> dict[str, Any]:
    """The body that Slack gets; `text` is what a notification on a phone shows."""
    title = f"{_MARKS[message.change]} {message.title}"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(one_line(title, HEADER_CHARS, SLACK))},
        {"type": "section", "text": _plain(lines(message.body, SECTION_CHARS, SLACK))},
    ]
    if message.fields:
        shown = [f"{label}: {value}" for label, value in message.fields.items()][:FIELDS]
        fields = [_plain(one_line(text, FIELD_CHARS, SLACK)) for text in shown]
        blocks.append({"type": "section", "fields": fields})
    return {
        "text": one_line(title, HEADER_CHARS, SLACK),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": blocks,
    }


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text or " ", "emoji": False}
