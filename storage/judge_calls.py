"""The books of all judge calls: reserved before they are made, settled after them.

Every sum is changed under the lock of its account, so that the caps hold for any number of workers.
Calls are locked before accounts, and each kind in the order of its keys, so that no two writers
wait for each other.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from storage.bulk import insert_many
from storage.connected import Connected
from storage.judge_rows import call_row, newest, reuse_row, settled_row, verdict_row
from storage.judge_statements import (
    INSERT_CALLS,
    KEEP_REUSES,
    KEEP_VERDICTS,
    KNOWN_CALLS,
    KNOWN_VERDICTS,
    LOCKED_ACCOUNTS,
    LOST,
    RESERVED,
    SET_ACCOUNTS,
    SETTLE_CALLS,
    UNSETTLED_CALLS,
)
from storage.judge_tables import JUDGE_ACCOUNTS, JUDGE_CALLS
from storage.tables import RUNS
from tailwatch.caps import Account, accounts_of, covered, trillionths, utc_date
from tailwatch.errors import StoreUnavailableError
from tailwatch.judge_calls import (
    Booked,
    BookEntries,
    Caps,
    JudgeCall,
    KnownVerdict,
    ReusedVerdicts,
    SettledCall,
)
from tailwatch.outcome import Usage
from tailwatch.protocols import Verdict

_MOST = 2**63 - 1
"""Where an account stops counting: nine million dollars."""

_FREE = Usage(cost_usd=0.0)
_NO_CAPS = Caps(run_usd=0.0)
"""For entries that reserve nothing."""

_calls = JUDGE_CALLS.c


class JudgeCalls(Connected):
    _made: frozenset[Account] = frozenset()
    """Accounts that are known to be there."""

    def book(self, entries: BookEntries, caps: Caps) -> Booked:
        """Writes all of it or nothing, in one transaction: settles the calls that ended, sets money
        aside for those that are wanted and covered then, and looks verdicts up.

        A wanted call that is in the books already is covered. Raises ValueError for a worst case
        that is no amount.
        """
        accounts = _accounts_of(entries.wanted)
        self._open_accounts(accounts)
        writes = entries.settled or entries.wanted or entries.reused
        with self.database.write() if writes else self.database.read() as connection:
            known = _known(connection, entries.sought, entries.since)
            if entries.reused:
                KEEP_REUSES.run(connection, map(reuse_row, entries.reused))
            ends = _ends(connection, entries.settled)
            taken = _locked(connection, accounts.union(*(end.accounts for end in ends)))
            if not accounts <= taken.keys():
                self._made = frozenset()
                raise StoreUnavailableError("accounts of judge calls were deleted; try again")
            self._settle(connection, ends, taken)
            answers = _reserve(connection, entries.wanted, caps, taken)
            _write(connection, taken)
        return Booked(covered=answers, known=known)

    def reserve_calls(self, calls: Sequence[JudgeCall], caps: Caps) -> Sequence[bool]:
        """For each call, in order, whether every cap that concerns it covers its worst case; where
        it does, the money is set aside. A call that is in the books already is covered.

        Raises ValueError for a worst case that is no amount.
        """
        return self.book(BookEntries(wanted=calls), caps).covered if calls else []

    def settle_calls(self, calls: Sequence[SettledCall]) -> None:
        """Books what the calls took in place of what was set aside, and keeps their verdicts.

        A call that is settled already is left alone, one that was lost is found again. Where the
        cost is not known the worst case stays.
        """
        if calls:
            self.book(BookEntries(settled=calls), _NO_CAPS)

    def known_verdicts(
        self, question_keys: Sequence[str], since: datetime
    ) -> Mapping[str, KnownVerdict]:
        """The newest verdict for each of the keys that has one from `since` on.

        Its explanation is as long as `keep_text` allowed, and empty where that was nothing.
        """
        return self.book(BookEntries(sought=question_keys, since=since), _NO_CAPS).known

    def count_reused(self, reused: Sequence[ReusedVerdicts]) -> None:
        """Notes what was not paid for; a counter's later figure replaces its earlier one."""
        self.book(BookEntries(reused=reused), _NO_CAPS)

    def _settle(
        self, connection: Connection, ends: Sequence["_End"], taken: dict[Account, int]
    ) -> None:
        for end in ends:
            for account in end.accounts:
                if account in taken:
                    taken[account] += end.change
        SETTLE_CALLS.run(connection, [settled_row(end.call, end.cost_usd) for end in ends])
        verdicts = [
            verdict_row(end.question_key, end.call, end.call.verdict, self.keep_text)
            for end in ends
            if end.call.verdict is not None
        ]
        KEEP_VERDICTS.run(connection, newest(verdicts))

    def _open_accounts(self, accounts: Collection[Account]) -> None:
        """Makes those that are new, in a transaction of its own: whoever inserts waits for others
        who insert the same, and must hold no account's lock meanwhile.
        """
        if self._made.issuperset(accounts):
            return
        new = [{"scope": a.scope, "name": a.name, "taken": 0} for a in sorted(accounts)]
        with self.database.write() as connection:
            insert_many(connection, JUDGE_ACCOUNTS, new, lambda i: i.on_conflict_do_nothing())
        self._made = self._made.union(accounts)

    def mark_lost_calls(self, now: datetime) -> int:
        """How many more reservations are lost: nobody is there any more to settle them.

        They go on counting at their worst case. Those that another writer has at hand right now
        are left to it.
        """
        ended = select(RUNS.c.run_id).where(
            RUNS.c.run_id == _calls.run_id, RUNS.c.ended_at.is_not(None)
        )
        lost = (
            select(_calls.call_id)
            .where(
                _calls.state == RESERVED,
                (_calls.open_until <= now) | (_calls.outlives_run.is_(False) & ended.exists()),
            )
            .with_for_update(skip_locked=True)
        )
        with self.database.write() as connection:
            ids = connection.execute(lost).scalars().all()
            for start in range(0, len(ids), 500):
                connection.execute(
                    update(JUDGE_CALLS)
                    .where(_calls.call_id.in_(ids[start : start + 500]))
                    .values(state=LOST)
                )
        return len(ids)


