"""`tailwatch judge validate` and `rate`: how far to believe a judge, and what is true then."""

import asyncio
import getpass
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from alerts import wording
from alerts.judge_card import BAD_LINE, card_lines, headline
from alerts.rates import Method, Rate
from flows.cli.context import CommandContext, chosen, console, now, parse_range, say_json
from flows.cli.look import parse_span
from flows.golden_file import read_golden
from flows.overview import newest
from flows.plan_file import PlanFile
from flows.rating import CorrectedRate, corrected_rates
from flows.validating import Validated, cost_of, validate_by_items, validate_by_store, wanted_of
from flows.wiring import open_parts
from tailwatch.errors import ConfigurationError
from tailwatch.printable import printable

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]
Named = Annotated[
    list[str] | None, typer.Option("--evaluator", help="Only this rubric; may be repeated.")
]


def validate(
    context: typer.Context,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels", help="A golden set the judge is asked about. Default: the store's labels."
        ),
    ] = None,
    evaluator: Named = None,
    line: Annotated[
        float, typer.Option(min=0, max=1, help="Scores on the bad side of it are bad.")
    ] = BAD_LINE,
    max_cost: Annotated[
        float | None, typer.Option("--max-cost", min=0.000001, help="USD. Default: the plan's cap.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say the cost and ask nothing.")
    ] = False,
    who: Annotated[str | None, typer.Option(help="Default: the user of this shell.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare judges with people; the figures are shown wherever their scores are."""
    command = chosen(context)
    name = who or getpass.getuser()
    if labels is None:
        done = asyncio.run(_by_store(command, evaluator or (), name, line))
    else:
        done = asyncio.run(
            _by_file(command, labels, evaluator or (), name, line, max_cost, dry_run=dry_run)
        )
    if as_json:
        say_json([_record(each) for each in done])
        return
    out = console()
    for each in done:
        out.print(
            f"\n{printable(str(each.record.series), 120)}: {headline(each.card)}", markup=False
        )
        for text in (*card_lines(each.card), *(f"  {printable(n, 200)}" for n in each.notes)):
            out.print(text, markup=False, soft_wrap=True)


def rate(
    context: typer.Context,
    evaluator: Named = None,
    last: Annotated[
        str, typer.Option("--last", help="The time that the rate is of, to the newest hour.")
    ] = "7d",
    start: Annotated[str | None, typer.Option("--from", help="Instead of --last.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Instead of --last.")] = None,
    half_width: Annotated[
        float,
        typer.Option("--within", min=0.001, max=0.5, help="How exact it should be: 0.05 is +-5 %."),
    ] = 0.05,
    as_json: AsJson = False,
) -> None:
    """The share of bad outputs, corrected for the judge's errors by people's labels."""
    command = chosen(context)
    if (start is None) != (end is None):
        raise ConfigurationError("--from and --to go together")
    given = parse_range(start, end) if start is not None and end is not None else None

    async def read() -> list[CorrectedRate]:
        async with open_parts(command.plan_file(), command.settings) as parts:
            window = given or newest(parts.store, parts.source.name, parse_span(last))
            return corrected_rates(parts, evaluator or (), window, half_width=half_width)

    found = asyncio.run(read())
    if as_json:
        say_json([_rate_record(each) for each in found])
        return
    out = console()
    for each in found:
        out.print(f"{printable(str(each.series), 120)}, {each.window}", markup=False)
        for text in (rate_sentence(each.rate), *each.notes, _needed(each, half_width)):
            out.print(f"  {text}", markup=False, soft_wrap=True)


def rate_sentence(found: Rate) -> str:
    """A rate with its interval beside the judge's own share, or why there is none."""
    judged = (
        "" if found.judged is None else f"; the judge calls {wording.percent(found.judged)} bad"
    )
    if found.value is None or found.low is None or found.high is None:
        return f"{found.why}{judged}"
    how = "labels" if found.method is Method.TWO_PHASE else "labels of another time (Rogan-Gladen)"
    return (
        f"{wording.percent(found.value)} are bad (95 % interval {wording.percent(found.low)} to "
        f"{wording.percent(found.high)}, {found.labels:,} {how}){judged}"
    )


def _needed(found: CorrectedRate, half_width: float) -> str:
    return (
        f"+-{wording.percent(half_width)} takes about {found.needed:,} random labels of this time: "
        f"`tailwatch label --sample {found.needed}`"
    )


async def _by_store(
    command: CommandContext, names: Sequence[str], who: str, line: float
) -> list[Validated]:
    async with open_parts(command.plan_file(), command.settings) as parts:
        return validate_by_store(parts, names, who=who, line=line, now=now())


async def _by_file(
    command: CommandContext,
    path: Path,
    names: Sequence[str],
    who: str,
    line: float,
    max_cost: float | None,
    *,
    dry_run: bool,
) -> list[Validated]:
    items = read_golden(path)
    async with open_parts(with_cap(command.plan_file(), max_cost), command.settings) as parts:
        wanted, notes = wanted_of(parts, items, names)
        cost = cost_of(parts, wanted)
        for note in (
            *notes,
            f"at most {cost.calls:,} calls, {cost.worst_case_usd:.4f} USD if each were as long "
            f"as it may be; never more than the cap of {cost.cap_usd:.4f} USD",
        ):
            typer.echo(note, err=True)
        if dry_run:
            return []
        return await validate_by_items(
            parts,
            wanted,
            labels_from=path.name,
            run_id=uuid.uuid4().hex,
            who=who,
            line=line,
            clock=now,
        )


def with_cap(plan_file: PlanFile, max_cost_usd: float | None) -> PlanFile:
    """The plan with another cap for one run."""
    judge = plan_file.plan.judge
    if max_cost_usd is None or judge is None:
        return plan_file
    capped = judge.model_copy(update={"max_cost_usd": max_cost_usd})
    return replace(plan_file, plan=plan_file.plan.model_copy(update={"judge": capped}))


def _record(done: Validated) -> dict[str, object]:
    series = done.record.series
    return {
        "evaluator": series.evaluator,
        "version": series.version,
        "judge": series.judge,
        "prompt_hash": done.record.prompt_hash,
        "at": done.record.at,
        "who": done.record.who,
        "labels_from": done.record.labels_from,
        "card": done.record.card,
        "notes": list(done.notes),
    }


def _rate_record(found: CorrectedRate) -> dict[str, object]:
    rate = found.rate
    return {
        "evaluator": found.series.evaluator,
        "version": found.series.version,
        "judge": found.series.judge,
        "start": found.window.start,
        "end": found.window.end,
        "rate": rate.value,
        "low": rate.low,
        "high": rate.high,
        "judged": rate.judged,
        "labels": rate.labels,
        "method": rate.method,
        "why": rate.why,
        "labels_needed": found.needed,
        "notes": list(found.notes),
    }
