"""What leaves the store: the same numbers in every form, and no cell that is a formula."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.summaries import summarize
from flows.exporting import (
    COLUMNS,
    Table,
    alerts_frame,
    frames,
    harmless,
    scores_frame,
    summaries_frame,
    write_table,
)
from storage.store import Store
from tailwatch.alert import ALL_TRAFFIC, Alert, AlertState, Direction, ScoreSample
from tailwatch.errors import ConfigurationError
from tailwatch.outcome import Failed, Score, Skipped, SkipReason
from tailwatch.window import HOUR, Window
from tests.flows.parts import migrated_store
from tests.storage.examples import (
    BOTH_HOURS,
    FAITHFULNESS,
    HOUR_0,
    HOUR_1,
    NOW,
    SOURCE,
    evaluation,
    ref,
)

FORMULA = '=HYPERLINK("http://evil","x")'
LONG = "t" * 300
EARLIER = Window(HOUR_0.start - HOUR, HOUR_0.start)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with migrated_store(tmp_path) as opened:
        opened.record_listing([ref("a", feature="=1+1", model="m"), ref(LONG, HOUR_1)], NOW)
        opened.record(
            [
                evaluation("a", Score(value=-0.5, label="bad", explanation=FORMULA)),
                evaluation("b", Skipped(reason=SkipReason.MISSING_OUTPUT)),
                evaluation(LONG, Failed(error_type="timeout", message="late"), window=HOUR_1),
            ]
        )
        sample = ScoreSample(
            series=FAITHFULNESS,
            segment=ALL_TRAFFIC,
            window=HOUR_0,
            values=[n / 100 for n in range(100)],
        )
        opened.record_summaries(SOURCE, [summarize(sample, Direction.HIGHER_IS_BETTER)], NOW)
        opened.record_alert(SOURCE, an_alert(), ())
        yield opened


def an_alert() -> Alert:
    return Alert(
        rule="floor",
        series=FAITHFULNESS,
        segment=ALL_TRAFFIC,
        state=AlertState.OPEN,
        opened_at=NOW,
        onset=HOUR_0.start,
        updated_at=NOW,
        sentence="@it is bad",
        numbers={},
    )


def test_frames_have_typed_columns_and_missing_is_missing(store: Store) -> None:
    scores = scores_frame(store, SOURCE, BOTH_HOURS)
    assert list(scores.columns) == list(COLUMNS[Table.SCORES])
    assert scores["trace_id"].tolist() == ["a", "b", LONG]
    assert scores["kind"].tolist() == ["score", "skipped", "failed"]
    assert scores["value"].isna().tolist() == [False, True, True]
    assert scores["feature"][0] == "=1+1"
    assert scores["feature"].isna().tolist() == [False, True, True]
    assert scores["hour"].tolist() == [HOUR_0.start, HOUR_0.start, HOUR_1.start]
    assert scores_frame(store, SOURCE, EARLIER).dtypes.equals(scores.dtypes)
    summaries = summaries_frame(store, SOURCE, BOTH_HOURS)
    assert summaries["p10"].tolist() == [0.09]
    assert summaries["p10_low"][0] < 0.09 < summaries["p10_high"][0]
    assert alerts_frame(store, SOURCE, BOTH_HOURS)["state"].tolist() == ["open"]
    assert alerts_frame(store, SOURCE, EARLIER).empty


@pytest.mark.parametrize("table", Table)
def test_both_forms_hold_what_the_frame_holds(store: Store, tmp_path: Path, table: Table) -> None:
    (whole,) = [pd.concat(frames(table, store, SOURCE, BOTH_HOURS), ignore_index=True)]
    as_parquet, as_csv = tmp_path / "x.parquet", tmp_path / "x.csv"
    for path in (as_parquet, as_csv):
        written = write_table(table, frames(table, store, SOURCE, BOTH_HOURS), path)
        assert written.rows == len(whole) > 0
    read = pd.read_parquet(as_parquet)
    assert read.astype(COLUMNS[table]).equals(whole)
    cells = pd.read_csv(as_csv, dtype=str, keep_default_na=False)
    assert list(cells.columns) == list(whole.columns)
    assert not [
        cell
        for name, kind in COLUMNS[table].items()
        if kind == "string"
        for cell in cells[name]
        if cell.startswith(("=", "@"))
    ]


def test_a_formula_in_a_text_is_text_and_a_negative_number_a_number(
    store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "scores.csv"
    write_table(Table.SCORES, frames(Table.SCORES, store, SOURCE, BOTH_HOURS), path)
    first = pd.read_csv(path, dtype=str, keep_default_na=False).iloc[0]
    assert (first["explanation"], first["value"]) == (f"'{FORMULA}", "-0.5")


@given(st.text())
def test_no_text_is_a_formula_and_every_text_can_be_had_back(text: str) -> None:
    cell = harmless(text)
    assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r", "\n")
    assert cell in (text, f"'{text}")


def test_a_file_is_there_whole_or_not_at_all(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("the old one")

    def breaks_off() -> Iterator[pd.DataFrame]:
        yield from frames(Table.SCORES, store, SOURCE, HOUR_0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_table(Table.SCORES, breaks_off(), path)
    assert path.read_text() == "the old one"
    assert [each.name for each in tmp_path.glob("scores*")] == ["scores.csv"]


def test_what_cannot_be_written_is_refused_with_what_can(store: Store, tmp_path: Path) -> None:
    parts = list(frames(Table.SCORES, store, SOURCE, BOTH_HOURS))
    with pytest.raises(ConfigurationError, match=r"accepted are \.csv and \.parquet"):
        write_table(Table.SCORES, parts, tmp_path / "scores.xlsx")
    with pytest.raises(ConfigurationError, match="cannot be written: No such file"):
        write_table(Table.SCORES, parts, tmp_path / "nowhere" / "scores.csv")


def test_batches_are_as_small_as_asked(store: Store) -> None:
    sizes = [len(rows) for rows in store.outcome_rows(SOURCE, BOTH_HOURS, batch=1)]
    assert sizes == [1, 1, 1]
