"""What is said about a judge that moved, or did not."""

from datetime import datetime

from alerts import wording
from alerts.canary import Compared, Hold, Share, Shift
from tailwatch.evaluation import Series


def hold_sentence(series: Series, hold: Hold) -> str:
    """Such as `held: the judge moved (canary of 3 Mar, faithfulness: 14 of 200 verdicts ...)`."""
    found = hold.found
    return (
        f"held: the judge moved (canary of {day(found.at)}, {wording.text(series.evaluator)}: "
        f"{changes(found.shift)})"
    )


def moved_sentence(series: Series, compared: Compared, reference: datetime | None) -> str:
    """The sentence of a judge's own alert."""
    since = "" if reference is None else f" since the reference of {day(reference)}"
    return (
        f"the judge {wording.text(series.judge)} moved: asked again about the golden set, "
        f"{changes(compared.shift)}{since}. Alerts from its scores are held until somebody has "
        "looked at it (`tailwatch canary show`, then `tailwatch canary accept`)."
    )


def still_sentence(series: Series, compared: Compared) -> str:
    """The same where it did not move."""
    return (
        f"the judge {wording.text(series.judge)} is where its reference is: asked again about the "
        f"golden set, {changes(compared.shift)}"
    )


def changes(found: Shift) -> str:
    """Such as `14 of 200 verdicts changed, 12 to a better one; p = 0.01`."""
    better = f", {found.better} to a better one" if found.changed else ""
    changed = f"{found.changed} of {found.pairs} verdicts changed{better}"
    return f"{changed}; {wording.p_value(found.p_value)}"


def day(at: datetime) -> str:
    return f"{at.day} {at:%b}"


def share(found: Share) -> str:
    """Such as `3 of 50 (6 %, 95 % interval 2.1 % to 16.2 %)`."""
    if found.value is None or found.limits is None:
        return "none could be tried"
    low, high = found.limits
    return (
        f"{found.count} of {found.n} ({wording.percent(found.value)}, 95 % interval "
        f"{wording.percent(low)} to {wording.percent(high)})"
    )
