from dataclasses import replace
from datetime import timedelta

from alerts.lifecycle import Policy, advance, mute, resolve
from alerts.render import in_full, one_line
from alerts.rules.floor import floor
from tailwatch.alert import Alert, AlertEvent, Direction, Segment
from tests.alerts.samples import hour, scored, start_of

NOW = start_of(30)


def raised() -> tuple[Alert, AlertEvent]:
    samples = [hour(i, scored(1 if i < 18 else 20, 40)) for i in range(24)]
    finding = floor("p10_floor", {"line": 0.45}).check(
        samples, (), Direction.HIGHER_IS_BETTER, start_of(24)
    )
    after = advance(None, finding, start_of(24), Policy())
    assert after.alert is not None
    return after.alert, after.events[0]


def test_one_line_has_state_id_age_and_sentence() -> None:
    alert, _ = raised()
    assert one_line(alert, NOW) == f"open          {alert.alert_id}     6 h  {alert.sentence}"


def test_in_full_tells_the_whole_story() -> None:
    alert, opening = raised()
    muting = mute(alert, until=start_of(40), who="ann", why="rollout", now=start_of(25))
    assert muting.alert is not None
    text = in_full(muting.alert, (opening, *muting.events), NOW)
    assert text.startswith(f"MUTED  {alert.alert_id}\nlexical_support in all traffic: 138 of 960")
    assert text.endswith("\n    Tue 3 Mar 11:00 UTC  muted by ann: rollout")
    for line in (
        "  rule            p10_floor",
        "  series          lexical_support v1",
        "  segment         all traffic",
        "  began about     Tue 3 Mar 04:00 UTC, 12 h ago",
        "  opened          Tue 3 Mar 10:00 UTC, 6 h ago",
        "  muted until     Wed 4 Mar 02:00 UTC",
        "    Tue 3 Mar 10:00 UTC  open by tailwatch: lexical_support in all traffic: 138 of 960",
    ):
        assert f"\n{line}" in text
    assert max(map(len, text.split("\n"))) <= 96


def test_what_people_and_traces_write_cannot_steer_the_terminal() -> None:
    alert, opening = raised()
    hostile = "a\x1b]0;owned\x07\u202eb\r\nc"
    alert = replace(alert, segment=Segment(field="name", value=hostile), sentence=hostile)
    resolving = resolve(alert, who=hostile, why=hostile, now=NOW)
    assert resolving.alert is not None
    text = in_full(resolving.alert, (opening, *resolving.events), NOW + timedelta(hours=1))
    assert all(line.isprintable() for line in text.split("\n"))
    assert one_line(alert, NOW).isprintable()
    assert "resolved" in text
