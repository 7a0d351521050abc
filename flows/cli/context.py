"""What every command works with: the settings, the plan's path, and where to print."""

import json
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from flows.plan_file import PlanFile, read_plan
from flows.wiring import opened_store
from storage.store import Store
from tailwatch.errors import ConfigurationError
from tailwatch.settings import Settings
from tailwatch.window import Window

ROOT = Path(__file__).resolve().parents[2]
"""The folder of the checkout: the bundled plan and data lie here."""

DEMO_PLAN = ROOT / "datasets" / "demo" / "tailwatch.yaml"

LEAST_COLUMNS = 20

NARROW_COLUMNS = 80
"""With fewer columns tables are shown as lines."""

_errors = Console(stderr=True, highlight=False)

_command: ContextVar[str] = ContextVar("_command", default="tailwatch")
"""How tailwatch was called, for the hints of errors, which are raised where nobody knows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandContext:
    """The choices made before the command's name."""

    settings: Settings
    demo: bool
    plan: Path | None = None

    @classmethod
    def from_environment(cls, *, plan: Path | None, demo: bool) -> "CommandContext":
        """The environment's settings, with what the command line says over them."""
        settings = Settings()
        if demo and plan is not None:
            raise ConfigurationError("--demo brings its own plan; leave out --plan, or --demo")
        if demo:
            store = f"sqlite:///{(settings.home / 'demo.db').absolute()}"
            settings = settings.model_copy(
                update={"plan": DEMO_PLAN, "store_url": SecretStr(store)}
            )
        elif plan is not None:
            settings = settings.model_copy(update={"plan": plan})
        made = cls(settings=settings, demo=demo, plan=plan)
        _command.set(made.command)
        return made

    @property
    def command(self) -> str:
        """How to call tailwatch with the same choices, for hints."""
        if self.plan is not None:
            return f"tailwatch --plan {shlex.quote(str(self.plan))}"
        return "tailwatch --demo" if self.demo else "tailwatch"

    def plan_file(self) -> PlanFile:
        """The plan. Raises PlanError."""
        return read_plan(self.settings.plan)

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The results store, its schema checked."""
        with opened_store(self.settings) as store:
            store.check_schema()
            yield store


def chosen(context: typer.Context) -> CommandContext:
    """The CommandContext of the running command."""
    command: CommandContext = context.obj
    return command


def console() -> Console:
    """Where tables go: standard output, as wide as COLUMNS says, or 120 where there is no terminal.

    A COLUMNS that is no number, or too few to show anything, is passed over.
    """
    columns = os.environ.get("COLUMNS", "")
    wide = int(columns) if columns.isdecimal() and int(columns) >= LEAST_COLUMNS else 120
    return Console(highlight=False, width=None if sys.stdout.isatty() else wide)


def shows_tables(out: Console) -> bool:
    """Whether there is room for tables; where there is not, lines are read more easily."""
    return out.width >= NARROW_COLUMNS


def quantity(count: int, thing: str) -> str:
    """Such as `1 alert` or `1,200 alerts`."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def say_error(message: str) -> None:
    """Prints what went wrong to standard error, without markup.

    The commands that it hints at, as in `tailwatch db upgrade`, have the choices of this call.
    """
    hinting = message.replace("`tailwatch ", f"`{_command.get()} ")
    _errors.print(Text.assemble(("error: ", "bold red"), hinting), soft_wrap=True)


def say_json(value: Any) -> None:
    """Prints one JSON document for a script."""
    typer.echo(json.dumps(value, ensure_ascii=True, indent=2, default=str))


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A progress bar on standard error, silent where that is not a terminal."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=_errors,
        disable=not sys.stderr.isatty(),
        transient=True,
    )
    with bar:
        yield bar


def now() -> datetime:
    """The present, in UTC: the one clock of the command line."""
    return datetime.now(UTC)


def parse_why(text: str) -> str:
    """The reason of `--why`. Raises ConfigurationError for a blank one."""
    if not text.strip():
        raise ConfigurationError("--why is empty; say in a few words why, for whoever reads it")
    return text.strip()


def parse_moment(text: str, option: str) -> datetime:
    """A time from `2026-11-14`, `2026-11-14T23` or full ISO 8601; UTC where no zone is given.

    Raises ConfigurationError with what is accepted.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ConfigurationError(
            f"{option} is {text!r}; write a time such as 2026-11-14, 2026-11-14T23 or "
            "2026-11-14T23:00Z"
        ) from None
    if not 1970 <= moment.year <= 9000:
        raise ConfigurationError(f"{option} is {text!r}; its year must be 1970 or later")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def parse_range(start: str, end: str) -> Window:
    """The window from `--from` to `--to`. Raises ConfigurationError."""
    try:
        return Window(parse_moment(start, "--from"), parse_moment(end, "--to"))
    except ValueError as error:
        raise ConfigurationError(f"--from and --to: {error}") from None
