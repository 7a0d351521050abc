"""The books of all judge calls: reserved before they are made, settled after them.

Every sum is changed under the lock of its account, so that the caps hold for any number of workers.
Calls are locked before accounts, and each kind in the order of its keys, so that no two writers
wait for each other.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from storage.bulk import insert_many
from storage.connected import Connected
from storage.judge_statements import (
    INSERT_CALLS,
    KEEP_VERDICTS,
    KNOWN_CALLS,
    KNOWN_VERDICTS,
    LOCKED_ACCOUNTS,
    LOST,
    RESERVED,
    SET_ACCOUNTS,
    SETTLE_CALLS,
    SETTLED,
    UNSETTLED_CALLS,
)
from storage.judge_tables import JUDGE_ACCOUNTS, JUDGE_CALLS, JUDGE_REUSES
from storage.keep import kept
from storage.tables import RUNS
from storage.upsert import upsert
from tailwatch.caps import Account, accounts_of, covered, trillionths, utc_date, utc_day
from tailwatch.errors import StoreUnavailableError
from tailwatch.judge_calls import Caps, JudgeCall, KnownVerdict, ReusedVerdicts, SettledCall
from tailwatch.outcome import Usage
from tailwatch.plan import KeepText
from tailwatch.protocols import Verdict

LONGEST_CALL = timedelta(hours=1)
"""After that a call is lost whose caller did not say how long it may take."""

_MOST = 2**63 - 1
"""Where an account stops counting: nine million dollars."""

_FREE = Usage(cost_usd=0.0)
_calls = JUDGE_CALLS.c


class JudgeCalls(Connected):
    _made: frozenset[Account] = frozenset()
    """Accounts that are known to be there."""

    def reserve_calls(self, calls: Sequence[JudgeCall], caps: Caps) -> Sequence[bool]:
        """For each call, in order, whether every cap that concerns it covers its worst case; where
        it does, the money is set aside. A call that is in the books already is covered.

        Raises ValueError for a worst case that is no amount.
        """
        if not calls:
            return []
        booked_on = {(call.run_id, call.evaluator, utc_date(call.at)) for call in calls}
        accounts = {account for each in booked_on for account in accounts_of(*each)}
        ids = [call.call_id for call in calls]
        self._open_accounts(accounts)
        with self.database.write() as connection:
            taken = _locked(connection, accounts)
            if len(taken) < len(accounts):
                self._made = frozenset()
                raise StoreUnavailableError("accounts of judge calls were deleted; try again")
            known = {row[0] for row in KNOWN_CALLS.rows(connection, [(i,) for i in ids])}
            fresh = [call for call in calls if call.call_id not in known]
            answers = covered(fresh, caps, taken)
            booked = [call for call, answer in zip(fresh, answers, strict=True) if answer]
            if booked:
                INSERT_CALLS.run(connection, [_call_row(call) for call in booked])
                _write(connection, taken)
        known.update(call.call_id for call in booked)
        return [call_id in known for call_id in ids]

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

    def settle_calls(self, calls: Sequence[SettledCall]) -> None:
        """Books what the calls took in place of what was set aside, and keeps their verdicts.

        A call that is settled already is left alone, one that was lost is found again. Where the
        cost is not known the worst case stays.
        """
        by_id = {call.call_id: call for call in calls}
        if not by_id:
            return
        changes: dict[Account, int] = defaultdict(int)
        settled, verdicts = [], []
        with self.database.write() as connection:
            for call_id, key, run_id, evaluator, day, worst in UNSETTLED_CALLS.rows(
                connection, [(call_id,) for call_id in sorted(by_id)], reserved=RESERVED, lost=LOST
            ):
                call = by_id[call_id]
                cost = worst if call.usage.cost_usd is None else call.usage.cost_usd
                change = trillionths(cost) - trillionths(worst)
                for account in accounts_of(run_id, evaluator, utc_date(day)):
                    changes[account] += change
                settled.append(_settled_row(call, cost))
                if call.verdict is not None:
                    verdicts.append(_verdict_row(key, call, call.verdict, self.keep_text))
            if not settled:
                return
            taken = _locked(connection, changes)
            _write(connection, {account: taken[account] + changes[account] for account in taken})
            SETTLE_CALLS.run(connection, settled)
            KEEP_VERDICTS.run(connection, _newest(verdicts))

    def known_verdicts(
        self, question_keys: Sequence[str], since: datetime
    ) -> Mapping[str, KnownVerdict]:
        """The newest verdict for each of the keys that has one from `since` on.

        Its explanation is as long as `keep_text` allowed, and empty where that was nothing.
        """
        if not question_keys:
            return {}
        with self.database.read() as connection:
            found = KNOWN_VERDICTS.rows(connection, [(key,) for key in question_keys], since=since)
        return {
            key: KnownVerdict(
                verdict=Verdict(choice=choice, explanation=explanation or "", usage=_FREE), at=at
            )
            for key, at, choice, explanation in found
        }

    def count_reused(self, reused: Sequence[ReusedVerdicts]) -> None:
        """Notes what was not paid for; a counter's later figure replaces its earlier one."""
        rows = [
            {
                "counter": each.counter,
                "day": utc_day(each.day),
                "run_id": each.run_id,
                "evaluator": each.evaluator,
                "version": each.version,
                "judge": each.judge,
                "verdicts": each.verdicts,
            }
            for each in reused
        ]
        with self.database.write() as connection:
            upsert(connection, JUDGE_REUSES, rows)

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


def _newest(verdicts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The newest for each question, in the order of their keys."""
    newest: dict[str, dict[str, Any]] = {}
    for verdict in verdicts:
        other = newest.setdefault(verdict["question_key"], verdict)
        if verdict["at"] > other["at"]:
            newest[verdict["question_key"]] = verdict
    return [newest[key] for key in sorted(newest)]


def _call_row(call: JudgeCall) -> dict[str, Any]:
    return {
        "call_id": call.call_id,
        "run_id": call.run_id,
        "question_key": call.question_key,
        "evaluator": call.evaluator,
        "version": call.version,
        "judge": call.judge,
        "day": utc_day(call.at),
        "state": RESERVED,
        "worst_case_usd": call.worst_case_usd,
        "reserved_at": call.at,
        "open_until": call.open_until or call.at + LONGEST_CALL,
        "outlives_run": call.outlives_run,
    }


def _settled_row(call: SettledCall, cost_usd: float) -> dict[str, Any]:
    return {
        "of_call": call.call_id,
        "cost_usd": cost_usd,
        "input_tokens": call.usage.input_tokens,
        "output_tokens": call.usage.output_tokens,
        "latency_ms": call.usage.latency_ms,
        "settled_at": call.at,
        "state": SETTLED,
    }


def _verdict_row(key: str, call: SettledCall, verdict: Verdict, keep: KeepText) -> dict[str, Any]:
    return {
        "question_key": key,
        "at": call.at,
        "choice": verdict.choice,
        "explanation": kept(verdict.explanation, keep),
        "call_id": call.call_id,
    }
