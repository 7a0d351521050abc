"""How last week's scores would have the sample of a series shared out between the buckets."""

from collections.abc import Sequence

from alerts.lines import tail_line
from alerts.pooled_scores import pooled_scores
from tailwatch.alert import Direction, ScoreSample
from tailwatch.buckets import neyman_share

TAIL = 0.1
"""The share of outputs that counts as bad here: the tail that P10 speaks of."""


def best_share(hours: Sequence[ScoreSample], direction: Direction) -> float | None:
    """The share of the sample for flagged traces, from hours of all traffic; None: as in it.

    None too where an hour never had weights, or a bucket fewer than 100 scores: see
    `neyman_share`, whose rates are those beyond the line at the worst tenth of the traffic.
    """
    row = pooled_scores(hours)
    line = tail_line(row, TAIL, direction)
    if line is None or line.rates is None:
        return None
    bucketed = row.weights[row.bucketed]
    flagged_share = float(row.weights[row.bucketed & row.flagged].sum() / bucketed.sum())
    return neyman_share(flagged_share, line.rates.flagged, line.rates.normal)
