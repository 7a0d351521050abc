"""Golden sets: what is written is read back, and a wrong line is named."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from evaluators.material import Section
from evaluators.rubric_file import Need
from evaluators.sections import sections_of
from flows.golden_file import (
    SCHEMA,
    GoldenDocument,
    GoldenItem,
    golden_trace,
    read_golden,
    schema_text,
    write_golden,
)
from tailwatch.errors import ConfigurationError

ITEM = GoldenItem(
    id="a/1",
    input="When?",
    output="On\u2028Monday \x1b[31m",
    documents=(GoldenDocument(id="d", text="Monday"), GoldenDocument(text="Tuesday")),
    labels={"faithfulness": "supported"},
    origin="random",
    licence="Apache-2.0",
    model="m",
)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "golden.jsonl"
    other = GoldenItem(id="b", origin="by hand", tags=("probe",))
    write_golden(path, [ITEM, other])
    assert read_golden(path) == [ITEM, other]
    assert [p.name for p in tmp_path.iterdir()] == ["golden.jsonl"]
    validator = Draft202012Validator(json.loads(schema_text()))
    assert all(validator.is_valid(json.loads(line)) for line in path.read_text().splitlines())


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_comes_back(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("golden") / "g.jsonl"
    item = GoldenItem(id="x", input=text, output=text, origin="o")
    write_golden(path, [item])
    assert read_golden(path) == [item]


def test_a_file_is_not_written_over_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "golden.jsonl"
    write_golden(path, [ITEM])
    with pytest.raises(ConfigurationError, match="--replace"):
        write_golden(path, [])
    assert read_golden(path) == [ITEM]
    write_golden(path, [ITEM, ITEM.model_copy(update={"id": "c"})], replace=True)
    assert len(read_golden(path)) == 2


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('{"id": "a"}', "golden.jsonl:1: origin: Field required"),
        ('\n{"id": "a", "origin": "o", "score": 1}', "golden.jsonl:2: score: Extra inputs"),
        ("{torn", "golden.jsonl:1"),
        ('{"id": " ", "origin": "o"}', "golden.jsonl:1: id"),
        ('{"id": "a", "origin": "o"}\n{"id": "a", "origin": "o"}', "golden.jsonl:2: the id 'a'"),
        ("\n", "is empty"),
        ("{}\n" * 9, "and 4 more"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, lines: str, said: str) -> None:
    path = tmp_path / "golden.jsonl"
    path.write_text(lines)
    with pytest.raises(ConfigurationError) as caught:
        read_golden(path)
    assert said in str(caught.value)


def test_an_item_shows_a_judge_what_its_trace_would() -> None:
    trace = golden_trace(ITEM)
    assert (trace.trace_id, trace.model) == ("a/1", "m")
    assert sections_of(trace, [Need.INPUT, Need.DOCUMENTS], None) == [
        Section(name="question", text="When?"),
        Section(name="document 1", text="Monday"),
        Section(name="document 2", text="Tuesday"),
    ]


def test_the_committed_schema_is_current() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), "run python -m flows.golden_file"
