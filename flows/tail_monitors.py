"""The family of monitors of a plan: explicit, counted, and the budget that they share."""

from collections.abc import Mapping
from dataclasses import dataclass

from alerts.lines import Lines
from flows.baselines import Pinned
from flows.parts import Parts
from tailwatch.alert import Segment
from tailwatch.evaluation import Series
from tailwatch.window import Window


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Monitor:
    """A series in a segment, with its lines and the cells whose counts add up to its own.

    `known` says whether the baseline has the segment; one that it does not have becomes part of
    the family with its first outputs.
    """

    pinned: Pinned
    segment: Segment
    lines: Lines
    cells: tuple[Segment, ...]
    known: bool

    @property
    def series(self) -> Series:
        return self.pinned.watched.series

    @property
    def rule(self) -> str:
        """The name of its rule."""
        return self.pinned.watched.rule.name


def monitors_of(parts: Parts, pinned: Mapping[Series, Pinned]) -> list[Monitor]:
    """Every pinned series in all traffic, its baseline's segments, and those counted since."""
    last = parts.store.last_window(parts.source.name)
    if not pinned or last is None:
        return []
    begin = min(each.end for each in pinned.values())
    since = Window(begin, max(last.end, begin + (last.end - last.start)))
    seen = parts.store.newcomers(parts.source.name, since)
    monitors = []
    for _, each in sorted(pinned.items()):
        new = seen.get(each.record.baseline_id, set()) - set(each.family.monitors)
        monitors += [
            Monitor(
                pinned=each,
                segment=segment,
                lines=each.family.lines(segment),
                cells=each.family.cells(segment),
                known=segment in each.family.monitors,
            )
            for segment in [*each.family.monitors, *sorted(new)]
        ]
    return monitors
