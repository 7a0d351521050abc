"""What people mistype and what their terminals do: one clear message, never a traceback."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.cli.context import console, parse_moment
from flows.cli.main import main
from flows.plan_file import read_plan
from tailwatch.errors import ConfigurationError, PlanError

PLAN = "source: {use: files, name: mine}\nevaluators: [{use: lexical_support}]\n"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["tailwatch", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    return stopped.value.code


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("? [a, b]\n: 1\n", "not valid YAML"),
        ("segments: &a [*a]\n", "a value holds itself, by an alias"),
        ("qrels: !!python/name:os.system\n", "not valid YAML"),
        ("qrels: !!binary abc\n", "not valid YAML"),
        ("chunk_size: 2026-99-99\n", "not valid YAML"),
        ("rules: [floor]\n", "must hold settings, as in `use: NAME` (got 'floor')"),
    ],
)
def test_a_plan_that_yaml_cannot_make_is_one_message(tmp_path: Path, more: str, says: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN + more)

    with pytest.raises(PlanError, match=r"plan\.yaml:\d+: ") as refused:
        read_plan(path)

    assert says in str(refused.value)


@pytest.mark.parametrize(
    "arguments",
    [
        ("backfill", "--from", "2100-01-01", "--to", "2100-01-02"),
        ("run", "--hour", "2100-01-01T05"),
    ],
)
def test_an_hour_to_come_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(monkeypatch, *arguments) == 2
    assert "is not over yet; the last full hour ended at" in capsys.readouterr().err


def test_a_year_that_no_trace_has_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="1970 or later"):
        parse_moment("0001-01-01", "--from")


@pytest.mark.parametrize(
    ("trouble", "code", "says"),
    [
        (KeyboardInterrupt(), 130, "running again goes on from there"),
        (BrokenPipeError(32, ""), 0, ""),
    ],
)
def test_ctrl_c_and_a_reader_that_has_enough(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    trouble: BaseException,
    code: int,
    says: str,
) -> None:
    def interrupted(work: Any) -> None:
        work.close()
        raise trouble

    (tmp_path / "tailwatch.yaml").write_text(PLAN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(asyncio, "run", interrupted)

    assert run(monkeypatch, "scores") == code
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(("columns", "width"), [("", 120), ("wide", 120), ("0", 120), ("60", 60)])
def test_the_width_follows_columns_where_it_makes_sense(
    monkeypatch: pytest.MonkeyPatch, columns: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", columns)

    assert console().width == width
