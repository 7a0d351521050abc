"""What people say about outputs: a choice of a rubric, and how the output came before them."""

import hashlib
import json
import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tailwatch.window import Window

MAX_NAME_CHARS = 200


class Origin(StrEnum):
    """How an output came to be labelled."""

    RANDOM = "random"
    """By a random sample: such labels may speak for all traffic."""
    ALERT = "alert"
    """As one of an alert's worst: such labels are examples and speak for nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Where an output stood in what was laid before people.

    `sample` names the random sample, or the alert. Of a sample of `population` outputs, ordered by
    chance, this one came at `place`, from 1; an alert's have no population.
    """

    origin: Origin
    sample: str
    place: int
    population: int | None = None

    def __post_init__(self) -> None:
        if (self.population is None) is (self.origin is Origin.RANDOM):
            raise ValueError("a random sample has a population, an alert's worst outputs have none")
        most = self.population
        if self.place < 1 or (most is not None and self.place > most):
            raise ValueError(f"place is {self.place}; it must be from 1 to {most or 'any number'}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewLabel:
    """A person's verdict on one output, as one of the choices of a rubric.

    `document` is the id of the retrieved document that the verdict is on, under a rubric about
    single documents; None where it is on the whole trace.
    `version` is the rubric's that the person read, `score` what the choice is worth in it. `hour`
    is the clock hour of the trace; `took_s` how many seconds the person looked at it.
    Raises ValueError for a name that is blank or longer than 200 characters, and for numbers that
    are not finite or negative.
    """

    source: str
    trace_id: str
    evaluator: str
    version: str
    who: str
    choice: str
    score: float
    hour: Window
    at: datetime
    took_s: float
    draw: Draw
    document: str | None = None

    @property
    def output(self) -> tuple[str, str | None]:
        """What the verdict is on: the trace's id, and the document's where it is on one."""
        return self.trace_id, self.document

    def __post_init__(self) -> None:
        for name in ("who", "choice"):
            value = getattr(self, name)
            if not value.strip() or len(value) > MAX_NAME_CHARS:
                raise ValueError(f"{name} must have from 1 to {MAX_NAME_CHARS} characters")
        if not math.isfinite(self.score):
            raise ValueError(f"score is {self.score}; it must be a finite number")
        if not (math.isfinite(self.took_s) and self.took_s >= 0):
            raise ValueError(f"took_s is {self.took_s}; it must be 0 or more")

    @property
    def label_id(self) -> str:
        """32 hexadecimal digits: one for each output, evaluator, version, person and sample."""
        key: tuple[str, ...] = (
            self.source,
            self.trace_id,
            self.evaluator,
            self.version,
            self.who,
            self.draw.origin.value,
            self.draw.sample,
        )
        if self.document is not None:
            key = (*key, self.document)
        text = json.dumps(key, ensure_ascii=False)
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
