"""The same outputs scored by an old and a new instrument: how to read across the change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from alerts import wording
from alerts.agreement import Estimate, share
from alerts.judge_card import figure, is_bad
from alerts.percentiles import quantile
from tailwatch.alert import Direction, Quantile

LEAST_PAIRS: Final = 30
"""With fewer pairs a difference is not shown."""

_RESAMPLES: Final = 2000
_AT_ONCE: Final = 200
_SEED: Final = 20_261_102
_SAME: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """What changed, with 95 % limits; `difference` and `bad_difference` are new less old.

    `same` is the share of outputs with the same score, `old_bad` and `new_bad` the shares on the
    bad side of `line`, and the tails are P10 where higher is better and P90 where lower is.
    """

    n: int
    line: float
    old_mean: float | None
    new_mean: float | None
    difference: Estimate
    same: Estimate
    old_tail: Quantile
    new_tail: Quantile
    old_bad: Estimate
    new_bad: Estimate
    bad_difference: Estimate

    def document(self) -> dict[str, Any]:
        """The bridge as JSON."""
        found: dict[str, Any] = _BRIDGE.dump_python(self, mode="json")
        return found


def bridge(old: Sequence[float], new: Sequence[float], direction: Direction, line: float) -> Bridge:
    """How the new scores differ from the old ones of the same outputs, in the same order.

    The limits of differences are those of a bootstrap of the pairs with a fixed seed: the 2.5 and
    97.5 % points of 2,000 resamples; those of shares are Wilson's and those of tails
    distribution-free. No difference is given of fewer than 30 pairs.
    Raises ValueError where the two are not of one length.
    """
    before, after = np.asarray(old, dtype=np.float64), np.asarray(new, dtype=np.float64)
    if len(before) != len(after):
        raise ValueError(f"{len(before)} old and {len(after)} new scores; they must be pairs")
    n = len(before)
    bad_before = np.array([is_bad(x, line, direction) for x in old], dtype=np.float64)
    bad_after = np.array([is_bad(x, line, direction) for x in new], dtype=np.float64)
    tail = 0.1 if direction is Direction.HIGHER_IS_BETTER else 0.9
    return Bridge(
        n=n,
        line=line,
        old_mean=float(before.mean()) if n else None,
        new_mean=float(after.mean()) if n else None,
        difference=_mean(after - before),
        same=share(int((np.abs(after - before) <= _SAME).sum()), n),
        old_tail=quantile(before, tail),
        new_tail=quantile(after, tail),
        old_bad=share(int(bad_before.sum()), n),
        new_bad=share(int(bad_after.sum()), n),
        bad_difference=_mean(bad_after - bad_before),
    )


def bridge_of(document: Mapping[str, Any]) -> Bridge:
    """The bridge that `Bridge.document` wrote."""
    return _BRIDGE.validate_python(dict(document))


def bridge_lines(found: Bridge) -> list[str]:
    """The bridge for a person, a line for each figure."""
    return [
        f"{found.n:,} outputs scored by both: mean {_number(found.old_mean)} before, "
        f"{_number(found.new_mean)} after, difference {figure(found.difference)}",
        f"the same score: {figure(found.same)}",
        f"before, {wording.quantile(found.old_tail)}; after, {wording.quantile(found.new_tail)}",
        f"beyond {wording.number(found.line)}: {figure(found.old_bad)} before, "
        f"{figure(found.new_bad)} after, difference {figure(found.bad_difference)}",
    ]


def bridge_line(found: Bridge) -> str:
    """The bridge in a sentence."""
    tails = " to ".join(_number(tail.value) for tail in (found.old_tail, found.new_tail))
    return (
        f"on {found.n:,} outputs the mean moved by {figure(found.difference)}, "
        f"P{100 * found.old_tail.probability:g} from {tails}"
    )


def _number(value: float | None) -> str:
    return "-" if value is None else wording.number(value)


def _mean(differences: NDArray[np.float64]) -> Estimate:
    n = len(differences)
    if n < LEAST_PAIRS:
        why = f"not enough: {n} of at least {LEAST_PAIRS} outputs"
        return Estimate(value=None, low=None, high=None, n=n, why=why)
    random = np.random.default_rng(_SEED)
    means = [
        random.multinomial(n, np.full(n, 1 / n), size=_AT_ONCE) @ differences / n
        for _ in range(_RESAMPLES // _AT_ONCE)
    ]
    low, high = np.quantile(np.concatenate(means), (0.025, 0.975))
    return Estimate(value=float(differences.mean()), low=float(low), high=float(high), n=n)


_BRIDGE: TypeAdapter[Bridge] = TypeAdapter(Bridge)
