"""Stores of both kinds, as the tests of the store have them, and what a quiet run leaves there."""

import shutil
from pathlib import Path

import pytest

from tests.storage.conftest import (
    database_name,
    drop_database,
    migrated_postgres,
    migrated_sqlite,
    new_database,
    postgres_url,
    store,
    store_url,
)
from tests.survival.story import (
    HOURS,
    PER_HOUR,
    Left,
    Project,
    evaluate,
    left_behind,
    make_project,
)

__all__ = ["migrated_postgres", "migrated_sqlite", "postgres_url", "store", "store_url"]

_undisturbed: dict[str, Left] = {}


@pytest.fixture
def project(store_url: str, tmp_path: Path) -> Project:
    return make_project(tmp_path / "project", store_url)


@pytest.fixture
def undisturbed(
    store_url: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Left:
    """What one run that nobody disturbs leaves in a store of the same kind."""
    kind = store_url.partition(":")[0]
    if kind not in _undisturbed:
        _undisturbed[kind] = _a_quiet_run(kind, tmp_path, request)
    return _undisturbed[kind]


def _a_quiet_run(kind: str, folder: Path, request: pytest.FixtureRequest) -> Left:
    if kind == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_sqlite"), folder / "quiet.db")
        return _evaluated(make_project(folder / "quiet", f"sqlite:///{folder / 'quiet.db'}"))
    server_url = request.getfixturevalue("postgres_url")
    template = database_name(request.getfixturevalue("migrated_postgres"))
    url = new_database(server_url, template)
    try:
        return _evaluated(make_project(folder / "quiet", url))
    finally:
        drop_database(server_url, url)


def _evaluated(project: Project) -> Left:
    evaluate(project)
    left = left_behind(project)
    assert len(left["windows"]) == HOURS
    assert len(left["evaluations"]) > 2 * HOURS * PER_HOUR
    return left
