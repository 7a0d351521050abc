"""How well a judge's verdicts agree with people's: figures with intervals, or why there is none.

The limits of AUROC, kappa and calibration are the 2.5 and 97.5 % points of a bootstrap with a fixed
seed, so the same verdicts always give the same figures; AUROC's keeps the number of bad and good
outputs (of each model) as it was. Those of shares are Wilson's.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from alerts.rates import wilson

LEAST_ITEMS: Final = 50
"""AUROC is within 0.15 from so many labels on, with 15 % bad ones."""

LEAST_OF_A_KIND: Final = 5
"""AUROC needs so many bad and so many good outputs."""

LEAST_FOR_KAPPA: Final = 100
"""Below, kappa would be off by more than 0.23."""

LEAST_FOR_A_SHARE: Final = 10

_RESAMPLES: Final = 2000
_AT_ONCE: Final = 200
_SEED: Final = 20_261_101
_BINS: Final = 10

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure from `n` outputs with its 95 % limits; where it is None, `why` says why."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """The outputs that the judge gave about the same probability: its mean, and what came true."""

    n: int
    said: float
    true: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Whether probabilities come true: Brier score, expected calibration error and the bins."""

    brier: Estimate
    error: Estimate
    bins: tuple[Bin, ...]


def auroc(badness: Sequence[float], bad: Sequence[bool]) -> Estimate:
    """The chance that a bad output gets more badness than a good one; ties count half.

    `badness` is the judge's score, turned so that more is worse. None below 50 outputs, or with
    fewer than 5 of a kind. Where all pairs are in order the bootstrap has no width: the limit is
    then Wilson's for as many successes as the rarer kind has outputs.
    """
    return auroc_within(badness, bad, [""] * len(bad))


def auroc_within(
    badness: Sequence[float], bad: Sequence[bool], groups: Sequence[str | None]
) -> Estimate:
    """The same over pairs of outputs of one group, such as one answering model, all pairs alike.

    Outputs of no group (None) take no part, nor do groups of one kind only.
    """
    if not len(badness) == len(bad) == len(groups):
        raise ValueError("badness, bad and groups must be of one length")
    values, kinds = np.asarray(badness, dtype=np.float64), np.asarray(bad, dtype=np.bool_)
    of_group = np.array([group is not None for group in groups], dtype=np.bool_)
    labels = np.array([group or "" for group in groups], dtype=np.object_)
    pairs: list[tuple[Floats, Floats]] = []
    for group in sorted(set(labels[of_group].tolist())):
        here = of_group & (labels == group)
        worse, better = values[here & kinds], values[here & ~kinds]
        if len(worse) and len(better):
            pairs.append((worse, better))
    n_bad, n_good = sum(len(w) for w, _ in pairs), sum(len(b) for _, b in pairs)
    n = n_bad + n_good
    lacking = _lacking(len(values[of_group]), n, n_bad, n_good)
    if lacking is not None:
        return Estimate(value=None, low=None, high=None, n=n, why=lacking)
    tables = [_by_value(worse, better) for worse, better in pairs]
    total = sum(len(worse) * len(better) for worse, better in pairs)
    value = sum(float(_concordant(w, b)) for w, b in tables) / total
    rarer = min(n_bad, n_good)
    if value in (0.0, 1.0):
        low, high = wilson(value * rarer, rarer)
    else:
        random = np.random.default_rng(_SEED)
        resampled = sum(_concordant(_redrawn(random, w), _redrawn(random, b)) for w, b in tables)
        low, high = _limits(np.asarray(resampled, dtype=np.float64) / total)
    return Estimate(value=value, low=low, high=high, n=n)


