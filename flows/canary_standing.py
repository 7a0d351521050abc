"""Where each judge stands by its canary, in a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass

from alerts import wording
from alerts.canary import Cause, cause, is_about_judge
from alerts.incidents import monitors_of
from flows.canary import judged_series
from flows.canary_book import Book, held_alerts, read_book, shift_of
from flows.canary_figures import is_complete
from flows.canary_wording import changes, day
from flows.parts import Parts
from storage.canaries import CanaryRun
from tailwatch.alert import Alert
from tailwatch.evaluation import Series

_REASONS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a series' judge stands, for a person.

    `moved` is None where it is not known; `fine` says that nothing is to be done.
    """

    series: Series
    latest: CanaryRun | None
    moved: bool | None
    fine: bool
    sentence: str


def standing(book: Book, series: Series) -> Standing:
    """Where the judge of a series stands by its newest run and the decisions about it."""
    runs = book.runs_of(series)
    latest = runs[-1] if runs else None
    lasting = [hold for hold in book.holds(series) if hold.end is None]
    compared = book.compared(series)
    moved = True if lasting else (False if compared or book.accepted(series) else None)
    fine, sentence = _sentence(book, series, latest)
    if lasting and (latest is None or latest.ended_at != lasting[-1].found.at):
        sentence = f"moved (canary of {day(lasting[-1].found.at)}); {sentence}"
    return Standing(
        series=series, latest=latest, moved=moved, fine=fine and not lasting, sentence=sentence
    )


def judge_notes(parts: Parts, alert: Alert) -> list[str]:
    """What is to be known of the judges behind an alert before anyone looks at the product."""
    if is_about_judge(alert):
        return ["About the judge, not the product."]
    book = read_book(parts.store, parts.source.name)
    held = held_alerts(book, [alert]).get(alert.alert_id)
    if held is not None:
        return [f"{held}. Look at the judge first: `tailwatch canary show`."]
    judged = judged_series(parts)
    mine = sorted({m.series for m in monitors_of(alert)} & {*judged, *book.series()})
    return [_reading(standing(book, series)) for series in mine]


def _reading(found: Standing) -> str:
    """Whether the judge or the product is to be looked at, from where the judge stands."""
    what = {
        Cause.JUDGE: "look at the judge first",
        Cause.PRODUCT: "so the product moved",
        Cause.UNKNOWN: "so the judge may be what moved",
    }[cause(judge_moved=found.moved, product_moved=True)]
    return f"{wording.text(found.series.evaluator)}'s judge: {found.sentence}; {what}."


def _sentence(book: Book, series: Series, latest: CanaryRun | None) -> tuple[bool, str]:
    if latest is None:
        return False, "no canary has run, so nobody would notice if the judge changed"
    when = day(latest.started_at)
    if not is_complete(latest) or latest.ended_at is None:
        return False, _incomplete(latest, when)
    reference = book.reference(series)
    if reference is not None and reference.run_id == latest.run_id:
        who = f"{wording.text(reference.who)} on {day(reference.decided_at)}"
        return True, (
            f"the canary of {when} is the reference (by {who}: {wording.text(reference.why)})"
        )
    if latest.compared_with is None:
        return False, (
            f"the canary of {when} is about other items than the reference: `tailwatch canary "
            "accept` makes it the reference"
        )
    found = shift_of(latest)
    if reference is not None and reference.decided_at >= latest.ended_at:
        return True, (
            f"another reference was accepted on {day(reference.decided_at)} by "
            f"{wording.text(reference.who)}; the next run is compared with it"
        )
    state = "moved" if found.moved else "still"
    return not found.moved, f"{state} (canary of {when}: {changes(found)})"


def _incomplete(run: CanaryRun, when: str) -> str:
    if run.ended_at is None:
        return f"the canary of {when} did not end"
    return (
        f"the canary of {when} has {run.scored} of {run.items} verdicts, too few to compare "
        f"({_reasons(run.reasons)})"
    )


def _reasons(reasons: Mapping[str, int]) -> str:
    most = sorted(reasons.items(), key=lambda each: -each[1])[:_REASONS]
    return (
        ", ".join(f"{wording.text(reason)} {count}" for reason, count in most) or "no reason kept"
    )
