"""How fast evaluations are stored: rows a second through the store, SQLAlchemy and the bare driver.

The store starts from `Evaluation` values and makes their ids and rows; the other two are handed
finished rows of the same table and run the same upsert. Each writes the rows into an empty store
("new") and then once more ("again").

    .venv/bin/python -m benchmarks.store_writes [number of evaluations, default 100,000]
"""

import gc
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import psycopg
from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from storage.rows import evaluation_row
from storage.store import Store, open_store
from storage.tables import EVALUATIONS
from tailwatch.evaluation import Evaluation, Series
from tailwatch.outcome import Failed, Outcome, Score, Skipped, SkipReason, Usage
from tailwatch.plan import KeepText
from tailwatch.window import Window
from tests.postgres import postgres_server

ROUNDS = 3
Rows = Sequence[dict[str, Any]]
Write = Callable[[], None]


def made_evaluations(number: int) -> list[Evaluation]:
    """One hour's evaluations by four series, 90 % scores; two series are a judge's."""
    random = Random(7)
    window = Window.hour_of(datetime(2026, 3, 1, 9, tzinfo=UTC))
    at = window.end + timedelta(minutes=10)
    names = ("faithfulness", "answer_relevance", "ndcg@10", "lexical_support")
    series = [
        Series(evaluator=name, version="1", judge="judge-small" if place < 2 else "")
        for place, name in enumerate(names)
    ]
    traces = [f"{random.getrandbits(128):032x}" for _ in range(-(-number // len(series)))]
    return [
        Evaluation(
            source="app",
            trace_id=traces[place // len(series)],
            series=series[place % len(series)],
            outcome=_outcome(random, judged=place % len(series) < 2),
            window=window,
            inclusion_probability=0.25,
            run_id="01JQ4T8V9WD3Z",
            evaluated_at=at,
        )
        for place in range(number)
    ]


def _outcome(random: Random, *, judged: bool) -> Outcome:
    chance = random.random()
    if chance < 0.05:
        return Skipped(reason=SkipReason.MISSING_DOCUMENTS)
    if chance < 0.1:
        return Failed(error_type="timeout", message="no answer after 60 s", retryable=True)
    if not judged:
        return Score(value=random.random())
    return Score(
        value=random.choice((0.0, 0.25, 0.5, 1.0)),
        label="supported",
        explanation="The second sentence has no support in the documents that were given.",
        usage=Usage(cost_usd=0.0002, input_tokens=900, output_tokens=60, latency_ms=740.5),
    )


def write_with_core(engine: Engine, rows: Rows) -> None:
    insert = postgresql_insert if engine.dialect.name == "postgresql" else sqlite_insert
    statement = insert(EVALUATIONS)
    changes = {c.name: c for c in statement.excluded if c.name != "evaluation_id"}
    upsert = statement.on_conflict_do_update(index_elements=["evaluation_id"], set_=changes)
    with engine.begin() as connection:
        connection.execute(upsert, rows)


def write_with_sqlite3(path: Path, statement: str, rows: Rows) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous = NORMAL")
    with connection:
        connection.executemany(statement, rows)
    connection.close()


def write_with_psycopg(url: str, statement: str, rows: Rows) -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.executemany(statement, rows)


def driver_statement(names: Sequence[str], mark: Callable[[str], str]) -> str:
    changes = ", ".join(f"{name} = excluded.{name}" for name in names if name != "evaluation_id")
    return (
        f"INSERT INTO evaluations ({', '.join(names)}) "  # noqa: S608 - column names of our own
        f"VALUES ({', '.join(mark(name) for name in names)}) "
        f"ON CONFLICT (evaluation_id) DO UPDATE SET {changes}"
    )


def timed(write: Write) -> float:
    gc.collect()
    start = time.perf_counter()
    write()
    return time.perf_counter() - start


def seconds(store: Store, writers: dict[str, Write]) -> dict[str, tuple[float, float]]:
    """For each writer the median seconds into an empty table and over its own rows."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in writers}
    for _ in range(ROUNDS):
        for name, write in writers.items():
            with store.database.write() as connection:
                connection.execute(EVALUATIONS.delete())
            taken[name].append((timed(write), timed(write)))
    return {
        name: (statistics.median(new for new, _ in pairs), statistics.median(a for _, a in pairs))
        for name, pairs in taken.items()
    }


@contextmanager
def sqlite_writers(rows: Rows) -> Iterator[tuple[Store, Write]]:
    text = {name: value for name, value in rows[0].items() if isinstance(value, datetime)}
    plain = [row | {name: row[name].isoformat(" ") for name in text} for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        statement = driver_statement(list(rows[0]), lambda name: f":{name}")
        with open_store(f"sqlite:///{path}") as store:
            yield store, partial(write_with_sqlite3, path, statement, plain)


@contextmanager
def postgresql_writers(rows: Rows) -> Iterator[tuple[Store, Write]]:
    with postgres_server() as url, open_store(url) as store:
        statement = driver_statement(list(rows[0]), lambda name: f"%({name})s")
        yield store, partial(write_with_psycopg, url, statement, rows)


def main(number: int) -> None:
    evaluations = made_evaluations(number)
    rows = [evaluation_row(evaluation, KeepText.FULL) for evaluation in evaluations]
    print(f"{number:,} evaluations, rows/s, median of {ROUNDS}; in brackets: x Core upsert\n")
    print(f"{'':12}{'':16}{'new':>18}{'again':>18}")
    for kind, writers in (("SQLite", sqlite_writers), ("PostgreSQL", postgresql_writers)):
        with writers(rows) as (store, write_with_driver):
            store.upgrade()
            taken = seconds(
                store,
                {
                    "Store.record": partial(store.record, evaluations),
                    "Core upsert": partial(write_with_core, store.database.engine, rows),
                    "bare driver": write_with_driver,
                },
            )
        for name, pair in taken.items():
            cells = (
                f"{number / own:>10,.0f} ({core / own:.2f})"
                for own, core in zip(pair, taken["Core upsert"], strict=True)
            )
            print(f"{kind:12}{name:16}{''.join(f'{cell:>18}' for cell in cells)}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
