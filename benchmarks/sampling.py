"""What sampling by buckets is worth: variance, bias and coverage by how good the flags are.

Hours of 1,000 outputs, a tenth of them bad, of which 100 are scored. Each is drawn by the shipped
design and put together by the shipped weights. Run it as `python -m benchmarks.sampling`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerts.percentiles import quantile
from storage.hour_weights import hour_weights
from tailwatch.buckets import neyman_share
from tailwatch.sampling import SampleDesign

OUTPUTS, SCORED, BAD, HOURS = 1000, 100, 0.1, 1500

FLAGS = {
    "useless": (0.08, 0.08),
    "weak": (0.30, 0.08),
    "medium": (0.50, 0.06),
    "strong": (0.75, 0.05),
}
"""The shares of bad and of good outputs that are flagged."""

THIRD = 1 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    ids: list[str]
    flagged: frozenset[str]
    scores: dict[str, float]


def hour_of(random: np.random.Generator, number: int, flags: tuple[float, float]) -> Hour:
    """Bad outputs score from 0 to 0.5 and good ones from 0.5 to 1, more often high than low."""
    bad = random.random(OUTPUTS) < BAD
    flagged = random.random(OUTPUTS) < np.where(bad, *flags)
    good = 1 - 0.5 * random.random(OUTPUTS) ** 2
    scores = np.where(bad, 0.5 * random.random(OUTPUTS), good)
    ids = [f"{number}-{i}" for i in range(OUTPUTS)]
    return Hour(
        ids=ids,
        flagged=frozenset(np.array(ids)[flagged]),
        scores=dict(zip(ids, scores.tolist(), strict=True)),
    )


def drawn(hour: Hour, sample: dict[str, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The scores of a sample and their weights."""
    scores = np.array([hour.scores[i] for i in sample])
    weights = hour_weights([(chance, i in hour.flagged) for i, chance in sample.items()], [])
    if weights is None:
        return scores, np.ones(len(scores))
    return scores, np.array([weights.by_chance[chance] for chance in sample.values()])


def main() -> None:
    print(f"{OUTPUTS:,} outputs an hour, {SCORED} scored, {BAD:.0%} bad, {HOURS:,} hours")
    print("variance of the bad share, all traffic alike = 1\n")
    columns = ("flags", "in proportion", "a third flagged", "learned share", "variance there")
    print(("{:>16}" * len(columns)).format(*columns))
    for name, flags in FLAGS.items():
        share = BAD * flags[0] + (1 - BAD) * flags[1]
        learned = neyman_share(share, BAD * flags[0] / share, BAD * (1 - flags[0]) / (1 - share))
        designs = {"alike": None, "proportional": 0.0, "third": THIRD, "learned": learned}
        errors: dict[str, list[float]] = {design: [] for design in designs}
        random = np.random.default_rng(1)
        for number in range(HOURS):
            hour = hour_of(random, number, flags)
            truth = np.mean(np.array(list(hour.scores.values())) < 0.5)
            for design, part in designs.items():
                alike = design == "alike"
                flagged = frozenset[str]() if alike else hour.flagged
                sample = SampleDesign(per_hour=SCORED).select(hour.ids, flagged, part)
                scores, weights = drawn(hour, sample)
                errors[design].append(float(np.average(scores < 0.5, weights=weights) - truth))
        variance = {
            design: np.var(found) / np.var(errors["alike"]) for design, found in errors.items()
        }
        shown = "as in traffic" if learned is None else f"{learned:.2f}"
        print(
            f"{name:>16}{variance['proportional']:>16.2f}{variance['third']:>16.2f}"
            f"{shown:>16}{variance['learned']:>16.2f}"
        )
    _percentiles()


def _percentiles() -> None:
    random = np.random.default_rng(2)
    weighted, plain, covered = [], [], 0
    for number in range(HOURS):
        hour = hour_of(random, number, FLAGS["strong"])
        truth = quantile(list(hour.scores.values()), 0.25).value or 0.0
        design = SampleDesign(per_hour=SCORED, flagged_share=THIRD)
        scores, weights = drawn(hour, design.select(hour.ids, hour.flagged))
        found, ignoring = quantile(scores, 0.25, weights), quantile(scores, 0.25)
        weighted.append((found.value or 0.0) - truth)
        plain.append((ignoring.value or 0.0) - truth)
        covered += (found.low or 0.0) <= truth <= (1.0 if found.high is None else found.high)
    print("\nP25 with a third of the sample flagged, strong flags")
    print(f"bias {np.mean(weighted):+.3f} with weights, {np.mean(plain):+.3f} without")
    print(f"the 95 % interval covers the truth in {covered / HOURS:.1%} of the hours")


if __name__ == "__main__":
    main()
