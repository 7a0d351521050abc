"""`tailwatch export`: scores, summaries and alerts as files for other tools."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.context import chosen, console, parse_range, progress_bar, say_json
from flows.exporting import Table, frames, write_table
from tailwatch.errors import ConfigurationError

if TYPE_CHECKING:
    from pandas import DataFrame


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("export")(export)


def export(
    context: typer.Context,
    table: Annotated[Table, typer.Argument(help="What to write.")],
    out: Annotated[Path, typer.Option(help="The file: .csv or .parquet; an old one is replaced.")],
    start: Annotated[str, typer.Option("--from", help="First hour, e.g. 2026-11-01.")],
    end: Annotated[str, typer.Option("--to", help="End of the last hour, e.g. 2026-11-15.")],
    evaluator: Annotated[
        list[str] | None, typer.Option(help="Only scores of this evaluator; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Write scores, summaries or alerts to a CSV or Parquet file."""
    command = chosen(context)
    window = parse_range(start, end)
    source = command.plan_file().plan.source.name
    if evaluator and table is not Table.SCORES:
        raise ConfigurationError(f"--evaluator goes with scores alone, not with {table.value}")
    with command.store() as store, progress_bar() as bar:
        series = []
        if evaluator:
            there = store.series_in(source, window)
            for name in evaluator:
                if name not in {each.evaluator for each in there}:
                    known = ", ".join(sorted({each.evaluator for each in there})) or "none at all"
                    raise ConfigurationError(
                        f"--evaluator {name!r} has no outcomes in {window}; there are: {known}"
                    )
            series = [each for each in there if each.evaluator in evaluator]
        task = bar.add_task("writing", total=None)

        def counted() -> Iterator["DataFrame"]:
            for part in frames(table, store, source, window, series):
                bar.advance(task, len(part))
                yield part

        written = write_table(table, counted(), out)
    if as_json:
        say_json({"path": str(written.path), "rows": written.rows})
    else:
        console().print(f"{written.rows:,} {table.value} of {window} are in {out}.", markup=False)
