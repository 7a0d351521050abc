"""How a rubric's question is put to a judge, and what the answer is worth."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any, Final

from evaluators.criteria_file import Sheet
from evaluators.material import FRAME, Material
from evaluators.rubric_file import Rubric
from tailwatch.protocols import JudgeQuestion

MOST_LETTERS: Final = len(ascii_uppercase)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was chosen and what it is worth, from 0 to 1; `details` say how that came about."""

    label: str
    score: float
    explanation: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainForm:
    """The rubric's own question; the score is that of the choice."""

    rubric: Rubric
    suffix: str = ""

    def question(self, material: Material, sample: int) -> JudgeQuestion:
        """What the judge is asked."""
        return JudgeQuestion(
            instructions=self.rubric.prompt,
            material=material.text,
            choices=self.rubric.labels,
            max_output_tokens=self.rubric.max_output_tokens,
            rubric=self.rubric.name,
            version=self.rubric.version,
            temperature=self.rubric.temperature,
            sample=sample,
        )

    def chosen(self, choice: str, explanation: str) -> Choice | None:
        """The answer's worth; None for one that is not the rubric's."""
        score = self.rubric.score_of(choice)
        if score is None:
            return None
        return Choice(label=choice, score=score, explanation=explanation, details={})


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedForm:
    """The choices under letters, each one token; the score is the expected one over the model's
    probabilities for them, or that of the choice where the endpoint does not tell them.
    """

    rubric: Rubric
    suffix: str = "-expected"

    def question(self, material: Material, sample: int) -> JudgeQuestion:
        """What the judge is asked."""
        rubric = self.rubric
        choices = "\n".join(
            f"- {letter}: {choice.label}: {choice.description}"
            for letter, choice in zip(ascii_uppercase, rubric.choices, strict=False)
        )
        return JudgeQuestion(
            instructions=f"{rubric.instructions}\n\nThe choices:\n{choices}\n\n{FRAME}",
            material=material.text,
            choices=tuple(ascii_uppercase[: len(rubric.choices)]),
            max_output_tokens=rubric.max_output_tokens,
            rubric=rubric.name,
            version=rubric.version,
            temperature=rubric.temperature,
            sample=sample,
            weighed=True,
        )

    def chosen(self, choice: str, explanation: str) -> Choice | None:
        """The answer's worth; None for one that is not the rubric's."""
        answer = _object(choice)
        named = dict(zip(ascii_uppercase, self.rubric.choices, strict=False))
        best, weights = named.get(str(answer.get("choice"))), answer.get("weights")
        if best is None:
            return None
        if not isinstance(weights, dict):
            told = {"scoring": "choice", "because": "the endpoint told no probabilities"}
            return Choice(label=best.label, score=best.score, explanation=explanation, details=told)
        score = sum(named[letter].score * weight for letter, weight in weights.items())
        shown = {named[letter].label: round(weight, 4) for letter, weight in weights.items()}
        return Choice(
            label=best.label,
            score=min(1.0, max(0.0, score)),
            explanation=explanation,
            details={"scoring": "expected", "weights": shown},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CriterionForm:
    """One criterion of a sheet; the question is about all of them, and the same for each.

    `rubric` is the criterion's own, `criterion` its name in the sheet.
    """

    rubric: Rubric
    sheet: Sheet
    criterion: str
    suffix: str = ""

    def question(self, material: Material, sample: int) -> JudgeQuestion:
        """What the judge is asked."""
        return JudgeQuestion(
            instructions=self.sheet.prompt,
            material=material.text,
            choices=(),
            max_output_tokens=self.sheet.max_output_tokens,
            rubric=self.sheet.name,
            version=self.sheet.version,
            temperature=self.sheet.temperature,
            sample=sample,
            criteria=self.sheet.labels,
        )

    def chosen(self, choice: str, explanation: str) -> Choice | None:
        """This criterion's part of the answer; None where it has none."""
        label = str(_object(choice).get(self.criterion))
        score = self.rubric.score_of(label)
        if score is None:
            return None
        # the store may have kept an excerpt of the explanations, which is no JSON any more
        told = _object(explanation).get(self.criterion, "")
        return Choice(label=label, score=score, explanation=str(told), details={})


Form = PlainForm | ExpectedForm | CriterionForm


def _object(text: str) -> Mapping[str, Any]:
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
