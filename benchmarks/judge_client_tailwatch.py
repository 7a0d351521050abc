"""tailwatch's whole way of a judgement: evaluator, validation, ledger, recording in SQLite."""

import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

from pydantic import SecretStr

from benchmarks.judge_clients import Ends, Stopwatch, Task
from benchmarks.judge_items import Item
from evaluators.run import Assignment, RunContext, run_evaluators
from flows.parts import Parts
from flows.plan_file import read_plan
from flows.wiring import open_parts, opened_store
from tailwatch.evaluation import Evaluation
from tailwatch.outcome import Failed, Score
from tailwatch.settings import Settings
from tailwatch.trace import RetrievedDocument, Span, SpanKind, Trace
from tailwatch.window import Window

HOUR = Window.hour_of(datetime(2026, 1, 5, 9, tzinfo=UTC))
PLAN = """\
source: {{use: files, name: bench, options: {{path: traces.jsonl}}}}
evaluators: [{{use: faithfulness}}]
judge:
  model: mock
  max_cost_usd: 1000
  price: {{input_usd_per_million: 0.15, output_usd_per_million: 0.6}}
  concurrency: {in_flight}
  timeout: {timeout_s}s
"""


async def judge_all(task: Task, stopwatch: Stopwatch) -> Ends:
    """From a plan, with the traces in memory and an empty store."""
    traces = [trace_of(item) for item in task.items]
    with tempfile.TemporaryDirectory() as name:
        settings = prepared(Path(name), task)
        async with open_parts(read_plan(settings.plan), settings) as parts:
            with stopwatch:
                evaluations = await judged(parts, traces)
            return ends_of(evaluations, parts)


def prepared(folder: Path, task: Task) -> Settings:
    """Settings for a run in a folder of its own, whose store exists."""
    import_module("aiohttp")  # at the first call it would be measured, unlike the others' imports
    (folder / "traces.jsonl").write_text(json.dumps({}), encoding="utf-8")
    plan = folder / "plan.yaml"
    plan.write_text(PLAN.format(in_flight=task.in_flight, timeout_s=task.timeout_s))
    settings = Settings(home=folder, plan=plan, store_url=None).model_copy(
        update={"judge_url": task.url, "judge_api_key": SecretStr("none"), "judge_model": None}
    )
    with opened_store(settings) as store:
        store.upgrade()
    return settings


async def judged(parts: Parts, traces: Sequence[Trace]) -> list[Evaluation]:
    """Every trace, through the evaluator and into the store."""
    (planned,) = parts.evaluators
    assignment = Assignment(
        evaluator=planned.evaluator,
        traces=traces,
        probabilities={trace.trace_id: 1.0 for trace in traces},
    )
    context = RunContext(
        window=HOUR, run_id="bench", clock=lambda: datetime.now(UTC), timeout_s=900
    )
    return await run_evaluators([assignment], context, on_batch=parts.store.record)


def ends_of(evaluations: Sequence[Evaluation], parts: Parts) -> Ends:
    """What the store holds of them: only that counts."""
    series = evaluations[0].series
    recorded = parts.store.recorded("bench", [series], HOUR)[series]
    kinds = [outcome.kind for outcome in recorded.values()]
    assert kinds.count("score") == sum(isinstance(e.outcome, Score) for e in evaluations)
    assert kinds.count("failed") == sum(isinstance(e.outcome, Failed) for e in evaluations)
    return Ends(scored=kinds.count("score"), failed=kinds.count("failed"))


def trace_of(item: Item) -> Trace:
    """The item as a trace of HOUR."""
    start = HOUR.start + timedelta(milliseconds=item["number"])
    retriever = Span(
        span_id="retrieve",
        start_time=start,
        end_time=start + timedelta(seconds=1),
        kind=SpanKind.RETRIEVER,
        documents=tuple(
            RetrievedDocument(rank=rank, id=f"d{rank}", text=text)
            for rank, text in enumerate(item["documents"])
        ),
    )
    return Trace(
        source="bench",
        trace_id=f"{item['number']:032x}",
        start_time=start,
        end_time=start + timedelta(seconds=2),
        input=item["question"],
        output=item["answer"],
        spans=(retriever,),
    )
