"""An outcome with its provenance, under an id that makes recording it twice harmless."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from tailwatch.outcome import Outcome
from tailwatch.window import Window


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Series:
    """One comparable stream of scores. Another version or another judge is another series.

    `judge` names the model that gives the scores (a judge's or an embedder's); empty for code.
    """

    evaluator: str
    version: str
    judge: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.evaluator, f"v{self.version}", self.judge)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What one evaluator said about one trace (or one span of it), and how it came about.

    `window` is the hour the trace belongs to. `inclusion_probability` is the chance, from 0 to 1,
    that the sampling design took this trace; None once a restated window's sample left it out.
    """

    source: str
    trace_id: str
    series: Series
    outcome: Outcome
    window: Window
    inclusion_probability: float | None
    run_id: str
    evaluated_at: datetime
    span_id: str | None = None

    @property
    def evaluation_id(self) -> str:
        """32 hexadecimal digits, the same for the same trace, span and series on every machine."""
        return evaluation_id(self.source, self.trace_id, self.series, self.span_id)


def evaluation_id(source: str, trace_id: str, series: Series, span_id: str | None = None) -> str:
    """The id of an evaluation, before it was made: a 128-bit BLAKE2b of what it is about."""
    key = (source, trace_id, span_id, series.evaluator, series.version, series.judge)
    text = json.dumps(key, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
