"""`tailwatch alerts simulate`: how often the plan would cry wolf, and how soon it would see."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from alerts.resampling import Turned
from flows.cli.context import chosen, progress_bar
from flows.cli.simulated import say_expectations, say_history
from flows.parts import Parts
from flows.rehearsal import Rehearsed, rehearse, stored_window
from flows.simulating import SimulatedSeries, Simulation, simulated, simulated_series
from flows.wiring import open_parts
from tailwatch.alert import ALL_TRAFFIC, Segment
from tailwatch.errors import ConfigurationError
from tailwatch.plan import AlertsPlan

_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_USUAL = (Turned(share=0.05), Turned(share=0.1))


def simulate(
    context: typer.Context,
    series: Annotated[
        list[str] | None, typer.Argument(help="Evaluators or measures. Default: all.")
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="All the plan's rules over the stored hours instead.")
    ] = False,
    regression: Annotated[
        list[str] | None,
        typer.Option(help="How much of all outputs turns bad. Default: 5% and 10%."),
    ] = None,
    segment: Annotated[
        list[str] | None, typer.Option(help="The same in a segment, as in feature=search:30%.")
    ] = None,
    per_hour: Annotated[
        str | None, typer.Option(help="Sampled outputs an hour, as in 50,100,200.")
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(min=0.1, max=520, help="Weeks to one false alert. Default: the plan's."),
    ] = None,
    weeks: Annotated[int, typer.Option(min=1, max=52, help="Quiet weeks in each trial.")] = 4,
    trials: Annotated[
        int, typer.Option(min=1, max=1000, help="Trials, each with its own baseline.")
    ] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Another one draws other streams.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """What to expect of the rules: false alerts a week, and hours until a regression is found.

    Streams are drawn from the outputs that the baselines were learned from. With --history the
    rules run over what is stored, as if they had been there from the start. Nothing is recorded.
    """
    command = chosen(context)
    if history:
        _refuse_beside_history(context)
    asked = Simulation(
        per_hour=parsed_volumes(per_hour),
        regressions=parsed_regressions(regression or (), segment or ()),
        weeks=weeks,
        trials=trials,
        seed=seed,
    )

    async def work() -> None:
        async with open_parts(command.plan_file(), command.settings) as opened:
            parts = opened if budget is None else _with_budget(opened, budget)
            if history:
                say_history(parts, _rehearse(parts), as_json=as_json)
            else:
                found = _simulate(parts, series or (), asked)
                say_expectations(parts, asked, found, as_json=as_json)

    asyncio.run(work())


def _refuse_beside_history(context: typer.Context) -> None:
    """Raises ConfigurationError for what the stored hours have no use for."""
    streams = ("series", "regression", "segment", "per_hour", "weeks", "trials", "seed")
    sources = [(name, context.get_parameter_source(name)) for name in streams]
    given = [name for name, source in sources if source is not None and source.name != "DEFAULT"]
    if given:
        names = ", ".join(f"--{n.replace('_', '-')}" if n != "series" else "SERIES" for n in given)
        raise ConfigurationError(
            f"--history runs all rules over the stored hours as they are; leave out {names}, or "
            "leave out --history to draw streams"
        )


def _with_budget(parts: Parts, weeks: float) -> Parts:
    alerts = AlertsPlan(false_alarm_weeks=weeks)
    return replace(parts, plan=parts.plan.model_copy(update={"alerts": alerts}))


def _rehearse(parts: Parts) -> Rehearsed:
    with progress_bar() as bar:
        task = bar.add_task("rehearsing", total=sum(1 for _ in stored_window(parts).hours()))
        return rehearse(parts, on_check=lambda _: bar.advance(task))


def _simulate(parts: Parts, names: Sequence[str], asked: Simulation) -> list[SimulatedSeries]:
    pinned, _ = simulated_series(parts, names)
    with progress_bar() as bar:
        total = len(pinned) * len(asked.per_hour) * asked.trials
        task = bar.add_task("simulating", total=total)
        return simulated(parts, names, asked, on_trial=lambda: bar.advance(task))


def parsed_volumes(text: str | None) -> tuple[int | None, ...]:
    """The volumes of `--per-hour`; the baseline's own without it. Raises ConfigurationError."""
    if text is None:
        return (None,)
    try:
        volumes = tuple(int(part) for part in text.split(","))
    except ValueError:
        volumes = ()
    if not volumes or not all(1 <= n <= 100_000 for n in volumes):
        raise ConfigurationError(
            f"--per-hour is {text!r}; write numbers from 1 to 100000, as in 50,100,200"
        )
    return volumes


def _share(text: str, option: str) -> float:
    match = _SHARE.fullmatch(text.strip())
    share = float(match[1]) / 100 if match else 0.0
    if not 0 < share <= 1:
        raise ConfigurationError(f"{option} is {text!r}; write a share up to 100%, as in 5%")
    return share


def parsed_regressions(shares: Sequence[str], segments: Sequence[str]) -> tuple[Turned, ...]:
    """What `--regression` and `--segment` ask for; 5 % and 10 % of all traffic without them.

    Raises ConfigurationError with what is accepted.
    """
    if not shares and not segments:
        return _USUAL
    everywhere = [Turned(share=_share(text, "--regression")) for text in shares]
    return (*everywhere, *(_in_segment(text) for text in segments))


def _in_segment(text: str) -> Turned:
    name, _, share = text.rpartition(":")
    field, equals, value = name.partition("=")
    if not equals or not field or field == ALL_TRAFFIC.field:
        raise ConfigurationError(
            f"--segment is {text!r}; write a field, its value and a share, as in feature=search:30%"
        )
    return Turned(share=_share(share, "--segment"), segment=Segment(field=field, value=value))
