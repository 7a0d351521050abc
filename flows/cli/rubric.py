"""`tailwatch rubric`: how to read across a change of a rubric's version or of its judge."""

import asyncio
import getpass
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated

import typer

from alerts.bridge import bridge_lines, bridge_of
from alerts.judge_card import BAD_LINE
from flows.bridging import Asked, Bridged, End, Opening, build_bridge, cost_of_bridge
from flows.cli.context import CommandContext, chosen, console, now, parse_range, say_json
from flows.cli.look import parse_span
from flows.cli.validate_judge import with_cap
from flows.overview import newest
from flows.parts import Parts
from flows.wiring import open_parts
from storage.review_records import BridgeRecord
from tailwatch.errors import ConfigurationError
from tailwatch.printable import printable

app = typer.Typer(help="Rubrics: what a change of them did to the scores.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]


@app.command("bridge")
def bridge(
    context: typer.Context,
    rubric: Annotated[str, typer.Option("--rubric", help="The rubric, by its name in the plan.")],
    old: Annotated[
        str | None,
        typer.Option("--from", help="The old version, or its file. Default: as in the plan."),
    ] = None,
    new: Annotated[
        str | None,
        typer.Option("--to", help="The new version, or its file. Default: as in the plan."),
    ] = None,
    judge_from: Annotated[
        str | None, typer.Option("--judge-from", help="The old judge model. Default: the plan's.")
    ] = None,
    judge_to: Annotated[
        str | None, typer.Option("--judge-to", help="The new judge model. Default: the plan's.")
    ] = None,
    size: Annotated[int, typer.Option("--sample", min=1, help="How many traces.")] = 200,
    last: Annotated[
        str, typer.Option("--last", help="Draw from so much time before the newest hour.")
    ] = "7d",
    start: Annotated[
        str | None, typer.Option("--start", help="Instead of --last: the first hour.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--end", help="Instead of --last: the end of the last hour.")
    ] = None,
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
    """Score one sample with the old and the new, and keep the difference."""
    command = chosen(context)
    if (start is None) != (end is None):
        raise ConfigurationError("--start and --end go together")
    given = parse_range(start, end) if start is not None and end is not None else None
    opening = _opening(command, max_cost)

    async def work() -> Bridged | None:
        async with opening(None, None) as parts:
            window = given or newest(parts.store, parts.source.name, parse_span(last))
        asked = Asked(
            rubric=rubric,
            old=End(rubric=old, judge=judge_from),
            new=End(rubric=new, judge=judge_to),
            window=window,
            size=size,
            line=line,
        )
        cost = await cost_of_bridge(opening, asked)
        typer.echo(
            f"at most {cost.calls:,} calls, {cost.worst_case_usd:.4f} USD if each were as long as "
            f"it may be; never more than the cap of {cost.cap_usd:.4f} USD",
            err=True,
        )
        if dry_run:
            return None
        return await build_bridge(
            opening,
            asked,
            run_id=uuid.uuid4().hex,
            who=who or getpass.getuser(),
            clock=now,
            max_cost_usd=max_cost,
        )

    done = asyncio.run(work())
    if done is None:
        return
    if as_json:
        say_json(_record(done.record))
        return
    _say(done.record)
    console().print(
        f"  {done.known:,} scores were known, {done.asked:,} asked for at {done.cost_usd:.4f} USD; "
        f"{done.lost:,} traces of the sample have no score on both sides.",
        markup=False,
        soft_wrap=True,
    )


@app.command("bridges")
def bridges(context: typer.Context, as_json: AsJson = False) -> None:
    """The bridges that were built, newest first."""
    command = chosen(context)
    with command.store() as store:
        found = store.bridges(command.plan_file().plan.source.name)
    if as_json:
        say_json([_record(each) for each in found])
        return
    for each in found:
        _say(each)
    if not found:
        console().print("No bridge yet; `tailwatch rubric bridge` builds one.")


def _opening(command: CommandContext, max_cost: float | None) -> Opening:
    """Opens the parts with another judge model and another cap.

    At a provider the other model has its list price; an endpoint of one's own has the plan's.
    """

    @asynccontextmanager
    async def opened(model: str | None, cap_usd: float | None) -> AsyncIterator[Parts]:
        plan_file = with_cap(command.plan_file(), max_cost if cap_usd is None else cap_usd)
        settings, judge = command.settings, plan_file.plan.judge
        current = settings.judge_model or (judge.model if judge else None)
        if model is not None and model != current:
            if judge is not None:
                price = judge.price if settings.judge_url else None
                other = judge.model_copy(update={"model": model, "price": price, "second": None})
                plan = plan_file.plan.model_copy(update={"judge": other})
                plan_file = replace(plan_file, plan=plan)
            settings = settings.model_copy(update={"judge_model": model})
        async with open_parts(plan_file, settings) as parts:
            yield parts

    return opened


def _say(record: BridgeRecord) -> None:
    out = console()
    head = f"{record.old} to {record.new}, {record.window}, by {record.who} {record.at:%Y-%m-%d}"
    out.print(printable(head, 300), markup=False, soft_wrap=True)
    for text in bridge_lines(bridge_of(record.comparison)):
        out.print(f"  {text}", markup=False, soft_wrap=True)


def _record(record: BridgeRecord) -> dict[str, object]:
    return {
        "evaluator": record.new.evaluator,
        "from_version": record.old.version,
        "from_judge": record.old.judge,
        "to_version": record.new.version,
        "to_judge": record.new.judge,
        "start": record.window.start,
        "end": record.window.end,
        "at": record.at,
        "who": record.who,
        "comparison": record.comparison,
    }
