"""Walks a person through traces: shows the texts, takes verdicts, records each at once."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto
from typing import Protocol

from evaluators.document_rubric import document_key, judged_documents
from evaluators.rubric_file import Rubric, Scope
from flows.label_page import (
    AFTER,
    MORE,
    QUIT,
    SKIP,
    UNDO,
    document_lines,
    keys_of,
    question_lines,
    text_lines,
    verdict_lines,
)
from flows.label_queue import Queue, Waiting, depth_of
from flows.parts import Parts
from flows.stored_texts import trace_in_full
from tailwatch.printable import printable
from tailwatch.review import Origin, ReviewLabel
from tailwatch.trace import RetrievedDocument, Trace


class Desk(Protocol):
    """Where a person sits: what is shown, and the keys they press."""

    @property
    def width(self) -> int: ...

    def show(self, lines: Sequence[str]) -> None: ...

    def key(self) -> str:
        """One key, lower case. Raises KeyboardInterrupt or EOFError when the person leaves."""
        ...


_Key = tuple[str, str, str, str | None]
"""Trace, rubric and version, and the document where the rubric is about single ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """A rubric to be answered about a trace, or about one of its documents."""

    rubric: Rubric
    document: RetrievedDocument | None = None

    @property
    def about(self) -> str | None:
        return None if self.document is None else document_key(self.document)

    def page(self, trace: Trace, width: int, *, whole: bool) -> list[str]:
        """The texts that a person needs to answer it."""
        if self.document is None:
            return text_lines(trace, width, whole=whole)
        return document_lines(trace, self.document, self.rubric, width, whole=whole)


@dataclass(slots=True)
class Tally:
    """What became of a walk; `left` traces of the sample still wait for this person."""

    labels: int = 0
    skipped: int = 0
    gone: int = 0
    before: int = 0
    left: int = 0


class _Move(Enum):
    ON = auto()
    STOP = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """A label given in this walk, and this person's label that it was written over."""

    label: ReviewLabel
    instead_of: ReviewLabel | None


