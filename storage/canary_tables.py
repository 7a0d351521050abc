"""The tables of the canaries: runs over a golden set, their verdicts, and pinned references."""

from datetime import datetime

from sqlalchemy import Index, Table

from storage.columns import Row, amount, count, json, moment, text


class CanaryRunRow(Row, table=True):
    """One run of one judged series; `ended_at` is NULL while it lasts, and where it was killed.

    `reasons` counts why items have no verdict. `compared_with` is the run it was compared with when
    it ended, and the columns after it what came out; `probes` are those that had something to win.
    """

    __tablename__ = "canary_runs"

    source: str = text(primary_key=True)
    run_id: str = text(primary_key=True)
    evaluator: str = text(primary_key=True)
    version: str = text(primary_key=True)
    judge: str = text(primary_key=True)
    started_at: datetime = moment()
    golden: str = text()
    items: int = count()
    ended_at: datetime | None = moment()
    scored: int | None = count()
    reasons: dict[str, int] | None = json()
    agreed: int | None = count()
    labelled: int | None = count()
    probes: int | None = count()
    flipped: int | None = count()
    compared_with: str | None = text()
    pairs: int | None = count()
    better: int | None = count()
    worse: int | None = count()


class CanaryVerdictRow(Row, table=True):
    """What became of one item in one run: a score, or `reason` why there is none.

    `stamp` is a hash of the item's texts. `expected` is what its label is worth, `twin` and `asks`
    are an injection's clean twin and what the verdict it asks for is worth.
    """

    __tablename__ = "canary_verdicts"

    source: str = text(primary_key=True)
    run_id: str = text(primary_key=True)
    evaluator: str = text(primary_key=True)
    version: str = text(primary_key=True)
    judge: str = text(primary_key=True)
    item: str = text(primary_key=True)
    stamp: str = text()
    score: float | None = amount()
    label: str | None = text()
    reason: str | None = text()
    expected: float | None = amount()
    twin: str | None = text()
    asks: float | None = amount()
    cost_usd: float | None = amount()


class CanaryReferenceRow(Row, table=True):
    """The run that later ones of a series are compared with, from `decided_at` on.

    `first` is true for the one that was pinned without a person's decision, and NULL for the
    others: so the unique index, in which NULLs differ, lets a series have one.
    """

    __tablename__ = "canary_references"
    __table_args__ = (Index(None, "source", "evaluator", "version", "judge", "first", unique=True),)

    source: str = text(primary_key=True)
    evaluator: str = text(primary_key=True)
    version: str = text(primary_key=True)
    judge: str = text(primary_key=True)
    decided_at: datetime = moment(primary_key=True)
    run_id: str = text()
    who: str = text()
    why: str = text()
    first: bool | None


_TABLES = Row.metadata.tables
CANARY_RUNS: Table = _TABLES["canary_runs"]
CANARY_VERDICTS: Table = _TABLES["canary_verdicts"]
CANARY_REFERENCES: Table = _TABLES["canary_references"]
