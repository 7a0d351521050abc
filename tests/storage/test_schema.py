"""The schema: from nothing, from every revision, and what is refused."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text

from storage.schema import MIGRATIONS, REVISIONS
from storage.store import Store, open_store
from tailwatch.errors import StoreSchemaError
from tests.storage.examples import NOW, SOURCE, evaluation, ref

REPOSITORY = Path(__file__).parents[2]


def config_for(store: Store) -> Config:
    config = Config(toml_file=str(REPOSITORY / "pyproject.toml"))
    config.attributes["url"] = store.database.url
    return config


def set_revision(store: Store, revision: str) -> None:
    with store.database.write() as connection:
        connection.execute(text("UPDATE tailwatch_schema SET version_num = :r"), {"r": revision})


def test_the_revisions_are_one_line_in_the_order_of_their_names() -> None:
    scripts = ScriptDirectory(str(MIGRATIONS)).walk_revisions()
    assert tuple(script.revision for script in scripts)[::-1] == REVISIONS


@pytest.mark.parametrize("revision", ["base", *REVISIONS])
def test_every_revision_is_migrated_to_the_models_of_today(empty_url: str, revision: str) -> None:
    with open_store(empty_url) as store:
        command.upgrade(config_for(store), "head")
        command.downgrade(config_for(store), revision)
        store.upgrade()
        store.check_schema()
        command.check(config_for(store))
        store.record_listing([ref("t")], NOW)
        store.record([evaluation("t")])
        assert store.stats()["evaluations"] == 1


def test_a_store_without_tables_is_refused_until_it_is_migrated(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_store(empty_url) as store:
        with pytest.raises(StoreSchemaError, match="no tables yet; run `tailwatch db upgrade`"):
            store.check_schema()
        with pytest.raises(StoreSchemaError, match="run `tailwatch db upgrade`"):
            store.runs()
        store.upgrade()
        store.upgrade()
        store.check_schema()
        assert store.runs() == []


def test_a_newer_store_is_refused_and_left_alone(store: Store) -> None:
    set_revision(store, "9999")
    for call in (store.check_schema, store.upgrade):
        with pytest.raises(StoreSchemaError, match=r"newer schema 9999.*: upgrade tailwatch"):
            call()


def test_an_older_store_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.schema.REVISIONS", (*REVISIONS, "9999"))
    with pytest.raises(StoreSchemaError, match=r"older schema .* needs 9999: run `tailwatch db"):
        store.check_schema()


def upgrade_and_write(url: str) -> int:
    with open_store(url) as store:
        store.upgrade()
        for number in range(20):
            store.record([evaluation(f"{os.getpid()}-{number}-{n}") for n in range(50)])
            store.set_sample(SOURCE, evaluation("t").series, evaluation("t").window, {})
        return os.getpid()


def test_two_processes_upgrade_and_write_at_once(empty_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as pool:
        assert len(set(pool.map(upgrade_and_write, [empty_url] * 2))) == 2
    with open_store(empty_url) as store:
        store.check_schema()
        assert store.stats()["evaluations"] == 2 * 20 * 50
