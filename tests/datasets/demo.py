"""The committed demo data, read once for the tests about them."""

import asyncio
import gzip
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from evaluators.index import build_evaluator
from tailwatch.outcome import Score
from tailwatch.plan import EvaluatorPlan
from tailwatch.protocols import EvaluatorTools
from tailwatch.trace import MEASURES, Trace

FOLDER = Path(__file__).parents[2] / "datasets"
DEMO = FOLDER / "demo"

_TRACE = TypeAdapter(Trace)


def read_lines(path: Path) -> list[bytes]:
    with gzip.open(path) as lines:
        return lines.read().splitlines()


@cache
def demo_traces() -> tuple[tuple[str, Trace], ...]:
    """Every trace with the name of its file, validated as a source would."""
    return tuple(
        (path.name, _TRACE.validate_python({"source": "demo", **json.loads(line)}))
        for path in sorted(DEMO.glob("traces-*.jsonl.gz"))
        for line in read_lines(path)
    )


@cache
def demo_qrels() -> Mapping[str, Mapping[str, int]]:
    qrels: dict[str, dict[str, int]] = {}
    for line in (DEMO / "qrels.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        qrels.setdefault(row["query"], {})[row["document_id"]] = row["grade"]
    return qrels


@cache
def values(measure: str) -> tuple[float | None, ...]:
    """A measure or an evaluator's scores, one for each trace, None where there is none.

    `edge_relay` is 1 where the first document is about the edge relay.
    """
    traces = [trace for _, trace in demo_traces()]
    if measure in MEASURES:
        return tuple(getattr(trace, measure) for trace in traces)
    if measure == "edge_relay":
        return tuple(
            float(bool(trace.documents) and (trace.documents[0].id or "").startswith("edge-"))
            for trace in traces
        )
    evaluator = build_evaluator(EvaluatorPlan(use=measure), EvaluatorTools(qrels=demo_qrels()))
    outcomes = asyncio.run(evaluator.evaluate(traces))
    return tuple(one.value if isinstance(one, Score) else None for one in outcomes)
