"""Walks a person through traces: shows the texts, takes verdicts, records each at once."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto
from typing import Protocol

from evaluators.rubric_file import Rubric
from flows.label_page import (
    AFTER,
    MORE,
    QUIT,
    SKIP,
    UNDO,
    keys_of,
    question_lines,
    text_lines,
    verdict_lines,
)
from flows.label_queue import Queue, Waiting
from flows.parts import Parts
from flows.stored_texts import trace_in_full
from tailwatch.printable import printable
from tailwatch.review import Origin, ReviewLabel
from tailwatch.trace import Trace


class Desk(Protocol):
    """Where a person sits: what is shown, and the keys they press."""

    @property
    def width(self) -> int: ...

    def show(self, lines: Sequence[str]) -> None: ...

    def key(self) -> str:
        """One key, lower case. Raises KeyboardInterrupt or EOFError when the person leaves."""
        ...


_Key = tuple[str, str, str]
"""Trace, rubric and version."""


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

    What the judge said about a trace is shown when the person's word on it stands: from then on
    nothing is undone. `again` asks also about what this person has labelled before. A label that
    was given when another sample brought the trace up counts for this one too.
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

    async def through(self, queue: Queue) -> Tally:
        """Asks about each trace in turn, until the end or until the person quits."""
        for label in self.parts.store.labels(self.parts.source.name, who=self.who):
            self._remember(label)
        with suppress(KeyboardInterrupt, EOFError):
            await self._ask_about_each(queue)
        self.tally.left = sum(
            any(_key(waiting, r) not in self._known for r in self.rubrics)
            for waiting in queue.waiting
        )
        return self.tally

    async def _ask_about_each(self, queue: Queue) -> None:
        for number, waiting in enumerate(queue.waiting, start=1):
            wanted = [r for r in self.rubrics if self.again or not self._is_done(waiting, r)]
            if not wanted:
                self.tally.before += 1
                continue
            trace = await trace_in_full(self.parts, waiting.trace_id)
            heading = f"{number} of {len(queue.waiting)}  {printable(waiting.trace_id, 80)}"
            if isinstance(trace, str):
                self.desk.show([f"{heading}: left out, {trace}", ""])
                self.tally.gone += 1
            elif self._ask(waiting, trace, wanted, heading) is _Move.STOP:
                return

    def _ask(self, waiting: Waiting, trace: Trace, wanted: Sequence[Rubric], heading: str) -> _Move:
        self.desk.show(
            [
                f"{heading}  {trace.start_time:%Y-%m-%d %H:%M} UTC",
                "",
                *text_lines(trace, self.desk.width, whole=False),
            ]
        )
        said: list[_Given | None] = []
        while True:
            if len(said) < len(wanted):
                rubric = wanted[len(said)]
                pressed, took_s = self._pressed(rubric, trace, can_undo=bool(said))
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
                said.append(self._record(waiting, rubric, pressed, took_s))
        labels = [given.label for given in said if given is not None]
        evaluations = self.parts.store.evaluations(self.parts.source.name, waiting.trace_id)
        self.desk.show([*verdict_lines(labels, evaluations, self.desk.width), ""])
        return _Move.ON

    def _pressed(self, rubric: Rubric, trace: Trace, *, can_undo: bool) -> tuple[str, float]:
        """A key that means something here, and how many seconds the person thought about it."""
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
                self.desk.show(text_lines(trace, self.desk.width, whole=True))
                self.desk.show(question_lines(rubric, self.desk.width))
            elif pressed == UNDO:
                self.desk.show(["  nothing to undo on this trace; --again asks about earlier ones"])

    def _record(self, waiting: Waiting, rubric: Rubric, pressed: str, took_s: float) -> _Given:
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
        )
        before = self._known.get(_key(waiting, rubric), {}).get(label.label_id)
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
        of_trace = self._known[label.trace_id, label.evaluator, label.version]
        del of_trace[label.label_id]
        if not of_trace:
            del self._known[label.trace_id, label.evaluator, label.version]
        if before is not None:
            self.parts.store.record_labels([before])
            self._remember(before)
        self.tally.labels -= 1

    def _is_done(self, waiting: Waiting, rubric: Rubric) -> bool:
        """Whether this person's word is known; if a random sample brings it up, it is its label."""
        of_trace = self._known.get(_key(waiting, rubric))
        if of_trace is None:
            return False
        of_sample = any(label.draw.sample == waiting.draw.sample for label in of_trace.values())
        if waiting.draw.origin is Origin.RANDOM and not of_sample:
            newest = max(of_trace.values(), key=lambda label: label.at)
            adopted = replace(newest, draw=waiting.draw)
            self.parts.store.record_labels([adopted])
            self._remember(adopted)
        return True

    def _remember(self, label: ReviewLabel) -> None:
        key = (label.trace_id, label.evaluator, label.version)
        self._known.setdefault(key, {})[label.label_id] = label


def _key(waiting: Waiting, rubric: Rubric) -> _Key:
    return (waiting.trace_id, rubric.name, rubric.version)
