"""How fast an endpoint is asked, without waiting: time is an argument."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.clients.gate import Gate
from evaluators.clients.pacing import Ending, Pace, Ticket


def started(pace: Pace, number: int, now: float = 0.0, tokens: int = 0) -> list[Ticket]:
    """So many calls, all let through at once."""
    tickets = []
    for _ in range(number):
        assert pace.wait_s(now, tokens) == 0.0
        tickets.append(pace.start(now, tokens))
    return tickets


def window(pace: Pace, ending: Ending) -> None:
    """As many calls as may be open, all ending so."""
    for ticket in started(pace, pace.limit):
        pace.end(ticket, ending, 0.0)


def test_it_begins_at_the_ceiling_and_never_has_more_open() -> None:
    pace = Pace(4)
    tickets = started(pace, 4)
    assert pace.wait_s(0.0, 0) is None
    pace.end(tickets[0], Ending.ANSWERED, 0.0)
    assert pace.wait_s(0.0, 0) == 0.0
    assert pace.open == 3


def test_congestion_halves_the_limit_once_for_the_calls_that_were_under_way_together() -> None:
    pace = Pace(64)
    window(pace, Ending.CONGESTED)
    assert pace.limit == 32
    window(pace, Ending.CONGESTED)
    assert pace.limit == 16
    for _ in range(10):
        window(pace, Ending.CONGESTED)
    assert pace.limit == 1


@pytest.mark.parametrize(("ceiling", "refused", "limit"), [(64, 6, 64), (64, 7, 32), (4, 1, 2)])
def test_a_few_refusals_among_many_answers_are_no_congestion(
    ceiling: int, refused: int, limit: int
) -> None:
    pace = Pace(ceiling)
    tickets = started(pace, ceiling)
    for place, ticket in enumerate(tickets):
        pace.end(ticket, Ending.CONGESTED if place < refused else Ending.ANSWERED, 0.0)
    assert pace.limit == limit


def test_the_limit_climbs_back_by_steps_as_long_as_calls_are_answered() -> None:
    pace = Pace(64)
    window(pace, Ending.CONGESTED)
    climbed = []
    for _ in range(20):
        window(pace, Ending.ANSWERED)
        climbed.append(pace.limit)
    assert climbed == [*range(34, 65, 2), 64, 64, 64, 64]


def test_other_failures_say_nothing_about_load() -> None:
    pace = Pace(8)
    window(pace, Ending.OTHERWISE)
    assert (pace.limit, pace.open) == (8, 0)


def test_everyone_stays_away_as_long_as_one_of_them_was_told() -> None:
    pace = Pace(8)
    first, second, _ = started(pace, 3, now=100.0)
    pace.end(first, Ending.CONGESTED, 100.0, retry_after_s=5.0)
    pace.end(second, Ending.ANSWERED, 101.0, retry_after_s=1.0)
    assert pace.wait_s(101.0, 0) == 4.0
    assert pace.closed_s(104.0) == 1.0
    assert pace.wait_s(105.0, 0) == 0.0


def test_a_refusal_now_and_then_keeps_nobody_else_away() -> None:
    """An endpoint that refuses at random, now and then, is as free as before for all others."""
    pace = Pace(64)
    refused = pace.start(100.0, 0)
    pace.end(refused, Ending.CONGESTED, 100.0, retry_after_s=5.0)
    assert (pace.wait_s(100.0, 0), pace.limit) == (0.0, 64)
    for ticket in started(pace, 6, now=101.0):
        pace.end(ticket, Ending.CONGESTED, 101.0, retry_after_s=1.0)
    assert (pace.closed_s(101.0), pace.limit) == (4.0, 32)


def test_an_endpoint_that_is_down_keeps_everyone_away_at_once() -> None:
    pace = Pace(64)
    pace.end(pace.start(100.0, 0), Ending.OTHERWISE, 100.0, retry_after_s=5.0)
    assert pace.wait_s(100.0, 0) == 5.0


@given(st.integers(1, 5000), st.lists(st.floats(0, 5), max_size=80))
def test_no_minute_has_more_requests_than_told(per_minute: int, pauses: list[float]) -> None:
    pace, now, starts = Pace(1024, requests_per_minute=per_minute), 0.0, []
    for pause in [*pauses, *[0.0] * 40]:
        now += pause
        now += pace.wait_s(now, 0) or 0.0
        if pace.wait_s(now, 0) == 0.0:
            pace.end(pace.start(now, 0), Ending.ANSWERED, now)
            starts.append(now)
    for place, start in enumerate(starts):
        inside = [t for t in starts[place:] if t < start + 60 - 1e-6]
        assert len(inside) <= per_minute


@given(st.integers(600, 100_000), st.lists(st.integers(1, 3000), min_size=1, max_size=60))
def test_no_minute_has_more_tokens_than_told_and_one_call(
    per_minute: int, sizes: list[int]
) -> None:
    pace, now, taken = Pace(1024, tokens_per_minute=per_minute), 0.0, []
    for size in sizes:
        now += (pace.wait_s(now, size) or 0.0) + 1e-9
        pace.end(pace.start(now, size), Ending.ANSWERED, now, tokens=size)
        taken.append((now, size))
    for place, (start, _) in enumerate(taken):
        inside = [tokens for at, tokens in taken[place:] if at < start + 60 - 1e-6]
        assert sum(inside) <= per_minute + max(sizes)


def test_what_a_call_reports_corrects_what_it_was_counted_for() -> None:
    pace = Pace(8, tokens_per_minute=6000)
    (ticket,) = started(pace, 1, tokens=100)
    assert (pace.wait_s(0.0, 100) or 0) > 0
    pace.end(ticket, Ending.ANSWERED, 0.0, tokens=0)
    (ticket,) = started(pace, 1, tokens=100)
    pace.end(ticket, Ending.ANSWERED, 0.0, tokens=3100)
    assert (pace.wait_s(0.0, 100) or 0) > 30


def test_the_gate_lets_in_by_order_and_those_that_come_again_first() -> None:
    async def run() -> list[str]:
        gate, order = Gate(Pace(1), longest_wait_s=10), list[str]()
        first = await gate.enter(0)
        assert first is not None

        async def call(name: str, *, again: bool = False) -> None:
            ticket = await gate.enter(0, again=again)
            assert ticket is not None
            order.append(name)
            gate.leave(ticket, Ending.ANSWERED)

        calls = [call("a"), call("b"), call("again", again=True)]
        tasks = [asyncio.create_task(each) for each in calls]
        await asyncio.sleep(0)
        gate.leave(first, Ending.ANSWERED)
        await asyncio.gather(*tasks)
        assert gate.pace.open == 0
        return order

    assert asyncio.run(run()) == ["again", "a", "b"]


def test_a_cancelled_call_gives_its_place_to_the_next() -> None:
    async def run() -> None:
        gate = Gate(Pace(1), longest_wait_s=10)
        ticket = await gate.enter(0)
        assert ticket is not None
        waiting = [asyncio.create_task(gate.enter(0)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        gate.leave(ticket, Ending.ANSWERED)
        waiting[1].cancel()  # it has its ticket already, and never learns of it
        third = await waiting[2]
        assert third is not None
        assert gate.pace.open == 1

    asyncio.run(run())


def test_nobody_waits_for_an_endpoint_that_is_away_for_long() -> None:
    async def run() -> None:
        gate = Gate(Pace(1), longest_wait_s=10)
        ticket = await gate.enter(0)
        assert ticket is not None
        waiting = asyncio.create_task(gate.enter(0))
        await asyncio.sleep(0)
        gate.leave(ticket, Ending.CONGESTED, retry_after_s=11)
        assert await waiting is None
        assert await gate.enter(0) is None

    asyncio.run(run())


def test_a_short_absence_is_waited_for_by_everyone() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        gate = Gate(Pace(4), longest_wait_s=10)
        ticket = await gate.enter(0)
        assert ticket is not None
        told = loop.time()
        gate.leave(ticket, Ending.CONGESTED, retry_after_s=0.05)
        await asyncio.gather(gate.enter(0), gate.enter(0))
        assert loop.time() >= told + 0.05

    asyncio.run(run())
