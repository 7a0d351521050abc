"""Every parser of outside data under bytes that were good once: it refuses them in a sentence.

Hundreds of cases each time, ten thousand for each parser in the long form (`make torture`).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluators.clients.batch_lines import read_line as read_batch_line
from evaluators.clients.judge_reply import Trouble, read_reply, read_verdict
from evaluators.qrels import load_qrels
from evaluators.rubric_file import load_rubric
from flows.golden_file import read_golden
from flows.plan_file import read_plan
from sources.files import files_source
from sources.log_records import LogRow
from sources.log_traces import trace_of
from sources.trace_lines import read_line
from tailwatch.errors import ConfigurationError, InvalidTraceError
from tailwatch.protocols import JudgeQuestion
from tailwatch.trace import Trace
from tests.builders import make_trace
from tests.sources.trace_files import everything, record_line, trace_line, write
from tests.survival.story import LONG

ROOT = Path(__file__).resolve().parents[2]
CASES = 10_000 if LONG else 100
LONGEST_SENTENCE = 20_000
QUESTION = JudgeQuestion(instructions="judge", material="text", choices=("yes", "no"))

pytestmark = pytest.mark.timeout(3600)


@dataclass(frozen=True, slots=True)
class Parser:
    """Something that reads what comes from outside, and good examples of that."""

    read: Callable[[Path, bytes], Any]
    good: tuple[bytes, ...]


def _in_file(load: Callable[[Path], Any], name: str) -> Callable[[Path, bytes], Any]:
    def read(folder: Path, content: bytes) -> Any:
        path = folder / name
        path.write_bytes(content)
        return load(path)

    return read


def _line(_: Path, content: bytes) -> Any:
    read = read_line("test", content)
    if isinstance(read, LogRow):
        return trace_of("test", [read])
    return read


def _reply(_: Path, content: bytes) -> Any:
    reply = read_reply(content)
    return reply if isinstance(reply, Trouble) else read_verdict(reply, QUESTION)


def _batch_line(_: Path, content: bytes) -> Any:
    return read_batch_line(content, {"call-1": QUESTION}, "model-a")


def _completion(content: str) -> dict[str, Any]:
    return {
        "id": "c",
        "object": "chat.completion",
        "model": "model-a",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": content},
            }
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }


_ANSWER = _completion('{"explanation": "it is", "choice": "yes"}')
_BATCHED = {
    "id": "b",
    "custom_id": "call-1",
    "response": {"status_code": 200, "request_id": "r", "body": _ANSWER},
    "error": None,
}

PARSERS: Mapping[str, Parser] = {
    "trace line": Parser(_line, (trace_line(make_trace()).encode(), record_line().encode())),
    "judge reply": Parser(_reply, (json.dumps(_ANSWER).encode(),)),
    "batch result": Parser(_batch_line, (json.dumps(_BATCHED).encode(),)),
    "plan": Parser(
        _in_file(read_plan, "tailwatch.yaml"),
        ((ROOT / "datasets/demo/tailwatch.yaml").read_bytes(),),
    ),
    "rubric": Parser(
        _in_file(load_rubric, "rubric.yaml"),
        ((ROOT / "evaluators/rubrics/refusal.yaml").read_bytes(),),
    ),
    "relevance judgements": Parser(
        _in_file(load_qrels, "qrels"),
        (b'{"query": "q", "document_id": "d", "grade": 2}\n', b"q1 0 d1 1\nq1 0 d2 0\n"),
    ),
    "golden set": Parser(
        _in_file(read_golden, "golden.jsonl"),
        (
            b'{"id": "1", "input": "q", "output": "a", "labels": {"refusal": "served"}, '
            b'"origin": "x"}\n',
        ),
    ),
}

_tokens = st.sampled_from(
    [
        *(b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\n", b'"', b"{", b"}", b"]", b":", b"&a *a"),
        *(b"1e999", b"-1", b"NaN", b"null", b"true", b"9" * 30, b"\\ud800", b"!!python/x"),
        *(b"[" * 3000, b"{" * 3000, b"- " * 3000, b'{"a":' * 3000),
        *(b"0001-01-01T00:00:00Z", b"9999-12-31T23:59:59Z"),
    ]
)
_edits = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 40), st.one_of(_tokens, st.binary(max_size=8))),
    min_size=1,
    max_size=4,
)


def _mangled(content: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    """The bytes with some cut out and others put in, at places given as shares of the length."""
    for place, cut, inserted in edits:
        at = int(place * len(content))
        content = content[:at] + inserted + content[at + cut :]
    return content


def _refusal(parser: Parser, folder: Path, content: bytes) -> str:
    """What it says about what it cannot read; anything but a refusal goes on."""
    try:
        parser.read(folder, content)
    except (ConfigurationError, InvalidTraceError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", PARSERS)
@settings(
    max_examples=CASES,
    derandomize=not LONG,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(which=st.integers(0, 1), edits=_edits, junk=st.one_of(st.none(), st.binary(max_size=200)))
def test_it_reads_or_says_why_not(
    name: str, tmp_path: Path, which: int, edits: list[tuple[float, int, bytes]], junk: bytes | None
) -> None:
    parser = PARSERS[name]
    good = parser.good[which % len(parser.good)]
    content = _mangled(good, edits) if junk is None else junk
    assert len(_refusal(parser, tmp_path, content)) < LONGEST_SENTENCE


@pytest.mark.parametrize("name", PARSERS)
def test_the_examples_are_good(name: str, tmp_path: Path) -> None:
    for good in PARSERS[name].good:
        read = PARSERS[name].read(tmp_path, good)
        assert read is not None
        assert not isinstance(read, Trouble)


@settings(
    max_examples=CASES // 10,
    derandomize=not LONG,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(edits=st.lists(_edits, min_size=1, max_size=5))
def test_no_good_neighbour_is_lost(
    tmp_path: Path, edits: list[list[tuple[float, int, bytes]]]
) -> None:
    """Lines that were mangled, each between two good ones; a newline put in makes more lines."""
    lines: list[bytes] = []
    for number, each in enumerate(edits):
        lines += [trace_line(make_trace(trace_id=f"good{number}")).encode()]
        lines += [_mangled(trace_line(make_trace(trace_id="mangled")).encode(), each)]
    path = write(tmp_path / "traces.jsonl", lines)
    found = everything(files_source("test", {"path": str(path)}))
    good = [found.get(f"good{number}") for number in range(len(edits))]
    assert all(isinstance(trace, Trace) for trace in good)


ALIASES = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("load", [read_plan, load_rubric])
def test_yaml_that_stands_for_billions_of_values_is_refused(
    load: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / "bomb.yaml"
    path.write_text(ALIASES + "source: *a11\nevaluators: *a11\nmeasures: *a11\nneeds: *a11\n")
    with pytest.raises(ConfigurationError) as refused:
        load(path)
    assert len(str(refused.value)) < LONGEST_SENTENCE
