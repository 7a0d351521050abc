"""Tables of what judges were paid: their calls, the accounts of the caps, the verdicts paid for."""

from datetime import datetime

from sqlalchemy import Index, Table

from storage.columns import Row, amount, count, moment, text


class JudgeCallRow(Row, table=True):
    """One attempt to ask a judge: `reserved`, then `settled`; `lost` where nobody settled it.

    `cost_usd` is NULL until it is settled, and until then the worst case counts. `day` is the UTC
    day it was reserved on. From `open_until` on, or from the end of its run unless it
    `outlives_run`, what is only reserved is lost.
    """

    __tablename__ = "judge_calls"
    __table_args__ = (
        Index(None, "day", "evaluator"),
        Index(None, "run_id"),
        Index(None, "state", "open_until"),
    )

    call_id: str = text(primary_key=True)
    run_id: str = text()
    question_key: str = text()
    evaluator: str = text()
    version: str = text()
    judge: str = text()
    day: datetime = moment()
    state: str = text()
    worst_case_usd: float = amount()
    cost_usd: float | None = amount()
    input_tokens: int | None = count()
    output_tokens: int | None = count()
    latency_ms: float | None = amount()
    reserved_at: datetime = moment()
    open_until: datetime = moment()
    outlives_run: bool
    settled_at: datetime | None = moment()


class JudgeAccountRow(Row, table=True):
    """What the calls under one cap have taken: settled costs, and worst cases of all the others.

    `scope` is `run`, `day` or `evaluator`; the unit is a trillionth of a dollar, so that sums are
    exact.
    """

    __tablename__ = "judge_accounts"

    scope: str = text(primary_key=True)
    name: str = text(primary_key=True)
    taken: int = count()


class JudgeVerdictRow(Row, table=True):
    """The newest verdict on a question; `explanation` as far as `keep_text` allows."""

    __tablename__ = "judge_verdicts"

    question_key: str = text(primary_key=True)
    at: datetime = moment()
    choice: str = text()
    explanation: str | None = text()
    call_id: str = text()


class JudgeReuseRow(Row, table=True):
    """How many verdicts were used again instead of being paid for; `counter` names who counted."""

    __tablename__ = "judge_reuses"

    counter: str = text(primary_key=True)
    day: datetime = moment(primary_key=True)
    run_id: str = text(primary_key=True)
    evaluator: str = text(primary_key=True)
    version: str = text(primary_key=True)
    judge: str = text(primary_key=True)
    verdicts: int = count()


_TABLES = Row.metadata.tables
JUDGE_CALLS: Table = _TABLES["judge_calls"]
JUDGE_ACCOUNTS: Table = _TABLES["judge_accounts"]
JUDGE_VERDICTS: Table = _TABLES["judge_verdicts"]
JUDGE_REUSES: Table = _TABLES["judge_reuses"]
