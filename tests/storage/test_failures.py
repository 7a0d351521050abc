"""What goes wrong with a database is said in one sentence, without passwords."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from storage.database import store_url as parsed
from storage.store import Store, open_store
from tailwatch.errors import ConfigurationError, StoreError, StoreUnavailableError
from tests.storage.examples import HOUR_0, NOW, ref


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql://h:5433/d?sslmode=require", "postgresql+psycopg://h:5433/d?sslmode=require"),
        ("postgresql+psycopg://h/d", "postgresql+psycopg://h/d"),
        ("sqlite:////tmp/a.db", "sqlite:////tmp/a.db"),
        ("sqlite:///a.db", f"sqlite:///{Path('a.db').absolute()}"),
    ],
)
def test_a_store_is_named_by_a_url(given: str, meant: str) -> None:
    assert parsed(given).render_as_string(hide_password=False) == meant


@pytest.mark.parametrize(
    "url",
    ["", "tailwatch.db", "sqlite://", "sqlite:///:memory:", "mysql://u:secret@h/d", "a://[:b"],
)
def test_any_other_url_is_a_mistake_in_the_configuration(url: str) -> None:
    with pytest.raises(ConfigurationError, match="accepted are sqlite:///path") as raised:
        open_store(url)
    assert "secret" not in str(raised.value)


def test_the_folder_of_a_store_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "store.db"
    with open_store(f"sqlite:///{path}") as store:
        store.upgrade()
    assert path.exists()
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot make the store's folder"):
        open_store(f"sqlite:///{tmp_path / 'file' / 'store.db'}")


def test_a_server_that_does_not_answer_is_unavailable() -> None:
    store = open_store("postgresql://user:secret@127.0.0.1:1/db?password=secret")
    with pytest.raises(StoreUnavailableError, match=r"did not answer: .*onnection") as raised:
        store.stats()
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_locked_file_is_unavailable(
    migrated_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.db"
    shutil.copy(migrated_sqlite, path)
    monkeypatch.setattr("storage.database.BUSY_TIMEOUT_MS", 50)
    with open_store(f"sqlite:///{path}") as store:
        other = sqlite3.connect(path)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailableError, match="did not answer: database is locked"):
            store.record_listing([ref("t")], NOW)
        assert store.listed("app", HOUR_0) == {}
        other.close()
        store.record_listing([ref("t")], NOW)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_text("this is not a database " * 100)
    with open_store(f"sqlite:///{path}") as store, pytest.raises(StoreError, match="refused"):
        store.upgrade()


def test_what_fails_half_way_leaves_nothing(store: Store) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        store.record_listing([ref("a"), ref("b")], NOW.replace(tzinfo=None))
    assert store.stats()["traces"] == 0
