import pytest

from alerts.rules.no_data import no_data
from tailwatch.alert import Direction, Finding, FindingStatus, ScoreSample
from tests.alerts.samples import hour, start_of

UP = Direction.HIGHER_IS_BETTER
WORKING, DEAD = (30, 0, 0), (0, 0, 30)
SKIPPING, QUIET = (0, 30, 0), (0, 0, 0)
RARE = (1, 29, 0)


def check(*outcomes: tuple[int, int, int], **options: object) -> Finding:
    """The finding on hours of (scored, skipped, failed)."""
    samples: list[ScoreSample] = [
        hour(i, [1.0] * scored, skipped=skipped, failed=failed)
        for i, (scored, skipped, failed) in enumerate(outcomes)
    ]
    return no_data("no_data", options).check(samples, (), UP, samples[-1].window.end)


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([WORKING] * 6, FindingStatus.OK),
        ([WORKING] * 6 + [DEAD] * 2, FindingStatus.OK),  # not 3 h yet
        ([WORKING] * 6 + [DEAD] * 3, FindingStatus.BREACH),
        ([WORKING] * 6 + [SKIPPING] * 3, FindingStatus.BREACH),  # its budget ran out, say
        ([WORKING] * 6 + [DEAD] * 3 + [WORKING], FindingStatus.OK),
        ([DEAD] * 9, FindingStatus.NO_DATA),  # never had a score
        ([SKIPPING] * 9, FindingStatus.NO_DATA),  # not configured
        ([QUIET] * 9, FindingStatus.NO_DATA),
        ([WORKING] * 6 + [QUIET] * 3, FindingStatus.NO_DATA),  # a night without traffic
        ([WORKING] * 6 + [(0, 0, 1), (0, 0, 1), (0, 0, 1)], FindingStatus.NO_DATA),
        ([RARE] * 20 + [SKIPPING] * 3, FindingStatus.NO_DATA),  # one in 30 scored: chance 5 %
        ([RARE] * 20 + [SKIPPING] * 9, FindingStatus.NO_DATA),  # only the last 3 h are judged
        ([WORKING], FindingStatus.OK),
        ([DEAD], FindingStatus.NO_DATA),
    ],
)
def test_the_verdict_on_hours(outcomes: list[tuple[int, int, int]], status: FindingStatus) -> None:
    assert check(*outcomes).status is status


def test_a_rarely_scoring_evaluator_is_judged_over_a_longer_time() -> None:
    assert check(*[RARE] * 30, *[SKIPPING] * 9, hours=9).status is FindingStatus.BREACH


def test_the_sentence_counts_the_whole_silence() -> None:
    found = check(*[WORKING] * 6, *[(0, 2, 28)] * 5)
    assert found.onset == start_of(6)
    assert found.sentence == (
        "lexical_support in all traffic has had no score for 5 h: 0 of 150 sampled outputs "
        "(140 failed, 10 skipped); 99.7 % became a score before. Since Mon 2 Mar 16:00 UTC. "
        "The coverage of these hours has the reasons."
    )


def test_a_series_that_never_scored_says_so() -> None:
    assert check(*[SKIPPING] * 3).sentence == (
        "lexical_support in all traffic: no score in the last 3 h for 90 sampled outputs "
        "(90 skipped, 0 failed), and none before."
    )
