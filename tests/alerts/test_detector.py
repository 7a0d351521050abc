"""Many monitors at once are what each is alone."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.detector import Bank, Detectors, advance
from alerts.evidence import follow
from alerts.lines import Counts, Lines, learn
from tailwatch.alert import Direction, Segment
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
