"""Where calls wait for their turn: a pace, kept on the event loop."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from evaluators.clients.pacing import Ending, Pace, Ticket


@dataclass(frozen=True, slots=True)
class _Waiting:
    tokens: int
    turn: "asyncio.Future[Ticket | None]"


class Gate:
    """Lets calls through in the order they came, those that come back `again` first.

    When the endpoint asks everyone to stay away for more than `longest_wait_s`, nobody waits for
    it: whoever comes, or is waiting, is turned away. Use it inside one event loop.
    """

    def __init__(
        self, pace: Pace, *, longest_wait_s: float, clock: Callable[[], float] | None = None
    ) -> None:
        self.pace = pace
        self._longest_wait_s = longest_wait_s
        self._clock = clock
        self._queue: deque[_Waiting] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self, tokens: int, *, again: bool = False) -> Ticket | None:
        """A ticket when it is this call's turn, to be handed to `leave` whatever happens; None when
        the endpoint asked to stay away for too long.
        """
        now = self._now()
        if self.pace.closed_s(now) > self._longest_wait_s:
            return None
        if (again or not self._queue) and self.pace.wait_s(now, tokens) == 0.0:
            return self.pace.start(now, tokens)
        turn: asyncio.Future[Ticket | None] = asyncio.get_running_loop().create_future()
        place = _Waiting(tokens, turn)
        if again:
            self._queue.appendleft(place)
        else:
            self._queue.append(place)
        self._admit()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and (ticket := turn.result()) is not None:
                self.leave(ticket, Ending.OTHERWISE)
            self._admit()
            raise

    def leave(
        self,
        ticket: Ticket,
        ending: Ending,
        *,
        tokens: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        """Ends the call, with the tokens it reported and how long it was asked to stay away."""
        self.pace.end(ticket, ending, self._now(), tokens=tokens, retry_after_s=retry_after_s)
        if self._queue:
            self._admit()

    def _admit(self) -> None:
        """Lets in whoever may start now, and sets a timer for the next one that time lets in."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._queue:
            place, now = self._queue[0], self._now()
            if place.turn.done():
                self._queue.popleft()
                continue
            if self.pace.closed_s(now) > self._longest_wait_s:
                self._queue.popleft()
                place.turn.set_result(None)
                continue
            wait_s = self.pace.wait_s(now, place.tokens)
            if wait_s:
                self._timer = asyncio.get_running_loop().call_later(wait_s, self._admit)
            if wait_s is None or wait_s:
                return
            self._queue.popleft()
            place.turn.set_result(self.pace.start(now, place.tokens))

    def _now(self) -> float:
        return asyncio.get_running_loop().time() if self._clock is None else self._clock()
