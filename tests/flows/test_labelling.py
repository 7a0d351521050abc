"""Labelling: what is asked, what is recorded, what is shown when, and in a real terminal."""

import asyncio
import json
import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.cli.main import main
from flows.label_page import keys_of, text_lines
from flows.label_queue import Queue, alert_queue, random_queue, rubrics_of
from flows.labelling import Tally, Walk
from flows.parts import Parts
from storage.store import open_store
from tailwatch.alert import ALL_TRAFFIC, Alert, AlertState
from tailwatch.errors import ConfigurationError
from tailwatch.plan import KeepText
from tailwatch.review import Origin
from tests.builders import START, make_document, make_trace
from tests.fakes import MemorySource, ScriptedEvaluator, SteppingClock
from tests.flows.judged_traces import (
    HELP,
    WINDOW,
    WordJudge,
    judged_parts,
    relevance_evaluator,
    retrieving,
    tone_evaluator,
    traces,
)
from tests.flows.parts import make_parts, migrated_store
from tests.stub_endpoint import StubEndpoint, verdict

NOW = datetime(2026, 3, 5, tzinfo=UTC)


@dataclass
class ScriptedDesk:
    """Presses the given keys in turn, then leaves; remembers what stood there at each key."""

    keys: str
    width: int = 90
    shown: list[str] = field(default_factory=list)
    at_key: list[str] = field(default_factory=list)

    def show(self, lines: Sequence[str]) -> None:
        self.shown += lines

    def key(self) -> str:
        self.at_key.append("\n".join(self.shown))
        self.shown = []
        if not self.keys:
            raise EOFError
        pressed, self.keys = self.keys[0], self.keys[1:]
        return pressed

    @property
    def everything(self) -> str:
        return "\n".join([*self.at_key, *self.shown])


def walk(
    parts: Parts, queue: Queue, keys: str, *, who: str = "ada", again: bool = False
) -> tuple[Tally, ScriptedDesk]:
    desk = ScriptedDesk(keys)
    ticks = iter(range(1000))
    walked = Walk(
        parts=parts,
        rubrics=rubrics_of(parts, ()),
        who=who,
        desk=desk,
        clock=SteppingClock(NOW),
        seconds=lambda: float(next(ticks)),
        again=again,
    )
    return asyncio.run(walked.through(queue)), desk


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    return judged_parts(tmp_path, traces(8), tone_evaluator(WordJudge()))


def queue_of(parts: Parts, size: int) -> Queue:
    return random_queue(parts, rubrics_of(parts, ()), WINDOW, size)


def test_a_larger_random_sample_begins_with_the_smaller(parts: Parts) -> None:
    small, large = queue_of(parts, 3), queue_of(parts, 8)
    assert [w.trace_id for w in large.waiting[:3]] == [w.trace_id for w in small.waiting]
    assert {w.trace_id for w in large.waiting} == {f"t{i:03}" for i in range(8)}
    assert [w.draw.place for w in small.waiting] == [1, 2, 3]
    assert {w.draw.population for w in large.waiting} == {8}
    assert "random 3 of the 8 traces judged" in small.sentence


def test_what_was_not_judged_is_drawn_from_only_where_nothing_was(tmp_path: Path) -> None:
    unjudged = judged_parts(tmp_path, traces(4), tone_evaluator(None))
    queue = queue_of(unjudged, 10)
    assert len(queue.waiting) == 4
    assert "listed" in queue.sentence


def test_labels_are_recorded_with_who_when_how_long_and_how_drawn(parts: Parts) -> None:
    queue = queue_of(parts, 2)
    tally, _ = walk(parts, queue, "1x3x")
    assert (tally.labels, tally.left) == (2, 0)
    first, second = parts.store.labels(parts.source.name)
    assert (first.choice, first.score, second.choice, second.score) == ("polite", 1, "rude", 0)
    assert (first.who, first.evaluator, first.version, first.hour) == ("ada", "tone", "1", WINDOW)
    assert first.at > NOW
    assert first.took_s == 1
    assert [label.draw for label in (first, second)] == [w.draw for w in queue.waiting]


