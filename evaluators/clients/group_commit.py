"""Many calls' book entries in one transaction: what is waiting is written together."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from tailwatch.errors import StoreUnavailableError
from tailwatch.judge_calls import (
    BookEntries,
    CallLedger,
    Caps,
    JudgeCall,
    KnownVerdict,
    ReusedVerdicts,
    SettledCall,
)
from tailwatch.outcome import Usage

_log = logging.getLogger(__name__)

EntryT = TypeVar("EntryT")
AnswerT = TypeVar("AnswerT")

PACE_S = 0.02
"""How far apart transactions are at least: calls that come in between share one."""

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
    """What one transaction writes and looks up."""

    def __init__(self) -> None:
        self.settled = _Waiting[SettledCall, bool]()
        self.reserved = _Waiting[JudgeCall, bool]()
        self.sought = _Waiting[_Lookup, KnownVerdict | None]()
        self.reused: dict[object, ReusedVerdicts] = {}

    def write(
        self, ledger: CallLedger, caps: Caps
    ) -> tuple[Sequence[bool], Sequence[KnownVerdict | None], float]:
        """The answers, and how many seconds they took."""
        started, sought = time.monotonic(), self.sought.entries
        entries = BookEntries(
            settled=self.settled.entries,
            wanted=self.reserved.entries,
            reused=list(self.reused.values()),
            sought=list({each.key for each in sought}),
            since=min((each.since for each in sought), default=None),
        )
        booked = ledger.book(entries, caps)
        known = [_fresh(booked.known.get(each.key), each) for each in sought]
        return booked.covered, known, time.monotonic() - started


class GroupCommit:
    """A ledger for the tasks of one event loop, who share its transactions.

    One batch at a time is written, in a thread, `pace_s` after the one before at the soonest. While
    calls are under way it waits for more, so that the books take a sixteenth of the time, but ten
    times `pace_s` at most. When the store does not answer, the batch is tried again for some
    seconds. `open` counts the calls that are reserved and not yet settled.
    """

    def __init__(self, ledger: CallLedger, caps: Caps, pace_s: float = PACE_S) -> None:
        self.open = 0
        self._ledger = ledger
        self._caps = caps
        self._pace_s = pace_s
        self._soonest = self._latest = 0.0
        self._batch: _Batch | None = None
        self._writer: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()

    def reserve(self, call: JudgeCall) -> asyncio.Future[bool]:
        """Whether the caps cover the call. Whoever gives up before the answer pays nothing."""
        return self._next().reserved.put(call)

    def settle(self, call: SettledCall) -> asyncio.Future[bool]:
        """Whether it is booked in the end. It is written also if nobody waits for it."""
        booked = self._next().settled.put(call)
        if self._all_ended():
            self._ended.set()
        return booked

    def look_up(self, key: str, since: datetime) -> asyncio.Future[KnownVerdict | None]:
        """The newest verdict on that question, if there is one from `since` on."""
        return self._next().sought.put(_Lookup(key, since))

    def note_reused(self, key: object, reused: ReusedVerdicts) -> None:
        """Writes a count of verdicts that were used again, in place of an earlier one of that key.

        It takes part in the next transaction, so that hardly a count is lost with the process.
        """
        self._next().reused[key] = reused

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
            await self._turn()
            batch, self._batch = self._batch, None
            started = time.monotonic()
            took_s = await self._commit(batch)
            self._soonest = started + self._pace_s
            self._latest = started + min(16 * took_s, 10 * self._pace_s)

    async def _turn(self) -> None:
        """Waits until the next batch is due: at once, but for the pace, when all open calls have
        ended, for those who wait for them have nothing else to do.
        """
        await asyncio.sleep(max(0.0, self._soonest - time.monotonic()))
        wait_s = self._latest - time.monotonic()
        if wait_s <= 0.0 or self._all_ended():
            return
        self._ended.clear()
        try:
            async with asyncio.timeout(wait_s):
                await self._ended.wait()
        except TimeoutError:
            pass

    def _all_ended(self) -> bool:
        return self._batch is None or len(self._batch.settled.entries) >= self.open

    async def _commit(self, batch: _Batch) -> float:
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
            return 0.0
        answers, known, took_s = written
        self.open += sum(answers)
        batch.settled.answer([True] * settled)
        batch.sought.answer(known)
        for call, covered in batch.reserved.answer(answers):
            if covered:
                self.settle(SettledCall(call_id=call.call_id, at=call.at, usage=_NEVER_MADE))
        return took_s


def _fresh(known: KnownVerdict | None, lookup: _Lookup) -> KnownVerdict | None:
    return known if known is not None and known.at >= lookup.since else None
