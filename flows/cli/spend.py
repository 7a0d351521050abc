"""`tailwatch spend`: what judges were paid, and what counts against the caps."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table

from flows.cli.context import chosen, console, now, say_json
from flows.cli.look import AsJson, parse_span
from flows.terminal import plain
from storage.spending import Spend, SpendBy
from tailwatch.caps import utc_day
from tailwatch.plan import JudgePlan
from tailwatch.window import Window

_DAY = timedelta(days=1)


class By(StrEnum):
    """What the figures are added up by."""

    DAY = "day"
    RUN = "run"
    EVALUATOR = "evaluator"
    JUDGE = "judge"


_SPEND_BY: dict[By, SpendBy] = {
    By.DAY: "day",
    By.RUN: "run",
    By.EVALUATOR: "evaluator",
    By.JUDGE: "judge",
}


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("spend")(spend)


def spend(
    context: typer.Context,
    by: Annotated[By, typer.Option(help="What to add the figures up by.")] = By.DAY,
    last: Annotated[
        str, typer.Option("--last", help="How far back, in whole UTC days that it touches.")
    ] = "7d",
    as_json: AsJson = False,
) -> None:
    """What judges were paid: settled, reserved and lost. All three count against the caps."""
    command = chosen(context)
    plan = command.plan_file().plan.judge
    moment = now()
    window = Window(moment - parse_span(last), moment)
    with command.store() as store:
        store.mark_lost_calls(moment)
        today = store.spending(Window(utc_day(moment), utc_day(moment) + _DAY), "day")
        rows = store.spending(window, _SPEND_BY[by])
    spent_today = today[0] if today else Spend(name=f"{moment:%Y-%m-%d}")
    if as_json:
        say_json(
            {
                "today": {
                    **spend_record(spent_today),
                    "cap_usd": plan.max_cost_usd_per_day if plan else None,
                    "run_cap_usd": plan.max_cost_usd if plan else None,
                },
                "by": by.value,
                "rows": [spend_record(row) for row in rows],
            }
        )
        return
    console().print(today_sentence(spent_today, plan), markup=False)
    if rows:
        console().print(spend_table(rows, by))


def today_sentence(today: Spend, plan: JudgePlan | None) -> str:
    """What was spent today and of which cap, and how much of it is not settled."""
    cap = None if plan is None else plan.max_cost_usd_per_day
    sentence = f"Today ({today.name}, UTC) judges were paid {usd(today.settled_usd)} USD"
    if cap is None:
        sentence += "; the day has no cap"
    else:
        left = max(0.0, cap - today.counted_usd)
        sentence += f" of at most {cap:.2f}; {usd(left)} are left"
    if plan is not None:
        sentence += f", and one run may spend {plan.max_cost_usd:.2f}"
    sentence += "."
    if today.reserved_calls:
        sentence += (
            f" {usd(today.reserved_usd)} more are set aside for {_calls(today.reserved_calls)} "
            "under way."
        )
    if today.lost_calls:
        sentence += (
            f" Lost: {_calls(today.lost_calls)}, made by a run that ended before booking what was "
            f"paid; counted at the most that can have been, {usd(today.lost_usd)} USD."
        )
    if today.reused:
        sentence += f" {today.reused:,} verdicts were known already and cost nothing."
    return sentence


def _calls(number: int) -> str:
    return "1 call" if number == 1 else f"{number:,} calls"


def spend_table(rows: list[Spend], by: By) -> Table:
    """One row for each day, run, evaluator or judge, and their total."""
    table = Table(title=f"Spent on judges by {by.value}, USD", title_justify="left")
    table.add_column(by.value, overflow="fold")
    for name in ("settled", "reserved", "lost", "calls", "tokens in", "tokens out", "reused"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(plain(row.name), *_cells(row))
    if len(rows) > 1:
        table.add_section()
        table.add_row("together", *_cells(_together(rows)))
    return table


def _cells(row: Spend) -> list[str]:
    return [
        usd(row.settled_usd),
        f"{usd(row.reserved_usd)} ({row.reserved_calls:,})" if row.reserved_calls else "",
        f"{usd(row.lost_usd)} ({row.lost_calls:,})" if row.lost_calls else "",
        f"{row.calls:,}",
        f"{row.input_tokens:,}",
        f"{row.output_tokens:,}",
        f"{row.reused:,}",
    ]


def _together(rows: list[Spend]) -> Spend:
    return Spend(
        name="together",
        settled_usd=sum(row.settled_usd for row in rows),
        reserved_usd=sum(row.reserved_usd for row in rows),
        lost_usd=sum(row.lost_usd for row in rows),
        calls=sum(row.calls for row in rows),
        reserved_calls=sum(row.reserved_calls for row in rows),
        lost_calls=sum(row.lost_calls for row in rows),
        input_tokens=sum(row.input_tokens for row in rows),
        output_tokens=sum(row.output_tokens for row in rows),
        reused=sum(row.reused for row in rows),
    )


def spend_record(row: Spend) -> dict[str, object]:
    """A row for a script."""
    return {
        "name": row.name,
        "settled_usd": row.settled_usd,
        "reserved_usd": row.reserved_usd,
        "lost_usd": row.lost_usd,
        "calls": row.calls,
        "reserved_calls": row.reserved_calls,
        "lost_calls": row.lost_calls,
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "reused_verdicts": row.reused,
    }


def usd(amount: float) -> str:
    """An amount with four decimals; a smaller one is not shown as nothing."""
    return "<0.0001" if 0 < amount < 0.0001 else f"{amount:.4f}"
