"""Many monitors at once are what each is alone, but that one that recovers leads the others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.detector import Bank, Detectors, advance
from alerts.evidence import follow
from alerts.lines import Counts, Lines, learn
from tailwatch.alert import ALL_TRAFFIC, Direction, Segment
from tests.alerts.samples import hour, start_of

PARTS = [Segment(field="feature", value=str(i)) for i in range(3)]


def lines_of(parts: int, levels: tuple[float, ...], seed: int) -> Lines:
    random = np.random.default_rng(seed)
    baseline = {
        part: [hour(0, random.beta(5, 2, 400).round(2).tolist(), segment=part)]
        for part in PARTS[:parts]
    }
    learned = learn(baseline, Direction.HIGHER_IS_BETTER, levels=levels)
    assert learned is not None
    return learned


@settings(deadline=None, max_examples=20)
@given(
    st.lists(st.tuples(st.integers(2, 3), st.booleans()), min_size=1, max_size=5),
    st.integers(0, 1000),
)
def test_monitors_together_are_what_each_is_alone(kinds: list[tuple[int, bool]], seed: int) -> None:
    random = np.random.default_rng(seed)
    monitors = [
        lines_of(parts, (0.05, 0.1, 0.25) if few else (0.02, 0.1), seed=i)
        for i, (parts, few) in enumerate(kinds)
    ]
    bank = Bank.of(monitors)
    hours = 40
    n = random.integers(0, 30, (hours, len(bank.owner), 1)) * bank.counted
    worse = np.where((np.arange(hours) >= 15) & (np.arange(hours) < 25), 0.3, 0.0)[:, None, None]
    bad = random.binomial(n, np.minimum(bank.usual + worse, 1.0)).astype(float)
    state = Detectors.start(bank)
    together = []
    for number in range(hours):
        advance(bank, state, number, bad[number], n[number].astype(float), 500.0)
        together.append(state.evidence.copy())
    starts = tuple(start_of(i) for i in range(hours))
    for number, lines in enumerate(monitors):
        rows, levels = bank.rows(number), len(lines.effect)
        counts = Counts(
            starts=starts, bad=bad[:, rows, :levels], n=n[:, rows, :levels].astype(float)
        )
        alone = follow(counts, lines, 500.0)
        assert np.allclose(alone.evidence, [evidence[number] for evidence in together])
        lasting = [i for i in alone.incidents if i.resolved is None]
        assert ([state.ongoing[number].onset] if number in state.ongoing else []) == [
            incident.onset for incident in lasting
        ]


def test_no_monitors_are_no_trouble() -> None:
    bank = Bank.of([])
    turn = advance(bank, Detectors.start(bank), 0, np.zeros((0, 0)), np.zeros((0, 0)), 1.0)
    assert turn.began == turn.ended == ()


BIG, SMALL = PARTS[:2]
BIG_HOURLY, SMALL_HOURLY = 85.0, 15.0
ABOUT = [("score", ALL_TRAFFIC), ("score", BIG), ("score", SMALL)]
WORSE_AT, BETTER_AT, HOURS = 10, 58, 250


def endings(
    *, left_in_small: float = 0.0, about: list[tuple[str, Segment]] | None = None
) -> dict[int, int]:
    """When all traffic (0), a large (1) and a small segment (2) end, in hours from the recovery.

    Every hour has exactly as many bad outputs as expected; in the incident a tenth more, in both
    segments, and afterwards `left_in_small` in the small one.
    """
    bank = Bank.of([lines_of(2, (0.05, 0.1), seed=7)] * 3, about)
    state = Detectors.start(bank)
    volumes = np.array([BIG_HOURLY, SMALL_HOURLY, 0, BIG_HOURLY, 0, 0, 0, SMALL_HOURLY, 0])
    small = np.arange(len(volumes)) % 3 == 1
    ended: dict[int, int] = {}
    for hour_ in range(HOURS):
        further = np.full(len(volumes), 0.1 if WORSE_AT <= hour_ < BETTER_AT else 0.0)
        if hour_ >= BETTER_AT:
            further[small] = left_in_small
        n = volumes[:, None] * bank.counted
        bad = n * (bank.usual + further[:, None] * (1 - bank.usual))
        turn = advance(bank, state, hour_, bad, n, 672.0 * 3)
        ended |= dict.fromkeys(turn.ended, hour_ - BETTER_AT + 1)
        assert hour_ != BETTER_AT - 1 or sorted(state.ongoing) == [0, 1, 2]
    return ended


def test_a_small_segment_ends_with_the_others_of_its_outputs() -> None:
    alone, together = endings(), endings(about=ABOUT)

    assert alone[2] > 3 * max(alone[0], alone[1])
    assert set(together) == {0, 1, 2}
    assert set(together.values()) == {min(alone.values())}


@pytest.mark.parametrize("left", [0.1, 0.3])
def test_a_small_segment_that_is_still_bad_does_not_end(left: float) -> None:
    ended = endings(left_in_small=left, about=ABOUT)

    assert 1 in ended
    assert 2 not in ended


@pytest.mark.parametrize(
    ("about", "together"),
    [
        ([("score", ALL_TRAFFIC), ("score", BIG), ("score", SMALL)], True),
        ([("score", ALL_TRAFFIC), ("score", BIG), ("other", SMALL)], False),
        ([("other", ALL_TRAFFIC), ("score", BIG), ("score", SMALL)], False),
        (
            [("other", ALL_TRAFFIC), ("score", BIG), ("score", Segment(field="model", value="m"))],
            True,
        ),
    ],
    ids=["all traffic joins the values", "another series", "two values of a field", "two fields"],
)
def test_only_monitors_of_the_same_outputs_lead_one_another(
    about: list[tuple[str, Segment]], together: bool
) -> None:
    alone, ended = endings(), endings(about=about)

    assert (ended[2] < alone[2]) is together
