import numpy as np
import pytest

from alerts.rules.coverage import coverage
from tailwatch.alert import Direction, Finding, FindingStatus
from tests.alerts.samples import hour, start_of

Outcomes = tuple[int, int, int]

WORKING, DYING, DEAD = (29, 1, 0), (6, 4, 20), (0, 0, 30)
RARE, QUIET = (3, 27, 0), (0, 0, 0)
WEEK = 162


def check(*outcomes: Outcomes, **options: object) -> Finding:
    """The finding on hours of (scored, skipped, failed)."""
    samples = [
        hour(i, [1.0] * scored, skipped=skipped, failed=failed)
        for i, (scored, skipped, failed) in enumerate(outcomes)
    ]
    rule = coverage("coverage", options)
    return rule.check(samples, (), Direction.HIGHER_IS_BETTER, samples[-1].window.end)


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([WORKING] * 48, FindingStatus.OK),
        ([WORKING] * 48 + [DYING] * 6, FindingStatus.BREACH),
        ([WORKING] * 48 + [WORKING] * 4 + [DYING] * 2, FindingStatus.OK),  # of 6 h not half yet
        ([WORKING] * 48 + [DEAD] * 6, FindingStatus.BREACH),
        ([WORKING] * 48 + [(0, 30, 0)] * 6, FindingStatus.BREACH),  # its budget ran out, say
        ([WORKING] * 48 + [(20, 10, 0)] * 6, FindingStatus.OK),  # two thirds are more than half
        ([RARE] * 48, FindingStatus.OK),  # one in ten has a reference: that is its share
        ([RARE] * 48 + [(0, 30, 0)] * 6, FindingStatus.BREACH),
        ([DEAD] * 48, FindingStatus.NO_DATA),  # never had a score
        ([(0, 30, 0)] * 48, FindingStatus.NO_DATA),  # not configured
        ([QUIET] * 48 + [DEAD] * 6, FindingStatus.NO_DATA),  # new, and broken from the start
        ([WORKING] * 48 + [QUIET] * 6, FindingStatus.NO_DATA),  # no traffic
        ([WORKING] * 48 + [QUIET] * 5 + [(0, 0, 19)], FindingStatus.NO_DATA),
        ([(1, 0, 0)] + [QUIET] * 5 + [DEAD], FindingStatus.NO_DATA),  # one score is no habit
        ([WORKING], FindingStatus.NO_DATA),
    ],
)
def test_the_verdict_on_hours(outcomes: list[Outcomes], status: FindingStatus) -> None:
    assert check(*outcomes).status is status


def test_how_much_of_the_usual_share_is_an_option() -> None:
    outcomes = [WORKING] * 48 + [(20, 10, 0)] * 6
    assert check(*outcomes, share=0.9).status is FindingStatus.BREACH


def test_the_sentence_says_what_became_of_the_outputs_and_since_when() -> None:
    found = check(*[WORKING] * 48, *[DYING] * 6)
    assert found.onset == start_of(48)
    assert found.sentence == (
        "lexical_support in all traffic: 36 of 180 sampled outputs (20 %) became a score in the "
        "last 6 h (120 failed, 24 skipped); 96.7 % did before; it is surely less than 50 % "
        "of that (p = 7e-15). Since about Wed 4 Mar 10:00 UTC. The coverage of these "
        "hours has the reasons."
    )


def test_a_series_without_a_past_says_so() -> None:
    assert "no score before the last 6 h to compare with" in check(*[DEAD] * 48).sentence


def test_a_steady_evaluator_raises_nothing() -> None:
    """A week of hours between 0 and 40 outputs, 60 % of which can be scored, checked 300 times."""
    random = np.random.default_rng(13)
    for _ in range(300):
        n = random.integers(0, 40, size=WEEK)
        scored = random.binomial(n, 0.6)
        outcomes = [(int(k), int(of - k), 0) for k, of in zip(scored, n, strict=True)]
        assert check(*outcomes).status is not FindingStatus.BREACH
