"""Rubric files with several criteria: a judge answers them all about a trace in one call."""

from typing import Any

from pydantic import Field, model_validator

from evaluators.material import FRAME
from evaluators.rubric_file import Choice, Name, Need, Part, Rubric, Text, Version, listed
from tailwatch.alert import Direction
from tailwatch.errors import UnknownNameError

_TOKENS_EACH = 250
"""What a reason and a choice take, generously."""


class Criterion(Part):
    """One question of a sheet, with choices of its own."""

    name: Name
    question: Text
    direction: Direction = Direction.HIGHER_IS_BETTER
    choices: tuple[Choice, ...] = Field(min_length=2)


class Sheet(Part):
    """Criteria that are asked together. Each is a rubric and a series of its own; whoever changes a
    word of any gives the sheet a new `version`, for a judge's answer to one may depend on the rest.
    """

    name: Name
    version: Version
    description: Text
    needs: tuple[Need, ...] = Field(min_length=1)
    instructions: Text
    criteria: tuple[Criterion, ...] = Field(min_length=1)
    max_output_tokens: int = Field(default=0, ge=1)
    temperature: float = Field(default=0, ge=0, le=2)

    @model_validator(mode="before")
    @classmethod
    def _room_for_all(cls, content: Any) -> Any:
        if isinstance(content, dict) and isinstance(content.get("criteria"), list):
            return {"max_output_tokens": _TOKENS_EACH * max(1, len(content["criteria"])), **content}
        return content

    @model_validator(mode="after")
    def _each_decidable(self) -> "Sheet":
        names = [criterion.name for criterion in self.criteria]
        if len(set(names)) < len(names):
            raise ValueError("two criteria have the same name")
        for name in names:
            self.rubric_of(name)
        return self

    @property
    def labels(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Each criterion's name with its labels."""
        return tuple((c.name, tuple(choice.label for choice in c.choices)) for c in self.criteria)

    @property
    def prompt(self) -> str:
        """Everything the judge is told before it sees a trace: the same for every trace."""
        criteria = "\n\n".join(
            f"Criterion {c.name}: {c.question}\nIts choices:\n{listed(c.choices)}"
            for c in self.criteria
        )
        return f"{self.instructions}\n\n{criteria}\n\n{FRAME}"

    def rubric_of(self, criterion: str) -> Rubric:
        """The criterion as a rubric of its own, named after both. Raises UnknownNameError."""
        for each in self.criteria:
            if each.name == criterion:
                return Rubric(
                    name=f"{self.name}_{each.name}",
                    version=self.version,
                    description=each.question,
                    direction=each.direction,
                    needs=self.needs,
                    instructions=f"{self.instructions}\n\n{each.question}",
                    choices=each.choices,
                    max_output_tokens=self.max_output_tokens,
                    temperature=self.temperature,
                )
        known = [each.name for each in self.criteria]
        raise UnknownNameError(f"criterion of the rubric {self.name!r}", criterion, known)