@dataclass(slots=True, kw_only=True)
class Walk:
    """One person's way through a queue. Every label is in the store before the next question.

    Documents are asked about first, one after another and without the answer, which could sway the
    person. What the judge said about a trace is shown when the person's word on it stands: from
    then on nothing is undone. `again` asks also about what this person has labelled before. A label
    that was given when another sample brought the trace up counts for this one too.
    """

    parts: Parts
    rubrics: Sequence[Rubric]
    who: str
    desk: Desk
    clock: Callable[[], datetime]
    seconds: Callable[[], float]
    again: bool = False
    tally: Tally = field(default_factory=Tally)
    _known: dict[_Key, dict[str, ReviewLabel]] = field(default_factory=dict)
    _documents: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """By trace and rubric, the documents that were laid before the person."""

    async def through(self, queue: Queue) -> Tally:
        """Asks about each trace in turn, until the end or until the person quits."""
        for label in self.parts.store.labels(self.parts.source.name, who=self.who):
            self._remember(label)
        with suppress(KeyboardInterrupt, EOFError):
            await self._ask_about_each(queue)
        self.tally.left = sum(
            any(not self._seems_done(waiting, rubric) for rubric in self.rubrics)
            for waiting in queue.waiting
        )
        return self.tally

    def _seems_done(self, waiting: Waiting, rubric: Rubric) -> bool:
        """Without reading the trace: one with labels on documents counts as done unless some of
        those that were laid before the person are without.
        """
        if rubric.scope is Scope.TRACE:
            return (waiting.trace_id, rubric.name, rubric.version, None) in self._known
        seen = self._documents.get((waiting.trace_id, rubric.name))
        of_rubric = (waiting.trace_id, rubric.name, rubric.version)
        if seen is None:
            return any(key[:3] == of_rubric for key in self._known)
        return all((*of_rubric, about) in self._known for about in seen)

    async def _ask_about_each(self, queue: Queue) -> None:
        for number, waiting in enumerate(queue.waiting, start=1):
            wanted = [
                _Question(rubric=rubric)
                for rubric in self.rubrics
                if rubric.scope is Scope.TRACE and self._wants(waiting, rubric, None)
            ]
            of_documents = [r for r in self.rubrics if r.scope is Scope.DOCUMENT]
            if not wanted and not of_documents:
                self.tally.before += 1
                continue
            trace = await trace_in_full(self.parts, waiting.trace_id)
            heading = f"{number} of {len(queue.waiting)}  {printable(waiting.trace_id, 80)}"
            if isinstance(trace, str):
                self.desk.show([f"{heading}: left out, {trace}", ""])
                self.tally.gone += 1
                continue
            for rubric in reversed(of_documents):
                wanted = [*self._of_documents(waiting, trace, rubric), *wanted]
            if not wanted:
                self.tally.before += 1
            elif self._ask(waiting, trace, wanted, heading) is _Move.STOP:
                return

    def _of_documents(self, waiting: Waiting, trace: Trace, rubric: Rubric) -> list[_Question]:
        """The documents that a judge of the rubric sees and this person has yet to speak about."""
        judged = judged_documents(trace, depth_of(self.parts, rubric) or 0)
        documents = {document_key(document): document for document in judged}
        self._documents[waiting.trace_id, rubric.name] = tuple(documents)
        return [
            _Question(rubric=rubric, document=document)
            for about, document in documents.items()
            if self._wants(waiting, rubric, about)
        ]

    def _wants(self, waiting: Waiting, rubric: Rubric, about: str | None) -> bool:
        return self.again or not self._is_done(waiting, rubric, about)

    def _ask(
        self, waiting: Waiting, trace: Trace, wanted: Sequence[_Question], heading: str
    ) -> _Move:
        self.desk.show([f"{heading}  {trace.start_time:%Y-%m-%d %H:%M} UTC", ""])
        said: list[_Given | None] = []
        shown: list[str] = []
        while True:
            if len(said) < len(wanted):
                question = wanted[len(said)]
                page = question.page(trace, self.desk.width, whole=False)
                if page != shown:
                    self.desk.show(page)
                    shown = page
                pressed, took_s = self._pressed(question, trace, can_undo=bool(said))
            elif any(said):
                self.desk.show([AFTER])
                pressed, took_s = self.desk.key(), 0.0
            else:
                return _Move.ON
            if pressed == QUIT:
                return _Move.STOP
            if pressed == UNDO:
                self._take_back(said.pop())
            elif len(said) == len(wanted):
                break
            elif pressed == SKIP:
                self.tally.skipped += 1
                said.append(None)
            else:
                said.append(self._record(waiting, question, pressed, took_s))
        labels = [given.label for given in said if given is not None]
        evaluations = self.parts.store.evaluations(self.parts.source.name, waiting.trace_id)
        rubrics = {rubric.name: rubric for rubric in self.rubrics}
        self.desk.show([*verdict_lines(labels, evaluations, rubrics, self.desk.width), ""])
        return _Move.ON

    def _pressed(self, question: _Question, trace: Trace, *, can_undo: bool) -> tuple[str, float]:
        """A key that means something here, and how many seconds the person thought about it."""
        rubric = question.rubric
        self.desk.show(question_lines(rubric, self.desk.width))
        began = self.seconds()
        while True:
            pressed = self.desk.key()
            if (
                pressed in keys_of(rubric)
                or pressed in (SKIP, QUIT)
                or (pressed == UNDO and can_undo)
            ):
                return pressed, max(0.0, self.seconds() - began)
            if pressed == MORE:
                self.desk.show(question.page(trace, self.desk.width, whole=True))
                self.desk.show(question_lines(rubric, self.desk.width))
            elif pressed == UNDO:
                self.desk.show(["  nothing to undo on this trace; --again asks about earlier ones"])

    def _record(self, waiting: Waiting, question: _Question, pressed: str, took_s: float) -> _Given:
        rubric = question.rubric
        choice = keys_of(rubric)[pressed]
        label = ReviewLabel(
            source=self.parts.source.name,
            trace_id=waiting.trace_id,
            evaluator=rubric.name,
            version=rubric.version,
            who=self.who,
            choice=choice.label,
            score=choice.score,
            hour=waiting.hour,
            at=self.clock(),
            took_s=took_s,
            draw=waiting.draw,
            document=question.about,
        )
        before = self._known.get(_key(label), {}).get(label.label_id)
        self.parts.store.record_labels([label])
        self._remember(label)
        self.tally.labels += 1
        self.desk.show([f"  {choice.label}", ""])
        return _Given(label=label, instead_of=before)

    def _take_back(self, given: _Given | None) -> None:
        if given is None:
            self.tally.skipped -= 1
            return
        label, before = given.label, given.instead_of
        self.parts.store.delete_labels([label.label_id])
        of_output = self._known[_key(label)]
        del of_output[label.label_id]
        if not of_output:
            del self._known[_key(label)]
        if before is not None:
            self.parts.store.record_labels([before])
            self._remember(before)
        self.tally.labels -= 1

    def _is_done(self, waiting: Waiting, rubric: Rubric, about: str | None) -> bool:
        """Whether this person's word is known; if a random sample brings it up, it is its label."""
        of_output = self._known.get((waiting.trace_id, rubric.name, rubric.version, about))
        if of_output is None:
            return False
        of_sample = any(label.draw.sample == waiting.draw.sample for label in of_output.values())
        if waiting.draw.origin is Origin.RANDOM and not of_sample:
            newest = max(of_output.values(), key=lambda label: label.at)
            adopted = replace(newest, draw=waiting.draw)
            self.parts.store.record_labels([adopted])
            self._remember(adopted)
        return True

    def _remember(self, label: ReviewLabel) -> None:
        self._known.setdefault(_key(label), {})[label.label_id] = label


def _key(label: ReviewLabel) -> _Key:
    return (label.trace_id, label.evaluator, label.version, label.document)
