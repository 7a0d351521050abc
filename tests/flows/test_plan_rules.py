"""Rules that cannot stand beside one another, or on a series, are told with their line."""

from pathlib import Path

import pytest

from flows.plan_file import read_plan
from flows.wiring import build_parts
from tailwatch.errors import PlanError
from tests.flows.parts import migrated_store

PLAN = """\
source:
  use: files
  name: mine
  options: {path: traces.jsonl}
measures: [latency_ms, cost_usd]
evaluators:
  - use: lexical_support
rules:
"""


def problems_of(folder: Path, rules: str) -> list[str]:
    path = folder / "plan.yaml"
    path.write_text(PLAN + rules, encoding="utf-8")
    with migrated_store(folder) as store:
        try:
            build_parts(read_plan(path), None, store)
        except PlanError as error:
            return [problem.removeprefix(f"{path}:") for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("second", "line", "says"),
    [
        ("{use: tail_evidence, name: mine}", 10, "latency_ms is watched by the tail_evidence rule"),
        (
            "{use: tail_evidence, name: mine, series: [cost_usd, latency_ms]}",
            10,
            "latency_ms is watched by the tail_evidence rule 'tail_evidence' already",
        ),
        (
            "{use: limit, series: [latency_ms], options: {line: 4000, quantile: p10}}",
            10,
            "the bad end of latency_ms is the high one; use a quantile such as p95, or `share`",
        ),
        (
            "{use: limit, series: [lexical_support], options: {line: 0.5, quantile: p95}}",
            10,
            "the bad end of lexical_support is the low one",
        ),
    ],
)
def test_a_rule_that_cannot_stand_beside_what_is_there(
    tmp_path: Path, second: str, line: int, says: str
) -> None:
    first = "  - {use: tail_evidence, series: [latency_ms]}\n"
    (problem,) = problems_of(tmp_path, f"{first}  - {second}\n")
    assert problem.startswith(f"{line}: ")
    assert says in problem


def test_rules_on_series_of_their_own_stand_beside_one_another(tmp_path: Path) -> None:
    rules = """\
  - {use: tail_evidence, series: [latency_ms]}
  - {use: tail_evidence, name: costs, series: [cost_usd], options: {weeks: 8}}
  - {use: limit, series: [latency_ms], options: {line: 4000, quantile: p95}}
  - {use: limit, name: support, options: {line: 0.5, share: 0.2}}
"""
    assert problems_of(tmp_path, rules) == []
