"""Coverage accounts add up or cannot be made."""

from typing import Any

import pytest

from tailwatch.coverage import Coverage
from tailwatch.evaluation import Series
from tailwatch.window import Window
from tests.builders import START

GOOD: dict[str, Any] = {
    "listed": 100,
    "eligible": 90,
    "sampled": 20,
    "scored": 10,
    "skipped": {"missing_output": 4, "over_budget": 1},
    "failed": {"timeout": 2, "rate_limited": 1},
    "unreadable": 2,
}


def account(**fields: Any) -> Coverage:
    series = Series(evaluator="ndcg@10", version="1")
    return Coverage(series=series, window=Window.hour_of(START), **(GOOD | fields))


def test_an_account_that_adds_up_is_accepted() -> None:
    assert account().scored == 10
    assert account(sampled=0, scored=0, skipped={}, failed={}, unreadable=0).sampled == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"scored": 11},
        {"skipped": {}},
        {"failed": {"timeout": 2}},
        {"unreadable": 0},
        {"sampled": 19},
        {"eligible": 19},
        {"listed": 89},
    ],
)
def test_an_account_that_does_not_add_up_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="does not add up"):
        account(**fields)
