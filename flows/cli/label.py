"""`tailwatch label`: a person reads traces and gives verdicts, one key each."""

import asyncio
import getpass
import sys
import time
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console

from flows.acting import found_alert
from flows.cli.context import chosen, console, now, parse_range
from flows.cli.look import parse_span
from flows.label_queue import alert_queue, random_queue, rubrics_of
from flows.labelling import Tally, Walk
from flows.overview import newest
from flows.wiring import open_parts
from tailwatch.errors import ConfigurationError

_WIDEST = 110


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("label")(label)


def label(
    context: typer.Context,
    evaluator: Annotated[
        list[str] | None, typer.Option(help="Only this rubric; may be repeated.")
    ] = None,
    size: Annotated[int, typer.Option("--sample", min=1, help="How many traces.")] = 50,
    last: Annotated[
        str, typer.Option("--last", help="Draw from so much time before the newest hour.")
    ] = "7d",
    start: Annotated[str | None, typer.Option("--from", help="Instead of --last.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Instead of --last.")] = None,
    alert: Annotated[
        str | None, typer.Option(help="The worst traces of this alert instead of a random sample.")
    ] = None,
    who: Annotated[str | None, typer.Option(help="Default: the user of this shell.")] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Ask also about what you have labelled before.")
    ] = False,
) -> None:
    """Read traces and give verdicts by a key press; goes on where you stopped."""
    command = chosen(context)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigurationError(
            "`tailwatch label` waits for key presses and needs a terminal; labels from elsewhere "
            "are read from a golden set by `tailwatch judge validate --labels FILE`"
        )
    if (start is None) != (end is None):
        raise ConfigurationError("--from and --to go together")
    chosen_range = parse_range(start, end) if start is not None and end is not None else None

    async def work() -> Tally:
        async with open_parts(command.plan_file(), command.settings) as parts:
            rubrics = rubrics_of(parts, evaluator or ())
            if alert is not None:
                queue = alert_queue(parts, found_alert(parts, alert), size)
            else:
                window = chosen_range or newest(parts.store, parts.source.name, parse_span(last))
                queue = random_queue(parts, rubrics, window, size)
            desk = _Terminal(console())
            desk.show([f"To label: {queue.sentence}.", ""])
            walk = Walk(
                parts=parts,
                rubrics=rubrics,
                who=who or getpass.getuser(),
                desk=desk,
                clock=now,
                seconds=time.monotonic,
                again=again,
            )
            return await walk.through(queue)

    tally = asyncio.run(work())
    out = console()
    for line in _summary(tally, command.command):
        out.print(line, markup=False)


class _Terminal:
    """The terminal that the command was called in."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self.width = min(out.width, _WIDEST)

    def show(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._out.print(line, markup=False, soft_wrap=True)

    def key(self) -> str:
        return str(typer.getchar()).lower()


def _summary(tally: Tally, command: str) -> list[str]:
    parts = [f"{tally.labels:,} labels recorded"]
    for number, what in (
        (tally.skipped, "skipped"),
        (tally.gone, "traces whose text is gone"),
        (tally.before, "traces labelled before"),
    ):
        if number:
            parts.append(f"{number:,} {what}")
    lines = [f"{', '.join(parts)}."]
    if tally.left:
        lines.append(f"{tally.left:,} traces still wait; the same command goes on with them.")
    return [*lines, f"Next: {command} judge validate, {command} judge rate"]
