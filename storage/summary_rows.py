"""Coverage accounts and summaries as rows of their tables, and back."""

from typing import Any

from sqlalchemy import RowMapping

from storage.rows import clock_hour, series_of, series_row
from storage.text import full_text, key_text
from tailwatch.alert import Direction, Quantile, ScoreSummary, Segment
from tailwatch.coverage import Coverage
from tailwatch.window import HOUR, Window


def coverage_row(source: str, account: Coverage) -> dict[str, Any]:
    return {
        "source": source,
        **series_row(account.series),
        "hour": clock_hour(account.window).start,
        "listed": account.listed,
        "eligible": account.eligible,
        "sampled": account.sampled,
        "scored": account.scored,
        "skipped": dict(account.skipped),
        "failed": dict(account.failed),
        "unreadable": account.unreadable,
        "late": account.late,
    }


def coverage_of(row: RowMapping) -> Coverage:
    return Coverage(
        series=series_of(row),
        window=Window(row["hour"], row["hour"] + HOUR),
        listed=row["listed"],
        eligible=row["eligible"],
        sampled=row["sampled"],
        scored=row["scored"],
        skipped=row["skipped"],
        failed=row["failed"],
        unreadable=row["unreadable"],
        late=row["late"],
    )


def summary_row(source: str, summary: ScoreSummary) -> dict[str, Any]:
    probabilities = {quantile.probability for quantile in summary.quantiles}
    tail = summary.tail if probabilities >= {0.1, 0.9} else None
    return {
        "source": source,
        **series_row(summary.series),
        "segment_field": summary.segment.field,
        "segment_value": key_text(summary.segment.value),
        "segment_value_full": full_text(summary.segment.value),
        "hour": clock_hour(summary.window).start,
        "direction": summary.direction.value,
        "n": summary.n,
        "skipped": summary.skipped,
        "failed": summary.failed,
        "mean": summary.mean,
        "tail": tail.value if tail else None,
        "tail_low": tail.low if tail else None,
        "tail_high": tail.high if tail else None,
        "quantiles": [[q.probability, q.value, q.low, q.high] for q in summary.quantiles],
        "restated": summary.restated,
    }


def summary_of(row: RowMapping) -> ScoreSummary:
    return ScoreSummary(
        series=series_of(row),
        segment=Segment(
            field=row["segment_field"], value=row["segment_value_full"] or row["segment_value"]
        ),
        window=Window(row["hour"], row["hour"] + HOUR),
        direction=Direction(row["direction"]),
        n=row["n"],
        skipped=row["skipped"],
        failed=row["failed"],
        mean=row["mean"],
        quantiles=tuple(
            Quantile(
                probability=probability, value=_float(value), low=_float(low), high=_float(high)
            )
            for probability, value, low, high in row["quantiles"]
        ),
        restated=row["restated"],
    )


def _float(value: float | None) -> float | None:
    """JSON does not tell 1.0 from 1."""
    return None if value is None else float(value)
