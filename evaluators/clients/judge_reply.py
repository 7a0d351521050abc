"""What an endpoint's reply says: a choice and its reason, or why it holds no verdict."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    Field,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from evaluators.clients.choice_weights import choice_weights
from tailwatch.outcome import FailureKind
from tailwatch.protocols import JudgeQuestion


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why one attempt gave no verdict. `message` is our own wording and quotes nothing.

    `retryable` says that asking again may help, after `retry_after_s` seconds where the endpoint
    named a time. `complaint` is what it said about a request it calls invalid, for looking up the
    field it means: it may quote the trace, so it is never stored or shown. `free` is True where
    the endpoint cannot have charged for the attempt.
    """

    kind: FailureKind
    message: str
    retryable: bool = False
    retry_after_s: float | None = None
    complaint: str | None = None
    free: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A choice out of the question's set, and why."""

    choice: str
    explanation: str


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None
    logprobs: Any = None


class Tokens(BaseModel):
    """The usage an endpoint reports."""

    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)

    @property
    def total(self) -> int:
        return self.prompt_tokens + self.completion_tokens


def _none_where_half_filled(value: object, read: ValidatorFunctionWrapHandler) -> Tokens | None:
    try:
        tokens: Tokens | None = read(value)
    except ValidationError:
        return None
    return tokens


class Reply(BaseModel):
    """A chat completion, as much of it as a judge needs. Usage that is not fully told is unknown:
    the verdict beside it was paid for, and asking again would pay for it once more.
    """

    choices: tuple[_Choice, ...] = Field(min_length=1)
    usage: Annotated[Tokens | None, WrapValidator(_none_where_half_filled)] = None


class _Content(BaseModel):
    explanation: str = ""
    choice: str


_BY_CRITERION: Final = TypeAdapter(dict[str, _Content])


def read_reply(content: bytes) -> Reply | Trouble:
    """The reply in the body of a successful response; `Trouble` for HTML, broken or other JSON."""
    try:
        return Reply.model_validate_json(content)
    except ValidationError:
        return _bad("the judge endpoint's reply is not a chat completion")


def read_verdict(reply: Reply, question: JudgeQuestion) -> Answer | Trouble:
    """The answer in a reply, in the form that the question asks for."""
    if question.criteria:
        return _read_criteria(reply, question.criteria)
    answer = read_answer(reply, question.choices)
    if isinstance(answer, Trouble) or not question.weighed:
        return answer
    weights = choice_weights(reply.choices[0].logprobs, question.choices)
    weighed = {"choice": answer.choice, "weights": weights}
    return Answer(choice=json.dumps(weighed), explanation=answer.explanation)


def read_answer(reply: Reply, choices: Sequence[str]) -> Answer | Trouble:
    """The answer in a reply. Only a JSON object with one of `choices` is one: prose is not read.

    Labels are compared without regard to case.
    """
    first = reply.choices[0]
    reason = _why_unanswered(first)
    if reason is not None:
        return reason
    try:
        given = _Content.model_validate_json(first.message.content or "")
    except ValidationError:
        return _bad("the judge's answer is not a JSON object with `explanation` and `choice`")
    return _chosen(given, choices)


def _read_criteria(reply: Reply, criteria: Sequence[tuple[str, Sequence[str]]]) -> Answer | Trouble:
    """The answers to all criteria, each as JSON by criterion; one that is missing spoils all."""
    first = reply.choices[0]
    reason = _why_unanswered(first)
    if reason is not None:
        return reason
    try:
        given = _BY_CRITERION.validate_json(first.message.content or "")
    except ValidationError:
        return _bad("the judge's answer is not a JSON object with an answer to each criterion")
    answers: dict[str, Answer] = {}
    for name, labels in criteria:
        if name not in given:
            return _bad("the judge did not answer each criterion")
        answer = _chosen(given[name], labels)
        if isinstance(answer, Trouble):
            return answer
        answers[name] = answer
    return Answer(
        choice=json.dumps({name: answer.choice for name, answer in answers.items()}),
        explanation=json.dumps(
            {name: answer.explanation for name, answer in answers.items()}, ensure_ascii=False
        ),
    )


def _chosen(given: _Content, choices: Sequence[str]) -> Answer | Trouble:
    known = {label.casefold(): label for label in choices}
    choice = known.get(given.choice.strip().casefold())
    if choice is None:
        return _bad("the judge chose something that is not among the choices")
    return Answer(choice=choice, explanation=given.explanation)


def _why_unanswered(first: _Choice) -> Trouble | None:
    if first.message.refusal:
        return Trouble(kind=FailureKind.REFUSED, message="the judge declined to answer")
    if first.finish_reason == "content_filter":
        return Trouble(
            kind=FailureKind.CONTENT_FILTERED, message="the endpoint's content filter ended it"
        )
    if first.finish_reason == "length":
        return Trouble(
            kind=FailureKind.TRUNCATED,
            message="the answer was cut at its token limit; raise the rubric's max_output_tokens",
        )
    return None if first.message.content else _bad("the judge's answer is empty")


def _bad(message: str) -> Trouble:
    return Trouble(kind=FailureKind.BAD_OUTPUT, message=message, retryable=True)