def test_the_judges_word_comes_after_the_persons(parts: Parts) -> None:
    _, desk = walk(parts, queue_of(parts, 1), "1x")
    before, after = desk.at_key[:2], desk.shown
    assert not any("judge-a" in shown for shown in before)
    assert any("judge-a (v1) said" in line for line in after)
    assert any("so it is" in line for line in after)


def test_it_goes_on_where_the_person_stopped(parts: Parts) -> None:
    queue = queue_of(parts, 4)
    tally, _ = walk(parts, queue, "1x1q")
    assert (tally.labels, tally.left) == (2, 2)
    tally, desk = walk(parts, queue, "2x2x")
    assert (tally.labels, tally.before, tally.left) == (2, 2, 0)
    assert "3 of 4" in desk.at_key[0]
    assert walk(parts, queue, "")[0] == Tally(before=4)
    assert walk(parts, queue, "3x", who="bob")[0].labels == 1


def test_leaving_by_control_c_keeps_what_was_said(parts: Parts) -> None:
    tally, _ = walk(parts, queue_of(parts, 3), "1x2")
    assert (tally.labels, tally.left) == (2, 1)
    assert len(parts.store.labels(parts.source.name)) == 2


def test_undo_takes_back_until_the_judges_word_is_out(tmp_path: Path) -> None:
    judge = WordJudge()
    two = judged_parts(tmp_path, traces(3), tone_evaluator(judge), tone_evaluator(judge, HELP))
    queue = queue_of(two, 2)
    tally, desk = walk(two, queue, "1su2u" + "3u3x" + "u1q")
    found = two.store.labels(two.source.name)
    assert [(label.evaluator, label.choice) for label in found] == [
        ("tone", "polite"),
        ("help", "rude"),
        ("tone", "polite"),
    ]
    assert (tally.labels, tally.skipped, tally.left) == (3, 0, 1)
    assert "nothing to undo" in desk.everything


def test_a_second_thought_comes_only_when_asked_for_and_can_be_undone(parts: Parts) -> None:
    queue = queue_of(parts, 1)
    walk(parts, queue, "1x")
    walk(parts, queue, "3uq", again=True)
    assert [label.choice for label in parts.store.labels(parts.source.name)] == ["polite"]
    walk(parts, queue, "3x", again=True)
    assert [label.choice for label in parts.store.labels(parts.source.name)] == ["rude"]


def alert_on(parts: Parts) -> Alert:
    return Alert(
        rule="floor",
        series=parts.evaluators[0].series,
        segment=ALL_TRAFFIC,
        state=AlertState.OPEN,
        opened_at=WINDOW.end,
        onset=WINDOW.start,
        updated_at=WINDOW.end,
        sentence="worse",
    )


def test_an_alerts_worst_are_not_a_random_sample_until_one_brings_them_up(parts: Parts) -> None:
    alert = alert_on(parts)
    queue = alert_queue(parts, alert, 2)
    assert {w.trace_id for w in queue.waiting} == {"t001", "t005"}
    walk(parts, queue, "3x3x")
    [first, second] = parts.store.labels(parts.source.name)
    assert {label.draw.origin for label in (first, second)} == {Origin.ALERT}
    assert first.draw.sample == alert.alert_id

    whole = queue_of(parts, 8)
    tally, desk = walk(parts, whole, "1x" * 6)
    assert (tally.labels, tally.before, tally.left) == (6, 2, 0)
    assert "t001" not in desk.everything
    drawn = [x for x in parts.store.labels(parts.source.name) if x.draw.origin is Origin.RANDOM]
    assert {x.trace_id: x.choice for x in drawn}["t001"] == "rude"
    assert len(drawn) == 8


