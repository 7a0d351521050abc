"""How fast an endpoint is asked: as many calls at once as it bears, and no more a minute than told.

A pure state machine: the time, in seconds of any clock that only goes forward, is an argument.
"""

import math
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

_TOLERATED: Final = 0.1
"""Refusals among as many calls as may be open that are no sign of too many calls: some endpoints
refuse at random, and halving for each of those would end at one call at a time."""

_CLIMB_WINDOWS: Final = 32
"""In how many windows without a cut the limit climbs from nothing to its ceiling, or more slowly:
it grows by one call at least."""


class Ending(Enum):
    """What a call's end says about the endpoint's load."""

    ANSWERED = auto()
    CONGESTED = auto()
    """It was refused for coming too often (429), or timed out."""
    OTHERWISE = auto()
    """It failed for a reason that says nothing about load, or was cancelled."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A call that was let through: its number, and the tokens it was counted for."""

    number: int
    tokens: int


class Pace:
    """Whether a call may start. At most `limit` are open at once: it begins at `ceiling`, is halved
    when more than a tenth of a window's calls (or the only one) met congestion, at most once for
    the calls that were under way together, and grows back by steps, a window at a time; a window
    is as many calls as may be open.

    `requests_per_minute` holds exactly for any 60 seconds; `tokens_per_minute` for what calls are
    counted as at their start, exceeded by one call at most, and corrected by what they report.
    """

    def __init__(
        self,
        ceiling: int,
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
    ) -> None:
        self._ceiling = ceiling
        self._limit = float(ceiling)
        self._requests = _Bucket.for_requests(requests_per_minute)
        self._tokens = _Bucket.for_tokens(tokens_per_minute)
        self._closed_until = -math.inf
        self._asked_until = -math.inf
        self._open = 0
        self._next = 0
        self._cut_at = 0
        self._answered = 0
        self._congested = 0

    @property
    def limit(self) -> int:
        """How many calls may be open now, from 1 to the ceiling."""
        return int(self._limit)

    @property
    def open(self) -> int:
        """How many are."""
        return self._open

    def closed_s(self, now: float) -> float:
        """For how many seconds the endpoint asked everyone to stay away; 0.0 when it did not."""
        return max(0.0, self._closed_until - now)

    def wait_s(self, now: float, tokens: int) -> float | None:
        """In how many seconds a call of so many tokens may start: 0.0 is at once, None only when
        another one has ended.
        """
        if self._open >= self.limit:
            return None
        return max(
            self.closed_s(now), self._requests.wait_s(now, 1), self._tokens.wait_s(now, tokens)
        )

    def start(self, now: float, tokens: int) -> Ticket:
        """Counts a call that starts now. Ask `wait_s` first, and `end` it whatever happens."""
        self._open += 1
        self._requests.take(now, 1)
        self._tokens.take(now, tokens)
        ticket = Ticket(self._next, tokens)
        self._next += 1
        return ticket

    def end(
        self,
        ticket: Ticket,
        ending: Ending,
        now: float,
        *,
        tokens: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        """Takes in how a call ended: the `tokens` it reported, and for how long the endpoint asked
        not to be called.

        A refusal asks that of the call that was refused, which waits by itself, and of everyone
        once there are so many that the limit is cut; other failures ask it of everyone at once.
        """
        self._open -= 1
        if tokens is not None:
            self._tokens.take(now, tokens - ticket.tokens)
        if retry_after_s is not None:
            self._asked_until = max(self._asked_until, now + retry_after_s)
        cut_meanwhile = ticket.number < self._cut_at
        if retry_after_s is not None and (cut_meanwhile or ending is not Ending.CONGESTED):
            self._closed_until = max(self._closed_until, self._asked_until)
        if cut_meanwhile:
            return  # it was under way when the limit was cut: that cut answered it too
        self._answered += ending is Ending.ANSWERED
        self._congested += ending is Ending.CONGESTED
        if self._congested > _TOLERATED * self._limit:
            self._limit = max(1.0, self._limit / 2)
            self._cut_at = self._next
            self._closed_until = max(self._closed_until, self._asked_until)
            self._answered = self._congested = 0
        elif self._answered + self._congested >= self.limit:
            self._limit = min(self._ceiling, self._limit + max(1.0, self._ceiling / _CLIMB_WINDOWS))
            self._answered = self._congested = 0


class _Bucket:
    """Refilled at a steady rate up to `most`; a taking may leave it in debt."""

    __slots__ = ("_at", "_level", "_most", "_rate")

    def __init__(self, rate: float, most: float) -> None:
        self._rate = rate
        self._most = most
        self._level = most
        self._at = -math.inf

    @classmethod
    def for_requests(cls, per_minute: int | None) -> "_Bucket":
        """A tenth of a second's requests may come at once; the rate makes up for them, so that no
        60 seconds have more than `per_minute`.
        """
        if per_minute is None:
            return cls(math.inf, math.inf)
        burst = max(1.0, per_minute / 600)
        return cls((per_minute - (burst - 1)) / 60, burst)

    @classmethod
    def for_tokens(cls, per_minute: int | None) -> "_Bucket":
        if per_minute is None:
            return cls(math.inf, math.inf)
        burst = per_minute / 60
        return cls((per_minute - burst) / 60, burst)

    def wait_s(self, now: float, wanted: float) -> float:
        """Seconds until it holds what is wanted, or is full where that is more than it can hold."""
        if self._most == math.inf:
            return 0.0
        self._refill(now)
        return max(0.0, (min(wanted, self._most) - self._level) / self._rate)

    def take(self, now: float, amount: float) -> None:
        """Takes that much out; a negative amount is given back."""
        if self._most == math.inf:
            return
        self._refill(now)
        self._level = min(self._most, self._level - amount)

    def _refill(self, now: float) -> None:
        if now > self._at:
            if self._at > -math.inf:
                self._level = min(self._most, self._level + (now - self._at) * self._rate)
            self._at = now
