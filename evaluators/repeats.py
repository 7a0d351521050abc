"""One score from several opinions of a judge on the same trace."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, stdev

from evaluators.material import Material
from evaluators.verdicts import ScoredVerdict, contained
from tailwatch.outcome import NO_USAGE, Failed, Outcome, Score, Skipped


def repeated(
    opinions: Sequence[ScoredVerdict | Skipped | Failed | BaseException], material: Material
) -> Outcome:
    """The mean of the opinions, with each one's value and their spread in the details.

    The spread is their standard deviation (n - 1). The label is the most frequent one, of equals
    the first, and the explanation one of its own. Where an opinion failed there is no score, for a
    mean of fewer is another measurement; the failure says what all of them took.
    """
    heard = [contained(opinion) for opinion in opinions]
    verdicts = [each for each in heard if isinstance(each, ScoredVerdict)]
    failed = [each for each in heard if isinstance(each, Failed)]
    usage = sum((v.usage for v in verdicts), sum((f.usage for f in failed), NO_USAGE))
    if failed:
        return replace(failed[0], usage=usage)
    if len(verdicts) < len(heard):
        return next(each for each in heard if isinstance(each, Skipped))
    values = [verdict.score for verdict in verdicts]
    label = Counter(verdict.label for verdict in verdicts).most_common(1)[0][0]
    speaker = next(verdict for verdict in verdicts if verdict.label == label)
    scorings = {str(v.told["scoring"]) for v in verdicts if "scoring" in v.told}
    reused = sum(verdict.reused_from is not None for verdict in verdicts)
    return Score(
        value=fmean(values),
        label=label,
        explanation=speaker.explanation,
        details={
            **material.details,
            "values": values,
            "spread": stdev(values),
            **({"reused": reused} if reused else {}),
            **({"scoring": " or ".join(sorted(scorings))} if scorings else {}),
        },
        usage=usage,
    )
