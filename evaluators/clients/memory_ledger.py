"""The books of judge calls in this process alone, where no store keeps them."""

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from evaluators.clients.run_ledger import RunLedger
from tailwatch.caps import Account, accounts_of, add, covered, refusal, trillionths, utc_date
from tailwatch.judge_calls import (
    Booked,
    BookEntries,
    Caps,
    JudgeCall,
    KnownVerdict,
    ReusedVerdicts,
    SettledCall,
)

_ONE_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)


class MemoryLedger:
    """What was reserved, settled and answered since it was made; gone when it is."""

    def __init__(self) -> None:
        self.taken: dict[Account, int] = {}
        self.open: dict[str, JudgeCall] = {}
        self.reused: dict[tuple[str, datetime, str, str, str, str], int] = {}
        self._settled: set[str] = set()
        self._verdicts: dict[str, KnownVerdict] = {}
        self._lock = threading.Lock()

    def book(self, entries: BookEntries, caps: Caps) -> Booked:
        """Settles, reserves and looks up, in this order."""
        if entries.settled:
            self.settle_calls(entries.settled)
        if entries.reused:
            self.count_reused(entries.reused)
        return Booked(
            covered=self.reserve_calls(entries.wanted, caps) if entries.wanted else (),
            known=self.known_verdicts(entries.sought, entries.since) if entries.since else {},
        )

    def reserve_calls(self, calls: Sequence[JudgeCall], caps: Caps) -> Sequence[bool]:
        """For each call, in order, whether the caps cover it; then its money is set aside."""
        with self._lock:
            fresh = [c for c in calls if c.call_id not in self.open.keys() | self._settled]
            answers = covered(fresh, caps, self.taken)
            self.open |= {c.call_id: c for c, ok in zip(fresh, answers, strict=True) if ok}
            return [c.call_id in self.open or c.call_id in self._settled for c in calls]

    def settle_calls(self, calls: Sequence[SettledCall]) -> None:
        """Books what the calls took, and keeps their verdicts."""
        with self._lock:
            for settled in calls:
                call = self.open.pop(settled.call_id, None)
                if call is None:
                    continue
                self._settled.add(call.call_id)
                if settled.usage.cost_usd is not None:
                    change = trillionths(settled.usage.cost_usd) - trillionths(call.worst_case_usd)
                    add(
                        self.taken,
                        accounts_of(call.run_id, call.evaluator, utc_date(call.at)),
                        change,
                    )
                if settled.verdict is not None:
                    known = KnownVerdict(verdict=settled.verdict, at=settled.at)
                    self._verdicts[call.question_key] = known

    def known_verdicts(
        self, question_keys: Sequence[str], since: datetime
    ) -> Mapping[str, KnownVerdict]:
        """The newest verdict for each of the keys that has one from `since` on."""
        with self._lock:
            found = {k: self._verdicts[k] for k in question_keys if k in self._verdicts}
        return {key: known for key, known in found.items() if known.at >= since}

    def count_reused(self, reused: Sequence[ReusedVerdicts]) -> None:
        """Notes what was not paid for."""
        with self._lock:
            for each in reused:
                key = (
                    each.counter,
                    each.day,
                    each.run_id,
                    each.evaluator,
                    each.version,
                    each.judge,
                )
                self.reused[key] = each.verdicts

    def refusals(self, calls: Sequence[JudgeCall], caps: Caps) -> Sequence[str]:
        """For each call, which cap does not cover it."""
        with self._lock:
            return [refusal(call, caps, self.taken) for call in calls]


def in_memory(caps: Caps) -> RunLedger:
    """A ledger for one run whose calls nobody needs to see later. Its time stands still: the cap of
    a day is that of the run.
    """
    return RunLedger(MemoryLedger(), caps, clock=lambda: _ONE_TIME, pace_s=0.0)
