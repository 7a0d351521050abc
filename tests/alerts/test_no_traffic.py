import pytest

from alerts.rules.no_traffic import no_traffic
from tailwatch.alert import Direction, Finding, FindingStatus
from tests.alerts.samples import hour, start_of


def check(*came: int, hours: int = 6) -> Finding:
    """The finding on hours in which so many outputs came, half of them scored."""
    samples = [hour(i, [1.0] * (n // 2), skipped=n - n // 2) for i, n in enumerate(came)]
    rule = no_traffic("silence", {"hours": hours})
    return rule.check(samples, (), Direction.HIGHER_IS_BETTER, samples[-1].window.end)


@pytest.mark.parametrize(
    ("came", "status"),
    [
        ([10] * 30, FindingStatus.OK),
        ([10] * 25 + [0] * 5, FindingStatus.OK),
        ([10] * 24 + [0] * 6, FindingStatus.BREACH),
        ([10] * 24 + [0] * 5 + [1], FindingStatus.OK),  # a skipped output is traffic
        ([0] * 30, FindingStatus.NO_DATA),  # no traffic ever, or none for a day more
    ],
)
def test_the_verdict_on_hours(came: list[int], status: FindingStatus) -> None:
    assert check(*came).status is status


def test_the_sentence_says_since_when_and_what_it_may_be() -> None:
    found = check(*[10] * 22, *[0] * 8)
    assert found.onset == start_of(22)
    assert found.sentence == (
        "lexical_support in all traffic: no output came in the last 6 h; there were 220 in the "
        "24 h before. Since Tue 3 Mar 08:00 UTC. Either there is no traffic, or the source does "
        "not deliver it, or these hours were not evaluated."
    )


def test_a_day_of_history_is_kept_beside_the_silence() -> None:
    assert no_traffic("silence", {}).history.total_seconds() == 36 * 3600
