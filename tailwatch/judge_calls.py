"""What each call to a judge leaves behind: money set aside before it, settled after it, a verdict.

A call is in the ledger before it is made, so that whatever crashes the money of it is known. Its
verdict is written in the same transaction that settles it, so that what was paid for is not paid
for again, even if the run dies before it records the evaluation.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Protocol

from tailwatch.outcome import Usage
from tailwatch.protocols import JudgeQuestion, Verdict

_FIELDS = tuple((each.name, each.default) for each in fields(JudgeQuestion)[2:])
"""Those after the instructions and the material."""
_field_values = attrgetter(*(name for name, _ in _FIELDS))


def question_key(model: str, question: JudgeQuestion) -> str:
    """32 hexadecimal digits that stand for the judge model and every field of the question.

    A field at its default is left out, so that a new field leaves the keys of old questions alone.
    """
    digest = _begun(model, question.instructions).copy()
    digest.update(_field("material", question.material))
    digest.update(_rest(_field_values(question)))
    return digest.hexdigest()


@lru_cache(maxsize=256)
def _begun(model: str, instructions: str) -> "hashlib.blake2b":
    """The hash of what the questions of a rubric have in common; copy it before you add to it."""
    return hashlib.blake2b(
        _field("model", model) + _field("instructions", instructions), digest_size=16
    )


@lru_cache(maxsize=256)
def _rest(values: tuple[object, ...]) -> bytes:
    return b"".join(
        _field(name, value if isinstance(value, str) else json.dumps(value))
        for (name, default), value in zip(_FIELDS, values, strict=True)
        if value != default
    )


def _field(name: str, text: str) -> bytes:
    """Length first, so that no text can pass for two."""
    content = text.encode("utf-8", "surrogatepass")
    return b"%b %d %b" % (name.encode(), len(content), content)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCall:
    """One attempt to ask a judge, before it is made. `worst_case_usd` is the most it can cost.

    `question_key` stands for the rubric, its version, the judge model and the exact rendered input.
    `evaluator` is the rubric's name. What nobody settled is lost from `open_until` on (None: an
    hour after `at`), and from the end of its run on, unless it `outlives_run`, as a batch does.
    """

    call_id: str
    run_id: str
    question_key: str
    evaluator: str
    version: str
    judge: str
    worst_case_usd: float
    at: datetime
    open_until: datetime | None = None
    outlives_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledCall:
    """How a call ended: `usage.cost_usd` is what it took (0 where it cannot have been charged), and
    `verdict` what it answered, if that was a verdict.
    """

    call_id: str
    at: datetime
    usage: Usage
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """What may be spent, in USD, each a hard limit on what is settled and reserved together.

    `run_usd` counts the calls of one run, `day_usd` those of one UTC day over all runs, and
    `evaluator_usd` those that one run makes for the evaluator of that name.
    """

    run_usd: float
    day_usd: float | None = None
    evaluator_usd: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownVerdict:
    """A verdict that was paid for earlier, and when."""

    verdict: Verdict
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReusedVerdicts:
    """How many verdicts of one evaluator a run has used again so far, on one UTC day.

    `counter` is whoever counts: its later figure replaces its earlier one.
    """

    counter: str
    day: datetime
    run_id: str
    evaluator: str
    version: str
    judge: str
    verdicts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BookEntries:
    """What is written together: calls that ended, calls that are to be made, and verdicts that were
    used again. `sought` are the keys of questions whose verdicts are looked up, from `since` on.
    """

    settled: Sequence[SettledCall] = ()
    wanted: Sequence[JudgeCall] = ()
    reused: Sequence[ReusedVerdicts] = ()
    sought: Sequence[str] = ()
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """What came of entries: for each wanted call, in order, whether the caps cover it, and the
    newest verdict for each sought key that has one.
    """

    covered: Sequence[bool] = ()
    known: Mapping[str, KnownVerdict] = field(default_factory=dict)


class CallLedger(Protocol):
    """The books of all judge calls, as the store keeps them.

    Safe for several threads, processes and machines at once. Each method may raise
    StoreUnavailableError; repeating it with the same entries changes nothing.
    """

    def book(self, entries: BookEntries, caps: Caps) -> Booked:
        """Writes all of it or nothing, in one transaction: books what the ended calls took in place
        of what was set aside and keeps their verdicts; then sets aside the worst case of each
        wanted call that every cap that concerns it still covers.
        """
        ...

    def count_reused(self, reused: Sequence[ReusedVerdicts]) -> None:
        """Notes what was not paid for, because it had been paid for before."""
        ...

    def refusals(self, calls: Sequence[JudgeCall], caps: Caps) -> Sequence[str]:
        """For each call that was not covered, which cap left it out as things stand now."""
        ...
