"""The command `tailwatch`. Exit codes: 0 fine, 1 the run failed, 2 wrong usage or configuration."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from flows.cli.commands import Commands
from flows.cli.context import CommandContext, say_error
from tailwatch import __version__
from tailwatch.errors import ConfigurationError, TailwatchError

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

app = typer.Typer(
    cls=Commands,
    help="Continuous evaluation of LLM applications: hourly scores, and alerts on the worst tenth.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tailwatch {__version__}")
        raise typer.Exit


@app.callback()
def choose(
    context: typer.Context,
    plan: Annotated[
        Path | None, typer.Option(help="The evaluation plan. [env: TAILWATCH_PLAN]", dir_okay=False)
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Use the bundled demo plan and the demo's own store.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """What every command shares: which plan and which store."""
    del version
    context.obj = CommandContext.from_environment(plan=plan, demo=demo)


def main() -> None:
    """Runs the command and turns what is the user's to mend into one message and an exit code."""
    try:
        app(standalone_mode=True)
    except ConfigurationError as error:
        say_error(str(error))
        sys.exit(EXIT_USAGE)
    except ValidationError as error:
        for fault in error.errors():
            name = "TAILWATCH_" + "_".join(map(str, fault["loc"])).upper()
            say_error(f"the environment variable {name}: {fault['msg']}")
        sys.exit(EXIT_USAGE)
    except TailwatchError as error:
        say_error(str(error))
        sys.exit(EXIT_FAILED)
    except SystemExit as stop:
        # typer turns Ctrl-C into this code and says nothing.
        if stop.code == EXIT_INTERRUPTED:
            say_error(
                "stopped; what was finished is recorded, and running again goes on from there"
            )
        # A reader such as `head` that has seen enough is no failure.
        if isinstance(stop.__context__, BrokenPipeError):
            sys.exit(0)
        raise
