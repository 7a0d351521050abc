"""The statements of the books, which every call of a judge runs through."""

from typing import Any, Final

from sqlalchemy import Select, and_, bindparam, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from storage.bulk import Insert
from storage.judge_tables import JUDGE_ACCOUNTS, JUDGE_CALLS, JUDGE_REUSES, JUDGE_VERDICTS
from storage.prepared import PreparedSelect, PreparedWrite, Writing

RESERVED: Final = "reserved"
SETTLED: Final = "settled"
LOST: Final = "lost"

_calls, _accounts, _verdicts = JUDGE_CALLS.c, JUDGE_ACCOUNTS.c, JUDGE_VERDICTS.c


def _known_calls(size: int) -> Select[Any]:
    return select(_calls.call_id).where(
        _calls.call_id.in_([bindparam(f"call_id_{n}") for n in range(size)])
    )


def _unsettled_calls(size: int) -> Select[Any]:
    return (
        select(
            _calls.call_id,
            _calls.question_key,
            _calls.run_id,
            _calls.evaluator,
            _calls.day,
            _calls.worst_case_usd,
        )
        .where(
            _calls.call_id.in_([bindparam(f"call_id_{n}") for n in range(size)]),
            _calls.state.in_([bindparam("reserved"), bindparam("lost")]),
        )
        .order_by(_calls.call_id)
        .with_for_update()
    )


def _locked_accounts(size: int) -> Select[Any]:
    return (
        select(_accounts.scope, _accounts.name, _accounts.taken)
        .where(
            or_(
                *(
                    and_(
                        _accounts.scope == bindparam(f"scope_{n}"),
                        _accounts.name == bindparam(f"name_{n}"),
                    )
                    for n in range(size)
                )
            )
        )
        .order_by(_accounts.scope, _accounts.name)
        .with_for_update()
    )


def _known_verdicts(size: int) -> Select[Any]:
    return select(
        _verdicts.question_key, _verdicts.at, _verdicts.choice, _verdicts.explanation
    ).where(
        _verdicts.question_key.in_([bindparam(f"question_key_{n}") for n in range(size)]),
        _verdicts.at >= bindparam("since"),
    )


def _keep_verdicts(dialect: str) -> Writing:
    new: Insert = sqlite.insert(JUDGE_VERDICTS)
    if dialect != "sqlite":
        new = postgresql.insert(JUDGE_VERDICTS)
    return new.on_conflict_do_update(
        index_elements=["question_key"],
        set_={name: new.excluded[name] for name in ("at", "choice", "explanation", "call_id")},
        where=new.excluded.at >= _verdicts.at,
    )


def _keep_reuses(dialect: str) -> Writing:
    new: Insert = sqlite.insert(JUDGE_REUSES)
    if dialect != "sqlite":
        new = postgresql.insert(JUDGE_REUSES)
    return new.on_conflict_do_update(
        index_elements=["counter", "day", "run_id", "evaluator", "version", "judge"],
        set_={"verdicts": new.excluded.verdicts},
    )


KNOWN_CALLS = PreparedSelect(["call_id"], _known_calls)
UNSETTLED_CALLS = PreparedSelect(["call_id"], _unsettled_calls)
LOCKED_ACCOUNTS = PreparedSelect(["scope", "name"], _locked_accounts)
KNOWN_VERDICTS = PreparedSelect(["question_key"], _known_verdicts)
INSERT_CALLS = PreparedWrite(
    [
        "call_id",
        "run_id",
        "question_key",
        "evaluator",
        "version",
        "judge",
        "day",
        "state",
        "worst_case_usd",
        "reserved_at",
        "open_until",
        "outlives_run",
    ],
    lambda _: insert(JUDGE_CALLS),
)
SETTLE_CALLS = PreparedWrite(
    ["of_call", "cost_usd", "input_tokens", "output_tokens", "latency_ms", "settled_at", "state"],
    lambda _: update(JUDGE_CALLS).where(_calls.call_id == bindparam("of_call")),
)
SET_ACCOUNTS = PreparedWrite(
    ["of_scope", "of_name", "taken"],
    lambda _: update(JUDGE_ACCOUNTS).where(
        _accounts.scope == bindparam("of_scope"), _accounts.name == bindparam("of_name")
    ),
)
KEEP_VERDICTS = PreparedWrite(
    ["question_key", "at", "choice", "explanation", "call_id"], _keep_verdicts
)
KEEP_REUSES = PreparedWrite(
    ["counter", "day", "run_id", "evaluator", "version", "judge", "verdicts"], _keep_reuses
)
