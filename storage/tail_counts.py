"""The counts behind the evidence: how many outputs of each cell and hour were beyond each line."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, select

from storage.alert_tables import TAIL_COUNTS, TAIL_HOURS, TAIL_STATES
from storage.connected import Connected
from storage.queries import in_hours
from storage.records import TailCount, TailHour, TailState
from storage.rows import series_of
from storage.tables import SUMMARIES
from storage.text import full_text, key_text
from storage.upsert import upsert
from tailwatch.alert import Segment
from tailwatch.evaluation import Series
from tailwatch.window import Window

_KEPT_STATES = 4


class TailCounts(Connected):
    def statements(self, source: str, window: Window) -> dict[Series, dict[datetime, str]]:
        """A stamp for each series and hour that is summed up: another one once it is restated."""
        columns = SUMMARIES.c
        query = select(
            columns.evaluator,
            columns.version,
            columns.judge,
            columns.hour,
            columns.recorded_at,
            columns.n,
            columns.mean,
        ).where(in_hours(SUMMARIES, source, window), columns.segment_field == "")
        stamps: dict[Series, dict[datetime, str]] = {}
        with self.database.read() as connection:
            for row in connection.execute(query).mappings():
                stamp = f"{row['recorded_at'].isoformat()} {row['n']} {row['mean']}"
                stamps.setdefault(series_of(row), {})[row["hour"]] = stamp
        return stamps

    def scored_by_hour(self, source: str, window: Window) -> dict[Series, dict[datetime, int]]:
        """How many outputs of each series were scored, by hour."""
        columns = SUMMARIES.c
        query = select(
            columns.evaluator, columns.version, columns.judge, columns.hour, columns.n
        ).where(in_hours(SUMMARIES, source, window), columns.segment_field == "", columns.n > 0)
        scored: dict[Series, dict[datetime, int]] = {}
        with self.database.read() as connection:
            for row in connection.execute(query).mappings():
                scored.setdefault(series_of(row), {})[row["hour"]] = row["n"]
        return scored

    def counted(self, source: str, window: Window) -> dict[str, dict[datetime, str]]:
        """The stamp that each hour was counted from, by baseline id."""
        query = select(TAIL_HOURS).where(in_hours(TAIL_HOURS, source, window))
        counted: dict[str, dict[datetime, str]] = {}
        with self.database.read() as connection:
            for row in connection.execute(query).mappings():
                counted.setdefault(row["baseline_id"], {})[row["hour"]] = row["stamp"]
        return counted

    def newcomers(self, source: str, window: Window) -> dict[str, set[Segment]]:
        """The segments that were counted and are not in the baseline, by baseline id."""
        columns = TAIL_HOURS.c
        query = select(columns.baseline_id, columns.newcomers).where(
            in_hours(TAIL_HOURS, source, window), columns.newcomers.is_not(None)
        )
        found: dict[str, set[Segment]] = {}
        with self.database.read() as connection:
            for key, segments in connection.execute(query):
                for field, value in segments:
                    found.setdefault(key, set()).add(Segment(field=field, value=value))
        return found

    def record_tail_hour(self, source: str, hour: datetime, stated: Sequence[TailHour]) -> None:
        """Replace the counts of one hour under these baselines, in one transaction.

        States of the evidence at or after the hour are forgotten.
        """
        rows = [_row(source, e.baseline_id, hour, count) for e in stated for count in e.counts]
        with self.database.write() as connection:
            columns = TAIL_COUNTS.c
            connection.execute(
                TAIL_COUNTS.delete().where(
                    columns.source == source,
                    columns.baseline_id.in_([each.baseline_id for each in stated]),
                    columns.hour == hour,
                )
            )
            connection.execute(
                TAIL_STATES.delete().where(
                    TAIL_STATES.c.source == source, TAIL_STATES.c.hour >= hour
                )
            )
            upsert(connection, TAIL_COUNTS, [row for each in rows for row in each])
            upsert(
                connection,
                TAIL_HOURS,
                [
                    {
                        "source": source,
                        "baseline_id": each.baseline_id,
                        "hour": hour,
                        "stamp": each.stamp,
                        "newcomers": [[s.field, s.value] for s in each.newcomers] or None,
                    }
                    for each in stated
                ],
            )

    def tail_counts(
        self, source: str, baselines: Collection[str], window: Window
    ) -> dict[datetime, list[tuple[str, TailCount]]]:
        """The counts in the window's hours, by hour, each with its baseline's id."""
        columns = TAIL_COUNTS.c
        query = (
            select(
                columns.hour,
                columns.baseline_id,
                columns.segment_field,
                func.coalesce(columns.segment_value_full, columns.segment_value),
                columns.level,
                columns.bad,
                columns.n,
            )
            .where(and_(in_hours(TAIL_COUNTS, source, window), columns.baseline_id.in_(baselines)))
            .order_by(
                columns.hour,
                columns.baseline_id,
                columns.segment_field,
                columns.segment_value,
                columns.level,
            )
        )
        found: dict[datetime, list[tuple[str, TailCount]]] = {}
        last: tuple[Any, ...] | None = None
        with self.database.read() as connection:
            for hour, key, field, value, _, bad, n in connection.execute(query):
                cell = (hour, key, field, value)
                if cell != last:
                    count = TailCount(segment=Segment(field=field, value=value), bad=[], n=[])
                    found.setdefault(hour, []).append((key, count))
                    last = cell
                count.bad.append(bad)
                count.n.append(n)
        return found

    def record_tail_state(self, source: str, state: TailState) -> None:
        """Keep the evidence after an hour; the newest few are kept."""
        row = {"source": source, "hour": state.hour, "key": state.key, "state": dict(state.state)}
        with self.database.write() as connection:
            upsert(connection, TAIL_STATES, [row])
            hours = (
                select(TAIL_STATES.c.hour)
                .where(TAIL_STATES.c.source == source)
                .order_by(TAIL_STATES.c.hour.desc())
            )
            old = connection.execute(hours).scalars().all()[_KEPT_STATES:]
            connection.execute(
                TAIL_STATES.delete().where(
                    TAIL_STATES.c.source == source, TAIL_STATES.c.hour.in_(old)
                )
            )

    def tail_state(self, source: str, key: str, until: datetime) -> TailState | None:
        """The newest kept evidence of these monitors after an hour before `until`."""
        columns = TAIL_STATES.c
        query = (
            select(TAIL_STATES)
            .where(columns.source == source, columns.key == key, columns.hour < until)
            .order_by(columns.hour.desc())
            .limit(1)
        )
        with self.database.read() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else TailState(hour=row["hour"], key=key, state=row["state"])


def _row(source: str, key: str, hour: datetime, count: TailCount) -> list[dict[str, Any]]:
    return [
        {
            "source": source,
            "baseline_id": key,
            "hour": hour,
            "segment_field": count.segment.field,
            "segment_value": key_text(count.segment.value),
            "level": level,
            "segment_value_full": full_text(count.segment.value),
            "bad": bad,
            "n": n,
        }
        for level, (bad, n) in enumerate(zip(count.bad, count.n, strict=True))
    ]
