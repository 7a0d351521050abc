"""docs/traces.md names every field there is, and its examples can be read."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from sources.log_records import COLUMNS, LogRow
from sources.schemas import log_record_schema, trace_schema
from sources.trace_lines import read_line
from tailwatch.trace import Feedback, RetrievedDocument, Span, SpanKind, ToolCall, Trace

PAGE = (Path(__file__).parents[2] / "docs/traces.md").read_text(encoding="utf-8")
TRACES, RECORDS = PAGE.split("## Structured log records")
EXAMPLES = re.findall(r"```json\n(.*?)\n```", PAGE, re.DOTALL)


def test_the_examples_can_be_read() -> None:
    trace, row = (read_line("docs", example.encode()) for example in EXAMPLES)
    assert isinstance(trace, Trace)
    assert [document.id for document in trace.documents] == ["billing-4"]
    assert isinstance(row, LogRow)
    Draft202012Validator(trace_schema()).validate(json.loads(EXAMPLES[0]))
    Draft202012Validator(log_record_schema()).validate(json.loads(EXAMPLES[1]))


@pytest.mark.parametrize("kind", [Trace, Span, RetrievedDocument, Feedback, ToolCall])
def test_every_field_of_a_trace_is_documented(kind: type) -> None:
    told = set(re.findall(r"`(\w+)`", TRACES))
    assert {field.name for field in fields(kind)} - {"source"} <= told


def test_every_column_and_kind_is_documented() -> None:
    assert set(re.findall(r"`(\w+)`", RECORDS)) >= COLUMNS
    assert set(re.findall(r"`(\w+)`", TRACES)) >= set(SpanKind)
