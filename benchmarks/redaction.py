"""What it costs to take private details out of the texts of a question.

`python -m benchmarks.redaction` prints the time for a text of 2,500 characters: one without private
details, one with some, and one of digits that look like them and are none; each beside the time it
takes to render the same text for the judge without looking.
"""

import time
from collections.abc import Callable
from functools import partial

from evaluators.material import Section, render
from evaluators.privacy import make_privacy
from tailwatch.privacy import PrivacyPlan

CLEAN = "The parcel left on the 3rd, 12 of 40 items are missing and the rest is late. " * 33
SOME = CLEAN[:2400] + " Write to jane@example.org or call +49 30 1234567 today."
DIGITS = "4000 1234 5678 9012 was the number. " * 70
TRIALS, REPEATS = 7, 200


def microseconds(work: Callable[[], object]) -> float:
    """The best of some trials, each of many repeats."""
    best = float("inf")
    for _ in range(TRIALS):
        started = time.perf_counter()
        for _ in range(REPEATS):
            work()
        best = min(best, time.perf_counter() - started)
    return best / REPEATS * 1e6


def main() -> None:
    """Prints the table."""
    privacy = make_privacy(PrivacyPlan())
    print(f"{'text':<8} {'rendered':>10} {'redacted':>10} {'taken out':>10}   microseconds")
    for name, text in {"clean": CLEAN, "some": SOME, "digits": DIGITS}.items():
        sections = [Section(name="answer", text=text)]
        plain = microseconds(partial(render, sections, 24_000, None))
        looked = microseconds(partial(render, sections, 24_000, privacy))
        found = render(sections, 24_000, privacy).redacted
        print(f"{name:<8} {plain:>10.1f} {looked:>10.1f} {found:>10}   x {looked / plain:.1f}")


if __name__ == "__main__":
    main()
