"""Why calls are left out, on both databases: the cap that is used up, as the books have it."""

import pytest

from storage.store import Store
from tailwatch.judge_calls import Caps
from tests.storage.test_judge_calls import call

OF_RUN = "judge.max_cost_usd (0.20 USD for a run) does not cover another call"
OF_DAY = "judge.max_cost_usd_per_day (0.20 USD for a UTC day) does not cover another call"
OF_RUBRIC = (
    "judge.max_cost_usd_of.faithfulness (0.15 USD for the rubric in a run) does not cover "
    "another call"
)
OF_NONE = "the caps under `judge` did not cover another call"


@pytest.mark.parametrize(
    ("caps", "said"),
    [
        (Caps(run_usd=0.2, day_usd=0.2), [OF_RUN, OF_DAY, OF_RUN]),
        (Caps(run_usd=9, day_usd=0.2), [OF_DAY, OF_DAY, OF_DAY]),
        (Caps(run_usd=9, evaluator_usd={"faithfulness": 0.15}), [OF_RUBRIC, OF_NONE, OF_NONE]),
    ],
)
def test_the_cap_that_left_a_call_out_is_named(store: Store, caps: Caps, said: list[str]) -> None:
    assert store.reserve_calls([call("a"), call("b")], Caps(run_usd=9)) == [True, True]
    left_out = [call("c"), call("d", run_id="other"), call("e", evaluator="refusal")]
    assert store.refusals(left_out, caps) == said
    assert store.refusals([], caps) == []
