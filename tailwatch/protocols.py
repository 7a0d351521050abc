"""The six seams: where tailwatch meets the world, and where a plug-in or a test's fake goes in.

A trace source, an evaluator, a judge, an embedder, an alert rule and a notifier are found by name;
time is the argument `now`, never read below `flows`.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from tailwatch.alert import Change, Direction, Finding, ScoreSample, Severity
from tailwatch.errors import ConfigurationError
from tailwatch.outcome import Failed, Outcome, Skipped, Usage
from tailwatch.trace import FetchError, Trace, TraceRef
from tailwatch.window import Window

ItemT = TypeVar("ItemT", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[ItemT]):
    """One page of a listing, with what in it could not be read. No `next_cursor`: the last page."""

    items: Sequence[ItemT]
    next_cursor: str | None = None
    errors: Sequence[FetchError] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether something outside is reachable and usable, in a sentence for a person."""

    ok: bool
    sentence: str


@runtime_checkable
class TraceSource(Protocol):
    """A place where traces live. Listing is cheap and payload-free; fetching brings the whole."""

    name: str

    async def check(self) -> Health:
        """Whether it can be read, with the newest trace's time where that is cheap to know."""
        ...

    async def list_traces(
        self, window: Window, cursor: str | None = None, limit: int = 1000
    ) -> Page[TraceRef]:
        """The traces whose root started inside the window, oldest first, a page at a time.

        Raises SourceError or SourceUnavailableError when the place itself does not answer.
        """
        ...

    def fetch(self, refs: Sequence[TraceRef]) -> AsyncIterator[Trace | FetchError]:
        """Each trace in full, or why not: exactly one item for each ref, in any order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The values an evaluator may give: from `low` to `high`, both included."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


UNIT_SCALE = Scale(low=0.0, high=1.0)


@runtime_checkable
class Evaluator(Protocol):
    """Scores traces, a batch at a time.

    `name`, `version` and `judge` make the series: a change of any of them starts a new one, so
    `version` must change when a formula, an option or a rubric's text does. `judge` names the
    model behind the scores, and is empty for plain code. `batch_size` is how many traces it wants
    at once. One that only waits for calls with limits of their own, as a judge's have, may say
    `ends_by_itself = True`: its batches are not timed out. One that needs a model, an extra or a
    file may say by `configured` whether it has it: a backfill then makes what it could not.
    """

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def judge(self) -> str: ...
    @property
    def direction(self) -> Direction: ...
    @property
    def scale(self) -> Scale: ...
    @property
    def batch_size(self) -> int: ...

    async def evaluate(self, traces: Sequence[Trace]) -> Sequence[Outcome]:
        """One outcome for each trace, in order. What it raises becomes `Failed`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeQuestion:
    """What a judge is asked: a closed question about text that may be hostile.

    `instructions` come from the rubric; `material` holds the trace's texts, already delimited and
    capped in length. The answer is one of `choices`. `rubric` and `version` say who asks, for the
    books. Two questions that are equal have one verdict, which is paid for once; whoever wants
    several opinions numbers them with `sample`.

    With `criteria`, names with the choices of each, all are answered at once; then `choices` is
    empty, and choice and explanation of the verdict are JSON objects by criterion. `weighed` asks
    how sure the model is: then the verdict's choice is a JSON object of `choice` and `weights`,
    the probability of each choice, or null where the endpoint does not tell.
    """

    instructions: str
    material: str
    choices: tuple[str, ...]
    max_output_tokens: int = 400
    rubric: str = ""
    version: str = ""
    sample: int = 0
    temperature: float = 0.0
    criteria: tuple[tuple[str, tuple[str, ...]], ...] = ()
    weighed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A judge's answer: one of the question's choices, and why.

    `reused_from` is when it was given, if it was paid for earlier; then its usage is free.
    """

    choice: str
    explanation: str
    usage: Usage
    reused_from: datetime | None = None


class Judge(Protocol):
    """A model that answers closed questions."""

    @property
    def model(self) -> str: ...

    async def ask(self, question: JudgeQuestion) -> Verdict | Failed | Skipped:
        """The verdict; `Failed` with its kind; `Skipped(over_budget)` when the money is used up."""
        ...

    async def close(self) -> None: ...


class Embedder(Protocol):
    """A model that turns texts into vectors of unit length."""

    @property
    def model(self) -> str: ...

    def embed(self, texts: Sequence[str]) -> Any:
        """A float32 array of shape (len(texts), dimensions), each row of length 1."""
        ...


Qrels = Mapping[str, Mapping[str, int]]
"""Relevance judgements: query text or query id -> document id -> grade, 0 for not relevant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """Texts without their private details, and how many of each name were taken out."""

    texts: tuple[str, ...]
    counts: Mapping[str, int] = field(default_factory=dict)


