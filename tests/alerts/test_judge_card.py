"""The card: what counts as bad, what is shown, and that it survives the store."""

import json

import pytest

from alerts.judge_card import Card, Compared, card_lines, card_of, headline, is_bad, judge_card
from alerts.rates import Confusion
from tailwatch.alert import Direction

HIGHER, LOWER = Direction.HIGHER_IS_BETTER, Direction.LOWER_IS_BETTER


def compared(
    *, right: int = 160, missed: int = 8, false: int = 12, found: int = 20
) -> list[Compared]:
    def some(human: str, judge: str, n: int) -> list[Compared]:
        worth = {"good": 1.0, "bad": 0.0}
        return [
            Compared(
                human=human,
                human_score=worth[human],
                judge=judge,
                judge_score=worth[judge],
                model=f"m{i % 2}",
            )
            for i in range(n)
        ]

    return [
        *some("good", "good", right),
        *some("bad", "good", missed),
        *some("good", "bad", false),
        *some("bad", "bad", found),
    ]


def test_the_figures_of_a_card() -> None:
    card = judge_card(compared(), HIGHER, lost=3)
    assert card.seen == Confusion(
        bad_judged_bad=20, bad_judged_good=8, good_judged_bad=12, good_judged_good=160
    )
    assert card.precision.value == pytest.approx(20 / 32)
    assert card.recall.value == pytest.approx(20 / 28)
    assert card.agreed.value == pytest.approx(0.9)
    assert card.auroc.value == pytest.approx((20 / 28 + 160 / 172) / 2)
    assert card.kappa.value is not None
    assert card.within.value is not None
    assert card.calibration is None
    lines = "\n".join(card_lines(card))
    assert "3 labelled outputs" in lines
    assert "160" in lines
    assert headline(card).startswith("AUROC 0.82 (0.7")
    assert headline(card).endswith(", n 200")


def test_a_small_card_says_so_and_shows_no_figure() -> None:
    card = judge_card(compared(right=20, missed=1, false=2, found=3), HIGHER)
    assert headline(card) == "AUROC not enough: 26 of at least 50 outputs, n 26"
    assert (card.kappa.value, card.precision.value) == (None, None)
    empty = judge_card([], HIGHER)
    assert headline(empty).endswith("n 0")
    assert card_lines(empty)


@pytest.mark.parametrize("probabilities", [True, False])
def test_a_card_comes_back_from_json(probabilities: bool) -> None:
    card = judge_card(compared(), HIGHER, probabilities=probabilities)
    back = card_of(json.loads(json.dumps(card.document())))
    assert isinstance(back, Card)
    assert back == card


@pytest.mark.parametrize(
    ("score", "direction", "bad"),
    [(0.49, HIGHER, True), (0.5, HIGHER, False), (0.51, LOWER, True), (0.5, LOWER, False)],
)
def test_on_the_line_is_good(score: float, direction: Direction, bad: bool) -> None:
    assert is_bad(score, 0.5, direction) is bad


def test_within_models_needs_several_that_are_known() -> None:
    one = [Compared(human="good", human_score=1, judge=None, judge_score=1, model="m")] * 60
    assert judge_card(one, HIGHER).within.why == "one answering model only"
    none = [Compared(human="good", human_score=1, judge=None, judge_score=1)] * 60
    assert "not known" in (judge_card(none, HIGHER).within.why or "")
