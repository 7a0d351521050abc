"""What the plan lets the store forget, and when."""

from collections.abc import Callable
from datetime import datetime

from flows.canary_book import read_book
from storage.retention import Forgotten
from storage.store import Store
from tailwatch.plan import Plan
from tailwatch.window import floor_hour


def forget_old(
    store: Store,
    plan: Plan,
    now: datetime,
    *,
    rehearse: bool = False,
    on_hour: Callable[[datetime], None] | None = None,
) -> Forgotten:
    """Forgets what is older than the plan's `retention`; with `rehearse` it only counts.

    May be stopped at any time: whole hours are forgotten, and the next time goes on from there. Of
    the canaries go the verdicts on single items that nothing is compared with any more.
    """
    source, kept = plan.source.name, plan.retention
    total = Forgotten()
    if kept.scores is not None:
        before = floor_hour(now - kept.scores)
        total += store.forget_scores(source, before, rehearse=rehearse, on_hour=on_hour)
        needed = read_book(store, source).needed_verdicts()
        total += store.forget_canary_verdicts(source, before, needed, rehearse=rehearse)
    if kept.texts is not None:
        before = floor_hour(now - kept.texts)
        total += store.forget_texts(source, before, rehearse=rehearse, on_hour=on_hour)
    return total


def forgotten_line(forgotten: Forgotten, rehearsed: bool) -> str:
    """What was forgotten, or would be, in a sentence."""
    if forgotten == Forgotten():
        return "Nothing is older than the plan's `retention` keeps."
    verb = "Would forget" if rehearsed else "Forgot"
    return (
        f"{verb} {forgotten.evaluations:,} evaluations of {forgotten.traces:,} traces, the texts "
        f"of {forgotten.texts:,} traces, {forgotten.unreadable:,} notes of what could not be read "
        f"and {forgotten.canary_verdicts:,} verdicts of canaries. Summaries, coverage, alerts, "
        "baselines and the figures of canaries stay."
    )
