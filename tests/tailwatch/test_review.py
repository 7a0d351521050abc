"""Labels: what a person may say, and when two of them are one."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tailwatch.review import Draw, Origin, ReviewLabel
from tailwatch.window import Window

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DRAW = Draw(origin=Origin.RANDOM, sample="s", place=1, population=10)
LABEL = ReviewLabel(
    source="app",
    trace_id="t",
    evaluator="faithfulness",
    version="1",
    who="ada",
    choice="supported",
    score=1.0,
    hour=Window.hour_of(NOW),
    at=NOW,
    took_s=3.5,
    draw=DRAW,
)


def test_a_second_thought_has_the_same_id_and_another_person_not() -> None:
    assert replace(LABEL, choice="invented", score=0.0).label_id == LABEL.label_id
    others = (
        replace(LABEL, who="bob"),
        replace(LABEL, version="2"),
        replace(LABEL, trace_id="\ud800"),
        replace(LABEL, draw=Draw(origin=Origin.ALERT, sample="s", place=1)),
    )
    assert len({LABEL.label_id, *(other.label_id for other in others)}) == 5


@pytest.mark.parametrize(
    ("field", "value"),
    [("who", " "), ("who", "x" * 201), ("choice", ""), ("score", float("nan")), ("took_s", -1.0)],
)
def test_what_a_label_cannot_be(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        replace(LABEL, **{field: value})  # type: ignore[arg-type] # fields by name, in a test


@pytest.mark.parametrize(
    ("origin", "place", "population"),
    [
        (Origin.RANDOM, 1, None),
        (Origin.ALERT, 1, 10),
        (Origin.RANDOM, 11, 10),
        (Origin.ALERT, 0, None),
    ],
)
def test_what_a_draw_cannot_be(origin: Origin, place: int, population: int | None) -> None:
    with pytest.raises(ValueError, match=r"place|population"):
        Draw(origin=origin, sample="s", place=place, population=population)
