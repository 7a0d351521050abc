"""Relevance judgements from a file."""

from pathlib import Path

import pytest

from evaluators.qrels import load_qrels
from tailwatch.errors import ConfigurationError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "qrels"


def test_json_lines_and_trec_lines(file: Path) -> None:
    file.write_bytes(
        b"\xef\xbb\xbf"
        b'{"query": " How do I pay? ", "document_id": "a b", "grade": 2}\r\n'
        b"\n"
        b"17 0 doc-1 1\n"
        b"17\t0\tdoc-2\t-2\n"
        b"17 0 doc-1 3\n" + '{"query": "one\u2028two", "document_id": "a", "grade": 0}'.encode()
    )
    assert load_qrels(file) == {
        "How do I pay?": {"a b": 2},
        "17": {"doc-1": 3, "doc-2": 0},
        "one\u2028two": {"a": 0},
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("17 0 doc-1", "qrels:2: not a judgement; accepted are"),
        ('{"query": "q", "document_id": "d"}', "qrels:2: not a judgement .*grade"),
        ('{"query": "q", "document_id": 7, "grade": 1}', "qrels:2: query and document_id must be"),
        ('{"query": ', "qrels:2: not a judgement"),
        ('{"a":' * 100_000, "qrels:2: not a judgement"),
        ("17 0 doc-1 high", "qrels:2: the grade is 'high'; it must be a whole number"),
        ("17 0 doc-1 101", "qrels:2: the grade is '101'.*at most 100"),
        ('{"query": "q", "document_id": "d", "grade": 0.5}', "the grade is '0.5'"),
        ('{"query": "q", "document_id": "d", "grade": true}', "the grade is 'True'"),
    ],
)
def test_a_line_that_is_no_judgement_is_named(file: Path, line: str, message: str) -> None:
    file.write_text(f"17 0 doc-1 1\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message):
        load_qrels(file)


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe\x00"])
def test_a_file_without_judgements_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"qrels (hold none|cannot be read)"):
        load_qrels(file)


def test_a_file_that_is_not_there_is_refused(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_qrels(file)
