"""Scores, summaries and alerts as tables: data frames for Python, CSV and Parquet for the rest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.store import Store
from tailwatch.alert import Alert, ScoreSummary
from tailwatch.errors import ConfigurationError
from tailwatch.evaluation import Series
from tailwatch.trace import SEGMENT_FIELDS
from tailwatch.window import Window

if TYPE_CHECKING:
    import pandas as pd


class Table(StrEnum):
    """What can be taken out of the store."""

    SCORES = "scores"
    """One row for each outcome: a score, or why there is none."""
    SUMMARIES = "summaries"
    """One row for each series, segment and hour."""
    ALERTS = "alerts"
    """One row for each incident."""


_TIME = "datetime64[us, UTC]"
_TEXT, _NUMBER, _COUNT, _FLAG = "string", "float64", "Int64", "bool"
_SERIES = {"source": _TEXT, "evaluator": _TEXT, "version": _TEXT, "judge": _TEXT}

COLUMNS: dict[Table, dict[str, str]] = {
    Table.SCORES: {
        "source": _TEXT,
        "trace_id": _TEXT,
        "span_id": _TEXT,
        **dict.fromkeys(("evaluator", "version", "judge"), _TEXT),
        "hour": _TIME,
        "kind": _TEXT,
        "value": _NUMBER,
        **dict.fromkeys(("label", "reason", "message", "explanation"), _TEXT),
        "inclusion_probability": _NUMBER,
        "cost_usd": _NUMBER,
        "input_tokens": _COUNT,
        "output_tokens": _COUNT,
        "latency_ms": _NUMBER,
        "run_id": _TEXT,
        "evaluated_at": _TIME,
        "start_time": _TIME,
        "conversation_id": _TEXT,
        **dict.fromkeys(SEGMENT_FIELDS, _TEXT),
        "url": _TEXT,
    },
    Table.SUMMARIES: {
        **_SERIES,
        "segment_field": _TEXT,
        "segment_value": _TEXT,
        "hour": _TIME,
        "direction": _TEXT,
        **dict.fromkeys(("n", "skipped", "failed"), _COUNT),
        "mean": _NUMBER,
        **{
            f"p{percent}{limit}": _NUMBER
            for percent in (1, 5, 10, 50, 90, 95, 99)
            for limit in ("", "_low", "_high")
        },
        "restated": _FLAG,
    },
    Table.ALERTS: {
        "source": _TEXT,
        "alert_id": _TEXT,
        "rule": _TEXT,
        **dict.fromkeys(("evaluator", "version", "judge"), _TEXT),
        "segment_field": _TEXT,
        "segment_value": _TEXT,
        "state": _TEXT,
        **dict.fromkeys(("onset", "opened_at", "updated_at", "resolved_at", "muted_until"), _TIME),
        "monitors": _COUNT,
        "sentence": _TEXT,
    },
}
"""The columns of each table, in order, with their pandas types."""


def scores_frame(
    store: Store, source: str, window: Window, series: Collection[Series] = ()
) -> pd.DataFrame:
    """Every outcome of the window's hours as one frame; all series where none is named."""
    return _joined(Table.SCORES, frames(Table.SCORES, store, source, window, series))


def summaries_frame(store: Store, source: str, window: Window) -> pd.DataFrame:
    """The summaries of the window's hours as one frame, quantiles with their 95 % limits."""
    return _joined(Table.SUMMARIES, frames(Table.SUMMARIES, store, source, window))


def alerts_frame(store: Store, source: str, window: Window) -> pd.DataFrame:
    """The alerts that were open at any time in the window as one frame."""
    return _joined(Table.ALERTS, frames(Table.ALERTS, store, source, window))