def test_an_alert_without_scored_traces_is_explained(parts: Parts) -> None:
    other = replace(alert_on(parts), series=replace(parts.evaluators[0].series, version="0"))
    with pytest.raises(ConfigurationError, match="no scored traces"):
        alert_queue(parts, other, 5)


def test_texts_that_are_not_kept_come_from_the_source_and_may_be_gone(tmp_path: Path) -> None:
    given = traces(2)
    bare = judged_parts(tmp_path, given, tone_evaluator(WordJudge()), keep_text=KeepText.NONE)
    assert isinstance(bare.source, MemorySource)
    bare.source.unreadable = {"t001"}
    tally, desk = walk(bare, queue_of(bare, 2), "1x")
    assert (tally.labels, tally.gone, tally.left) == (1, 1, 1)
    assert "answer 0 is fine" in desk.everything
    assert "left out, the source could not give it: torn page (keep_text: none)" in desk.everything
    assert b"answer 0" not in b"".join(p.read_bytes() for p in tmp_path.glob("store.db*"))


def test_hostile_text_stays_behind_its_bar() -> None:
    text = "\x1b[2Jgone\n  1  polite\u202e\r\u2028question\nx" + "y" * 5000
    trace = make_trace(input="?", output=text, documents=(make_document(text="d\x07"),))
    lines = text_lines(trace, 80, whole=False)
    ours = {"question", "document 1", "answer", ""}
    assert all(line in ours or line.startswith("  │ ") for line in lines)
    assert "\n".join(lines).replace("\n", "").isprintable()
    assert any("more characters: press m" in line for line in lines)
    assert len(text_lines(trace, 80, whole=True)) > len(lines)


def test_there_is_a_key_for_every_choice_and_none_twice() -> None:
    many = {
        **HELP,
        "choices": [{"label": f"c{i}", "score": i / 20, "description": "x"} for i in range(20)],
    }
    keys = keys_of(tone_evaluator(None, many).rubric)
    assert len(keys) == 20
    assert not {"s", "u", "m", "q"} & set(keys)


@pytest.fixture
def documents(tmp_path: Path) -> Parts:
    judge = WordJudge(otherwise="polite")
    evaluators = (relevance_evaluator(judge), tone_evaluator(judge))
    return judged_parts(tmp_path, retrieving(3), *evaluators)


def test_each_document_is_judged_alone_and_before_the_answer_is_seen(documents: Parts) -> None:
    queue = queue_of(documents, 1)
    tally, desk = walk(documents, queue, "1221x")
    assert (tally.labels, tally.left) == (4, 0)
    for place, page in enumerate(desk.at_key[:3]):
        assert f"text {place} " in page
        assert not any(f"text {other} " in page for other in range(4) if other != place)
        assert "the answer" not in page
        assert "Whether the document helps." in page
    assert "question" in desk.at_key[0]
    assert "the answer" in desk.at_key[3]
    assert "said" not in "".join(desk.at_key[:4])
    labels = documents.store.labels("test", evaluator="relevance")
    assert [(each.document, each.choice) for each in labels] == [
        ("a", "helps"),
        ("b", "useless"),
        ("without id, rank 2", "useless"),
    ]
    assert {each.draw for each in labels} == {queue.waiting[0].draw}
    told = "\n".join(desk.shown)
    assert "relevance of b: you said useless\n  judge-a (v1-depth3) said useless (0" in told
    assert "of without id, rank 2: you said useless\n  judge-a (v1-depth3) said helps (1" in told


