"""The command, as a person types it: what it prints and how it exits."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.cli.alerts import EXIT_ALERT_OPEN
from flows.cli.main import main
from tests.builders import START, make_document, make_trace

PLAN = """\
source:
  use: files
  name: mine
  options: {path: traces/*.jsonl}
segments: [feature]
evaluators:
  - use: lexical_support
  - use: faithfulness
rules:
  - use: floor
    series: [lexical_support]
    options: {line: 0.5}
"""

GROUNDED = "Invoices are sent on the first day of each month."
INVENTED = "Purple giraffes negotiate quarterly submarine treaties underwater."

Tailwatch = Callable[..., tuple[int, str, str]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a plan and two days of traces; every second answer of the last day is bad."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "TAILWATCH_STORE_URL", "TAILWATCH_PLAN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tailwatch.yaml").write_text(PLAN)
    (tmp_path / "traces").mkdir()
    lines = [_line(i) for i in range(2 * 24 * 6)]
    (tmp_path / "traces" / "all.jsonl").write_text("\n".join(lines) + "\n{torn\n{}\n")
    return tmp_path


@pytest.fixture
def tailwatch(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tailwatch:
    """Runs the command in the project's folder: exit code, standard output, standard error."""
    del project

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tailwatch", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        code = stopped.value.code
        return (code if isinstance(code, int) else 0), printed.out, printed.err

    return call


def _line(number: int) -> str:
    bad = number >= 24 * 6 and number % 2 == 0
    trace = make_trace(
        trace_id=f"t{number:03}",
        start_time=START + number * timedelta(minutes=10),
        output=INVENTED if bad else GROUNDED,
        documents=(make_document(text=GROUNDED),),
    )
    fields = asdict(trace)
    del fields["source"]
    return json.dumps(fields, default=_jsonable)


def _jsonable(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else dict(value)


def evaluated(tailwatch: Tailwatch) -> None:
    assert tailwatch("db", "upgrade")[0] == 0
    code, _, error = tailwatch("backfill", "--from", "2026-03-02T10", "--to", "2026-03-04T10")
    assert (code, error) == (0, "")


def test_from_an_empty_folder_to_scores(tailwatch: Tailwatch) -> None:
    evaluated(tailwatch)

    code, out, _ = tailwatch("scores", "--series", "lexical_support", "--last", "2d", "--json")

    assert code == 0
    everything, search = json.loads(out)
    assert everything["n"] == search["n"] == 2 * 24 * 6
    assert everything["quantiles"]["p10"]["value"] < 0.5
    assert search["segment_value"] == "search"
    assert "lexical_support" in tailwatch("scores", "--last", "2d")[1]


def test_coverage_says_what_was_skipped_and_why(tailwatch: Tailwatch) -> None:
    evaluated(tailwatch)

    _, out, _ = tailwatch("coverage", "--last", "1h", "--json")

    by_name = {row["evaluator"]: row for row in json.loads(out)}
    assert by_name["lexical_support"]["scored"] == 6
    assert by_name["faithfulness"]["skipped"] == {"not_configured": 6}
    assert "not_configured 6" in tailwatch("coverage")[1]


def test_a_dry_run_says_what_it_would_do_and_does_nothing(tailwatch: Tailwatch) -> None:
    tailwatch("db", "upgrade")
    arguments = ("backfill", "--from", "2026-03-02T10", "--to", "2026-03-03T10")

    _, out, _ = tailwatch(*arguments, "--dry-run", "--json")

    assert json.loads(out)["listed"] == 24 * 6
    assert json.loads(out)["evaluations"]["lexical_support"] == 24 * 6
    assert "costs no money" in tailwatch(*arguments, "--dry-run")[1]
    assert tailwatch("scores")[0] == 2


def test_an_hour_run_twice_says_that_nothing_is_new(tailwatch: Tailwatch) -> None:
    tailwatch("db", "upgrade")

    _, first, _ = tailwatch("run", "--hour", "2026-03-02T12", "--json")
    _, second, _ = tailwatch("run", "--hour", "2026-03-02T12")

    assert json.loads(first)["listed"] == 6
    assert "Nothing new" in second


def test_an_alert_is_found_listed_and_shown(tailwatch: Tailwatch) -> None:
    evaluated(tailwatch)

    code, out, _ = tailwatch("alerts", "check", "--until", "2026-03-04T10", "--json")

    found = json.loads(out)["open"]
    assert code == EXIT_ALERT_OPEN
    assert len(found) == 1
    assert {(m["evaluator"], m["segment_value"]) for m in found[0]["monitors"]} == {
        ("lexical_support", ""),
        ("lexical_support", "search"),
    }
    assert found[0]["alert_id"] in tailwatch("alerts", "list")[1]
    _, shown, _ = tailwatch("alerts", "show", found[0]["alert_id"][:8])
    assert "below 0.5" in shown
    assert "Purple giraffes" in shown
    assert json.loads(tailwatch("alerts", "show", found[0]["alert_id"], "--json")[1])["worst"]


def test_lines_that_could_not_be_read_are_shown_with_their_place(tailwatch: Tailwatch) -> None:
    evaluated(tailwatch)

    code, out, _ = tailwatch("problems")

    assert code == 0
    assert "all.jsonl:289" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run",), "tailwatch db upgrade"),
        (("--plan", "none.yaml", "plan", "check"), "no plan at none.yaml"),
        (("run", "--hour", "noon"), "--hour is 'noon'"),
        (("backfill", "--from", "2026-03-03", "--to", "2026-03-02"), "is not after"),
        (("scores", "--by", "colour"), "known: feature"),
        (("scores", "--last", "soon"), "as in 6h"),
        (("alerts", "show", "abc"), "tailwatch db upgrade"),
        (("--demo", "--plan", "x.yaml", "scores"), "--demo"),
    ],
)
def test_wrong_usage_is_one_message_and_exit_code_2(
    tailwatch: Tailwatch, arguments: tuple[str, ...], says: str
) -> None:
    code, _, error = tailwatch(*arguments)

    assert code == 2
    assert says in error.replace("\n", " ")
    assert "Traceback" not in error


def test_a_hint_has_the_choices_of_the_call(project: Path, tailwatch: Tailwatch) -> None:
    (project / "my plan.yaml").write_text(PLAN)

    for choices, hint in (
        ((), "`tailwatch db upgrade`"),
        (("--plan", "my plan.yaml"), "`tailwatch --plan 'my plan.yaml' db upgrade`"),
        (("--demo",), "`tailwatch --demo db upgrade`"),
    ):
        _, _, error = tailwatch(*choices, "alerts", "list")
        assert hint in error
    tailwatch("db", "upgrade")
    _, _, error = tailwatch("--plan", "my plan.yaml", "scores")
    assert "run `tailwatch --plan 'my plan.yaml' run` or `tailwatch --plan" in error


def test_a_narrow_terminal_gets_lines(
    tailwatch: Tailwatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluated(tailwatch)
    monkeypatch.setenv("COLUMNS", "60")

    _, scores, _ = tailwatch("scores", "--last", "2d")
    _, coverage, _ = tailwatch("coverage")

    assert "lexical_support v" in scores
    assert "  all traffic: n 288, mean" in scores
    assert "6 of 6 sampled scored; 6 listed" in " ".join(coverage.split())
    assert not any("…" in said or "│" in said for said in (scores, coverage))


def test_a_plan_with_faults_names_each_with_its_line(project: Path, tailwatch: Tailwatch) -> None:
    text = PLAN.replace("faithfulness", "faithfullness").replace("[lexical_support]", "[lexcial]")
    (project / "tailwatch.yaml").write_text(text)

    code, _, error = tailwatch("plan", "check")

    assert code == 2
    assert "tailwatch.yaml:8: evaluators.1: no evaluator is called 'faithfullness'" in error


def test_a_good_plan_is_summed_up(tailwatch: Tailwatch) -> None:
    code, out, _ = tailwatch("plan", "check")

    assert code == 0
    assert "2 evaluators, 6 measures, 1 alert rules" in out


def test_a_source_that_cannot_be_read_is_a_failed_run(project: Path, tailwatch: Tailwatch) -> None:
    tailwatch("db", "upgrade")
    (project / "traces" / "all.jsonl").unlink()

    code, _, error = tailwatch("run", "--hour", "2026-03-02T12")

    assert code == 1
    assert "traces/*.jsonl" in error
    assert "Traceback" not in error


def test_the_doctor_names_what_is_missing(tailwatch: Tailwatch) -> None:
    code, out, _ = tailwatch("doctor")

    said = " ".join(out.split())
    assert code == 1
    assert "tailwatch db upgrade" in said
    assert "OPENAI_API_KEY" in said


def test_scores_are_taken_elsewhere(tailwatch: Tailwatch, project: Path) -> None:
    assert tailwatch("db", "upgrade")[0] == 0
    tailwatch("run", "--hour", "2026-03-02T12")
    span = ("--from", "2026-03-02T12", "--to", "2026-03-02T13")
    code, out, _ = tailwatch("export", "scores", "--out", "s.csv", *span)
    assert (code, out) == (
        0,
        "12 scores of 2026-03-02 12:00 to 2026-03-02 13:00 UTC are in s.csv.\n",
    )
    assert len((project / "s.csv").read_text().splitlines()) == 13
    only = ("--evaluator", "lexical_support", "--json")
    _, out, _ = tailwatch("export", "scores", "--out", "s.parquet", *span, *only)
    assert json.loads(out) == {"path": "s.parquet", "rows": 6}
    code, _, error = tailwatch("export", "scores", "--out", "s.csv", *span, "--evaluator", "nDCG")
    assert code == 2
    assert "there are: faithfulness, lexical_support" in error
