"""Which breaches are one incident, and what becomes of it."""

from collections.abc import Sequence
from datetime import datetime

import pytest

from alerts.incidents import ATTACHED, SAME_TIME, check_incidents, monitors_of
from alerts.lifecycle import Policy, dismiss, resolve
from tailwatch.alert import ALL_TRAFFIC, Alert, AlertState, Finding, FindingStatus, Segment
from tailwatch.evaluation import Series
from tailwatch.window import HOUR, Window
from tests.alerts.samples import start_of

FAMILIES = {"ndcg": "retrieval", "recall": "retrieval", "cost": "operation"}
POLICY = Policy(resolve_after=3)
SEARCH, SETUP = Segment(field="feature", value="search"), Segment(field="feature", value="setup")
V3 = Segment(field="prompt_version", value="v3")
BREACH, OK, NO_DATA = FindingStatus.BREACH, FindingStatus.OK, FindingStatus.NO_DATA


def found(
    what: str,
    segment: Segment = ALL_TRAFFIC,
    *,
    onset: int = 0,
    status: FindingStatus = BREACH,
    share: float = 0.2,
    conclusive: bool = True,
    rule: str = "tail",
) -> Finding:
    return Finding(
        rule=rule,
        series=Series(evaluator=what, version="1"),
        segment=segment,
        window=Window(start_of(0), start_of(1)),
        status=status,
        sentence=f"{what} in {segment}",
        onset=start_of(onset) if status is BREACH else None,
        numbers={"bad": 100 * share, "scored": 100, "usual": 0},
        conclusive=conclusive and status is OK,
    )


def family(_: str, series: Series) -> str:
    return FAMILIES.get(series.evaluator, "quality")


class Course:
    """Checks one after another, as a plan's alert check makes them."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self.reasons: list[str] = []

    def check(self, hour: int, *findings: Finding) -> Sequence[Alert]:
        now: datetime = start_of(hour)
        for step in check_incidents(self.alerts, findings, now, POLICY, family):
            self.alerts = [
                step.after,
                *(a for a in self.alerts if a.alert_id != step.after.alert_id),
            ]
            self.reasons += [event.why for event in step.events]
        return self.alerts

    def names(self) -> list[set[str]]:
        return [{m.sentence for m in monitors_of(alert)} for alert in self.alerts]


@pytest.mark.parametrize(
    ("second", "together"),
    [
        # one family of measures
        (found("ndcg", SEARCH, onset=6), True),
        (found("recall", ALL_TRAFFIC, onset=6), True),
        (found("recall", SETUP, onset=5), True),
        (found("recall", SETUP, onset=7), False),
        (found("ndcg", SETUP, onset=20), False),
        (found("ndcg", V3, onset=20), True),
        (found("ndcg", V3, onset=25), False),
        (found("ndcg", ALL_TRAFFIC, onset=60), True),
        (found("recall", V3, onset=20), False),
        # another family
        (found("faithfulness", SEARCH, onset=20), True),
        (found("faithfulness", SEARCH, onset=25), False),
        (found("faithfulness", SETUP, onset=0), False),
        (found("cost", ALL_TRAFFIC, onset=0), False),
    ],
)
def test_what_shares_a_segment_or_an_onset_is_one_incident(second: Finding, together: bool) -> None:
    course = Course()
    course.check(1, found("ndcg", SEARCH))
    alerts = course.check(70, found("ndcg", SEARCH), second)
    assert (len(alerts) == 1) is together


def test_the_incident_is_named_after_where_the_share_of_bad_outputs_grew_most() -> None:
    course = Course()
    course.check(1, found("ndcg", share=0.1), found("ndcg", SEARCH, share=0.6))
    (alert,) = course.alerts
    assert alert.segment == SEARCH
    assert course.reasons == ["ndcg in feature=search"]
    assert course.names() == [{"ndcg in feature=search", "ndcg in all traffic"}]


def test_a_breach_near_two_incidents_belongs_to_the_nearer() -> None:
    course = Course()
    course.check(1, found("ndcg", SEARCH, onset=0))
    course.check(12, found("recall", SETUP, onset=10))
    course.check(13, found("recall", ALL_TRAFFIC, onset=5 + 1))
    assert [len(names) for names in course.names()] == [2, 1]
    assert SAME_TIME == 6 * HOUR


def test_people_hear_of_another_series_and_of_other_outputs_not_of_the_same_ones_again() -> None:
    course = Course()
    for hour, news in enumerate(
        [
            found("ndcg", SEARCH),
            found("ndcg", ALL_TRAFFIC),
            found("ndcg", V3),
            found("ndcg", SETUP),
            found("recall", SEARCH),
        ],
        start=1,
    ):
        course.check(hour, news)
    assert len(course.alerts) == 1
    assert course.reasons == [
        "ndcg in feature=search",
        f"{ATTACHED}: ndcg in feature=setup",
        f"{ATTACHED}: recall in feature=search",
    ]


def test_an_incident_lasts_as_long_as_any_of_its_monitors() -> None:
    course = Course()
    course.check(1, found("ndcg", SEARCH), found("recall", SEARCH))
    states = [
        course.check(hour, found("ndcg", SEARCH, status=OK), found("recall", SEARCH, status=status))
        for hour, status in ((2, BREACH), (3, NO_DATA), (4, OK))
    ]
    assert [alert.state for (alert,) in states] == [
        AlertState.OPEN,
        AlertState.OPEN,
        AlertState.RESOLVED,
    ]


def test_a_rule_that_is_not_conclusive_needs_quiet_checks() -> None:
    course = Course()
    course.check(1, found("ndcg", SEARCH))
    quiet = found("ndcg", SEARCH, status=OK, conclusive=False)
    states = [course.check(hour, quiet)[0].state for hour in (2, 3, 4)]
    assert states == [AlertState.OPEN, AlertState.OPEN, AlertState.RESOLVED]
    assert course.reasons[-1].startswith("3 checks in a row found nothing")


def test_the_same_monitor_within_a_day_is_the_same_incident_again() -> None:
    course = Course()
    course.check(1, found("ndcg", SEARCH), found("recall", SEARCH, share=0.1))
    course.check(2, found("ndcg", SEARCH, status=OK), found("recall", SEARCH, status=OK))
    course.check(20, found("recall", SEARCH, onset=19))
    (alert,) = course.alerts
    assert alert.state is AlertState.OPEN
    assert [m.breaching for m in alert.monitors] == [False, True]
    course.check(21, found("recall", SEARCH, status=OK))
    course.check(60, found("recall", SEARCH, onset=59))
    assert len(course.alerts) == 2


@pytest.mark.parametrize("ending", [resolve, dismiss])
def test_what_a_person_ended_stays_ended_until_something_new_begins(ending: object) -> None:
    assert callable(ending)
    course = Course()
    course.check(1, found("ndcg", SEARCH))
    step = ending(course.alerts[0], who="ada", why="known", now=start_of(2))
    course.alerts = [step.alert]
    course.check(3, found("ndcg", SEARCH, onset=0))
    assert course.alerts[0].state.over
    course.check(4, found("ndcg", SEARCH, onset=3))
    assert course.alerts[0].state is AlertState.OPEN


def test_the_same_check_again_changes_nothing() -> None:
    course = Course()
    findings = found("ndcg", SEARCH), found("recall", SETUP), found("cost")
    first = list(course.check(1, *findings))
    reasons = list(course.reasons)
    assert list(course.check(1, *findings)) == first
    assert course.reasons == reasons
