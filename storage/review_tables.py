"""The tables of reviews: people's labels, how far judges can be believed, bridges over changes."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, Table

from storage.columns import Row, amount, count, json, moment, text


class LabelRow(Row, table=True):
    """A person's verdict on one output: one row for each sample that brought it before them.

    `document` is the id of the retrieved document it is on, NULL where it is on the whole trace.
    `population` is NULL where the output was one of an alert's worst.
    """

    __tablename__ = "labels"
    __table_args__ = (Index(None, "source", "hour"), Index(None, "source", "trace_id"))

    label_id: str = text(primary_key=True)
    source: str = text()
    trace_id: str = text()
    trace_id_full: str | None = text()
    hour: datetime = moment()
    evaluator: str = text()
    version: str = text()
    who: str = text()
    choice: str = text()
    score: float = amount()
    at: datetime = moment()
    took_s: float = amount()
    origin: str = text()
    sample: str = text()
    place: int = count()
    population: int | None = count()
    document: str | None = text()


class ValidationRow(Row, table=True):
    """One comparison of a judge with people; `card` has the figures."""

    __tablename__ = "validations"
    __table_args__ = (Index(None, "source", "evaluator", "version", "judge"),)

    validation_id: str = text(primary_key=True)
    source: str = text()
    evaluator: str = text()
    version: str = text()
    judge: str = text()
    prompt_hash: str = text()
    at: datetime = moment()
    who: str = text()
    labels_from: str = text()
    card: dict[str, Any] = json()


class BridgeRow(Row, table=True):
    """One sample scored under an old and a new series; `comparison` has the figures.

    The sample is of the traces from `start` to `end`.
    """

    __tablename__ = "bridges"
    __table_args__ = (Index(None, "source", "evaluator"),)

    bridge_id: str = text(primary_key=True)
    source: str = text()
    evaluator: str = text()
    old_version: str = text()
    old_judge: str = text()
    new_version: str = text()
    new_judge: str = text()
    start: datetime = moment()
    end: datetime = moment()
    at: datetime = moment()
    who: str = text()
    comparison: dict[str, Any] = json()


_TABLES = Row.metadata.tables
LABELS: Table = _TABLES["labels"]
VALIDATIONS: Table = _TABLES["validations"]
BRIDGES: Table = _TABLES["bridges"]
