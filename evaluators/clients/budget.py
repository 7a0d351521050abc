"""The money one run may spend on its judge: reserved before a call, settled after it."""

import math
from typing import Protocol


class Budget(Protocol):
    """Money shared by everyone who spends from it. All amounts are USD.

    A reservation is the most that a call can cost; it is settled exactly once, also when the call
    failed. What was spent and what is reserved together never exceed the cap.
    """

    def reserve(self, worst_case_usd: float) -> bool:
        """Sets the money aside and says True, or changes nothing and says False."""
        ...

    def settle(self, reserved_usd: float, actual_usd: float) -> None:
        """Gives a reservation back and books what the call took."""
        ...

    @property
    def cap_usd(self) -> float:
        """What may be spent in all."""
        ...

    @property
    def spent_usd(self) -> float:
        """What has been settled so far."""
        ...


class RunBudget:
    """The cap of one run in one process. Exact for any number of tasks of one event loop.

    Money is counted in whole trillionths of a dollar, so that no sum drifts: reservations are
    rounded up, and an actual cost is rounded up too. A call that costs more than was reserved (an
    endpoint that ignores the limit it was given) is booked in full.
    """

    __slots__ = ("_cap", "_reserved", "_spent")

    def __init__(self, cap_usd: float) -> None:
        self._cap = math.floor(_amount("cap", cap_usd) * _TRILLION)
        self._spent = 0
        self._reserved = 0

    def reserve(self, worst_case_usd: float) -> bool:
        wanted = _trillionths("worst case", worst_case_usd)
        if self._spent + self._reserved + wanted > self._cap:
            return False
        self._reserved += wanted
        return True

    def settle(self, reserved_usd: float, actual_usd: float) -> None:
        self._reserved -= _trillionths("reservation", reserved_usd)
        self._spent += _trillionths("actual cost", actual_usd)

    @property
    def cap_usd(self) -> float:
        return self._cap / _TRILLION

    @property
    def spent_usd(self) -> float:
        return self._spent / _TRILLION

    @property
    def reserved_usd(self) -> float:
        """What is set aside for calls that have not ended."""
        return self._reserved / _TRILLION


_TRILLION = 10**12


def _trillionths(name: str, usd: float) -> int:
    return math.ceil(_amount(name, usd) * _TRILLION)


def _amount(name: str, usd: float) -> float:
    if not math.isfinite(usd) or usd < 0:
        raise ValueError(f"the {name} is {usd} USD; it must be a finite amount of 0 or more")
    return usd