def kappa(ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> Estimate:
    """Cohen's kappa (Educ Psychol Meas 20, 1960): agreement beyond chance, 1 at the most.

    None below 100 outputs, where it says little, and where both always say the same one thing.
    Where all agree the lower limit is that of the share that agrees, by Wilson.
    """
    n = len(ours)
    if n < LEAST_FOR_KAPPA:
        why = f"not enough: {n} of at least {LEAST_FOR_KAPPA} outputs"
        return Estimate(value=None, low=None, high=None, n=n, why=why)
    table = confusion(ours, theirs)
    kinds = list({kind: None for pair in table for kind in pair})
    if len(kinds) == 1:
        return Estimate(value=None, low=None, high=None, n=n, why="both say one thing only")
    counts = np.array([[table.get((a, b), 0) for b in kinds] for a in kinds], dtype=np.float64)
    value = float(_kappas(counts[None])[0])
    if value == 1:
        chance = float((counts.sum(axis=0) * counts.sum(axis=1)).sum() / n**2)
        low = (wilson(n, n)[0] - chance) / (1 - chance)
        return Estimate(value=1.0, low=low, high=1.0, n=n)
    random = np.random.default_rng(_SEED)
    drawn = random.multinomial(n, counts.ravel() / n, size=_RESAMPLES).astype(np.float64)
    low, high = _limits(_kappas(drawn.reshape(-1, len(kinds), len(kinds))))
    return Estimate(value=value, low=low, high=high, n=n)


def confusion(
    ours: Sequence[Hashable], theirs: Sequence[Hashable]
) -> Mapping[tuple[Any, Any], int]:
    """How often each pair of verdicts came up. Raises ValueError for unequal lengths."""
    return Counter(zip(ours, theirs, strict=True))


def share(successes: int, n: int) -> Estimate:
    """A share such as precision or recall, with Wilson's limits; None below 10 outputs."""
    if n < LEAST_FOR_A_SHARE:
        why = f"not enough: {n} of at least {LEAST_FOR_A_SHARE} outputs"
        return Estimate(value=None, low=None, high=None, n=n, why=why)
    low, high = wilson(successes, n)
    return Estimate(value=successes / n, low=low, high=high, n=n)


def calibration(probabilities: Sequence[float], bad: Sequence[bool]) -> Calibration:
    """Whether outputs that get a probability of being bad are bad about so often.

    The Brier score is the mean squared distance of probability and truth (0 is best). The expected
    calibration error is the mean, over the outputs, of the distance of said and true in their bin,
    of ten equal ones from 0 to 1. Raises ValueError for probabilities outside 0 to 1.
    """
    said, true = np.asarray(probabilities, dtype=np.float64), np.asarray(bad, dtype=np.float64)
    if len(said) != len(true):
        raise ValueError("probabilities and bad must be of one length")
    if len(said) and not (said.min() >= 0 and said.max() <= 1):
        raise ValueError("probabilities must be from 0 to 1")
    n = len(said)
    where = np.minimum((said * _BINS).astype(np.int_), _BINS - 1)
    bins = tuple(
        Bin(n=int(here.sum()), said=float(said[here].mean()), true=float(true[here].mean()))
        for here in (where == number for number in range(_BINS))
        if here.any()
    )
    if n < LEAST_ITEMS:
        why = f"not enough: {n} of at least {LEAST_ITEMS} outputs"
        lacking = Estimate(value=None, low=None, high=None, n=n, why=why)
        return Calibration(brier=lacking, error=lacking, bins=bins)
    squares, apart = (said - true) ** 2, np.zeros((n, _BINS))
    apart[np.arange(n), where] = said - true
    random = np.random.default_rng(_SEED)
    briers, errors = [], []
    for _ in range(_RESAMPLES // _AT_ONCE):
        times = random.multinomial(n, np.full(n, 1 / n), size=_AT_ONCE).astype(np.float64)
        briers.append(times @ squares / n)
        errors.append(np.abs(times @ apart).sum(axis=1) / n)
    return Calibration(
        brier=_estimate(float(squares.mean()), np.concatenate(briers), n),
        error=_estimate(float(np.abs(apart.sum(axis=0)).sum() / n), np.concatenate(errors), n),
        bins=bins,
    )


def _lacking(given: int, n: int, n_bad: int, n_good: int) -> str | None:
    """Why there is no AUROC of `n` of the `given` outputs."""
    if given < LEAST_ITEMS:
        return f"not enough: {given} of at least {LEAST_ITEMS} outputs"
    if not n:
        return "all outputs are of one kind"
    if min(n_bad, n_good) < LEAST_OF_A_KIND:
        kind = "bad" if n_bad < n_good else "good"
        return f"not enough: {min(n_bad, n_good)} of at least {LEAST_OF_A_KIND} {kind} outputs"
    return None


def _by_value(worse: Floats, better: Floats) -> tuple[Floats, Floats]:
    """How many bad and how many good outputs have each value, values ascending."""
    values = np.unique(np.concatenate([worse, better]))
    counts = [np.searchsorted(values, kind) for kind in (worse, better)]
    bad, good = (np.bincount(c, minlength=len(values)).astype(np.float64) for c in counts)
    return bad, good


def _concordant(bad: Floats, good: Floats) -> Floats:
    """The pairs with the bad one above the good one, ties as half (Mann-Whitney's U)."""
    below = good.cumsum(axis=-1) - good
    return np.asarray((bad * (below + good / 2)).sum(axis=-1), dtype=np.float64)


def _redrawn(random: np.random.Generator, counts: Floats) -> Floats:
    """As many outputs drawn with replacement from those counted, again and again (rows)."""
    n = int(counts.sum())
    return random.multinomial(n, counts / n, size=_RESAMPLES).astype(np.float64)


def _kappas(tables: Floats) -> Floats:
    """Kappa of each table; 1 where a resampled one has only one kind in it."""
    n = tables.sum(axis=(1, 2))
    agreed = tables.trace(axis1=1, axis2=2) / n
    chance = (tables.sum(axis=1) * tables.sum(axis=2)).sum(axis=1) / n**2
    possible = 1 - chance
    return np.asarray(
        np.where(possible > 0, (agreed - chance) / np.where(possible > 0, possible, 1), 1.0)
    )


def _estimate(value: float, resampled: Floats, n: int) -> Estimate:
    low, high = _limits(resampled)
    return Estimate(value=value, low=low, high=high, n=n)


def _limits(resampled: Floats) -> tuple[float, float]:
    low, high = np.quantile(resampled, (0.025, 0.975))
    return float(low), float(high)