def frames(
    table: Table, store: Store, source: str, window: Window, series: Collection[Series] = ()
) -> Iterator[pd.DataFrame]:
    """The table in frames of some thousand rows, so that no window is too long."""
    if table is Table.SCORES:
        for rows in store.outcome_rows(source, window, series):
            yield _frame(table, rows)
    elif table is Table.SUMMARIES:
        for hour in window.hours():
            found = store.summaries(source, hour)
            if found:
                yield _frame(table, [_summary_row(source, summary) for summary in found])
    else:
        alerts = [
            alert for alert in store.alerts(limit=None, source=source) if _in_window(alert, window)
        ]
        if alerts:
            yield _frame(table, [_alert_row(source, alert) for alert in alerts])


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written, and where."""

    path: Path
    rows: int


def write_table(table: Table, parts: Iterable[pd.DataFrame], path: Path) -> Exported:
    """Writes the parts into one CSV or Parquet file, as its ending says; whole, or not at all.

    In CSV a text that a spreadsheet would take for a formula begins with an apostrophe.
    Raises ConfigurationError for another ending, without the extra `parquet`, and for a folder that
    cannot be written to.
    """
    writers = {".csv": _write_csv, ".parquet": _write_parquet}
    write = writers.get(path.suffix.lower())
    if write is None:
        raise ConfigurationError(f"{path} ends in {path.suffix!r}; accepted are .csv and .parquet")
    unfinished = path.with_name(f"{path.name}.part")
    try:
        rows = write(table, parts, unfinished)
        unfinished.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return Exported(path=path, rows=rows)


def harmless(text: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula.

    Formulas begin with =, +, - or @, also behind a tab or a carriage return; see OWASP, CSV
    Injection.
    """
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text


def _write_csv(table: Table, parts: Iterable[pd.DataFrame], path: Path) -> int:
    rows = 0
    texts = [name for name, kind in COLUMNS[table].items() if kind == _TEXT]
    with path.open("w", encoding="utf-8", newline="") as file:
        _frame(table, []).to_csv(file, index=False)
        for part in parts:
            safe = part.copy()
            for name in texts:
                safe[name] = part[name].map(harmless, na_action="ignore")
            safe.to_csv(file, index=False, header=False)
            rows += len(part)
    return rows


def _write_parquet(table: Table, parts: Iterable[pd.DataFrame], path: Path) -> int:
    if find_spec("pyarrow") is None:
        raise ConfigurationError("Parquet needs pyarrow: install tailwatch[parquet], or write .csv")
    arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    rows = 0
    schema = arrow.Schema.from_pandas(_frame(table, []), preserve_index=False)
    with parquet.ParquetWriter(path, schema) as writer:
        for part in parts:
            writer.write_table(arrow.Table.from_pandas(part, schema, preserve_index=False))
            rows += len(part)
    return rows


def _joined(table: Table, parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    found = list(parts)
    if not found:
        return _frame(table, [])
    joined: pd.DataFrame = import_module("pandas").concat(found, ignore_index=True)
    return joined


def _frame(table: Table, rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    pandas = import_module("pandas")  # deferred: only an export needs it
    columns = {
        name: pandas.Series([row[name] for row in rows], dtype=kind)
        for name, kind in COLUMNS[table].items()
    }
    frame: pd.DataFrame = pandas.DataFrame(columns)
    return frame


def _summary_row(source: str, summary: ScoreSummary) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS[Table.SUMMARIES])
    row |= {
        "source": source,
        "evaluator": summary.series.evaluator,
        "version": summary.series.version,
        "judge": summary.series.judge,
        "segment_field": summary.segment.field,
        "segment_value": summary.segment.value,
        "hour": summary.window.start,
        "direction": str(summary.direction),
        "n": summary.n,
        "skipped": summary.skipped,
        "failed": summary.failed,
        "mean": summary.mean,
        "restated": summary.restated,
    }
    for quantile in summary.quantiles:
        name = f"p{quantile.probability * 100:.0f}"
        if name in row:
            row |= {
                name: quantile.value,
                f"{name}_low": quantile.low,
                f"{name}_high": quantile.high,
            }
    return row


def _alert_row(source: str, alert: Alert) -> dict[str, Any]:
    return {
        "source": source,
        "alert_id": alert.alert_id,
        "rule": alert.rule,
        "evaluator": alert.series.evaluator,
        "version": alert.series.version,
        "judge": alert.series.judge,
        "segment_field": alert.segment.field,
        "segment_value": alert.segment.value,
        "state": str(alert.state),
        "onset": alert.onset,
        "opened_at": alert.opened_at,
        "updated_at": alert.updated_at,
        "resolved_at": alert.resolved_at,
        "muted_until": alert.muted_until,
        "monitors": max(1, len(alert.monitors)),
        "sentence": alert.sentence,
    }


def _in_window(alert: Alert, window: Window) -> bool:
    return alert.onset < window.end and (
        alert.resolved_at is None or alert.resolved_at >= window.start
    )
