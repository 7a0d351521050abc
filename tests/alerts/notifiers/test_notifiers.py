"""Each notifier against a receiver of its shape: what it sends, what it makes of answers."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.notifiers.escape import NO_MENTIONS, SLACK, lines, one_line
from alerts.notifiers.index import NOTIFIERS, build_notifier
from alerts.notifiers.pagerduty import dedup_key
from alerts.notifiers.slack import payload as slack_payload
from tailwatch.alert import Change, Severity
from tailwatch.errors import (
    ConfigurationError,
    NotifierError,
    NotifierUnavailableError,
    UnknownNameError,
)
from tailwatch.plan import NotifyPlan
from tailwatch.protocols import AlertMessage, Notifier
from tests.receivers import PAGERDUTY_KEY, SLACK_PATH, Receiver, slack_fault

MESSAGE = AlertMessage(
    message_id="0123",
    change=Change.OPENED,
    severity=Severity.CRITICAL,
    source="app",
    alert_id="d961565f8e08",
    at=datetime(2026, 3, 3, 10, tzinfo=UTC),
    title="Alert: faithfulness in feature=search, since about Tue 3 Mar 04:00 UTC",
    body="62 of 500 scored 0.25 or lower.\nNext: tailwatch alerts show d961565f8e08",
    fields={"Segment": "feature=search"},
)
HOSTILE = "<!channel> <https://evil|ok> *b* & \u202e\x1b[31m @everyone\nline"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as started:
        yield started


def notifier(use: str, receiver: Receiver, **secrets: str) -> Notifier:
    """The notifier of the plan, with the receiver's addresses in its environment."""
    plans: Mapping[str, Mapping[str, Any]] = {
        "slack": {"url_env": "SLACK"},
        "pagerduty": {"key_env": "PAGER", "options": {"url": receiver.url}},
        "webhook": {"url_env": "HOOK"},
        "apprise": {"url_env": "OTHER"},
    }
    environment = {
        "SLACK": receiver.url + SLACK_PATH,
        "PAGER": PAGERDUTY_KEY,
        "HOOK": f"{receiver.url}/hook",
        "OTHER": receiver.url.replace("http:", "json:") + "/hook",
        "TOKEN": "token-of-hook",
        **secrets,
    }
    return build_notifier(NotifyPlan.model_validate({"use": use, **plans[use]}), environment)


def send(to: Notifier, message: AlertMessage = MESSAGE) -> str:
    return asyncio.run(to.notify(message))


def test_slack_gets_plain_text_blocks(receiver: Receiver) -> None:
    assert send(notifier("slack", receiver)) == "HTTP 200 ok"
    (body,) = receiver.bodies
    header, section, fields = body["blocks"]
    assert header["text"] == {"type": "plain_text", "text": f"🔴 {MESSAGE.title}", "emoji": False}
    assert section["text"]["text"] == MESSAGE.body
    assert [field["text"] for field in fields["fields"]] == ["Segment: feature=search"]
    assert body["text"] == f"🔴 {MESSAGE.title}"


def test_slack_cannot_be_steered(receiver: Receiver) -> None:
    body = slack_payload(replace(MESSAGE, title=HOSTILE, body=HOSTILE, fields={"x": HOSTILE}))
    shown = [body["text"], *(str(block) for block in body["blocks"])]
    for text in shown:
        assert "<" not in text
        assert "&lt;!channel&gt;" in text
        assert "\u202e" not in text
        assert "\x1b" not in text
    assert "\n" in body["blocks"][1]["text"]["text"]
    assert send(notifier("slack", receiver), replace(MESSAGE, title="&" * 5000, body="<" * 9000))
    assert receiver.refused == []


@given(st.text(max_size=400), st.text(max_size=4000), st.text(max_size=300))
def test_slack_takes_any_text(title: str, body: str, value: str) -> None:
    message = replace(MESSAGE, title=title, body=body, fields={value: value})
    assert slack_fault(slack_payload(message)) is None


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ([Change.OPENED, Change.ATTACHED], "triggered"),
        ([Change.OPENED, Change.ACKNOWLEDGED], "acknowledged"),
        ([Change.OPENED, Change.RESOLVED], "resolved"),
        ([Change.OPENED, Change.RESOLVED, Change.REOPENED], "triggered"),
        ([Change.OPENED, Change.OPENED], "triggered"),
        ([Change.TEST], "resolved"),
    ],
)
def test_pagerduty_has_one_incident_for_an_alert(
    receiver: Receiver, changes: list[Change], state: str
) -> None:
    for change in changes:
        assert "Event processed" in send(
            notifier("pagerduty", receiver), replace(MESSAGE, change=change)
        )
    assert receiver.incidents == {"app/d961565f8e08": state}


def test_pagerduty_gets_what_people_need(receiver: Receiver) -> None:
    send(notifier("pagerduty", receiver))
    assert receiver.bodies == [
        {
            "routing_key": PAGERDUTY_KEY,
            "event_action": "trigger",
            "dedup_key": "app/d961565f8e08",
            "client": "tailwatch",
            "payload": {
                "summary": MESSAGE.title,
                "source": "app",
                "severity": "critical",
                "timestamp": "2026-03-03T10:00:00+00:00",
                "class": "opened",
                "custom_details": {"message": MESSAGE.body, "Segment": "feature=search"},
            },
        }
    ]
    long = replace(MESSAGE, title="x" * 9999, body="y\n" * 9999, source="s" * 999)
    send(notifier("pagerduty", receiver), long)
    assert len(dedup_key(long)) <= 255
    assert receiver.refused == []


