"""A backfill in batches against a provider on a loopback socket, and the same one online."""

import asyncio
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from evaluators.clients.batch_lines import BatchTerms
from evaluators.clients.judge_dialect import Dialect
from evaluators.clients.openai_batch import make_batch_endpoint
from evaluators.clients.openai_judge import make_judge
from evaluators.clients.run_ledger import RunLedger
from evaluators.rubric import rubric_evaluator
from evaluators.rubric_file import read_fields
from flows.backfill_plan import Only, redo_for
from flows.batch_work import BatchWork
from flows.batches import Progress, advance, cancel, collect, job_for
from flows.open_batch import Limits
from flows.parts import Parts
from flows.runs import run_windows
from storage.store import Store
from tailwatch.judge_calls import Caps
from tailwatch.outcome import Failed, Score, Skipped
from tailwatch.plan import JudgePlan, PricePlan
from tailwatch.protocols import EvaluatorTools, Judge
from tailwatch.window import HOUR, Window
from tests.builders import START, at, make_trace
from tests.fakes import MemorySource, ScriptedEvaluator, SteppingClock
from tests.flows.parts import make_parts
from tests.stub_endpoint import StubReply, StubRequest, completion, verdict

RUBRICS = Path(__file__).parents[2] / "evaluators" / "rubrics"
PRICE = PricePlan(input_usd_per_million=1.0, output_usd_per_million=2.0)
TERMS = JudgePlan(model="judge", price=PRICE)
WINDOW = Window(START, START + 3 * HOUR)
LIST_PRICE = 100 * 1e-6 + 20 * 2e-6
"""What the stub reports for each call, at the list price."""


def by_material(request: StubRequest) -> StubReply:
    """A verdict that depends on the question alone, as an ideal judge's does."""
    asked = request.body["response_format"]["json_schema"]["schema"]["properties"]
    number = zlib.crc32(request.text.encode())
    if "choice" in asked:
        return verdict(_pick(asked["choice"]["enum"], number), f"because of {number}")
    answers = {
        name: {
            "explanation": f"{name} because of {number}",
            "choice": _pick(each["properties"]["choice"]["enum"], number + place),
        }
        for place, (name, each) in enumerate(asked.items())
    }
    return completion(json.dumps(answers))


def _pick(labels: Sequence[str], number: int) -> str:
    return labels[number % len(labels)]


def three_hours(per_hour: int = 4) -> MemorySource:
    """Traces of three hours, each with texts of its own."""
    return MemorySource(
        [
            make_trace(
                source="memory",
                trace_id=f"t{hour}-{i}",
                start_time=at(60 * hour + i),
                input=f"Question {i} of hour {hour}?",
                output=f"Answer {i} of hour {hour}.",
            )
            for hour in range(3)
            for i in range(per_hour)
        ]
    )


@dataclass
class Story:
    """A store, a provider and the source of a team that backfills."""

    store: Store
    url: str
    source: MemorySource = field(default_factory=three_hours)
    rubrics: Sequence[str | Path] = ("answer_relevance",)
    """Names of packaged rubrics, or files; a file with criteria is asked about each of them."""
    options: Mapping[str, Any] = field(default_factory=dict)
    probes: bool = False
    """Whether the first question is asked online, as the command does."""
    limits: Limits = field(default_factory=Limits)
    caps: Caps = field(default_factory=lambda: Caps(run_usd=100.0))
    now: datetime = START + timedelta(days=3)
    only: Only = Only.MISSING

    def __post_init__(self) -> None:
        self.clock = SteppingClock(self.now)

    def parts(self, judge: Judge, **plan: Any) -> Parts:
        tools = EvaluatorTools(judge=judge)
        judged = [
            rubric_evaluator(path, {**self.options, **criterion}, tools)
            for path in (RUBRICS / f"{n}.yaml" if isinstance(n, str) else n for n in self.rubrics)
            for criterion in _criteria(path)
        ]
        return make_parts(self.store, self.source, *judged, ScriptedEvaluator(), **plan)

    def run(self, step: Callable[[BatchWork], Any]) -> Any:
        """What a step with the provider comes to."""

        async def stepped() -> Any:
            endpoint = make_batch_endpoint(url=self.url, api_key="key")
            judge = make_judge(
                TERMS,
                url=self.url,
                api_key="key",
                model=None,
                ledger=RunLedger(self.store, self.caps, clock=self.clock),
            )
            work = BatchWork(
                store=self.store,
                source="memory",
                endpoint=endpoint,
                terms=BatchTerms(model="judge", dialect=Dialect(), price=PRICE, price_share=0.5),
                caps=self.caps,
                reuse=timedelta(days=30),
                parts_with=self.parts,
                clock=self.clock,
                online=judge if self.probes else None,
                limits=self.limits,
            )
            try:
                return await step(work)
            finally:
                await judge.close()
                await endpoint.close()

        return asyncio.run(stepped())

    def start(self) -> Progress:
        """`tailwatch backfill --batch`, also the second time."""

        async def started(work: BatchWork) -> Progress:
            parts = work.parts_with(_Nobody())
            return await advance(work, job_for(work, parts, WINDOW, self.only))

        progress: Progress = self.run(started)
        return progress

    def collect(self) -> list[Progress]:
        """`tailwatch batches collect`."""
        progress: list[Progress] = self.run(collect)
        return progress

    def cancel(self, job_id: str) -> Progress:
        """`tailwatch batches cancel`."""
        progress: Progress = self.run(lambda work: cancel(work, job_id))
        return progress

    def online(self) -> None:
        """The same backfill, each question asked at once."""

        async def asked() -> None:
            judge = make_judge(TERMS, url=self.url, api_key="key", model=None)
            try:
                await run_windows(
                    self.parts(judge),
                    list(WINDOW.hours()),
                    kind="backfill",
                    run_id="online",
                    clock=self.clock,
                    redo=redo_for(self.only),
                )
            finally:
                await judge.close()

        asyncio.run(asked())

    def told(self) -> dict[str, Any]:
        """Everything the store tells of the three hours but who found it out, when and for what."""
        evaluations = [
            e
            for trace in self.source.traces
            for e in self.store.evaluations("memory", trace.trace_id)
        ]
        windows = self.store.windows("memory", WINDOW)
        return {
            "outcomes": {(e.trace_id, e.series): _plain(e.outcome) for e in evaluations},
            "coverage": self.store.coverage("memory", WINDOW),
            "summaries": self.store.summaries("memory", WINDOW),
            "windows": [(w.window, w.status, w.listed, w.scored, w.failed) for w in windows],
        }

    def failures(self) -> list[Failed]:
        """The failed outcomes of all traces."""
        return [
            e.outcome
            for trace in self.source.traces
            for e in self.store.evaluations("memory", trace.trace_id)
            if isinstance(e.outcome, Failed)
        ]


def _criteria(path: Path) -> list[dict[str, Any]]:
    """The option that names each criterion of a rubric file; no option where it has none."""
    named = read_fields(path).get("criteria", ())
    return [{"criterion": each["name"]} for each in named] or [{}]


class _Nobody:
    """A judge that only lends its name."""

    model = "judge"

    async def ask(self, question: object) -> Skipped:
        raise AssertionError(f"nobody may be asked {question}")

    async def close(self) -> None:
        """Nothing."""


def _plain(outcome: Any) -> Any:
    if isinstance(outcome, Score | Failed):
        return replace(outcome, usage=type(outcome.usage)())
    return outcome
