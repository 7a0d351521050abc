"""The monitors of a plan's limits: the part of the false-alarm budget that is theirs."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.family import LEAST_JOINED
from alerts.incidents import Key
from alerts.rules.limit import Limit
from flows.parts import Parts, PlannedRule


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFamily:
    """Every limit in every segment that has had 20 outputs, with the hour of the twentieth.

    A function of the stored hours alone: whoever joined stays, so that the number of monitors at a
    moment is the same whenever it is asked for.
    """

    joined: Mapping[Key, datetime]
    hours: Sequence[datetime]

    def size(self, moment: datetime) -> int:
        """How many monitors it has at a moment."""
        return bisect_left(self.hours, moment)

    def has(self, key: Key, moment: datetime) -> bool:
        """Whether a limit on a series and segment is one of them at a moment."""
        hour = self.joined.get(key)
        return hour is not None and hour < moment


def limit_rules(parts: Parts) -> list[tuple[PlannedRule, Limit]]:
    """The plan's limits."""
    return [(p, p.rule) for p in parts.rules if isinstance(p.rule, Limit)]


def limit_family(parts: Parts, until: datetime) -> LimitFamily:
    """The monitors of the plan's limits, from the stored hours before `until`."""
    joined: dict[Key, datetime] = {}
    for planned, rule in limit_rules(parts):
        series = [each for each in parts.directions if planned.watches(each)]
        found = parts.store.hours_of_score(
            parts.source.name, series, planned.segments, until, LEAST_JOINED
        )
        joined |= {(rule.name, *where): hour for where, hour in found.items()}
    return LimitFamily(joined=joined, hours=sorted(joined.values()))


def limits_now(parts: Parts) -> int:
    """How many monitors the plan's limits have by the end of the stored hours."""
    last = parts.store.last_window(parts.source.name)
    return 0 if last is None else limit_family(parts, last.end).size(last.end)
