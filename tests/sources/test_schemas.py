"""The published schemas are current, and say what the reader does."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from sources.schemas import FOLDER, log_record_schema, published, trace_schema
from tests.builders import START, make_trace
from tests.sources.trace_files import record_line, trace_line

TRACE: dict[str, Any] = json.loads(trace_line(make_trace()))
RECORD: dict[str, Any] = json.loads(record_line())


@pytest.mark.parametrize(("name", "text"), published().items())
def test_the_committed_schema_is_current(name: str, text: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == text, "run python -m sources.schemas"


@pytest.mark.parametrize("schema", [trace_schema(), log_record_schema()])
def test_the_schemas_are_schemas(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("fields", "good"),
    [
        ({}, True),
        ({"metadata": {"any": [1, None]}, "tags": ["a"], "cost_usd": None}, True),
        ({"source": "mine"}, False),
        ({"input_tokens": -1}, False),
        ({"status": "fine"}, False),
        ({"start_time": None}, False),
        ({"spans": [{"span_id": "a", "start_time": START.isoformat(), "kind": "magic"}]}, False),
        ({"feedback": [{"kind": "thumb", "value": 2}]}, False),
    ],
)
def test_the_trace_schema_accepts_what_the_reader_does(fields: dict[str, Any], good: bool) -> None:
    assert Draft202012Validator(trace_schema()).is_valid(TRACE | fields) is good


@pytest.mark.parametrize(
    ("fields", "good"),
    [
        ({}, True),
        ({"timestamp": 1772445600.5, "prompt_version": 3, "trace_id": 17}, True),
        ({"documents": ["text", {"id": "a", "rank": 0}], "feedback": True, "own": {}}, True),
        ({"feedback": [{"kind": "retry"}], "parent_id": None}, True),
        ({"timestamp": None}, False),
        ({"latency_ms": -1}, False),
        ({"documents": [{"id": "a", "rank": -1}]}, False),
        ({"kind": "magic"}, False),
    ],
)
def test_the_record_schema_accepts_what_the_reader_does(fields: dict[str, Any], good: bool) -> None:
    assert Draft202012Validator(log_record_schema()).is_valid(RECORD | fields) is good
