"""Rubrics as files: what a judge is asked, what it may answer and what each answer is worth."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from evaluators.material import FRAME
from evaluators.yaml_size import refuse_too_large
from tailwatch.alert import Direction
from tailwatch.errors import ConfigurationError
from tailwatch.protocols import JudgeQuestion


class Scope(StrEnum):
    """What one question is about: the whole trace, or one retrieved document of it."""

    TRACE = "trace"
    DOCUMENT = "document"


class Need(StrEnum):
    """A text of the trace that the judge is shown; a trace without it is skipped."""

    INPUT = "input"
    OUTPUT = "output"
    DOCUMENTS = "documents"
    REFERENCE = "reference"


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


def _plain_number_as_text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Version = Annotated[Text, BeforeValidator(_plain_number_as_text)]
FileT = TypeVar("FileT", bound=BaseModel)


class Part(BaseModel):
    """A part of a rubric file: immutable, and refuses what it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Choice(Part):
    """One answer the judge may give, what it means, and its score from 0 to 1."""

    label: Text
    score: float = Field(ge=0, le=1)
    description: Text


class Rubric(Part):
    """A judge's question. Whoever changes a word of it gives it a new `version`."""

    name: Name
    version: Version
    description: Text
    direction: Direction = Direction.HIGHER_IS_BETTER
    scope: Scope = Scope.TRACE
    needs: tuple[Need, ...] = Field(min_length=1)
    instructions: Text
    choices: tuple[Choice, ...] = Field(min_length=2)
    max_output_tokens: int = Field(
        default=JudgeQuestion(instructions="", material="", choices=()).max_output_tokens, ge=1
    )
    temperature: float = Field(default=0, ge=0, le=2)

    @model_validator(mode="after")
    def _decidable(self) -> "Rubric":
        labels = [choice.label.casefold() for choice in self.choices]
        if len(set(labels)) < len(labels):
            raise ValueError("two choices have the same label; upper and lower case are the same")
        if len({choice.score for choice in self.choices}) == 1:
            raise ValueError("all choices have the same score, so the rubric could tell nothing")
        if self.scope is Scope.DOCUMENT and Need.DOCUMENTS not in self.needs:
            raise ValueError("a rubric of scope `document` must list `documents` under `needs`")
        return self

    @cached_property
    def labels(self) -> tuple[str, ...]:
        return tuple(choice.label for choice in self.choices)

    @cached_property
    def prompt(self) -> str:
        """Everything the judge is told before it sees a trace: the same for every trace."""
        return f"{self.instructions}\n\nThe choices:\n{listed(self.choices)}\n\n{FRAME}"

    def score_of(self, label: str) -> float | None:
        """What a label is worth; None for one that is not the rubric's."""
        return next((choice.score for choice in self.choices if choice.label == label), None)

    def grade_of(self, label: str) -> int | None:
        """The label's place among the rubric's scores: 0 for the lowest, then 1, 2 and so on."""
        score = self.score_of(label)
        ladder = sorted({choice.score for choice in self.choices})
        return None if score is None else ladder.index(score)


def listed(choices: Sequence[Choice]) -> str:
    """The choices as the judge reads them, a line each."""
    return "\n".join(f"- {choice.label}: {choice.description}" for choice in choices)


def load_rubric(path: Path) -> Rubric:
    """The rubric in a YAML file. Raises ConfigurationError that names the file and each fault."""
    return validated(Rubric, read_fields(path), path)


def read_fields(path: Path) -> Mapping[str, Any]:
    """What a rubric's YAML file holds. Raises ConfigurationError that names the file."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the rubric {path} cannot be read: {error}") from error
    try:
        refuse_too_large(yaml.compose(text, Loader=yaml.SafeLoader), f"the rubric {path}")
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigurationError(f"the rubric {path} is not YAML: {error}") from error
    except RecursionError:
        raise ConfigurationError(f"the rubric {path} is nested too deeply") from None
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"the rubric {path} must hold the fields {', '.join(Rubric.model_fields)}"
        )
    return content


def validated(kind: type[FileT], content: Mapping[str, Any], path: Path) -> FileT:
    """The file's content as a `kind`. Raises ConfigurationError that names each fault."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'rubric'}: {fault['msg']}"
            for fault in error.errors()
        )
        raise ConfigurationError(f"the rubric {path} is wrong: {faults}") from None
