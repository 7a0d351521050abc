"""What happens in one turn: the question, what was retrieved, the answer and how good it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random

from benchmarks.demo_traces.answers import grounded_answer, uncapitalised, ungrounded_answer
from benchmarks.demo_traces.incidents import UNGROUNDED_SHARE, Incidents
from benchmarks.demo_traces.library import Library, Passage, Question
from benchmarks.demo_traces.models import MODELS
from benchmarks.demo_traces.oddities import ODD_QUESTIONS, SHARE
from benchmarks.demo_traces.ranker import Ranker
from benchmarks.demo_traces.traffic import Session
from benchmarks.demo_traces.wording import FOLLOW_UPS, NOT_FOUND

READ = 3
"""How many of the ranked passages the assistant reads."""

_GIVES_UP = 0.03
"""How often it says so when the passage that answers was not among them."""

_ERRORS: dict[str | None, float] = {"timeout": 0.011, "rate_limited": 0.007, None: 0.982}


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One question of a session and what the assistant made of it.

    `good` is the truth that thumbs follow: the passage that answers was read, and the answer
    keeps to what was read. `asked_again`: the user wants another answer to the same question. An
    errored turn has no answer.
    """

    session: Session
    start: datetime
    question: Question
    asked: str
    ranking: Sequence[tuple[Passage, float]]
    answer: str | None
    error_type: str | None
    good: bool
    asked_again: bool


class Assistant:
    """Picks questions and answers them, with whatever incidents are under way."""

    def __init__(self, library: Library, incidents: Incidents, end: datetime) -> None:
        self._library = library
        self._incidents = incidents
        self._end = end
        self._ranker, self._degraded_ranker = rankers(library)
        areas = {question.area for question in library.questions}
        self._by_area = {
            area: tuple(q for q in library.questions if q.area == area) for area in areas
        }
        self._by_area["search"] = tuple(q for q in library.questions if q.area != "drift")

    def question(self, rng: Random, session: Session, now: datetime) -> Question:
        if rng.random() < SHARE:
            return rng.choice(ODD_QUESTIONS)
        drift = self._incidents.drift_share(session.feature, now, self._end)
        area = "drift" if rng.random() < drift else session.feature
        return rng.choice(self._by_area[area])

    def answer(
        self, rng: Random, session: Session, now: datetime, question: Question, follows: bool
    ) -> Turn:
        degraded = self._incidents.has_degraded_index(session.feature, now)
        ranking = (self._degraded_ranker if degraded else self._ranker).rank(question.query)
        read = [passage for passage, _ in ranking[:READ]]
        error_type = rng.choices(tuple(_ERRORS), tuple(_ERRORS.values()))[0]
        ungrounded = (
            self._incidents.has_ungrounded(session.prompt_version, now)
            and rng.random() < UNGROUNDED_SHARE
        )
        answer = None
        if error_type is None:
            answer = self._text(rng, session, now, question, read, ungrounded)
        good = not ungrounded and question.source_passage in {passage.id for passage in read}
        retries = 0.02 if good else 0.12
        return Turn(
            session=session,
            start=now,
            question=question,
            asked=_as_typed(rng, question.query, follows),
            ranking=ranking,
            answer=answer,
            error_type=error_type,
            good=good,
            asked_again=answer is not None and rng.random() < retries,
        )

    def _text(
        self,
        rng: Random,
        session: Session,
        now: datetime,
        question: Question,
        read: Sequence[Passage],
        ungrounded: bool,
    ) -> str:
        model = MODELS[session.model]
        verbose = self._incidents.has_verbose(session.model, now)
        style = model.verbose_style if verbose else model.style
        if ungrounded:
            topics = {passage.topic for passage in read}
            unrelated = [p for p in self._library.passages if p.topic not in topics]
            return ungrounded_answer(rng, style, question.query, read, unrelated)
        known = question.source_passage in {passage.id for passage in read}
        if not known and rng.random() < _GIVES_UP:
            return rng.choice(NOT_FOUND)
        return grounded_answer(rng, style, question.query, read)


def rankers(library: Library) -> tuple[Ranker, Ranker]:
    """The ranker over the whole corpus, and the one whose index lost two passages in five."""
    left = [passage for place, passage in enumerate(library.passages) if place % 5 < 3]
    return Ranker(library.passages), Ranker(left)


def _as_typed(rng: Random, query: str, follows: bool) -> str:
    if follows and query.isascii():
        return rng.choice(FOLLOW_UPS) + uncapitalised(query)
    return query.lower().rstrip("?") if rng.random() < 0.15 and query.isascii() else query
