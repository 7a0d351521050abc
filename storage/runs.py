"""The runs of the flows: when, of what kind, how they ended and what they cost."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from sqlalchemy import select, update

from storage.connected import Connected
from storage.records import RunRecord
from storage.tables import RUNS
from storage.upsert import upsert


class RunRecords(Connected):
    def start_run(self, run: RunRecord) -> None:
        """Note that a run began; one that starts again under its id begins anew."""
        row = {
            "run_id": run.run_id,
            "kind": run.kind,
            "started_at": run.started_at,
            "detail": run.detail,
            "status": "running",
            "ended_at": None,
            "error": None,
            "counts": None,
            "cost_usd": None,
        }
        with self.database.write() as connection:
            upsert(connection, RUNS, [row], keep={"started_at"})

    def finish_run(
        self,
        run_id: str,
        ended_at: datetime,
        status: Literal["done", "failed"],
        error: str | None = None,
        counts: Mapping[str, int] | None = None,
        cost_usd: float | None = None,
    ) -> None:
        """Note how a run ended."""
        ended = (
            update(RUNS)
            .where(RUNS.c.run_id == run_id)
            .values(
                ended_at=ended_at,
                status=status,
                error=error,
                counts=dict(counts or {}),
                cost_usd=cost_usd,
            )
        )
        with self.database.write() as connection:
            connection.execute(ended)

    def runs(self, limit: int = 20) -> list[RunRecord]:
        """The newest runs, newest first."""
        query = select(RUNS).order_by(RUNS.c.started_at.desc(), RUNS.c.run_id).limit(limit)
        with self.database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return [RunRecord(**{**row, "counts": row["counts"] or {}}) for row in rows]