@dataclass(frozen=True, slots=True)
class _End:
    """A call that is settled now: what it took, and by how much its accounts change."""

    call: SettledCall
    question_key: str
    cost_usd: float
    change: int
    accounts: tuple[Account, ...]


def _ends(connection: Connection, calls: Sequence[SettledCall]) -> list[_End]:
    """Those of the calls that are reserved or lost, locked in the order of their ids."""
    by_id = {call.call_id: call for call in calls}
    ends = []
    for call_id, key, run_id, evaluator, day, worst in UNSETTLED_CALLS.rows(
        connection, [(call_id,) for call_id in sorted(by_id)], reserved=RESERVED, lost=LOST
    ):
        call = by_id[call_id]
        cost = worst if call.usage.cost_usd is None else call.usage.cost_usd
        change = trillionths(cost) - trillionths(worst)
        accounts = accounts_of(run_id, evaluator, utc_date(day))
        ends.append(_End(call, key, cost, change, accounts))
    return ends


def _reserve(
    connection: Connection, calls: Sequence[JudgeCall], caps: Caps, taken: dict[Account, int]
) -> list[bool]:
    """Whether each call is covered; what is new of those is in the books then."""
    known = {row[0] for row in KNOWN_CALLS.rows(connection, [(c.call_id,) for c in calls])}
    fresh = [call for call in calls if call.call_id not in known]
    answers = covered(fresh, caps, taken)
    booked = [call for call, answer in zip(fresh, answers, strict=True) if answer]
    INSERT_CALLS.run(connection, [call_row(call) for call in booked])
    known.update(call.call_id for call in booked)
    return [call.call_id in known for call in calls]


def _known(
    connection: Connection, question_keys: Sequence[str], since: datetime | None
) -> dict[str, KnownVerdict]:
    if since is None:
        return {}
    found = KNOWN_VERDICTS.rows(connection, [(key,) for key in question_keys], since=since)
    return {
        key: KnownVerdict(
            verdict=Verdict(choice=choice, explanation=explanation or "", usage=_FREE), at=at
        )
        for key, at, choice, explanation in found
    }


def _accounts_of(calls: Iterable[JudgeCall]) -> frozenset[Account]:
    booked_on = {(call.run_id, call.evaluator, utc_date(call.at)) for call in calls}
    return frozenset(account for each in booked_on for account in accounts_of(*each))


def _locked(connection: Connection, accounts: Collection[Account]) -> dict[Account, int]:
    """What each account has taken. Nobody else changes it until the transaction ends."""
    rows = LOCKED_ACCOUNTS.rows(connection, sorted(accounts))
    return {Account(scope, name): taken for scope, name, taken in rows}


def _write(connection: Connection, taken: Mapping[Account, int]) -> None:
    rows = (
        {"of_scope": account.scope, "of_name": account.name, "taken": min(amount, _MOST)}
        for account, amount in sorted(taken.items())
    )
    SET_ACCOUNTS.run(connection, rows)
