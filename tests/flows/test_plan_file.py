"""Faults of a plan are told with their line and what is accepted."""

from pathlib import Path

import pytest

from flows.plan_file import read_plan
from tailwatch.alert import Change
from tailwatch.errors import ConfigurationError, PlanError

GOOD = """\
source:
  use: files
  name: mine
timing:
  settle: 15m
evaluators:
  - use: ndcg@10
  - use: lexical_support
    sampling: {rate: 0.5}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "plan.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_plan_is_read(tmp_path: Path) -> None:
    plan = read_plan(write(tmp_path, GOOD)).plan

    assert plan.source.name == "mine"
    assert plan.timing.settle.total_seconds() == 900
    assert plan.evaluators[1].sampling is not None


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("settle: 15m", "settle: soon", 5, "as in 6h"),
        (
            "settle: 15m",
            "settle: 10",
            5,
            "10 has no unit; write s, m, h, d or w after it, as in 10m",
        ),
        ("settle: 15m", "setle: 15m", 5, "not a known setting"),
        ("rate: 0.5", "rate: 1.5", 9, "less than or equal to 1"),
        ("  - use: ndcg@10", "  - options: {}", 7, "either `use`"),
        ("  name: mine\n", "", 1, "source.name: missing"),
        ("timing:", "segments: [colour]\ntiming:", 4, "'colour' is not a segment"),
        ("  settle: 15m", "  settle: 15m\n  settle: 1h", 6, "given twice"),
        ("source:", "source: [", 3, "not valid YAML"),
        ("evaluators:", "rules:\n  - use: floor\n  - use: floor\nevaluators:", 8, "two rules"),
        ("evaluators:", "notify: [{use: slack}, {use: slack}]\nevaluators:", 6, "two entries"),
        (
            "evaluators:",
            "measures:\n  - cost\nevaluators:",
            7,
            "measures.0: 'cost' is not a measure",
        ),
        ("evaluators:", "measures: [cost_usd, cost_usd]\nevaluators:", 6, "twice among"),
        (
            "evaluators:",
            "rules:\n  - use: floor\n    segments:\n      - colour\nevaluators:",
            9,
            "rules.0.segments.0: 'colour' is not a segment of rule floor",
        ),
        (
            "evaluators:",
            "notify:\n  - use: slack\n    url_env: https://hooks.slack.com/x\nevaluators:",
            8,
            "url_env: must be the name of an environment variable",
        ),
        (
            "evaluators:",
            "notify:\n  - use: slack\n    quiet_hours: at night\nevaluators:",
            8,
            "'at night' are not quiet hours; write the hours and a time zone",
        ),
        (
            "evaluators:",
            "notify:\n  - use: slack\n    quiet_hours: 22:00-07:00 Mars/Base\nevaluators:",
            8,
            "'Mars/Base' is not a time zone",
        ),
    ],
)
def test_a_fault_names_its_line(tmp_path: Path, old: str, new: str, line: int, says: str) -> None:
    path = write(tmp_path, GOOD.replace(old, new, 1))

    with pytest.raises(PlanError) as caught:
        read_plan(path)

    (problem, *_) = caught.value.problems
    assert problem.startswith(f"{path}:{line}: ")
    assert says in problem


def test_a_key_and_a_name_may_be_words_that_old_yaml_takes_for_truth(tmp_path: Path) -> None:
    notify = "notify:\n  - {use: slack, name: off, on: [opened], even_at_night: true}\n"

    (entry,) = read_plan(write(tmp_path, GOOD + notify)).plan.notify

    assert (entry.name, entry.on, entry.even_at_night) == ("off", (Change.OPENED,), True)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    bad = GOOD.replace("15m", "soon").replace("0.5", "2")

    with pytest.raises(PlanError) as caught:
        read_plan(write(tmp_path, bad))

    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("text", ["", "- a\n", "just text", "a: \x00"])
def test_what_is_no_plan_at_all_is_a_plan_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(PlanError):
        read_plan(write(tmp_path, text))


def test_a_missing_plan_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="TAILWATCH_PLAN"):
        read_plan(tmp_path / "none.yaml")


def test_nothing_needs_no_unit(tmp_path: Path) -> None:
    assert not read_plan(write(tmp_path, GOOD.replace("15m", "0"))).plan.timing.settle
