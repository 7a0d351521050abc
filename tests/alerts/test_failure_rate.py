import pytest

from alerts.rules.failure_rate import failure_rate
from tailwatch.alert import Direction, Finding, FindingStatus
from tests.alerts.samples import hour, start_of

UP = Direction.HIGHER_IS_BETTER


def check(*failed_and_scored: tuple[int, int], skipped: int = 0, **options: object) -> Finding:
    samples = [
        hour(i, [1.0] * scored, failed=failed, skipped=skipped)
        for i, (failed, scored) in enumerate(failed_and_scored)
    ]
    return failure_rate("failures", options).check(samples, (), UP, samples[-1].window.end)


@pytest.mark.parametrize(
    ("failed", "scored", "status"),
    [
        (0, 0, FindingStatus.NO_DATA),
        (10, 9, FindingStatus.NO_DATA),
        (0, 20, FindingStatus.OK),
        (5, 95, FindingStatus.OK),
        (13, 87, FindingStatus.OK),  # p = 0.0015
        (14, 86, FindingStatus.BREACH),  # p = 0.0005
        (200, 0, FindingStatus.BREACH),
    ],
)
def test_the_verdict_on_a_count(failed: int, scored: int, status: FindingStatus) -> None:
    assert check((failed, scored)).status is status


def test_skipped_outputs_are_no_attempts() -> None:
    found = check((14, 86), skipped=10_000)
    assert found.numbers["tried"] == 100
    assert check((0, 0), skipped=10_000).status is FindingStatus.NO_DATA


def test_the_sentence_counts_and_dates_the_failures() -> None:
    hours = [(0, 30)] * 8 + [(20, 10)] * 2
    found = check(*hours)
    assert found.onset == start_of(8)
    assert found.sentence == (
        "lexical_support in all traffic: 40 of 180 attempts to score (22.2 %) failed in the last "
        "6 h; at most 5 % are tolerated (p = 2e-15). Since about Mon 2 Mar 18:00 UTC."
    )
