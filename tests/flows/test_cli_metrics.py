"""`tailwatch metrics` and what `tailwatch run` tells a collector, as a person types it."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from flows.cli.main import main
from flows.metrics import EVERY_METRIC
from tests.builders import START, make_trace
from tests.collector import LoopbackCollector

DOCS = Path(__file__).parents[2] / "docs" / "telemetry.md"
PLAN = """\
source: {use: files, name: mine, options: {path: t.jsonl}}
evaluators: [{use: lexical_support}]
"""

Tailwatch = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tailwatch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tailwatch:
    """Runs the command in a folder with some traces: exit code, standard output and error."""
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "TAILWATCH_STORE_URL", "TAILWATCH_PLAN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    lines = [_line(f"{n:032x}") for n in range(1, 4)]
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    (tmp_path / "tailwatch.yaml").write_text(f"{PLAN}telemetry: {{otlp: true}}\n")

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tailwatch", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        code = stopped.value.code
        return (code if isinstance(code, int) else 0), printed.out, printed.err

    assert call("db", "upgrade")[0] == 0
    return call


def _line(trace_id: str) -> str:
    fields = asdict(make_trace(trace_id=trace_id))
    del fields["source"]
    return json.dumps(fields, default=_jsonable)


def _jsonable(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else dict(value)


def test_scores_reach_a_collector_that_was_not_there_at_first(
    tailwatch: Tailwatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = ("run", "--hour", f"{START:%Y-%m-%dT%H}")
    code, out, err = tailwatch(*hour)
    assert code == 0
    assert "3 scores" in out
    assert "set OTEL_EXPORTER_OTLP_ENDPOINT" in err
    assert tailwatch("metrics", "--send")[0] == 1
    with LoopbackCollector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        assert tailwatch("metrics", "--send") == (
            0,
            "Telemetry: 3 events, figures of 1 hours sent.\n",
            "",
        )
        assert tailwatch(*hour)[1].endswith("Telemetry: 0 events, figures of 0 hours sent.\n")
    assert [event.trace_id for event in sorted(collector.events, key=lambda e: e.trace_id)] == [
        f"{n:032x}" for n in range(1, 4)
    ]


def test_the_doctor_says_whether_a_collector_can_be_told(
    tailwatch: Tailwatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = tailwatch("doctor")
    assert code == 1
    assert "no logs are sent: set OTEL_EXPORTER_OTLP_ENDPOINT" in out
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    assert "scores and figures go to a collector" in tailwatch("doctor")[1]


def test_figures_are_printed_and_written(tailwatch: Tailwatch, tmp_path: Path) -> None:
    tailwatch("run", "--hour", f"{START:%Y-%m-%dT%H}")
    code, out, _ = tailwatch("metrics")
    read = {
        sample.name: sample.value
        for family in text_string_to_metric_families(out)
        for sample in family.samples
    }
    end = START.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    assert (code, read["tailwatch_last_evaluated_timestamp_seconds"]) == (0, end.timestamp())
    assert read["tailwatch_telemetry_hours_owed"] == 1
    assert tailwatch("metrics", "--out", "t.prom") == (0, "", "")
    assert (tmp_path / "t.prom").read_text().splitlines()[:2] == out.splitlines()[:2]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--out", "x", "--send"), "take one of them"),
        (("--listen", "nowhere"), "write an address such as 127.0.0.1:9464"),
        (("--listen", "203.0.113.9:9464"), "cannot listen on 203.0.113.9:9464"),
        (("--send",), "set `telemetry: {otlp: true}`"),
    ],
)
def test_what_cannot_be_done_is_one_message(
    tailwatch: Tailwatch, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    (tmp_path / "tailwatch.yaml").write_text(PLAN)
    code, out, err = tailwatch("metrics", *arguments)
    assert (code, out) == (2, "")
    assert says in err


def test_the_docs_have_every_metric_once_and_examples_that_can_be_read() -> None:
    told = DOCS.read_text()
    for metric in EVERY_METRIC:
        assert told.count(f"| `{metric.name}` | `{metric.otel}` | {metric.about} |") == 1
    assert len({metric.otel for metric in EVERY_METRIC}) == len(EVERY_METRIC)
    examples = [yaml.safe_load(part.partition("```")[0]) for part in told.split("```yaml")[1:]]
    rules = examples[1]["groups"][0]["rules"]
    known = {metric.name for metric in EVERY_METRIC}
    for rule in rules:
        assert any(name in rule["expr"] for name in known)
