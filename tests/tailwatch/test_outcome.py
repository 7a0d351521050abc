"""A score is a finite number; what is not one has its own type."""

import pytest

from tailwatch.outcome import NO_USAGE, Score, Usage


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_score_is_finite(value: float) -> None:
    with pytest.raises(ValueError, match="a score must be a finite number"):
        Score(value=value)


def test_usage_adds_up_and_unknown_stays_unknown() -> None:
    one = Usage(cost_usd=0.5, input_tokens=10, latency_ms=100.0)
    two = Usage(cost_usd=0.25, output_tokens=5, latency_ms=50.0)
    both = Usage(cost_usd=0.75, input_tokens=10, output_tokens=5, latency_ms=150.0)
    assert one + two == two + one == both
    assert one + NO_USAGE == one
    assert NO_USAGE + NO_USAGE == NO_USAGE
    assert Usage(cost_usd=0.0) + NO_USAGE == Usage(cost_usd=0.0)
