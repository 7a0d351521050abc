"""What each score of an hour stands for, from the chances with which the sample was drawn."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tailwatch.alert import Buckets

_RELATIVE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class HourWeights:
    """The weight of a score of one series by the chance its trace had, and the hour's buckets.

    Weights are relative to the mean score of all traffic in the hour.
    """

    by_chance: Mapping[float, float]
    n_flagged: int
    n_normal: int
    flagged_share: float
    outputs: float

    def buckets(self, flagged: Sequence[bool]) -> Buckets | None:
        """The buckets of some of the hour's scores; None when only one bucket was scored."""
        if not self.n_flagged or not self.n_normal:
            return None
        return Buckets(
            flagged=tuple(flagged),
            n_flagged=self.n_flagged,
            n_normal=self.n_normal,
            flagged_share=self.flagged_share,
            outputs=self.outputs,
        )


def hour_weights(
    scored: Sequence[tuple[float, bool]], failed: Sequence[float]
) -> HourWeights | None:
    """The weights of one series in one hour; None when all its scores stand for as many traces.

    `scored` has the chance and the flag of each scored trace of all traffic, `failed` the chances
    of the failed ones. A score stands for 1 / chance traces (Horvitz and Thompson, JASA 47, 1952),
    and for the failed ones of its bucket: that is raised by (scored + failed) / scored. Skipped
    traces stand for others that no score could be given to.
    """
    scores = Counter(chance for chance, _ in scored)
    if len(scores) < 2:
        return None
    tried = scores + Counter(failed)
    stands_for = {chance: tried[chance] / (n * chance) for chance, n in scores.items()}
    if max(stands_for.values()) - min(stands_for.values()) <= _RELATIVE * max(stands_for.values()):
        return None
    outputs = sum(stands_for[chance] for chance, _ in scored)
    n_flagged = sum(flagged for _, flagged in scored)
    return HourWeights(
        by_chance={c: each * len(scored) / outputs for c, each in stands_for.items()},
        n_flagged=n_flagged,
        n_normal=len(scored) - n_flagged,
        flagged_share=sum(stands_for[chance] for chance, flagged in scored if flagged) / outputs,
        outputs=outputs,
    )