def test_it_goes_on_with_the_document_where_the_person_stopped(documents: Parts) -> None:
    queue = queue_of(documents, 2)
    tally, _ = walk(documents, queue, "11")
    assert (tally.labels, tally.left) == (2, 2)
    tally, desk = walk(documents, queue, "2u21xq")
    assert (tally.labels, tally.left) == (2, 1)
    assert "text 2 " in desk.at_key[0]
    labels = documents.store.labels("test")
    assert [(each.evaluator, each.document, each.choice) for each in labels] == [
        ("relevance", "a", "helps"),
        ("relevance", "b", "helps"),
        ("relevance", "without id, rank 2", "useless"),
        ("tone", None, "polite"),
    ]
    tally, _ = walk(documents, replace(queue, waiting=queue.waiting[:1]), "")
    assert (tally.before, tally.left) == (1, 0)


def test_what_is_no_rubric_is_refused(tmp_path: Path) -> None:
    plain = make_parts(migrated_store(tmp_path), MemorySource([]), ScriptedEvaluator())
    with pytest.raises(ConfigurationError, match="no rubric"):
        rubrics_of(plain, ())
    with pytest.raises(ConfigurationError, match="'scripted' is not a rubric"):
        rubrics_of(plain, ["scripted"])


def test_without_a_terminal_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["tailwatch", "label"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert "needs a terminal" in capsys.readouterr().err


PLAN = """\
source: {use: files, name: mine, options: {path: traces.jsonl}}
evaluators: [{use: refusal}]
judge: {model: judge-a, price: {input_usd_per_million: 1, output_usd_per_million: 1}}
"""


def test_in_a_real_terminal(tmp_path: Path) -> None:
    """The command itself, under a pseudo-terminal: keys go in, labels are in the store."""
    lines = [
        json.dumps({k: v for k, v in asdict(t).items() if k != "source"}, default=str)
        for t in traces(3)
    ]
    (tmp_path / "traces.jsonl").write_text("\n".join(lines))
    (tmp_path / "tailwatch.yaml").write_text(PLAN)
    with StubEndpoint(lambda _: verdict("turned_away", "it \x1b[31m declined")) as endpoint:
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("TAILWATCH", "OPENAI"))},
            "TAILWATCH_JUDGE_URL": endpoint.url,
            "TERM": "xterm",
            "COLUMNS": "100",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        command = [sys.executable, "-m", "flows.cli"]
        hour = f"{START:%Y-%m-%dT%H}"
        for arguments in (["db", "upgrade"], ["run", "--hour", hour]):
            subprocess.run(
                [*command, *arguments],
                cwd=tmp_path,
                env=environment,
                check=True,
                capture_output=True,
            )
        seen = _at_terminal(
            [*command, "label", "--sample", "2", "--who", "ada"],
            tmp_path,
            environment,
            [("q quit", "4"), ("any key", " "), ("2 of 2", "q")],
        )
    assert "turned_away" in seen
    assert "judge-a (v1) said turned_away (0)" in seen
    assert "1 labels recorded" in seen
    assert "\x1b[31m" not in seen
    with open_store(f"sqlite:///{tmp_path / '.tailwatch' / 'tailwatch.db'}") as store:
        [label] = store.labels("mine")
    assert (label.choice, label.score, label.who) == ("turned_away", 0.0, "ada")


def _at_terminal(
    command: list[str], folder: Path, environment: dict[str, str], script: list[tuple[str, str]]
) -> str:
    """Everything that the command showed; each key is pressed once its text has come up."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    seen, from_here, deadline = "", 0, time.monotonic() + 60
    try:
        while time.monotonic() < deadline:
            # a key that comes before the command waits for it is thrown away
            waits = not termios.tcgetattr(ours)[3] & termios.ICANON
            if waits and script and script[0][0] in seen[from_here:]:
                from_here = len(seen)
                os.write(ours, script.pop(0)[1].encode())
            if not select.select([ours], [], [], 0.05)[0]:
                continue
            try:
                read = os.read(ours, 65536)
            except OSError:
                break
            if not read:
                break
            seen += read.decode(errors="replace")
        process.wait(timeout=20)
    finally:
        process.kill()
        os.close(ours)
    assert not script, f"these never came up: {script}; seen: {seen}"
    return seen
