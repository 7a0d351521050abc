"""A judge's validation card: how its verdicts compare with people's, in figures and in a line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter

from alerts.agreement import (
    Calibration,
    Estimate,
    auroc,
    auroc_within,
    calibration,
    confusion,
    kappa,
    share,
)
from alerts.rates import Confusion
from tailwatch.alert import Direction
from tailwatch.printable import printable

UNVALIDATED: Final = "unvalidated"
BAD_LINE: Final = 0.5
"""Scores on the bad side of it are bad, unless somebody says otherwise."""

_SEVERAL = 2
_NAME_CHARS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One output with a person's choice and a judge's, and what both are worth.

    `judge` is None where the judge's score is no single choice; `model` wrote the output.
    """

    human: str
    human_score: float
    judge: str | None
    judge_score: float
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The figures. An output is bad where its score is on the bad side of `line`.

    `confusion` counts (people's choice, the judge's choice); `lost` are labelled outputs on which
    the judge gave no verdict. `calibration` is None where the scores are not probabilities.
    """

    n: int
    line: float
    lost: int
    seen: Confusion
    auroc: Estimate
    within: Estimate
    kappa: Estimate
    agreed: Estimate
    precision: Estimate
    recall: Estimate
    confusion: tuple[tuple[str, str, int], ...]
    calibration: Calibration | None

    def document(self) -> dict[str, Any]:
        """The card as JSON."""
        found: dict[str, Any] = _CARD.dump_python(self, mode="json")
        return found


def is_bad(score: float, line: float, direction: Direction) -> bool:
    """Whether a score is on the bad side of a line; on it is good."""
    return score < line if direction is Direction.HIGHER_IS_BETTER else score > line


def judge_card(
    compared: Sequence[Compared],
    direction: Direction,
    *,
    line: float = BAD_LINE,
    lost: int = 0,
    probabilities: bool = False,
) -> Card:
    """The card of these outputs. With `probabilities` the judge's scores are expected values from 0
    to 1, and their distance from the good end is taken as the chance of being bad.
    """
    higher = direction is Direction.HIGHER_IS_BETTER
    bad = [is_bad(each.human_score, line, direction) for each in compared]
    judged_bad = [is_bad(each.judge_score, line, direction) for each in compared]
    badness = [(1 - c.judge_score if higher else c.judge_score) for c in compared]
    models = [each.model for each in compared]
    both = confusion(bad, judged_bad)
    seen = Confusion(
        bad_judged_bad=both.get((True, True), 0),
        bad_judged_good=both.get((True, False), 0),
        good_judged_bad=both.get((False, True), 0),
        good_judged_good=both.get((False, False), 0),
    )
    choices = [(each.human, each.judge) for each in compared if each.judge is not None]
    table = confusion([human for human, _ in choices], [judge for _, judge in choices])
    return Card(
        n=len(compared),
        line=line,
        lost=lost,
        seen=seen,
        auroc=auroc(badness, bad),
        within=_within(badness, bad, models),
        kappa=kappa(bad, judged_bad),
        agreed=share(sum(human == judge for human, judge in choices), len(choices)),
        precision=share(seen.bad_judged_bad, seen.bad_judged_bad + seen.good_judged_bad),
        recall=share(seen.bad_judged_bad, seen.bad),
        confusion=tuple((human, judge, count) for (human, judge), count in sorted(table.items())),
        calibration=calibration(badness, bad) if probabilities else None,
    )


def card_of(document: Mapping[str, Any]) -> Card:
    """The card that `Card.document` wrote."""
    return _CARD.validate_python(dict(document))


def headline(card: Card) -> str:
    """Such as `AUROC 0.81 (0.74-0.87), n 200`, or that there is too little to say it."""
    return f"AUROC {figure(card.auroc)}, n {card.n:,}"


def figure(estimate: Estimate) -> str:
    """Such as `0.81 (0.74-0.87)`, or why there is none."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return estimate.why or "not enough"
    return f"{estimate.value:.2f} ({estimate.low:.2f}-{estimate.high:.2f})"


def card_lines(card: Card) -> list[str]:
    """The card for a person, a line for each figure."""
    rows = [
        ("labels", f"{card.n:,} compared, {card.seen.bad:,} of them bad by people's choice"),
        ("AUROC", _with(card.auroc, "; 0.5 is chance")),
        ("within models", figure(card.within)),
        ("kappa", _with(card.kappa, " on good or bad")),
        ("same choice", figure(card.agreed)),
        ("precision", _with(card.precision, " of what the judge calls bad is bad")),
        ("recall", _with(card.recall, " of what is bad the judge calls bad")),
    ]
    if card.calibration is not None:
        rows.append(("Brier score", _with(card.calibration.brier, "; 0 is best")))
        rows.append(("off by", _with(card.calibration.error, " on average, said less true")))
    if card.lost:
        rows.append(("no verdict", f"{card.lost:,} labelled outputs, which take no part"))
    lines = [f"  {name:<15}{text}" for name, text in rows]
    return [*lines, *_table(card)]


def _with(estimate: Estimate, meaning: str) -> str:
    """A figure with what it means, or why there is none."""
    return figure(estimate) + (meaning if estimate.value is not None else "")


def _table(card: Card) -> list[str]:
    if not card.confusion:
        return []
    humans = sorted({human for human, _, _ in card.confusion})
    judges = sorted({judge for _, judge, _ in card.confusion})
    counts = {(human, judge): count for human, judge, count in card.confusion}
    width = max(len(printable(name, _NAME_CHARS)) for name in (*humans, *judges, "people \\ judge"))
    head = "  ".join(f"{printable(judge, _NAME_CHARS):>{width}}" for judge in judges)
    lines = ["", f"  {'people / judge':<{width}}  {head}"]
    for human in humans:
        cells = "  ".join(f"{counts.get((human, judge), 0):>{width},}" for judge in judges)
        lines.append(f"  {printable(human, _NAME_CHARS):<{width}}  {cells}")
    return lines


def _within(badness: list[float], bad: list[bool], models: list[str | None]) -> Estimate:
    known = {model for model in models if model is not None}
    if len(known) < _SEVERAL:
        n = sum(model is not None for model in models)
        why = "one answering model only" if known else "the answering models are not known"
        return Estimate(value=None, low=None, high=None, n=n, why=why)
    return auroc_within(badness, bad, models)


_CARD: TypeAdapter[Card] = TypeAdapter(Card)
