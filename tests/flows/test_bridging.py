"""Bridges over a change: what is reused, what is asked, what is recorded, what is refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from evaluators.questions import CriterionForm
from evaluators.rubric import rubric_evaluator
from flows.bridging import Asked, Bridged, End, Opening, build_bridge, cost_of_bridge, side_of
from flows.parts import JudgeTerms, Parts
from tailwatch.errors import ConfigurationError
from tailwatch.judge_calls import Caps
from tailwatch.protocols import EvaluatorTools
from tests.fakes import SteppingClock
from tests.flows.judged_traces import (
    TONE,
    WINDOW,
    WordJudge,
    judged_parts,
    rubric_file,
    tone_evaluator,
    traces,
)

NOW = datetime(2026, 3, 5, tzinfo=UTC)
SECOND = {**TONE, "version": "2", "instructions": "Is it really polite?"}


@dataclass
class Openings:
    """Opens the parts of one store with the judge asked for, and remembers the caps."""

    parts: Parts
    rubric: dict[str, Any] = field(default_factory=lambda: dict(TONE))
    judges: dict[str, WordJudge] = field(default_factory=dict)
    caps: list[float | None] = field(default_factory=list)

    def opening(self) -> Opening:
        @asynccontextmanager
        async def opened(model: str | None, cap_usd: float | None) -> AsyncIterator[Parts]:
            name = model or "judge-a"
            # the judges of another name find everything else curt
            fallback = "polite" if name == "judge-a" else "curt"
            judge = self.judges.setdefault(name, WordJudge(model=name, otherwise=fallback))
            self.caps.append(cap_usd)
            terms = JudgeTerms(
                model=name,
                caps=Caps(run_usd=0.5 if cap_usd is None else cap_usd),
                worst_case_usd=0.01,
                spent_usd=lambda: 0.001 * judge.asked,
                begin=lambda *_: None,
            )
            evaluator = tone_evaluator(judge, self.rubric)
            planned = replace(self.parts.evaluators[0], evaluator=evaluator)
            yield replace(self.parts, evaluators=(planned,), judge=terms)

        return opened

    @property
    def asked(self) -> dict[str, int]:
        return {name: judge.asked for name, judge in self.judges.items()}


def asked(old: End, new: End, size: int = 40) -> Asked:
    return Asked(rubric="tone", old=old, new=new, window=WINDOW, size=size, line=0.5)


def built(openings: Openings, wanted: Asked) -> Bridged:
    return asyncio.run(
        build_bridge(
            openings.opening(),
            wanted,
            run_id="b",
            who="ada",
            clock=SteppingClock(NOW),
            max_cost_usd=None,
        )
    )


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    return judged_parts(tmp_path, traces(80), tone_evaluator(WordJudge()))


def test_another_judge_is_asked_about_what_the_old_one_scored(parts: Parts) -> None:
    openings = Openings(parts)
    done = built(openings, asked(End(), End(judge="judge-b")))
    assert openings.asked == {"judge-a": 0, "judge-b": 40}
    assert (done.known, done.asked, done.lost) == (40, 40, 0)
    assert done.cost_usd == pytest.approx(0.04)
    assert (done.record.old.judge, done.record.new.judge) == ("judge-a", "judge-b")
    assert done.bridge.difference.value is not None
    assert done.bridge.difference.value < 0
    [stored] = parts.store.bridges("test", done.record.new)
    assert stored == done.record
    assert len(parts.store.judged("test", done.record.new, WINDOW)) == 0
    assert [run.kind for run in parts.store.runs(1)] == ["bridge"]


def test_a_new_version_is_compared_with_the_recorded_scores_of_the_old(parts: Parts) -> None:
    openings = Openings(parts, rubric=SECOND)
    cost = asyncio.run(cost_of_bridge(openings.opening(), asked(End(rubric="1"), End())))
    assert cost.calls == 40
    assert openings.asked == {"judge-a": 0}
    done = built(openings, asked(End(rubric="1"), End()))
    assert openings.asked == {"judge-a": 40}
    assert (done.record.old.version, done.record.new.version) == ("1", "2")
    assert done.bridge.same.value == 1


def test_an_old_file_is_asked_where_nothing_is_recorded(parts: Parts, tmp_path: Path) -> None:
    openings = Openings(parts, rubric=SECOND)
    path = rubric_file(tmp_path, version="0")
    done = built(openings, asked(End(rubric=str(path)), End(), size=10))
    assert openings.asked == {"judge-a": 20}
    assert done.record.old.version == "0"
    assert done.bridge.difference.value is None


SHEET = {
    **{name: TONE[name] for name in ("version", "description", "needs", "instructions")},
    "name": "manners",
    "criteria": [
        {"name": "tone", "question": "Is it polite?", "choices": TONE["choices"]},
        {"name": "length", "question": "Is it short?", "choices": TONE["choices"]},
    ],
}


@pytest.mark.parametrize(
    ("content", "options", "old", "version"),
    [
        (TONE, {"samples": 3}, {**TONE, "version": "0"}, "0-samples3"),
        (TONE, {"scoring": "expected"}, {**TONE, "version": "0"}, "0-expected"),
        (SHEET, {"criterion": "tone", "samples": 2}, {**SHEET, "version": "0"}, "0-samples2"),
        ({**TONE, "name": "manners_tone"}, {}, {**SHEET, "version": "0"}, "0"),
        (SHEET, {"criterion": "tone"}, {**TONE, "name": "manners_tone", "version": "0"}, "0"),
    ],
    ids=["samples", "expected", "criterion", "into a sheet", "out of a sheet"],
)
def test_a_file_is_asked_as_the_plan_asks_the_rubric(
    parts: Parts,
    tmp_path: Path,
    content: dict[str, Any],
    options: dict[str, Any],
    old: dict[str, Any],
    version: str,
) -> None:
    tools = EvaluatorTools(judge=WordJudge())
    paths = [tmp_path / name for name in ("plan.yaml", "old.yaml")]
    for path, fields in zip(paths, (content, old), strict=True):
        path.write_text(yaml.safe_dump(fields))
    planned = replace(parts.evaluators[0], evaluator=rubric_evaluator(paths[0], options, tools))
    name = planned.evaluator.name
    side = side_of(replace(parts, evaluators=(planned,)), name, End(rubric=str(paths[1])))
    assert (side.series.evaluator, side.series.version) == (name, version)
    assert side.evaluator is not None
    assert isinstance(side.evaluator.form, CriterionForm) is ("criteria" in old)


def test_the_second_end_gets_what_the_first_left_of_the_cap(parts: Parts, tmp_path: Path) -> None:
    openings = Openings(parts)
    path = rubric_file(tmp_path, version="0")
    built(openings, asked(End(rubric=str(path)), End(judge="judge-b"), size=10))
    assert openings.caps == [None, None, None, pytest.approx(0.49)]


def test_traces_whose_text_is_gone_are_lost_and_said_so(parts: Parts) -> None:
    openings = Openings(parts)
    with parts.store.database.write() as connection:
        connection.exec_driver_sql("UPDATE traces SET text_kept = NULL WHERE trace_id = 't000'")
    parts.source.unreadable = {"t000"}  # type: ignore[attr-defined] # a source in memory
    done = built(openings, asked(End(), End(judge="judge-b"), size=80))
    assert (done.lost, done.bridge.n) == (1, 79)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (End(), End(), "both ends are tone v1 judge-a"),
        (End(rubric="1"), End(), "both ends"),
        (End(rubric="0"), End(), "give the old rubric's file"),
        (End(rubric="other.yaml"), End(), "give the old rubric's file"),
    ],
)
def test_what_cannot_be_bridged_is_explained(parts: Parts, old: End, new: End, said: str) -> None:
    openings = Openings(parts)
    with pytest.raises(ConfigurationError, match=said):
        built(openings, asked(old, new))
    assert set(openings.asked.values()) <= {0}


def test_the_file_of_another_rubric_is_refused(parts: Parts, tmp_path: Path) -> None:
    path = rubric_file(tmp_path, name="other")
    with pytest.raises(ConfigurationError, match="not the rubric 'tone' but 'other'"):
        built(Openings(parts), asked(End(rubric=str(path)), End()))
