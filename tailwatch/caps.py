"""Which caps cover which calls, counted in whole trillionths of a dollar so that no sum drifts."""

import math
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import NamedTuple

from tailwatch.judge_calls import Caps, JudgeCall

_TRILLION = 10**12


class Account(NamedTuple):
    """Where the calls under one cap are added up: `scope` is `run`, `day` or `evaluator`.

    Accounts are always locked in their order, so that two who need several never lock each other
    out.
    """

    scope: str
    name: str


def trillionths(usd: float) -> int:
    """The amount in trillionths of a dollar, rounded up.

    Raises ValueError unless it is finite and 0 or more.
    """
    if not math.isfinite(usd) or usd < 0:
        raise ValueError(f"{usd} USD is no amount; it must be finite and 0 or more")
    return math.ceil(usd * _TRILLION)


def dollars(amount: int) -> float:
    """Trillionths as USD."""
    return amount / _TRILLION


def utc_date(at: datetime) -> date:
    """The UTC day that a call reserved at that time is counted on."""
    return (at if at.tzinfo is UTC else at.astimezone(UTC)).date()


@lru_cache(maxsize=64)
def start_of(day: date) -> datetime:
    """When a UTC day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def utc_day(at: datetime) -> datetime:
    """When the UTC day of that time begins."""
    return start_of(utc_date(at))


@lru_cache(maxsize=1024)
def accounts_of(run_id: str, evaluator: str, day: date) -> tuple[Account, Account, Account]:
    """The accounts of a call of that UTC day. All three are kept, capped or not: a cap may come."""
    return (
        Account("run", run_id),
        Account("day", day.isoformat()),
        Account("evaluator", f"{run_id}/{evaluator}"),
    )


def covered(
    calls: Sequence[JudgeCall], caps: Caps, taken: MutableMapping[Account, int]
) -> list[bool]:
    """For each call, in order, whether every cap covers its worst case.

    `taken` is what each account holds, in trillionths; the worst case of each covered call is
    added to it. A call that fits is covered even where a dearer one before it was not.
    """
    return [_take(call, caps, taken) for call in calls]


def _take(call: JudgeCall, caps: Caps, taken: MutableMapping[Account, int]) -> bool:
    if refused_by(call, caps, taken) is not None:
        return False
    accounts = accounts_of(call.run_id, call.evaluator, utc_date(call.at))
    add(taken, accounts, trillionths(call.worst_case_usd))
    return True


def refused_by(call: JudgeCall, caps: Caps, taken: Mapping[Account, int]) -> Account | None:
    """The account whose cap does not cover the call's worst case, the run's first; None where all
    do. `taken` is what each account holds, in trillionths.
    """
    wanted = trillionths(call.worst_case_usd)
    accounts = accounts_of(call.run_id, call.evaluator, utc_date(call.at))
    limits = (caps.run_usd, caps.day_usd, caps.evaluator_usd.get(call.evaluator))
    for account, limit in zip(accounts, limits, strict=True):
        if limit is not None and taken.get(account, 0) + wanted > _cap(limit):
            return account
    return None


def refusal(call: JudgeCall, caps: Caps, taken: Mapping[Account, int]) -> str:
    """Why a call was not made: the cap that does not cover it, as the plan names it, and how much
    it is. The sentence is the same for every call that one cap leaves out.
    """
    account = refused_by(call, caps, taken)
    if account is None:
        return "the caps under `judge` did not cover another call"
    setting, limit, of = {
        "run": ("max_cost_usd", caps.run_usd, "a run"),
        "day": ("max_cost_usd_per_day", caps.day_usd, "a UTC day"),
        "evaluator": (
            f"max_cost_usd_of.{call.evaluator}",
            caps.evaluator_usd.get(call.evaluator),
            "the rubric in a run",
        ),
    }[account.scope]
    return f"judge.{setting} ({_amount(limit or 0.0)} USD for {of}) does not cover another call"


def _amount(usd: float) -> str:
    cents = f"{usd:.2f}"
    return cents if float(cents) == usd else f"{usd:.6g}"


def add(taken: MutableMapping[Account, int], accounts: Iterable[Account], amount: int) -> None:
    """Books the amount on each of the accounts."""
    for account in accounts:
        taken[account] = taken.get(account, 0) + amount


def _cap(usd: float) -> int:
    """Rounded down, so that what is covered is never above it."""
    return math.floor(usd * _TRILLION)
