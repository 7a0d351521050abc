"""How far judges can be believed, and how scores read across a change of rubric or judge."""

from sqlalchemy import RowMapping, select

from storage.connected import Connected
from storage.review_records import BridgeRecord, ValidationRecord
from storage.review_tables import BRIDGES, VALIDATIONS
from storage.rows import series_of, series_row
from storage.upsert import upsert
from tailwatch.evaluation import Series
from tailwatch.window import Window


class ValidationRecords(Connected):
    def record_validation(self, source: str, validation: ValidationRecord) -> None:
        """Write a validation; one of the same id is written over."""
        row = {
            "validation_id": validation.validation_id,
            "source": source,
            **series_row(validation.series),
            "prompt_hash": validation.prompt_hash,
            "at": validation.at,
            "who": validation.who,
            "labels_from": validation.labels_from,
            "card": dict(validation.card),
        }
        with self.database.write() as connection:
            upsert(connection, VALIDATIONS, [row])

    def validations(self, source: str) -> list[ValidationRecord]:
        """All validations, newest first."""
        columns = VALIDATIONS.c
        query = (
            select(VALIDATIONS)
            .where(columns.source == source)
            .order_by(columns.at.desc(), columns.validation_id)
        )
        with self.database.read() as connection:
            return [_validation(row) for row in connection.execute(query).mappings()]

    def record_bridge(self, source: str, bridge: BridgeRecord) -> None:
        """Write a bridge; one of the same id is written over."""
        row = {
            "bridge_id": bridge.bridge_id,
            "source": source,
            "evaluator": bridge.new.evaluator,
            "old_version": bridge.old.version,
            "old_judge": bridge.old.judge,
            "new_version": bridge.new.version,
            "new_judge": bridge.new.judge,
            "start": bridge.window.start,
            "end": bridge.window.end,
            "at": bridge.at,
            "who": bridge.who,
            "comparison": dict(bridge.comparison),
        }
        with self.database.write() as connection:
            upsert(connection, BRIDGES, [row])

    def bridges(self, source: str, new: Series | None = None) -> list[BridgeRecord]:
        """The bridges, newest first; with `new` those that lead to that series."""
        columns = BRIDGES.c
        query = (
            select(BRIDGES)
            .where(columns.source == source)
            .order_by(columns.at.desc(), columns.bridge_id)
        )
        if new is not None:
            query = query.where(
                columns.evaluator == new.evaluator,
                columns.new_version == new.version,
                columns.new_judge == new.judge,
            )
        with self.database.read() as connection:
            return [_bridge(row) for row in connection.execute(query).mappings()]


def _validation(row: RowMapping) -> ValidationRecord:
    return ValidationRecord(
        validation_id=row["validation_id"],
        series=series_of(row),
        prompt_hash=row["prompt_hash"],
        at=row["at"],
        who=row["who"],
        labels_from=row["labels_from"],
        card=row["card"],
    )


def _bridge(row: RowMapping) -> BridgeRecord:
    def series(side: str) -> Series:
        version, judge = f"{side}_version", f"{side}_judge"
        return Series(evaluator=row["evaluator"], version=row[version], judge=row[judge])

    return BridgeRecord(
        bridge_id=row["bridge_id"],
        old=series("old"),
        new=series("new"),
        window=Window(row["start"], row["end"]),
        at=row["at"],
        who=row["who"],
        comparison=row["comparison"],
    )
