"""Messages about alerts: made when a change is recorded, sent afterwards, marked when they arrived.

Sending never raises into a run and takes a bounded time; what did not arrive waits in the outbox.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from alerts.notifiers.message import alert_message, told
from flows.canary_book import ended_while_held, held_alerts, read_book
from flows.parts import Destination, Parts
from flows.trust import alert_trust
from storage.records import Notice, NoticeRecord
from storage.store import Store
from tailwatch.alert import Alert, AlertEvent, Severity
from tailwatch.errors import NotifierError, RetryableError, TailwatchError
from tailwatch.printable import printable
from tailwatch.protocols import AlertMessage

ATTEMPT_S = 30.0
"""How long one attempt may take; shorter than the lease of a claimed message."""

PATIENCE = timedelta(seconds=60)
"""How long one run goes on sending to a destination and waits for another try."""

MAX_ATTEMPTS = 100
"""About four days of an hourly check; then a message is given up, and `notify send --again` is for
whoever has mended what was broken."""

HISTORY = timedelta(hours=24)
"""A change so much older than the newest checked hour was found in a look back."""

_FIRST_PAUSE = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(minutes=30)
_ERROR_CHARS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class SendReport:
    """What became of the messages of one destination; `error` is the last one, without secrets."""

    destination: str
    sent: int = 0
    failed: int = 0
    given_up: int = 0
    error: str | None = None


def notices(
    parts: Parts, alert: Alert, events: Sequence[AlertEvent], known_at: datetime
) -> list[Notice]:
    """The messages about the changes of an alert, for each destination that wants them.

    `known_at` is the newest moment that is checked or the present: what happened long before it is
    history.
    """
    severity, trusted = severity_of(parts, alert), alert_trust(parts, alert)
    found = [
        Notice(
            destination=destination.name,
            message=alert_message(
                alert,
                news,
                source=parts.source.name,
                destination=destination.name,
                severity=severity,
                notes=trusted,
            ),
            history=known_at - news.events[0].at > HISTORY,
        )
        for news in told(events)
        for destination in parts.destinations
    ]
    by_name = {destination.name: destination for destination in parts.destinations}
    return [each for each in found if by_name[each.destination].wants(each.message)]


def severity_of(parts: Parts, alert: Alert) -> Severity:
    """The most urgent severity of the rules that take part in an alert."""
    taking_part = {alert.rule, *(monitor.rule for monitor in alert.monitors)}
    known = [rule.plan.severity for rule in parts.rules if rule.rule.name in taking_part]
    return max(known, key=lambda severity: severity.rank, default=Severity.ERROR)


async def send_due(
    store: Store,
    source: str,
    destinations: Iterable[Destination],
    *,
    clock: Callable[[], datetime],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    patience: timedelta = PATIENCE,
) -> list[SendReport]:
    """Sends every message that is due, each destination beside the others.

    Only cancelling raises. A destination that does not answer costs at most `patience` and one
    attempt; its messages stay in the outbox, and so do those that wait for quiet hours to end and
    those about alerts that are held because their judge moved.
    """
    senders = [_Sender(store, source, each, clock, sleep, patience) for each in destinations]
    return list(await asyncio.gather(*(sender.send() for sender in senders)))


def pause(attempts: int, retry_after_s: float | None = None) -> timedelta:
    """How long to wait after so many attempts: 5 s, 20 s, 80 s and so on, at most half an hour.

    A receiver may ask for more, up to the same limit.
    """
    waited = min(_FIRST_PAUSE * 4.0 ** min(attempts - 1, 10), _LONGEST_PAUSE)
    asked = timedelta(seconds=min(retry_after_s or 0.0, _LONGEST_PAUSE.total_seconds()))
    return max(waited, asked)


class _Sender:
    """Sends the messages of one destination, one after another."""

    def __init__(
        self,
        store: Store,
        source: str,
        destination: Destination,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
        patience: timedelta,
    ) -> None:
        self.store, self.source, self.destination = store, source, destination
        self.clock, self.sleep = clock, sleep
        self.deadline = clock() + patience
        self.claim = uuid4().hex
        self.sent = self.failed = self.given_up = 0
        self.error: str | None = None

    async def send(self) -> SendReport:
        try:
            await self._send_all()
        except TailwatchError as error:  # the store does not answer: what is unsent stays
            self.error = printable(str(error), _ERROR_CHARS)
        return SendReport(
            destination=self.destination.name,
            sent=self.sent,
            failed=self.failed,
            given_up=self.given_up,
            error=self.error,
        )

    async def _send_all(self) -> None:
        held = _held(self.store, self.source)
        while True:
            now = self.clock()
            record = self.store.claim_notice(
                self.source,
                self.destination.name,
                now,
                self.claim,
                self.destination.disturbed_by(now),
                held,
            )
            if record is None:
                return
            again_at = await self._try(record)
            if max(self.clock(), again_at or now) > self.deadline:
                return
            if again_at is not None:
                await self.sleep((again_at - self.clock()).total_seconds())

    async def _try(self, record: NoticeRecord) -> datetime | None:
        """One attempt; when to make the next one, None when there is no need to wait."""
        message_id = record.notice.message.message_id
        failure, _ = await try_once(self.destination, record.notice.message)
        now = self.clock()
        if failure is None:
            self.sent += self.store.mark_sent(message_id, self.claim, now)
            return None
        self.error = printable(str(failure), _ERROR_CHARS)
        for_good = isinstance(failure, NotifierError) and not isinstance(failure, RetryableError)
        if for_good or record.attempts >= MAX_ATTEMPTS:
            self.store.mark_failed(message_id, self.claim, error=self.error, again_at=None)
            self.given_up += 1
            return None
        again_at = now + pause(record.attempts, getattr(failure, "retry_after_s", None))
        self.store.mark_failed(message_id, self.claim, error=self.error, again_at=again_at)
        self.failed += 1
        return again_at


def _held(store: Store, source: str) -> list[str]:
    """The alerts whose messages wait; what nobody heard of those that ended so is given up."""
    waiting = {record.notice.message.alert_id for record in store.notices(source, ["pending"])}
    if not waiting:
        return []
    book = read_book(store, source)
    alerts = [a for a in store.alerts(limit=None, source=source) if a.alert_id in waiting]
    store.give_up_held(source, [a.alert_id for a in alerts if ended_while_held(book, a)])
    return list(held_alerts(book, alerts))


async def try_once(destination: Destination, message: AlertMessage) -> tuple[Exception | None, str]:
    """What went wrong (None: it arrived) and what came back, both without secrets."""
    try:
        async with asyncio.timeout(ATTEMPT_S):
            return None, await destination.notifier.notify(message)
    except TimeoutError:
        return RetryableError(f"no answer within {ATTEMPT_S:.0f} s"), ""
    except TailwatchError as error:
        return error, ""
    except Exception as error:  # noqa: BLE001 - a plug-in's fault must not end the run
        # Its text may hold an address or a key.
        return RetryableError(f"the notifier failed: {type(error).__name__}"), ""
