"""The README's truth about the planted incidents is what the committed files give."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest

from tests.datasets.demo import FOLDER, demo_traces, values

END = datetime(2026, 11, 15, tzinfo=UTC)
ONSETS = {
    "1": datetime(2026, 11, 11, 8, tzinfo=UTC),
    "2": datetime(2026, 11, 12, 9, tzinfo=UTC),
    "3": datetime(2026, 11, 9, tzinfo=UTC),
    "4": datetime(2026, 11, 10, 14, tzinfo=UTC),
}
SEGMENT_FIELDS = ("feature", "model", "prompt_version", "environment")


def table_rows(columns: int) -> list[list[str]]:
    """The cells of the README's tables that start with an incident's number."""
    lines = (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in rows if len(row) == columns and row[0] in ONSETS]


TRUTH = [tuple(row) for row in table_rows(6) if row[3] in {"mean", "P10", "P50", "P90"}]


def in_segment(segment: str, start: datetime, end: datetime, measure: str) -> NDArray[np.float64]:
    field, _, value = segment.partition("=")
    return np.array(
        [
            number
            for (_, trace), number in zip(demo_traces(), values(measure), strict=True)
            if number is not None
            and start <= trace.start_time < end
            and (segment == "all traffic" or getattr(trace, field) == value)
        ]
    )


def test_the_readme_has_a_truth_for_every_incident() -> None:
    assert {row[0] for row in TRUTH} == set(ONSETS)


@pytest.mark.parametrize(
    ("incident", "segment", "measure", "statistic", "before", "after"),
    TRUTH,
    ids=[" ".join(row[:4]) for row in TRUTH],
)
def test_the_figures_are_measured(
    incident: str, segment: str, measure: str, statistic: str, before: str, after: str
) -> None:
    onset = ONSETS[incident]
    for text, start, end in ((before, END - timedelta(days=14), onset), (after, onset, END)):
        found = in_segment(segment, start, end, measure)
        figure = found.mean() if statistic == "mean" else np.percentile(found, int(statistic[1:]))
        decimals = len(text.partition(".")[2])
        assert figure == pytest.approx(float(text), abs=0.51 * 10**-decimals)


@pytest.mark.parametrize(
    ("measure", "line", "below", "planted"),
    [
        ("lexical_support", 0.55, True, "prompt_version=v3"),
        ("ndcg@10", 0.25, True, "feature=api-reference"),
        ("recall@5", 0.2, True, "feature=api-reference"),
        ("cost_usd", 0.006, False, "model=marten-large"),
    ],
)
def test_a_fixed_line_is_broken_in_the_planted_segment_alone(
    measure: str, line: float, below: bool, planted: str
) -> None:
    """Over the last day, and over the last day before the first incident in no segment."""
    traces = [trace for _, trace in demo_traces()]
    segments = {f"{field}={getattr(t, field)}" for t in traces for field in SEGMENT_FIELDS}

    def broken(end: datetime) -> set[str]:
        found = set()
        for segment in segments | {"all traffic"}:
            numbers = in_segment(segment, end - timedelta(days=1), end, measure)
            beyond = int(np.sum(numbers < line if below else numbers > line))
            if len(numbers) and (
                binomtest(beyond, len(numbers), 0.1, alternative="greater").pvalue < 0.001
            ):
                found.add(segment)
        return found

    assert broken(END) == {planted}
    assert broken(ONSETS["3"]) == set()


@pytest.mark.parametrize(
    "segment", ["prompt_version=v3", "feature=api-reference", "model=marten-large"]
)
def test_the_last_two_days_have_enough_of_the_affected_traces(segment: str) -> None:
    assert len(in_segment(segment, END - timedelta(hours=48), END, "edge_relay")) >= 150
