"""The true rate of bad outputs, from a judge's verdicts on many and people's labels on a few.

A judge's own rate is off by its errors, with an interval that is far too narrow. Labels alone are
right and wide. Both together are right and a little narrower.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerts.weights import effective_size

Z: Final = 1.959963984540054
"""The normal quantile of a 95 % interval."""

LEAST_LABELS: Final = 30
"""With fewer labels a rate is "not calibrated"."""

_LEAST_YOUDEN = 0.1


class Method(StrEnum):
    """How a rate was corrected."""

    TWO_PHASE = "two-phase"
    """By labels on a random part of the very outputs."""
    ROGAN_GLADEN = "rogan-gladen"
    """By what the judge got right elsewhere or earlier: assumes that it has not changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A judged output that a person labelled too.

    `probability` is the chance, above 0 and at most 1, that it came to be labelled; only how the
    chances compare with one another counts.
    """

    judged_bad: bool
    bad: bool
    probability: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """The share of outputs that are truly bad, with 95 % limits; None with `why` there is none.

    `judged` is the share that the judge calls bad, `labels` how many people's verdicts took part.
    """

    value: float | None
    low: float | None
    high: float | None
    judged: float | None
    labels: int
    method: Method
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """How often the judge found bad what people found bad, and good what they found good."""

    bad_judged_bad: int
    bad_judged_good: int
    good_judged_bad: int
    good_judged_good: int

    @property
    def bad(self) -> int:
        return self.bad_judged_bad + self.bad_judged_good

    @property
    def good(self) -> int:
        return self.good_judged_bad + self.good_judged_good


def wilson(successes: float, n: float) -> tuple[float, float]:
    """The 95 % limits of a share by Wilson's score interval (JASA 22, 1927); 0 and 1 when n is 0.

    Effective counts need not be whole.
    """
    if n <= 0:
        return 0.0, 1.0
    share, z2 = successes / n, Z * Z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    # at the ends a limit is exact, whatever rounding says
    low = 0.0 if successes <= 0 else max(0.0, middle - reach)
    high = 1.0 if successes >= n else min(1.0, middle + reach)
    return low, high


def two_phase_rate(
    judged_bad: Sequence[bool],
    labels: Sequence[Label],
    weights: Sequence[float] | None = None,
) -> Rate:
    """The rate among judged outputs, of which a random part is labelled.

    `judged_bad` has the judge's verdict on every judged output, the labelled ones included;
    `weights` say how many outputs each stands for. With w1 the share judged bad, PPV the share
    truly bad among labelled ones judged bad, and FOR that among those judged good,

        p = w1 PPV + w0 FOR
        low = p - sqrt(w1^2 (PPV - l1)^2 + w0^2 (FOR - l0)^2 + z^2 (PPV - FOR)^2 w1 w0 / N)

    and the same upwards: post-stratification (Tenenbein, JASA 65, 1970) with MOVER limits (Zou and
    Donner, Stat Med 27, 2008) from two Wilson intervals l..u. Unequal chances weigh by their
    inverse, and counts are then Kish's effective ones. Of a verdict that nobody labelled nothing is
    known: its share truly bad is taken as one half, from 0 to 1. Below 30 labels there is no rate.
    """
    whole = np.ones(len(judged_bad)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not len(judged_bad):
        return _none(labels, None, Method.TWO_PHASE, "the judge gave no verdicts")
    w1 = float(whole[np.asarray(judged_bad, dtype=np.bool_)].sum() / whole.sum())
    if len(labels) < LEAST_LABELS:
        why = f"not calibrated: {len(labels)} of at least {LEAST_LABELS} labels"
        return _none(labels, w1, Method.TWO_PHASE, why)
    ppv, low1, high1 = _share_bad([label for label in labels if label.judged_bad])
    fomr, low0, high0 = _share_bad([label for label in labels if not label.judged_bad])
    w0 = 1 - w1
    p = w1 * ppv + w0 * fomr
    mix = Z * Z * (ppv - fomr) ** 2 * w1 * w0 / effective_size(whole)
    down = math.sqrt((w1 * (ppv - low1)) ** 2 + (w0 * (fomr - low0)) ** 2 + mix)
    up = math.sqrt((w1 * (high1 - ppv)) ** 2 + (w0 * (high0 - fomr)) ** 2 + mix)
    return Rate(
        value=p,
        low=max(0.0, p - down),
        high=min(1.0, p + up),
        judged=w1,
        labels=len(labels),
        method=Method.TWO_PHASE,
    )


def rogan_gladen_rate(
    judged_bad: Sequence[bool], seen: Confusion, weights: Sequence[float] | None = None
) -> Rate:
    """The rate from old labels or a golden set: sensitivity and specificity move less than PPV.

    p = (q + Sp - 1) / (Se + Sp - 1) with q the share judged bad (Rogan and Gladen, Am J Epidemiol
    107, 1978), its limits by Lang and Reiczigel (Prev Vet Med 113, 2014), which add z^2/2 successes
    to q and one to Se and Sp and shift the middle. It assumes that the judge still errs as it did.
    No rate below 30 labels, without both kinds, or of a judge hardly better than chance.
    """
    whole = np.ones(len(judged_bad)) if weights is None else np.asarray(weights, dtype=np.float64)
    n_labels = seen.bad + seen.good
    if not len(judged_bad):
        return _none(n_labels, None, Method.ROGAN_GLADEN, "the judge gave no verdicts")
    q = float(whole[np.asarray(judged_bad, dtype=np.bool_)].sum() / whole.sum())
    if n_labels < LEAST_LABELS:
        why = f"not calibrated: {n_labels} of at least {LEAST_LABELS} labels"
        return _none(n_labels, q, Method.ROGAN_GLADEN, why)
    if not seen.bad or not seen.good:
        lacking = "bad" if not seen.bad else "good"
        why = f"not calibrated: none of the {n_labels} labels says {lacking}"
        return _none(n_labels, q, Method.ROGAN_GLADEN, why)
    se = (seen.bad_judged_bad + 1) / (seen.bad + 2)
    sp = (seen.good_judged_good + 1) / (seen.good + 2)
    youden = se + sp - 1
    if youden < _LEAST_YOUDEN:
        why = "not calibrated: the judge tells bad from good hardly better than chance"
        return _none(n_labels, q, Method.ROGAN_GLADEN, why)
    n, z2 = effective_size(whole), Z * Z
    q_more = (n * q + z2 / 2) / (n + z2)
    p_more = (q_more + sp - 1) / youden
    se_error = se * (1 - se) / (seen.bad + 2)
    sp_error = sp * (1 - sp) / (seen.good + 2)
    shift = 2 * z2 * (p_more * se_error - (1 - p_more) * sp_error)
    variance = q_more * (1 - q_more) / (n + z2) + p_more**2 * se_error
    reach = Z / youden * math.sqrt(variance + (1 - p_more) ** 2 * sp_error)
    low = min(1.0, max(0.0, p_more + shift - reach))
    high = max(0.0, min(1.0, p_more + shift + reach))
    observed = _observed(q, seen)
    return Rate(
        value=min(high, max(low, observed)),
        low=low,
        high=high,
        judged=q,
        labels=n_labels,
        method=Method.ROGAN_GLADEN,
    )


def labels_needed(half_width: float, rate: float, correlation: float = 0.0) -> int:
    """How many random labels bring a rate to plus or minus `half_width` at 95 %.

    n = (z / h)^2 p (1 - p) (1 - rho^2), with rho the correlation of the judge's verdicts with
    people's; at least 30. Raises ValueError unless 0 < half_width < 1, 0 <= rate <= 1 and
    -1 <= correlation <= 1.
    """
    if not 0 < half_width < 1 or not 0 <= rate <= 1 or not -1 <= correlation <= 1:
        raise ValueError(
            f"half_width {half_width}, rate {rate}, correlation {correlation}: the first must be "
            "above 0 and below 1, the second from 0 to 1, the third from -1 to 1"
        )
    n = (Z / half_width) ** 2 * rate * (1 - rate) * (1 - correlation**2)
    return max(LEAST_LABELS, math.ceil(n))


def correlation(labels: Sequence[Label]) -> float:
    """The phi coefficient of the judge's verdicts and people's; 0 where one of them is constant."""
    judged = np.array([label.judged_bad for label in labels], dtype=np.float64)
    bad = np.array([label.bad for label in labels], dtype=np.float64)
    if len(labels) < 2 or judged.std() == 0 or bad.std() == 0:
        return 0.0
    return float(np.clip(np.corrcoef(judged, bad)[0, 1], -1, 1))


def _share_bad(labels: Sequence[Label]) -> tuple[float, float, float]:
    """The share of labels that say bad, with its limits."""
    if not labels:
        return 0.5, 0.0, 1.0
    weights: NDArray[np.float64] = 1 / np.array([label.probability for label in labels])
    bad = np.array([label.bad for label in labels], dtype=np.float64)
    share = float((weights * bad).sum() / weights.sum())
    n = effective_size(weights)
    return share, *wilson(share * n, n)


def _observed(q: float, seen: Confusion) -> float:
    """Rogan and Gladen's estimate itself; `q` where the plain sensitivities cancel out."""
    sp = seen.good_judged_good / seen.good
    youden = seen.bad_judged_bad / seen.bad + sp - 1
    return q if youden <= 0 else (q + sp - 1) / youden


def _none(labels: Sequence[Label] | int, judged: float | None, method: Method, why: str) -> Rate:
    n = labels if isinstance(labels, int) else len(labels)
    return Rate(value=None, low=None, high=None, judged=judged, labels=n, method=method, why=why)
