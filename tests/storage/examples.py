"""Values to store, made short."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tailwatch.evaluation import Evaluation, Series
from tailwatch.outcome import Outcome, Score
from tailwatch.trace import TraceRef
from tailwatch.window import HOUR, Window

SOURCE = "app"
HOUR_0 = Window.hour_of(datetime(2026, 3, 1, 9, tzinfo=UTC))
HOUR_1 = Window(HOUR_0.end, HOUR_0.end + HOUR)
BOTH_HOURS = Window(HOUR_0.start, HOUR_1.end)
NOW = datetime(2026, 3, 2, tzinfo=UTC)
FAITHFULNESS = Series(evaluator="faithfulness", version="1", judge="judge-small")


def ref(trace_id: str, hour: Window = HOUR_0, **fields: Any) -> TraceRef:
    start_time = fields.pop("start_time", hour.start + timedelta(minutes=7))
    return TraceRef(source=SOURCE, trace_id=trace_id, start_time=start_time, **fields)


def evaluation(trace_id: str, outcome: Outcome | float = 0.5, **fields: Any) -> Evaluation:
    if isinstance(outcome, float):
        outcome = Score(value=outcome)
    defaults: dict[str, Any] = {
        "source": SOURCE,
        "series": FAITHFULNESS,
        "window": HOUR_0,
        "inclusion_probability": 1.0,
        "run_id": "run",
        "evaluated_at": NOW,
    }
    return Evaluation(trace_id=trace_id, outcome=outcome, **defaults | fields)
