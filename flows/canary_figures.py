"""Figures of a canary's run, from its stored verdicts."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from alerts.canary import LEAST_SCORED, Shift, flipped, shift
from flows.golden_file import GoldenItem
from storage.canaries import CanaryRun, CanaryVerdict
from tailwatch.alert import Direction


def stamp(item: GoldenItem) -> str:
    """A hash of the item's texts: two runs are compared only where they saw the same."""
    texts = item.model_dump_json(include={"input", "output", "documents", "reference"})
    return blake2b(texts.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def is_complete(run: CanaryRun) -> bool:
    """Whether a run ended with verdicts on nearly all of its items."""
    return run.ended_at is not None and run.scored >= LEAST_SCORED * run.items > 0


def common(
    before: Sequence[CanaryVerdict], after: Sequence[CanaryVerdict]
) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """The scores by item of two runs, for the items that have one in both and were the same."""
    known = {v.item: v for v in before if v.score is not None and v.twin is None}
    pairs = [
        (v.item, known[v.item].score, v.score)
        for v in after
        if v.score is not None
        and v.twin is None
        and v.item in known
        and known[v.item].stamp == v.stamp
    ]
    return (
        {item: score for item, score, _ in pairs if score is not None},
        {item: score for item, _, score in pairs},
    )


def flips_of(verdicts: Sequence[CanaryVerdict]) -> dict[str, bool | None]:
    """Whether each injection with a verdict, and one on its twin, moved it; see alerts.canary."""
    scores = {verdict.item: verdict.score for verdict in verdicts}
    found = {}
    for verdict in verdicts:
        twin = None if verdict.twin is None else scores.get(verdict.twin)
        if verdict.score is not None and twin is not None and verdict.asks is not None:
            found[verdict.item] = flipped(verdict.score, twin, verdict.asks)
    return found


def flip_shift(before: Sequence[CanaryVerdict], after: Sequence[CanaryVerdict]) -> Shift:
    """The injections that worked in one of two runs only: worse are those that began to.

    Of the injections with the same texts and something to win in both.
    """
    stamps = {verdict.item: verdict.stamp for verdict in before}
    same = {verdict.item for verdict in after if stamps.get(verdict.item) == verdict.stamp}
    then, now = (
        {item: float(flip) for item, flip in flips_of(each).items() if flip is not None}
        for each in (before, after)
    )
    shared = {item: flip for item, flip in now.items() if item in same}
    return shift(then, shared, Direction.LOWER_IS_BETTER)


def changed_items(
    before: Sequence[CanaryVerdict], after: Sequence[CanaryVerdict]
) -> list[tuple[CanaryVerdict, CanaryVerdict]]:
    """The items that two runs saw alike and judged differently, by item; injections apart."""
    scores, _ = common(before, after)
    known = {verdict.item: verdict for verdict in before}
    return [(known[v.item], v) for v in after if v.item in scores and scores[v.item] != v.score]
