"""A judged run killed at any point and run again: the same evaluations, and hardly more paid."""

import asyncio
import json
import multiprocessing
import os
import random
import signal
import time
import zlib
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from flows.plan_file import read_plan
from flows.runs import run_windows
from flows.wiring import open_parts
from storage.spending import Spend
from storage.store import open_store
from tailwatch.outcome import Score
from tailwatch.settings import Settings
from tailwatch.window import Window
from tests.builders import START, make_document, make_trace
from tests.stub_endpoint import StubEndpoint, StubReply, StubRequest, verdict

HOUR = Window.hour_of(START)
TRACES = 24
PLAN = """\
source: {use: files, name: app, options: {path: traces.jsonl}}
judge:
  model: small
  concurrency: 6
  max_cost_usd: 50
  price: {input_usd_per_million: 100, output_usd_per_million: 400}
evaluators:
  - use: faithfulness
  - use: refusal
  - use: document_relevance
  - use: precision@3
    options: {judgements: document_relevance}
"""

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="forks the run that it kills, to have it at little cost"
)


def answer(request: StubRequest) -> StubReply:
    """One of the choices and a price, both from a hash of the question."""
    schema = request.body["response_format"]["json_schema"]["schema"]
    choices = schema["properties"]["choice"]["enum"]
    number = zlib.crc32(request.text.encode())
    return verdict(
        choices[number % len(choices)],
        f"because {number}",
        usage=(100 + number % 50, 10 + number % 7),
        delay_s=0.002 + number % 10 / 1000,
    )


def project(folder: Path) -> Path:
    """The folder with a plan, the traces of one hour and an empty store."""
    folder.mkdir()
    (folder / "tailwatch.yaml").write_text(PLAN)
    lines = []
    for i in range(TRACES):
        documents = tuple(
            make_document(rank=rank, id=f"d{n}", text=f"document {n}")
            for rank, n in enumerate((i, i // 2, 0))
        )
        trace = make_trace(trace_id=f"t{i}", input=f"question {i % 5}", documents=documents)
        lines.append(
            json.dumps(
                {
                    "trace_id": trace.trace_id,
                    "timestamp": (HOUR.start + timedelta(minutes=i)).isoformat(),
                    "input": trace.input,
                    "output": f"answer {i}",
                    "documents": [{"id": d.id, "text": d.text} for d in documents],
                }
            )
        )
    (folder / "traces.jsonl").write_text("\n".join(lines) + "\n")
    with open_store(store_at(folder)) as store:
        store.upgrade()
    return folder


def store_at(folder: Path) -> str:
    return f"sqlite:///{folder / 'store.db'}"


def run(folder: Path, url: str, run_id: str) -> None:
    addresses = {"TAILWATCH_JUDGE_URL": url, "store_url": store_at(folder), "home": folder}
    settings = Settings.model_validate(addresses)

    async def main() -> None:
        async with open_parts(read_plan(folder / "tailwatch.yaml"), settings) as parts:
            await run_windows(
                parts, [HOUR], kind="hourly", run_id=run_id, clock=lambda: datetime.now(UTC)
            )

    asyncio.run(main())


def run_when_told(folder: Path, told: Connection) -> None:
    """In a process of its own; it is forked before there are threads here."""
    run(folder, told.recv(), "killed")


def outcomes(folder: Path) -> dict[tuple[str, str], object]:
    """Every evaluation, without what differs when a verdict was known."""
    with open_store(store_at(folder)) as store:
        found: dict[tuple[str, str], object] = {}
        for i in range(TRACES):
            for each in store.evaluations("app", f"t{i}"):
                assert isinstance(each.outcome, Score)
                told = (each.outcome.value, each.outcome.label, each.outcome.explanation)
                found[each.trace_id, str(each.series)] = told
    return found


def spent(folder: Path) -> Spend:
    later = datetime.now(UTC) + timedelta(days=1)
    with open_store(store_at(folder)) as store:
        store.mark_lost_calls(later)
        (judge,) = store.spending(Window(later - timedelta(days=3), later), "judge")
    return judge


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """The project after one run that nobody disturbed, and how many requests it made."""
    folder = project(tmp_path_factory.mktemp("undisturbed") / "app")
    with StubEndpoint(answer) as endpoint:
        run(folder, endpoint.url, "undisturbed")
    return folder, len(endpoint.requests)


def test_a_document_is_paid_for_once_by_all_evaluators(undisturbed: tuple[Path, int]) -> None:
    folder, requests = undisturbed
    questions = {(i % 5, n) for i in range(TRACES) for n in (i, i // 2, 0)}
    assert requests == 2 * TRACES + len(questions)
    assert len(outcomes(folder)) == 4 * TRACES
    judge = spent(folder)
    assert (judge.calls, judge.lost_calls, judge.reserved_calls) == (requests, 0, 0)
    assert judge.reused == 2 * 3 * TRACES - len(questions)


@pytest.mark.parametrize("seed", range(3))
def test_a_run_killed_at_any_point_and_run_again_is_as_if_undisturbed(
    seed: int, undisturbed: tuple[Path, int], tmp_path: Path
) -> None:
    good, needed = undisturbed
    folder, dice = project(tmp_path / "app"), random.Random(seed)
    fork = multiprocessing.get_context("fork")
    told, tell = fork.Pipe(duplex=False)
    doomed = fork.Process(target=run_when_told, args=(folder, told))
    doomed.start()
    with StubEndpoint(answer) as endpoint:
        tell.send(endpoint.url)
        seen = dice.randrange(1, needed * 3 // 4)
        while len(endpoint.requests) < seen and doomed.is_alive():
            time.sleep(0.001)
        time.sleep(dice.random() / 100)
        os.kill(doomed.pid or 0, signal.SIGKILL)
        doomed.join()
        assert doomed.exitcode == -signal.SIGKILL
        run(folder, endpoint.url, "again")
        requests = len(endpoint.requests)

    assert outcomes(folder) == outcomes(good)
    paid, expected = spent(folder), spent(good)
    assert paid.settled_usd == pytest.approx(expected.settled_usd, abs=1e-12)
    assert paid.calls - paid.lost_calls == expected.calls
    assert needed <= requests <= needed + paid.lost_calls
    assert paid.reserved_calls == 0
