"""What people say together: one verdict for each trace, where most of them agree."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tailwatch.review import ReviewLabel


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The verdicts on the traces of one rubric version, by trace id, each as the newest label that
    says so; the traces on which as many say one thing as another; and how many `people` took part.

    `alike` counts the traces that several people labelled the same, of the `shared` ones.
    """

    labels: Mapping[str, ReviewLabel]
    ties: tuple[str, ...]
    people: int
    shared: int
    alike: int


def resolved(labels: Iterable[ReviewLabel]) -> Resolved:
    """The majority's verdict on each trace; of one person the newest word counts, and once."""
    newest: dict[tuple[str, str], ReviewLabel] = {}
    for label in sorted(labels, key=lambda each: (each.at, each.label_id)):
        newest[label.trace_id, label.who] = label
    by_trace: dict[str, list[ReviewLabel]] = {}
    for (trace_id, _), label in newest.items():
        by_trace.setdefault(trace_id, []).append(label)
    agreed, ties = {}, []
    for trace_id, said in by_trace.items():
        most = Counter(label.choice for label in said).most_common(2)
        if len(most) > 1 and most[0][1] == most[1][1]:
            ties.append(trace_id)
        else:
            agreed[trace_id] = [label for label in said if label.choice == most[0][0]][-1]
    shared = [said for said in by_trace.values() if len(said) > 1]
    return Resolved(
        labels=agreed,
        ties=tuple(sorted(ties)),
        people=len({who for _, who in newest}),
        shared=len(shared),
        alike=sum(len({label.choice for label in said}) == 1 for said in shared),
    )
