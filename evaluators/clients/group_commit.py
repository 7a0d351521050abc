"""Many calls' book entries in one transaction: what is waiting is written together."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from tailwatch.errors import StoreUnavailableError
from tailwatch.judge_calls import CallLedger, Caps, JudgeCall, KnownVerdict, SettledCall
from tailwatch.outcome import Usage

_log = logging.getLogger(__name__)

EntryT = TypeVar("EntryT")
AnswerT = TypeVar("AnswerT")

PACE_S = 0.02
"""How far apart transactions are: a call waits so long at the most, and shares one with others."""

_TRY_AGAIN_AFTER_S = (0.05, 0.2, 0.5, 1.0, 2.0, 4.0)
"""A store that was locked or restarted is back soon; one that is not ends the run elsewhere."""

_NEVER_MADE = Usage(cost_usd=0.0)


class _Waiting(Generic[EntryT, AnswerT]):
    """Entries to be written, each with the future that hears what came of it."""

    def __init__(self) -> None:
        self.entries: list[EntryT] = []
        self._futures: list[asyncio.Future[AnswerT]] = []

    def put(self, entry: EntryT) -> asyncio.Future[AnswerT]:
        future: asyncio.Future[AnswerT] = asyncio.get_running_loop().create_future()
        self.entries.append(entry)
        self._futures.append(future)
        return future

    def answer(self, answers: Sequence[AnswerT]) -> list[tuple[EntryT, AnswerT]]:
        """Tells everyone; returns what nobody waits for any more."""
        left = []
        for entry, future, answer in zip(self.entries, self._futures, answers, strict=True):
            if future.cancelled():
                left.append((entry, answer))
            else:
                future.set_result(answer)
        return left

    def fail(self, error: BaseException) -> None:
        for future in self._futures:
            if not future.cancelled():
                future.set_exception(error)


@dataclass(frozen=True, slots=True)
class _Lookup:
    key: str
    since: datetime


class _Batch:
    """What one commit writes: first what is settled, then what is reserved, then what is sought."""

    def __init__(self) -> None:
        self.settled = _Waiting[SettledCall, bool]()
        self.reserved = _Waiting[JudgeCall, bool]()
        self.sought = _Waiting[_Lookup, KnownVerdict | None]()

    def write(
        self, ledger: CallLedger, caps: Caps
    ) -> tuple[Sequence[bool], Sequence[KnownVerdict | None]]:
        if self.settled.entries:
            ledger.settle_calls(self.settled.entries)
        answers: Sequence[bool] = ()
        if self.reserved.entries:
            answers = ledger.reserve_calls(self.reserved.entries, caps)
        known: Mapping[str, KnownVerdict] = {}
        if self.sought.entries:
            since = min(lookup.since for lookup in self.sought.entries)
            known = ledger.known_verdicts(list({each.key for each in self.sought.entries}), since)
        return answers, [_fresh(known.get(each.key), each) for each in self.sought.entries]


class GroupCommit:
    """A ledger for the tasks of one event loop, who share its transactions.

    One batch at a time is written, in a thread, some milliseconds after the one before. When the
    store does not answer, the batch is tried again for some seconds. `open` counts the calls that
    are reserved and not yet settled.
    """

    def __init__(self, ledger: CallLedger, caps: Caps, pace_s: float = PACE_S) -> None:
        self.open = 0
        self._ledger = ledger
        self._caps = caps
        self._pace_s = pace_s
        self._next_at = 0.0
        self._batch: _Batch | None = None
        self._writer: asyncio.Task[None] | None = None

    def reserve(self, call: JudgeCall) -> asyncio.Future[bool]:
        """Whether the caps cover the call. Whoever gives up before the answer pays nothing."""
        return self._next().reserved.put(call)

    def settle(self, call: SettledCall) -> asyncio.Future[bool]:
        """Whether it is booked in the end. It is written also if nobody waits for it."""
        return self._next().settled.put(call)

    def look_up(self, key: str, since: datetime) -> asyncio.Future[KnownVerdict | None]:
        """The newest verdict on that question, if there is one from `since` on."""
        return self._next().sought.put(_Lookup(key, since))

    async def finish(self) -> None:
        """Waits until everything is written."""
        while self._writer is not None and not self._writer.done():
            await asyncio.shield(self._writer)

    def _next(self) -> _Batch:
        """The batch that is written next, and a writer for it."""
        if self._batch is None:
            self._batch = _Batch()
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write())
        return self._batch

    async def _write(self) -> None:
        while self._batch is not None:
            await asyncio.sleep(max(0.0, self._next_at - time.monotonic()))
            self._next_at = time.monotonic() + self._pace_s
            batch, self._batch = self._batch, None
            await self._commit(batch)

    async def _commit(self, batch: _Batch) -> None:
        for wait_s in (*_TRY_AGAIN_AFTER_S, None):
            (written,) = await asyncio.gather(
                asyncio.to_thread(batch.write, self._ledger, self._caps), return_exceptions=True
            )
            if wait_s is None or not isinstance(written, StoreUnavailableError):
                break
            await asyncio.sleep(wait_s)
        # Before anybody hears of it: who was refused asks how many calls are open.
        settled = len(batch.settled.entries)
        self.open -= settled
        if isinstance(written, BaseException):
            if settled:
                _log.warning("%d calls could not be booked: %s", settled, type(written).__name__)
            batch.settled.answer([False] * settled)
            batch.reserved.fail(written)
            batch.sought.fail(written)
            return
        answers, known = written
        self.open += sum(answers)
        batch.settled.answer([True] * settled)
        batch.sought.answer(known)
        for call, covered in batch.reserved.answer(answers):
            if covered:
                self.settle(SettledCall(call_id=call.call_id, at=call.at, usage=_NEVER_MADE))


def _fresh(known: KnownVerdict | None, lookup: _Lookup) -> KnownVerdict | None:
    return known if known is not None and known.at >= lookup.since else None
