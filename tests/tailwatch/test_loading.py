"""Names are found in a room's index, then among installed packages."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tailwatch.errors import ConfigurationError, UnknownNameError
from tailwatch.loading import load, split_parameter
from tailwatch.window import Window, floor_hour

GROUP = "tailwatch.tests"


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed package that offers a good name, a bad one, and one of ours."""
    info = tmp_path / "plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[{GROUP}]\ngood = tailwatch_test_plugin:thing\n"
        "bad = tailwatch_test_plugin:absent\nwindow = tailwatch_test_plugin:thing\n"
    )
    (tmp_path / "tailwatch_test_plugin.py").write_text("thing = 'from the plug-in'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("tailwatch_test_plugin", None)


INDEX = {"window": "tailwatch.window:Window", "floor": "tailwatch.window:floor_hour"}


def test_an_index_name_is_loaded() -> None:
    assert load("thing", "window", INDEX, GROUP) is Window
    assert load("thing", "floor", INDEX, GROUP) is floor_hour


@pytest.mark.usefixtures("plugin")
def test_a_plug_in_adds_names_and_replaces_none() -> None:
    assert load("thing", "good", INDEX, GROUP) == "from the plug-in"
    assert load("thing", "window", INDEX, GROUP) is Window


@pytest.mark.usefixtures("plugin")
def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="no thing is called 'x'; known: bad, floor, good"):
        load("thing", "x", INDEX, GROUP)


@pytest.mark.usefixtures("plugin")
def test_a_plug_in_that_does_not_load_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'bad' of the package tailwatch_test_plugin"):
        load("thing", "bad", INDEX, GROUP)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ndcg@10", ("ndcg@k", "10")),
        ("token_f1", ("token_f1", None)),
        ("ndcg@", ("ndcg@k", "")),
    ],
)
def test_a_name_splits_into_family_and_parameter(
    name: str, expected: tuple[str, str | None]
) -> None:
    assert split_parameter(name) == expected
