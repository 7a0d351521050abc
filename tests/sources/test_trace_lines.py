"""One line is a trace, a log row, a broken trace or malformed; never an exception."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sources.log_records import LogRow
from sources.log_traces import trace_of
from sources.trace_lines import BrokenTrace, Malformed, read_line
from tailwatch.errors import InvalidTraceError
from tailwatch.trace import Trace
from tests.builders import START, make_trace
from tests.sources.trace_files import record_line, trace_line

TRACE_FIELDS: dict[str, Any] = json.loads(trace_line(make_trace()))
SPAN = {"span_id": "a", "start_time": START.isoformat()}


def read(fields: object) -> object:
    return read_line("test", json.dumps(fields).encode())


def test_a_trace_comes_back_as_it_was_written() -> None:
    trace = make_trace(output='quotes " and \\ and \n and ünïcode \u2028 and \x00')
    assert read_line("test", trace_line(trace).encode()) == trace


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b'{"trace_id": "\xff"}', "not JSON"),
        (b'{"trace_id": "\\ud800", "start_time": 1}', "not JSON"),
        (b"[" * 100_000, "not JSON: recursion limit"),
        (b"[1]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"trace_id": "a"}', "neither `start_time`"),
        (b'{"start_time": 1}', "trace_id is missing or empty"),
        (b'{"trace_id": " ", "timestamp": 1}', "trace_id is missing or empty"),
        (b'{"trace_id": true, "timestamp": 1}', "trace_id is missing or empty"),
        (b'{"trace_id": "a", "start_time": "soon"}', "start_time is no time; write ISO 8601"),
        (b'{"trace_id": "a", "timestamp": null}', "timestamp is no time"),
        (b'{"trace_id": "a", "timestamp": "2026-03-02T10:00:00"}', "without a time zone"),
        (b'{"trace_id": "a", "timestamp": "0001-01-01T00:00:00+23:00"}', "outside the calendar"),
    ],
)
def test_a_line_that_is_no_trace_at_any_time_is_malformed(line: bytes, told: str) -> None:
    found = read_line("test", line)
    assert isinstance(found, Malformed)
    assert told in found.message


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"end_time": "2020-01-01T00:00:00Z"}, "is before start_time"),
        ({"input_tokens": -1}, "input_tokens is -1; it must be 0 or more"),
        ({"cost_usd": float("nan")}, "cost_usd is nan"),
        ({"metadata": {"deep": [float("inf")]}}, "a free-form field holds inf"),
        ({"output": "x" * 10_000_000}, "output has 10,000,000 characters"),
        ({"spans": [SPAN | {"kind": "magic"}]}, "spans.0.kind is 'magic': Input should be 'llm'"),
        ({"spans": [SPAN, SPAN]}, "two spans have the same span_id"),
        ({"spans": [SPAN | {"parent_id": "gone"}]}, "names the parent 'gone'"),
        ({"spans": [SPAN | {"parent_id": "a"}]}, "is its own ancestor"),
        ({"spans": [SPAN | {"output_tokens": -2}]}, "spans.0: output_tokens is -2"),
        ({"spans": [{"span_id": "a"}]}, "spans.0.start_time: this field is required"),
        ({"colour": "red"}, "colour: there is no such field"),
        ({"source": "mine"}, "source: leave this field out"),
        ({"latency_ms": "a minute"}, "latency_ms is 'a minute': Input should be a valid number"),
    ],
)
def test_an_impossible_trace_keeps_its_id_and_time(fields: dict[str, Any], told: str) -> None:
    found = read(TRACE_FIELDS | fields)
    assert isinstance(found, BrokenTrace)
    assert (found.trace_id, found.start_time, found.is_row) == ("trace-1", START, False)
    assert told in found.message


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"latency_ms": -1}, "latency_ms is -1"),
        ({"latency_ms": float("nan")}, "latency_ms is nan"),
        ({"latency_ms": 1e300}, "it ends after the year 9999"),
        ({"output_tokens": -5}, "output_tokens is -5"),
        ({"quality_score": float("inf")}, "quality_score is inf"),
        ({"kind": "magic"}, "kind is 'magic'"),
        ({"documents": [{"id": "a", "rank": -1}]}, "rank is -1"),
        ({"documents": ["x" * 1_000_001]}, "text has 1,000,001 characters"),
        ({"reference": "x" * 1_000_001}, "reference has 1,000,001 characters"),
        ({"feedback": 7}, "feedback value is 7"),
        ({"own": float("nan")}, "a free-form field holds nan"),
    ],
)
def test_an_impossible_row_keeps_its_id_and_time(fields: dict[str, Any], told: str) -> None:
    found = read_line("test", record_line(**fields).encode())
    assert isinstance(found, BrokenTrace)
    assert (found.trace_id, found.start_time, found.is_row) == ("r1", START, True)
    assert told in found.message


def test_a_users_text_in_the_wrong_place_is_not_repeated() -> None:
    found = read(TRACE_FIELDS | {"latency_ms": "My account number is 4711, please help me out."})
    assert isinstance(found, BrokenTrace)
    assert "4711" not in found.message


@pytest.mark.parametrize("timestamp", [START.isoformat(), "2026-03-02T15:45+05:45", 1772445600])
def test_a_timestamp_is_iso_or_seconds(timestamp: object) -> None:
    row = read_line("test", record_line(timestamp=timestamp).encode())
    assert isinstance(row, LogRow)
    assert row.record.timestamp == START


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from([*TRACE_FIELDS, *json.loads(record_line()), "documents", "feedback"])
objects = st.dictionaries(names, json_values, max_size=6)


@given(st.binary() | objects.map(lambda fields: json.dumps(fields).encode()))
@example(b'{"trace_id":"a","timestamp":1e400}')
@example(b'{"trace_id":"a","timestamp":1e18,"latency_ms":1e17}')
def test_any_bytes_are_read_without_an_exception(line: bytes) -> None:
    found = read_line("test", line)
    assert isinstance(found, Trace | LogRow | BrokenTrace | Malformed)
    if isinstance(found, BrokenTrace | Malformed):
        assert found.message.isprintable()
        assert len(found.message) <= 300


@given(st.dictionaries(names, json_values, max_size=3))
def test_a_good_record_with_any_columns_replaced_never_escapes(fields: dict[str, Any]) -> None:
    """Whatever reads as a row also makes a trace, or says in a sentence why not."""
    row = read_line("test", record_line(**fields).encode("utf-8", "surrogatepass"))
    if isinstance(row, LogRow):
        try:
            assert trace_of("test", [row]).trace_id == row.record.trace_id
        except InvalidTraceError as error:
            sentence = str(error)
            assert sentence.isprintable()
            assert 0 < len(sentence) <= 300
