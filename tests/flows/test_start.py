"""What a command imports: its own module, and no library that it does not need."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from flows.cli.commands import MODULES, Commands
from flows.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
NOT_NEEDED = {
    "aiohttp", "alembic", "apprise", "genai_prices", "httpx", "openai", "pandas", "prefect",
    "prometheus_client", "psycopg", "scipy", "sentence_transformers", "sklearn", "torch",
}  # fmt: skip
PROGRAM = """\
import sys
from flows.cli.main import main
sys.argv = ["tailwatch", "run"]
try:
    main()
finally:
    print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
    print(*sorted(name for name in sys.modules if name.startswith("flows.cli.")), file=sys.stderr)
"""
PLAN = """\
source: {use: files, name: idle, options: {path: traces.jsonl}}
evaluators: [{use: lexical_support}]
timing: {look_back: 0, catch_up: 1}
"""


def test_a_run_with_nothing_to_do_imports_little(tmp_path: Path) -> None:
    (tmp_path / "tailwatch.yaml").write_text(PLAN)
    trace = '{"trace_id": "a", "start_time": "2026-03-02T10:00:00Z"}\n'
    (tmp_path / "traces.jsonl").write_text(trace)
    environment = {"PYTHONPATH": str(ROOT), "TAILWATCH_HOME": str(tmp_path)}

    def ran(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )

    ran("-m", "flows.cli", "db", "upgrade")
    ran("-m", "flows.cli", "run")
    idle = ran("-c", PROGRAM)

    assert "Nothing new in 0 hours" in idle.stdout
    packages, commands = (line.split() for line in idle.stderr.splitlines()[-2:])
    assert not NOT_NEEDED & set(packages)
    assert {"flows.cli.run", "flows.cli.main"} <= set(commands)
    assert not {"flows.cli.backfill", "flows.cli.alerts", "flows.cli.label"} & set(commands)


@pytest.mark.parametrize("name", MODULES)
def test_every_name_is_a_command_with_its_help(name: str) -> None:
    group = get_command(app)
    assert isinstance(group, Commands)
    command = group.get_command(typer.Context(group), name)
    assert command is not None
    assert command.name == name
    assert command.help


def test_no_command_of_a_module_is_forgotten() -> None:
    group = get_command(app)
    assert isinstance(group, Commands)
    for name in MODULES:
        group.get_command(typer.Context(group), name)
    assert set(group.commands) == set(MODULES)
    modules = {path.stem for path in (ROOT / "flows" / "cli").glob("*.py")}
    others = {"__init__", "__main__", "main", "commands", "context", "simulated"}
    assert modules - others - set(MODULES.values()) <= _PARTS


_PARTS = {"alert_actions", "serve_judge", "simulate", "validate_judge"}
"""Modules whose commands are those of a group of another module."""
