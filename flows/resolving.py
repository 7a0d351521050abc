"""What people say together: one verdict for each output, where most of them agree."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tailwatch.review import ReviewLabel

Output = tuple[str, str | None]
"""A trace's id, and the id of one of its documents where the verdict is on that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The verdicts on the outputs of one rubric version, each as the newest label that says so; the
    outputs on which as many say one thing as another; and how many `people` took part.

    An output is a trace, or a document of one. `alike` counts those that several people labelled
    the same, of the `shared` ones.
    """

    labels: Mapping[Output, ReviewLabel]
    ties: tuple[Output, ...]
    people: int
    shared: int
    alike: int


def resolved(labels: Iterable[ReviewLabel]) -> Resolved:
    """The majority's verdict on each output; of one person the newest word counts, and once."""
    newest: dict[tuple[Output, str], ReviewLabel] = {}
    for label in sorted(labels, key=lambda each: (each.at, each.label_id)):
        newest[label.output, label.who] = label
    by_output: dict[Output, list[ReviewLabel]] = {}
    for (output, _), label in newest.items():
        by_output.setdefault(output, []).append(label)
    agreed, ties = {}, []
    for output, said in by_output.items():
        most = Counter(label.choice for label in said).most_common(2)
        if len(most) > 1 and most[0][1] == most[1][1]:
            ties.append(output)
        else:
            agreed[output] = [label for label in said if label.choice == most[0][0]][-1]
    shared = [said for said in by_output.values() if len(said) > 1]
    return Resolved(
        labels=agreed,
        ties=tuple(sorted(ties, key=lambda output: (output[0], output[1] or ""))),
        people=len({who for _, who in newest}),
        shared=len(shared),
        alike=sum(len({label.choice for label in said}) == 1 for said in shared),
    )
