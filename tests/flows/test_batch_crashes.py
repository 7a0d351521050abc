"""A batch backfill whose process is killed at any point ends as if nothing had happened."""

import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from storage.database import Database, store_url
from storage.judge_tables import JUDGE_CALLS
from storage.store import Store, open_store
from tailwatch.plan import KeepText
from tailwatch.trace import FetchError, Trace, TraceRef
from tests.builders import START
from tests.fakes import MemorySource
from tests.flows.batch_story import LIST_PRICE, Story, by_material, three_hours
from tests.storage import conftest as stores
from tests.stub_batches import StubBatches

migrated_sqlite = stores.migrated_sqlite

LATER = START + timedelta(days=3, hours=1)
"""When others may take over what the killed process held."""

_children = multiprocessing.get_context("forkserver")
_children.set_forkserver_preload(["tests.flows.batch_story"])


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DyingStore(Store):
    """A store whose process is killed the moment it is asked for one of its methods."""

    dies_in = ""

    def __getattribute__(self, name: str) -> Any:
        if name == object.__getattribute__(self, "dies_in"):
            _die()
        return super().__getattribute__(name)


@dataclass
class DyingSource(MemorySource):
    """A source whose process is killed when it hands out a certain trace."""

    dies_at: str = ""

    async def fetch(self, refs: Sequence[TraceRef]) -> AsyncIterator[Trace | FetchError]:
        for ref in refs:
            if ref.trace_id == self.dies_at:
                _die()
        async for item in super().fetch(refs):
            yield item


def live(store_file: Path, url: str, dies_in: str, dies_at: str) -> None:
    """What a process does until it is killed: starts the backfill, or goes on with it."""
    store = DyingStore(Database(store_url(f"sqlite:///{store_file}")), KeepText.FULL)
    store.dies_in = dies_in
    Story(store, url, source=DyingSource(three_hours().traces, dies_at=dies_at)).start()


@dataclass
class Life:
    """The store and the provider that outlive the processes of a backfill."""

    file: Path
    provider: StubBatches

    def process(self, *, route: str = "", dies_in: str = "", dies_at: str = "") -> int | None:
        """The exit code of a process that starts the backfill or goes on with it.

        `route` is "before" or "after" and what it asks the provider: then it is killed there.
        """
        arguments = (self.file, self.provider.url, dies_in, dies_at)
        process = _children.Process(target=live, args=arguments)
        over = threading.Event()

        def killer(when: str) -> Callable[[str], None]:
            def heard(asked: str) -> None:
                if f"{when} {asked}" == route:
                    process.kill()
                    over.wait(60)  # only one thread may join a process

            return heard

        self.provider.before, self.provider.after = killer("before"), killer("after")
        process.start()
        process.join(60)
        over.set()
        self.provider.before = self.provider.after = lambda _: None
        return process.exitcode


@pytest.fixture
def provider() -> Iterator[StubBatches]:
    with StubBatches(by_material) as started:
        yield started


@pytest.fixture
def life(tmp_path: Path, migrated_sqlite: Path, provider: StubBatches) -> Life:
    shutil.copy(migrated_sqlite, tmp_path / "store.db")
    return Life(tmp_path / "store.db", provider)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> dict[str, Any]:
    """What the store tells after the same backfill online."""
    file = tmp_path_factory.mktemp("undisturbed") / "store.db"
    shutil.copy(migrated_sqlite, file)
    with StubBatches(by_material) as provider, open_store(f"sqlite:///{file}") as store:
        story = Story(store, provider.url)
        story.online()
        return story.told()


def ends_well(life: Life, undisturbed: dict[str, Any]) -> None:
    """A later process ends the backfill; every question was submitted and paid once."""
    with open_store(f"sqlite:///{life.file}") as store:
        story = Story(store, life.provider.url, now=LATER)
        for _ in range(3):
            if story.start().job.over:
                break
            life.provider.finish()
        assert story.told() == undisturbed
        assert len(life.provider.asked) == 12
        assert len(life.provider.batches) == 1
        assert life.provider.files == {}
        with store.database.read() as connection:
            rows = connection.execute(select(JUDGE_CALLS.c.state, JUDGE_CALLS.c.cost_usd)).all()
        assert {state for state, _ in rows} == {"settled"}
        assert sum(cost for _, cost in rows) == pytest.approx(12 * LIST_PRICE / 2)


SUBMITTING = [
    {"dies_at": "t1-2"},
    {"dies_in": "add_batch_lines"},
    {"dies_in": "reserve_calls"},
    {"dies_in": "drop_batch_lines"},
    {"route": "before POST /files"},
    {"route": "after POST /files"},
    {"route": "before POST /batches"},
    {"route": "after POST /batches"},
]

RECORDING = [
    {"route": "after GET /batches/id"},
    {"route": "after GET /files/id/content"},
    {"dies_in": "settle_calls"},
    {"dies_in": "settle_batch"},
    {"route": "after DELETE /files/id"},
    {"dies_at": "t1-2"},
    {"dies_in": "record_coverage"},
    {"dies_in": "set_batch_job"},
]


def _name(point: dict[str, str]) -> str:
    return " ".join(f"{where} {what}" for where, what in point.items())


@pytest.mark.parametrize("point", SUBMITTING, ids=_name)
def test_killed_on_the_way_to_the_provider(
    life: Life, undisturbed: dict[str, Any], point: dict[str, str]
) -> None:
    assert life.process(**point) == -signal.SIGKILL
    ends_well(life, undisturbed)


@pytest.mark.parametrize("point", RECORDING, ids=_name)
def test_killed_on_the_way_back(
    life: Life, undisturbed: dict[str, Any], point: dict[str, str]
) -> None:
    assert life.process() == 0
    life.provider.finish()
    assert life.process(**point) == -signal.SIGKILL
    ends_well(life, undisturbed)
