"""All traces of a period in the order of their starts, an hour in memory at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from benchmarks.demo_traces.clock import Json
from benchmarks.demo_traces.incidents import Incidents
from benchmarks.demo_traces.library import Library
from benchmarks.demo_traces.traces import trace_json
from benchmarks.demo_traces.traffic import Session, sessions
from benchmarks.demo_traces.turns import Assistant

DEFAULT_END = datetime(2026, 11, 15, tzinfo=UTC)
DEFAULT_SEED = 1
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What decides the traces. `end` is a full UTC hour; `scale` multiplies the volume."""

    end: datetime
    days: int = 14
    seed: int = DEFAULT_SEED
    scale: float = 1.0
    incidents: Incidents

    @property
    def start(self) -> datetime:
        return self.end - timedelta(days=self.days)


def traces(recipe: Recipe, library: Library, start: datetime, end: datetime) -> Iterator[Json]:
    """The traces of a recipe that start within [start, end), oldest first; both are full UTC hours.

    Every hour has its own random numbers, so a part comes out the same alone and within the whole.
    """
    assistant = Assistant(library, recipe.incidents, recipe.end)
    waiting: list[Json] = []
    hour = start - _HOUR  # sessions of the hour before reach into the first one
    while hour < end:
        hours_left = (recipe.end - hour) // _HOUR
        rng = Random(f"{recipe.seed}:{hours_left}")
        for session in sessions(rng, hour, recipe.end, recipe.scale):
            waiting += _turns(rng, assistant, session)
        waiting.sort(key=lambda trace: (trace["start_time"], trace["trace_id"]))
        first, last = _stamp(max(hour, start)), _stamp(min(hour + _HOUR, end))
        yield from (trace for trace in waiting if first <= trace["start_time"] < last)
        waiting = [trace for trace in waiting if trace["start_time"] >= last]
        hour += _HOUR


def _turns(rng: Random, assistant: Assistant, session: Session) -> Iterator[Json]:
    """The traces of one session; a user who asks again gets a further turn for it."""
    now = session.start
    question = assistant.question(rng, session, now)
    left = session.turns
    while left:
        turn = assistant.answer(rng, session, now, question, follows=left < session.turns)
        yield trace_json(rng, turn)
        now += timedelta(milliseconds=rng.randint(35_000, 260_000))
        if not turn.asked_again:
            question = assistant.question(rng, session, now)
            left -= 1


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
