"""What two senders, or a sender that is killed, do to the messages: nothing is lost."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from flows.parts import Destination
from storage.outbox import LEASE
from storage.store import Store, open_store
from tailwatch.protocols import AlertMessage
from tests.flows.alert_story import BREACH, OK, SOURCE, Story, at, parts_for, send
from tests.receivers import Receiver
from tests.storage import conftest as stores

postgres_url, migrated_postgres = stores.postgres_url, stores.migrated_postgres
migrated_sqlite, store_url, store = stores.migrated_sqlite, stores.store_url, stores.store


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as started:
        yield started


def record_and_die(store_url: str, receiver_url: str) -> None:
    with open_store(store_url) as store:
        Story(parts_for(store, receiver_url, {"use": "pagerduty"})).check(BREACH, 10)
        os._exit(9)


def send_and_die(store_url: str, receiver_url: str) -> None:
    with open_store(store_url) as store:
        parts = parts_for(store, receiver_url, {"use": "pagerduty"})
        dying = replace(parts.destinations[0], notifier=_Dying(parts.destinations[0]))
        send(replace(parts, destinations=(dying,)), at(10))


class _Dying:
    """Sends, and is killed before anyone can note that it did."""

    def __init__(self, destination: Destination) -> None:
        self.destination = destination

    async def notify(self, message: AlertMessage) -> str:
        await self.destination.notifier.notify(message)
        os._exit(9)


def killed(target: Callable[[str, str], None], *arguments: str) -> None:
    process = multiprocessing.get_context("spawn").Process(target=target, args=arguments)
    process.start()
    process.join(60)
    assert process.exitcode == 9


def test_killed_between_record_and_send(store: Store, store_url: str, receiver: Receiver) -> None:
    killed(record_and_die, store_url, receiver.url)
    assert receiver.attempts == 0
    parts = parts_for(store, receiver.url, {"use": "pagerduty"})
    for hour in (11, 12):
        send(parts, at(hour))
    assert len(receiver.taken) == 1


def test_killed_between_send_and_mark(store: Store, store_url: str, receiver: Receiver) -> None:
    """It is sent once more after the lease, under the same key: PagerDuty has one incident."""
    killed(record_and_die, store_url, receiver.url)
    killed(send_and_die, store_url, receiver.url)
    parts = parts_for(store, receiver.url, {"use": "pagerduty"})
    assert send(parts, at(10) + timedelta(minutes=1))[0].sent == 0
    for hour in (11, 12):
        send(parts, at(hour) + LEASE)
    assert receiver.bodies == [receiver.bodies[0]] * 2
    assert len(receiver.incidents) == 1


def send_everything(store_url: str, receiver_url: str) -> int:
    with open_store(store_url) as store:
        parts = parts_for(store, receiver_url, {"use": "webhook"})
        return sum(report.sent for report in send(parts, at(40)))


def test_two_senders_at_once_send_each_message_once(
    store: Store, store_url: str, receiver: Receiver
) -> None:
    parts = parts_for(store, receiver.url, {"use": "webhook"})
    for hour in range(20):
        story = Story(parts)
        story.check(BREACH, hour)
        story.check(OK, hour + 1)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as pool:
        sent = list(pool.map(send_everything, [store_url] * 2, [receiver.url] * 2))
    sent += [report.sent for report in send(parts, at(41))]
    keys = [received.headers["Idempotency-Key"] for received in receiver.taken]
    assert len(keys) == len(set(keys)) == sum(sent) == 40
    assert store.notices(SOURCE, ["pending"]) == []