class Privacy(Protocol):
    """What of a trace may leave for a judge."""

    def withholds(self, trace: Trace) -> bool:
        """Whether no judge may see this trace."""
        ...

    def redact(self, texts: Sequence[str]) -> Redacted:
        """The texts of one question with a mark such as `[e-mail]` for each private detail.

        The same detail has the same mark in all of them, and another one of its kind another.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatorTools:
    """What evaluators may use besides the traces; None where it is not configured, with why.

    `max_material_chars` is how much of one trace's text a judge is shown, and `privacy` what of it
    may leave at all: everything where it is None.
    """

    judge: Judge | None = None
    judge_missing: str = "no judge is configured"
    max_material_chars: int = 24_000
    privacy: Privacy | None = None
    embedder: Callable[[str], Embedder] | None = None
    qrels: Qrels | None = None


class EvaluatorFactory(Protocol):
    """Makes an evaluator from the plan: the part of its name after `@`, its options, the tools.

    Raises ConfigurationError for a parameter or an option it does not accept.
    """

    def __call__(
        self, parameter: str | None, options: Mapping[str, Any], tools: EvaluatorTools
    ) -> Evaluator: ...


class SourceFactory(Protocol):
    """Makes a source from the plan's options. Raises ConfigurationError for a wrong one.

    `cache` is a folder in which the source may keep what it can make again; it may not exist yet.
    """

    def __call__(
        self, name: str, options: Mapping[str, Any], cache: Path | None
    ) -> TraceSource: ...


class AlertRule(Protocol):
    """Decides whether a series is bad in a segment; a pure function of stored samples.

    `name` tells one configured rule from another; `history` is how far back it looks.
    """

    @property
    def name(self) -> str: ...
    @property
    def history(self) -> timedelta: ...

    def check(
        self,
        current: Sequence[ScoreSample],
        baseline: Sequence[ScoreSample],
        direction: Direction,
        now: datetime,
    ) -> Finding:
        """What it finds at `now`. `current` has one sample for each hour of `history`, oldest
        first, hours without scores included; `baseline` is empty for rules that need none.
        """
        ...


class RuleFactory(Protocol):
    """Makes a rule from the plan's options. Raises ConfigurationError for a wrong one."""

    def __call__(self, name: str, options: Mapping[str, Any]) -> AlertRule: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertMessage:
    """What a notifier says: a title of one line, a body of a few, and named details.

    Texts may quote traces and people: a notifier escapes them for where they go. `message_id` is
    the same whenever the same message is sent again, `incident` the same for all messages about
    one alert.
    """

    message_id: str
    change: Change
    severity: Severity
    source: str
    alert_id: str
    at: datetime
    title: str
    body: str
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def incident(self) -> str:
        """What all messages about one alert share: its source and its id."""
        return f"{self.source}/{self.alert_id}"


class Notifier(Protocol):
    """Tells people about an alert."""

    async def notify(self, message: AlertMessage) -> str:
        """Sends it and returns what came back, in a few words without secrets.

        Raises NotifierUnavailableError when another try may succeed, NotifierError when not, and
        ConfigurationError when a secret is missing in the environment.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Where a notifier's address and key are found: the names of environment variables.

    They are read when a message is sent, so that a plan can be checked where they are not set.
    """

    environment: Mapping[str, str] = field(repr=False)
    url_env: str | None = None
    key_env: str | None = None

    def url(self) -> str:
        """The secret address. Raises ConfigurationError naming the variable that is not set."""
        return self._value("url_env", self.url_env)

    def key(self) -> str:
        """The secret key. Raises ConfigurationError naming the variable that is not set."""
        return self._value("key_env", self.key_env)

    def _value(self, setting: str, variable: str | None) -> str:
        if variable is None:
            raise ConfigurationError(f"`{setting}` is missing: name an environment variable")
        value = self.environment.get(variable, "").strip()
        if not value:
            raise ConfigurationError(f"the environment variable {variable} is not set")
        return value


class NotifierFactory(Protocol):
    """Makes a notifier from the plan's options. Raises ConfigurationError for a wrong one."""

    def __call__(self, name: str, options: Mapping[str, Any], secrets: Secrets) -> Notifier: ...
