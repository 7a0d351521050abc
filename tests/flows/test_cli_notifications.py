"""What a person does with an alert at the terminal, and the messages it brings about."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from flows.cli.alerts import EXIT_ALERT_OPEN
from tests.flows import test_cli
from tests.flows.test_cli import Tailwatch, evaluated
from tests.receivers import PAGERDUTY_KEY, SLACK_PATH, Receiver

project, tailwatch = test_cli.project, test_cli.tailwatch

NOTIFY = """\
notify:
  - use: slack
    name: team
    url_env: TEST_SLACK_URL
  - use: pagerduty
    key_env: TEST_PAGER_KEY
    on: [opened, reopened, acknowledged, resolved]
    options: {url: %s}
"""


@pytest.fixture
def receiver(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver that the plan tells of every alert."""
    with Receiver() as started:
        with (project / "tailwatch.yaml").open("a") as plan:
            plan.write(NOTIFY % started.url)
        monkeypatch.setenv("TEST_SLACK_URL", started.url + SLACK_PATH)
        monkeypatch.setenv("TEST_PAGER_KEY", PAGERDUTY_KEY)
        yield started


def alerted(tailwatch: Tailwatch) -> str:
    """The id of an open alert."""
    evaluated(tailwatch)
    code, _, error = tailwatch("alerts", "check", "--until", "2026-03-04T10")
    assert (code, error) == (EXIT_ALERT_OPEN, "")
    return str(json.loads(tailwatch("alerts", "list", "--json")[1])[0]["alert_id"])


def test_a_check_tells_people_and_what_they_do_is_kept_and_told(
    tailwatch: Tailwatch, receiver: Receiver
) -> None:
    alert_id = alerted(tailwatch)
    opened = len(receiver.taken)
    assert opened >= 2
    assert "triggered" in receiver.incidents.values()

    assert tailwatch("alerts", "ack", alert_id[:6], "--who", "ann")[0] == 0
    code, out, _ = tailwatch("alerts", "mute", alert_id, "--for", "8h", "--why", "known")
    assert (code, f"Alert {alert_id} is muted now." in out) == (0, True)
    code, out, _ = tailwatch("alerts", "false-alarm", alert_id, "--why", "our load test")
    assert (code, f"Alert {alert_id} is false alarm now." in out) == (0, True)
    code, out, _ = tailwatch("alerts", "false-alarm", alert_id, "--why", "again")
    assert "nothing changed" in out

    assert receiver.incidents[f"mine/{alert_id}"] == "resolved"
    assert len(receiver.taken) == opened + 3  # acknowledged to one, the end to both
    events = json.loads(tailwatch("alerts", "history", alert_id, "--json")[1])
    assert [(e["to"], e["why"]) for e in events[1:]] == [
        ("acknowledged", "looking into it"),
        ("muted", "known"),
        ("false_alarm", "our load test"),
    ]
    assert events[1]["who"] == "ann"
    assert "false alarm by" in tailwatch("alerts", "show", alert_id)[1]
    assert "acknowledged by ann: looking into it" in tailwatch("alerts", "history", alert_id)[1]
    listed = json.loads(tailwatch("alerts", "list", "--json")[1])
    assert alert_id not in [alert["alert_id"] for alert in listed]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("alerts", "ack", "nowhere"), "no alert has the id 'nowhere'"),
        (("alerts", "show", ""), "the alert's id is empty; `tailwatch alerts list --all` shows"),
        (("alerts", "false-alarm", "x", "--why", " "), "--why is empty"),
        (("baseline", "reset", "lexical_support", "--why", ""), "--why is empty"),
        (("alerts", "mute", "x", "--why", "y"), "give either --until or --for"),
        (("alerts", "mute", "x", "--why", "y", "--for", "soon"), "--for: 'soon' is not a duration"),
        (("alerts", "mute", "x", "--why", "y", "--for", "0h"), "must be longer than nothing"),
        (("notify", "test"), "the plan has no destinations"),
    ],
)
def test_a_wrong_command_says_what_is_right(
    tailwatch: Tailwatch, arguments: tuple[str, ...], says: str
) -> None:
    tailwatch("db", "upgrade")
    code, _, error = tailwatch(*arguments)
    assert code == 2
    assert says in error


def test_messages_that_nobody_takes_wait_and_do_not_fail_the_check(
    tailwatch: Tailwatch, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.cli.alerts.CLI_PATIENCE", timedelta(0))
    receiver.down = 503
    evaluated(tailwatch)
    code, _, error = tailwatch("alerts", "check", "--until", "2026-03-04T10")
    assert code == EXIT_ALERT_OPEN
    assert "team: not taken: HTTP 503 gone away: ***; it stays in the outbox" in error
    assert "secret" not in error
    waiting = json.loads(tailwatch("notify", "pending", "--json")[1])
    assert {w["state"] for w in waiting} == {"pending"}
    assert "1 attempts, due" in tailwatch("notify", "pending")[1]


def test_given_up_messages_are_sent_again_on_request(
    tailwatch: Tailwatch, receiver: Receiver
) -> None:
    receiver.down = 400
    evaluated(tailwatch)
    tailwatch("alerts", "check", "--until", "2026-03-04T10")
    assert "given up after 1 attempts" in tailwatch("notify", "pending")[1]
    assert "Nothing was sent." in tailwatch("notify", "send")[1]
    receiver.down = None
    code, out, error = tailwatch("notify", "send", "--again")
    assert (code, error) == (0, "")
    assert "team: " in out
    assert tailwatch("notify", "pending")[1].strip() == "Every message is sent."


def test_a_test_message_says_what_came_back(
    tailwatch: Tailwatch, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    tailwatch("db", "upgrade")
    code, out, _ = tailwatch("notify", "test")
    assert code == 0
    assert "team: arrived: HTTP 200 ok" in out
    assert list(receiver.incidents.values()) == ["resolved"]
    receiver.down = 500
    code, out, _ = tailwatch("notify", "test", "team")
    assert (code, out.startswith("team: DID NOT ARRIVE: not taken: HTTP 500")) == (1, True)
    assert "known: team, pagerduty" in tailwatch("notify", "test", "someone")[2]
    monkeypatch.delenv("TEST_SLACK_URL")
    out = tailwatch("notify", "test", "team")[1]
    assert "the environment variable TEST_SLACK_URL is not set" in out


@pytest.mark.usefixtures("receiver")
def test_the_plan_is_fine_without_its_secrets(
    tailwatch: Tailwatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEST_SLACK_URL")
    assert tailwatch("plan", "check")[0] == 0


def test_a_wrong_entry_names_its_line(tailwatch: Tailwatch, project: Path) -> None:
    with (project / "tailwatch.yaml").open("a") as plan:
        plan.write("notify:\n  - use: slack\n  - use: pigeon\n")
    code, _, error = tailwatch("plan", "check")
    assert code == 2
    assert "tailwatch.yaml:14: notify.0: notifier 'slack': `url_env` is missing" in error
    assert "tailwatch.yaml:15: notify.1: no notifier is called 'pigeon'" in error
