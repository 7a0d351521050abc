"""A backfill in a process of its own that may be killed, and everything it leaves, to compare."""

import asyncio
import multiprocessing
import os
import random
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from pathlib import Path

from sqlalchemy import text

from flows.backfill_plan import Only, redo_for
from flows.plan_file import read_plan
from flows.runs import run_windows
from flows.wiring import open_parts
from storage.store import Store, open_store
from tailwatch.errors import TailwatchError
from tailwatch.settings import Settings
from tailwatch.window import HOUR, Window
from tests.builders import START, make_document, make_trace
from tests.sources.trace_files import record_line, trace_line, write

SOURCE = "survivor"
_NOBODY = 65534
HOURS = 8
PER_HOUR = 60
DAY = Window(START, START + HOURS * HOUR)
PLAN = f"""\
source: {{use: files, name: {SOURCE}, options: {{path: traces/*.jsonl}}}}
segments: [feature, model]
chunk_size: 20
evaluators:
  - use: lexical_support
  - use: token_f1
  - use: precision@2
    options: {{unjudged: not_relevant}}
    sampling: {{per_hour: 25}}
qrels: qrels.jsonl
"""
ANSWERS = (
    "Invoices are sent on the first day of each month.",
    "Refunds take five working days.",
    "Purple giraffes negotiate treaties underwater.",
)

_FORGETTABLE = {
    "run_id",
    "evaluated_at",
    "done_at",
    "recorded_at",
    "first_seen_at",
    "attempts",
    "at",
    "error_id",
}
"""What says when, where and by whom a row was written, and nothing about the world."""

_COMPARED = (
    "traces",
    "evaluations",
    "coverage",
    "summaries",
    "windows",
    "fetch_errors",
    "usual_lengths",
    "flagged_shares",
)

LONG = bool(os.environ.get("TAILWATCH_TORTURE"))
"""Whether the long form is asked for: `make torture`."""


Left = dict[str, list[str]]
"""The rows of each table, as text."""


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with a plan and traces, and the address of a migrated store."""

    folder: Path
    store_url: str

    def settings(self) -> Settings:
        return Settings.model_validate(
            {
                "home": self.folder / "home",
                "plan": self.folder / "tailwatch.yaml",
                "store_url": self.store_url,
            }
        )

    def opened(self) -> Store:
        return open_store(self.store_url)


def make_project(folder: Path, store_url: str) -> Project:
    """Half a day of traces, among them rows, unreadable lines and impossible ones."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tailwatch.yaml").write_text(PLAN)
    (folder / "qrels.jsonl").write_text(
        '{"query": "When are invoices sent?", "document_id": "doc-1", "grade": 1}\n'
    )
    (folder / "traces").mkdir(exist_ok=True)
    choose = random.Random(7)
    for hour in range(HOURS):
        lines = [_line(hour, number, choose) for number in range(PER_HOUR)]
        lines[7:7] = ["{torn", trace_line(make_trace(trace_id=f"bad{hour}"), output_tokens=-1)]
        write(folder / "traces" / f"{hour:02}.jsonl", lines)
    return Project(folder=folder, store_url=store_url)


def _line(hour: int, number: int, choose: random.Random) -> str:
    moment = START + hour * HOUR + number * timedelta(seconds=55)
    name = f"h{hour:02}n{number:03}"
    if number % 9 == 0:
        return record_line(trace_id=name, timestamp=moment.isoformat())
    return trace_line(
        make_trace(
            trace_id=name,
            start_time=moment,
            end_time=moment + timedelta(seconds=2),
            feature=choose.choice(("search", "chat", None)),
            model=choose.choice(("small", "large")),
            output=choose.choice(ANSWERS),
            output_tokens=choose.randrange(5, 400),
            documents=(make_document(text=choose.choice(ANSWERS)),),
        )
    )


def evaluate(project: Project, window: Window = DAY) -> None:
    """What `tailwatch backfill` does: evaluates the hours that are not evaluated yet."""

    async def work() -> None:
        settings = project.settings()
        async with open_parts(read_plan(settings.plan), settings) as parts:
            await run_windows(
                parts,
                list(window.hours()),
                kind="backfill",
                run_id=uuid.uuid4().hex,
                clock=lambda: datetime.now(UTC),
                redo=redo_for(Only.MISSING),
            )

    asyncio.run(work())


def started(project: Project, told: "Queue[str] | None" = None) -> BaseProcess:
    """`evaluate` in a process of its own, under way at once: what it imports is loaded before.

    With `told` it has no more rights than anybody, and says there what it ended with.
    """
    forkserver = multiprocessing.get_context("forkserver")
    forkserver.set_forkserver_preload(["tests.survival.story"])
    target = (evaluate, (project,)) if told is None else (_as_nobody, (project, told))
    process = forkserver.Process(target=target[0], args=target[1])
    process.start()
    return process


def _as_nobody(project: Project, told: "Queue[str]") -> None:
    if os.geteuid() == 0:
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
    try:
        evaluate(project)
    except TailwatchError as error:
        told.put(str(error))
    else:
        told.put("it went well")


def kill(process: BaseProcess) -> None:
    """kill -9, and nothing of it left."""
    if process.is_alive():
        os.kill(process.pid or 0, signal.SIGKILL)
    process.join(60)
    assert not process.is_alive()


@contextmanager
def running(project: Project, workers: int) -> Iterator[list[BaseProcess]]:
    """So many processes over the same hours at once, killed at the end if they are not done."""
    processes = [started(project) for _ in range(workers)]
    try:
        yield processes
    finally:
        for process in processes:
            kill(process)


def rows_of(store: Store, table: str) -> int:
    with store.database.read() as connection:
        count = connection.execute(text(f"SELECT count(*) FROM {table}"))  # noqa: S608
        return int(count.scalar_one())


def left_behind(project: Project) -> Left:
    """Everything the store says about the world, table by table, in an order of its own."""
    found: Left = {}
    with project.opened() as store, store.database.read() as connection:
        for table in _COMPARED:
            rows = connection.execute(text(f"SELECT * FROM {table}")).mappings()  # noqa: S608
            found[table] = sorted(
                repr([(name, row[name]) for name in row if name not in _FORGETTABLE]).replace(
                    str(project.folder), "FOLDER"
                )
                for row in rows
            )
    return found


def differences(left: Left, like: Left) -> dict[str, list[str]]:
    """Some rows that only one of the two has, by table; empty when they are the same."""
    return {
        table: sorted(set(rows) ^ set(like[table]))[:4] or ["a row twice"]
        for table, rows in left.items()
        if rows != like[table]
    }