def test_a_webhook_gets_the_document(receiver: Receiver) -> None:
    plan = NotifyPlan(use="webhook", url_env="HOOK", key_env="TOKEN")
    environment = {"HOOK": f"{receiver.url}/hook", "TOKEN": "token-of-hook"}
    assert send(build_notifier(plan, environment)) == "HTTP 204"
    (received,) = receiver.taken
    assert received.headers["Authorization"] == "Bearer token-of-hook"
    assert received.headers["Idempotency-Key"] == "0123"
    assert received.body == {
        "version": 1,
        "message_id": "0123",
        "change": "opened",
        "severity": "critical",
        "source": "app",
        "alert_id": "d961565f8e08",
        "at": "2026-03-03T10:00:00+00:00",
        "title": MESSAGE.title,
        "body": MESSAGE.body,
        "fields": {"Segment": "feature=search"},
    }


def test_everything_else_goes_through_apprise(receiver: Receiver) -> None:
    assert send(notifier("apprise", receiver), replace(MESSAGE, body=HOSTILE))
    (body,) = receiver.bodies
    assert body["title"] == MESSAGE.title
    assert "@everyone" not in body["message"]
    assert "everyone" in body["message"]


@pytest.mark.parametrize("use", NOTIFIERS)
@pytest.mark.parametrize("status", [301, 403, 404, 429, 500, 503])
def test_what_may_be_mended_is_worth_another_try(receiver: Receiver, use: str, status: int) -> None:
    receiver.down = status
    receiver.headers = {"Location": f"{receiver.url}/hook"}
    with pytest.raises(NotifierUnavailableError):
        send(notifier(use, receiver))
    assert receiver.taken == []


def test_the_receiver_says_when_to_try_again(receiver: Receiver) -> None:
    for header, expected in (("37", 37.0), ("soon", None), ("-1", None), ("inf", None)):
        receiver.down, receiver.headers = 429, {"Retry-After": header}
        with pytest.raises(NotifierUnavailableError) as caught:
            send(notifier("slack", receiver))
        assert caught.value.retry_after_s == expected


@pytest.mark.parametrize("use", ["slack", "pagerduty", "webhook"])
def test_a_refused_message_is_refused_for_good(receiver: Receiver, use: str) -> None:
    receiver.down = 400
    with pytest.raises(NotifierError, match="refused: HTTP 400") as caught:
        send(notifier(use, receiver))
    assert not isinstance(caught.value, NotifierUnavailableError)


@pytest.mark.parametrize("use", NOTIFIERS)
def test_no_error_and_no_log_holds_a_secret(
    receiver: Receiver, use: str, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("httpx", "apprise", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    caplog.set_level(logging.DEBUG)
    hidden = ("secret-of-slack", PAGERDUTY_KEY, "/hook")
    said = []
    for down in (400, 503, None):
        receiver.down = down
        try:
            said.append(send(notifier(use, receiver)))
        except NotifierError as error:
            said.append(str(error))
    wrong_key = notifier(use, receiver, PAGER="wrong-key-of-pager")
    try:
        said.append(send(wrong_key))
    except NotifierError as error:
        said.append(str(error))
    dead = notifier(use, receiver)
    receiver.__exit__(None, None, None)
    with pytest.raises(NotifierUnavailableError) as caught:
        send(dead)
    receiver.__enter__()
    said.append(str(caught.value))
    for text in (*said, caplog.text, repr(dead)):
        for secret in (*hidden, "wrong-key-of-pager"):
            assert secret not in text


@pytest.mark.parametrize("use", NOTIFIERS)
def test_a_missing_secret_is_told_by_its_variable_when_it_is_needed(use: str) -> None:
    plan = NotifyPlan(use=use, url_env="TAILWATCH_X_URL", key_env="TAILWATCH_X_URL")
    with pytest.raises(ConfigurationError, match="TAILWATCH_X_URL is not set"):
        send(build_notifier(plan, {}))


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ({"use": "slack"}, "`url_env` is missing"),
        ({"use": "webhook"}, "`url_env` is missing"),
        ({"use": "pagerduty"}, "`key_env` is missing"),
        ({"use": "apprise"}, "`url_env` is missing"),
        ({"use": "slack", "url_env": "A", "options": {"colour": 1}}, "'colour' is not an option"),
        ({"use": "pagerduty", "key_env": "A", "options": {"url": "ftp://x"}}, "one of the web"),
    ],
)
def test_a_wrong_entry_is_refused_when_it_is_built(plan: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        build_notifier(NotifyPlan.model_validate(plan), {})


def test_an_unknown_notifier_is_told_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="no notifier is called 'carrier_pigeon'"):
        build_notifier(NotifyPlan(use="carrier_pigeon"), {})


@pytest.mark.parametrize(
    "address", ["not an address", "file:///etc/passwd", "https:///x", "http://["]
)
def test_an_address_that_is_none_is_told_without_repeating_it(address: str) -> None:
    wrong = build_notifier(NotifyPlan(use="slack", url_env="A"), {"A": address})
    with pytest.raises(ConfigurationError, match="not one of the web") as caught:
        send(wrong)
    assert address not in str(caught.value)


@given(st.text(), st.integers(min_value=1, max_value=60))
def test_no_text_is_longer_than_its_limit(text: str, limit: int) -> None:
    for replaced in (None, SLACK, NO_MENTIONS):
        assert len(one_line(text, limit, replaced)) <= limit
        assert len(lines(text, limit, replaced)) <= limit
        assert "\n" not in one_line(text, limit, replaced)
