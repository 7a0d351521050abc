"""What a collector is told: every new score at least once, whatever fails in between."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts.summaries import summarize
from flows import telemetry, telemetry_otlp
from flows.runs import run_windows
from flows.telemetry import TelemetryReport, send_telemetry, telemetry_line
from flows.telemetry_events import event_of
from storage.store import Store
from tailwatch.alert import ALL_TRAFFIC, Direction, ScoreSample
from tailwatch.errors import StoreUnavailableError
from tailwatch.outcome import Failed, Score
from tailwatch.plan import EvaluatorPlan, KeepText, Plan, SourcePlan, TelemetryPlan
from tailwatch.window import Window
from tests.builders import make_trace
from tests.collector import LoopbackCollector
from tests.fakes import MemorySource, ScriptedEvaluator
from tests.flows.parts import make_parts, migrated_store
from tests.storage.examples import FAITHFULNESS, HOUR_0, HOUR_1, NOW, SOURCE, evaluation

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with migrated_store(tmp_path) as opened:
        yield opened


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackCollector]:
    with LoopbackCollector() as opened:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", opened.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.3")
        yield opened


def plan(keep_text: KeepText = KeepText.FULL, **options: bool) -> Plan:
    return Plan(
        source=SourcePlan(use="memory", name=SOURCE),
        evaluators=(EvaluatorPlan(use="scripted"),),
        keep_text=keep_text,
        telemetry=TelemetryPlan(otlp=True, **options),
    )


def changed(store: Store, hour: Window = HOUR_0) -> None:
    sample = ScoreSample(
        series=FAITHFULNESS, segment=ALL_TRAFFIC, window=hour, values=[0.25, 0.5, 0.75]
    )
    summary = summarize(sample, Direction.HIGHER_IS_BETTER)
    store.restate_summaries(SOURCE, hour, [FAITHFULNESS], [summary], NOW, telemetry=True)


def send(store: Store, of: Plan | None = None, **options: Any) -> TelemetryReport:
    report = send_telemetry(store, of or plan(), lambda: NOW, **options)
    assert report is not None
    return report


def ids(collector: LoopbackCollector) -> list[str]:
    return [event.attributes["tailwatch.evaluation.id"] for event in collector.events]


def test_a_score_is_an_event_of_its_trace(store: Store, collector: LoopbackCollector) -> None:
    score = evaluation(TRACE, Score(value=0.5, label="half", explanation="why"), span_id=SPAN)
    store.record([score])
    changed(store)
    assert send(store, plan(explanations=True)) == TelemetryReport(events=1, hours=1)
    (event,) = collector.events
    assert (event.name, event.trace_id, event.span_id) == ("gen_ai.evaluation.result", TRACE, SPAN)
    assert event.at == NOW.timestamp() * 1e9
    assert event.attributes == {
        "gen_ai.evaluation.name": "faithfulness",
        "gen_ai.evaluation.score.value": 0.5,
        "gen_ai.evaluation.score.label": "half",
        "gen_ai.evaluation.explanation": "why",
        "tailwatch.evaluation.id": score.evaluation_id,
        "tailwatch.evaluation.version": "1",
        "tailwatch.evaluation.judge": "judge-small",
        "tailwatch.evaluation.inclusion_probability": 1.0,
        "tailwatch.source": SOURCE,
        "tailwatch.hour": "2026-03-01T09:00:00+00:00",
        "tailwatch.run.id": "run",
    }
    assert collector.resources[0]["service.name"] == "tailwatch"


def test_the_figures_are_of_their_hour_and_of_now(
    store: Store, collector: LoopbackCollector
) -> None:
    changed(store)
    changed(store, HOUR_1)
    send(store)
    means = [
        (at, value) for name, _, at, value in collector.points if name == "tailwatch.score.mean"
    ]
    assert means == [(hour.end.timestamp() * 1e9, 0.5) for hour in (HOUR_0, HOUR_1)]
    owed = [(at, value) for name, _, at, value in collector.points if name == "tailwatch.hour.owed"]
    assert owed == [(NOW.timestamp() * 1e9, 24.0)]


def test_only_what_is_new_is_sent_again(store: Store, collector: LoopbackCollector) -> None:
    store.record([evaluation("a"), evaluation("b")])
    changed(store)
    assert send(store).events == 2
    assert send(store) == TelemetryReport()
    store.record([evaluation("late", run_id="another")])
    changed(store)
    assert send(store) == TelemetryReport(events=1, hours=1)
    store.record([evaluation("b", 0.25, run_id="third", evaluated_at=NOW + timedelta(1))])
    changed(store)
    send(store)
    values = [e.attributes["gen_ai.evaluation.score.value"] for e in collector.events]
    assert values[:3] == [0.5, 0.5, 0.5]
    assert 0.25 in values[3:]


@pytest.mark.parametrize("status", [500, 503, 302, 401, 400])
def test_what_a_collector_does_not_take_it_is_owed(
    store: Store, collector: LoopbackCollector, status: int
) -> None:
    store.record([evaluation("a")])
    changed(store)
    collector.down = status
    report = send(store)
    assert f"events were not sent: the collector answered {status}" in str(report.why)
    assert report.events == 0
    collector.down = None
    assert send(store).events == 1
    assert store.count_owed_telemetry(SOURCE) == 0


def test_a_collector_that_is_gone_and_comes_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LoopbackCollector() as gone:
        monkeypatch.setenv(
            "OTEL_EXPORTER_OTLP_ENDPOINT", f"http://user:secret@127.0.0.1:{gone.port}"
        )
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.3")
    store.record([evaluation("a")])
    changed(store)
    report = send(store)
    assert str(report.why).count("the collector did not answer") == 2
    assert "secret" not in telemetry_line(report)
    with LoopbackCollector(port=gone.port) as back:
        assert send(store) == TelemetryReport(events=1, hours=1)
        assert len(back.events) == 1


def test_a_collector_that_answers_for_ever_is_left(
    store: Store, collector: LoopbackCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every byte that comes begins the time-out of the connection anew."""
    monkeypatch.setattr(telemetry_otlp, "ATTEMPT_S", 0.5)
    changed(store)
    collector.dribbles = True
    assert "figures were not sent: the collector did not answer" in str(send(store).why)
    assert store.count_owed_telemetry(SOURCE) == 1


def test_it_goes_on_where_it_broke_off(
    store: Store, collector: LoopbackCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "EVENTS_AT_ONCE", 2)
    monkeypatch.setattr(telemetry, "_PAGE", 4)
    scores = [evaluation(f"t{n}", run_id=run) for run in ("r1", "r2") for n in range(7)]
    scores = [evaluation(f"{e.run_id}{e.trace_id}", run_id=e.run_id) for e in scores]
    store.record(scores)
    changed(store)
    collector.down_after = 3
    assert send(store).events == 6
    collector.down_after = None
    assert send(store).events == 8
    assert sorted(ids(collector)) == sorted(each.evaluation_id for each in scores)


def test_time_is_bounded_and_the_next_run_goes_on(
    store: Store, collector: LoopbackCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "EVENTS_AT_ONCE", 1)
    store.record([evaluation("a"), evaluation("b")])
    changed(store)
    report = send(store, patience=timedelta(0))
    assert collector.events == []
    assert report == TelemetryReport(why="the time for it is over, the next run goes on")
    assert send(store).events == 2


def test_what_was_sent_and_not_noted_is_sent_twice_under_one_id(
    store: Store, collector: LoopbackCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.record([evaluation("a")])
    changed(store)

    def locked(*_: object, **__: object) -> None:
        raise StoreUnavailableError("the store is locked")

    with monkeypatch.context() as during:
        during.setattr(store, "note_events_sent", locked)
        assert send(store).why == "the store is locked"
    assert send(store).events == 1
    first, second = ids(collector)
    assert first == second


def test_figures_that_are_refused_hold_up_nothing(
    store: Store, collector: LoopbackCollector
) -> None:
    """A receiver may take no points out of order, for good."""
    store.record([evaluation("a")])
    changed(store)
    collector.refuses_metrics = True
    assert send(store) == TelemetryReport(events=1, refused=1)
    assert store.count_owed_telemetry(SOURCE) == 0


def test_what_a_collector_drops_is_told(store: Store, collector: LoopbackCollector) -> None:
    store.record([evaluation("a")])
    changed(store)
    collector.rejects = 1
    assert "1 dropped by the collector" in telemetry_line(send(store))


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({}, "set OTEL_EXPORTER_OTLP_ENDPOINT"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "accepted is http/protobuf"),
        ({"OTEL_SDK_DISABLED": "true"}, "OTEL_SDK_DISABLED is set"),
    ],
)
def test_nothing_is_sent_that_the_environment_does_not_ask_for(
    store: Store, collector: LoopbackCollector, variables: dict[str, str], why: str
) -> None:
    changed(store)
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **variables} if variables else {}
    assert why in str(send(store, environment=environment).why)
    assert collector.requests == []
    assert store.count_owed_telemetry(SOURCE) == 1


def test_headers_come_from_the_environment(
    store: Store, collector: LoopbackCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=secret")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "our-tailwatch")
    store.record([evaluation("a")])
    changed(store)
    assert send(store).events == 1
    assert {headers["x-api-key"] for headers in collector.headers} == {"secret"}
    assert collector.resources[0]["service.name"] == "our-tailwatch"


@pytest.mark.parametrize(
    ("trace_id", "span_id", "linked"),
    [
        (TRACE, SPAN, (int(TRACE, 16), int(SPAN, 16), {})),
        (TRACE.upper(), None, (int(TRACE, 16), None, {})),
        (TRACE, "root", (int(TRACE, 16), None, {"tailwatch.span.id": "root"})),
        ("0" * 32, SPAN, (None, None, {"tailwatch.trace.id": "0" * 32, "tailwatch.span.id": SPAN})),
        (f"tr-{TRACE}", None, (None, None, {"tailwatch.trace.id": f"tr-{TRACE}"})),
        ("a\udc00\x00", None, (None, None, {"tailwatch.trace.id": "a\ufffd\ufffd"})),
        ("x" * 9_000, None, (None, None, {"tailwatch.trace.id": "x" * 4_000})),
    ],
)
def test_ids_of_another_form_are_attributes(
    trace_id: str, span_id: str | None, linked: tuple[int | None, int | None, dict[str, str]]
) -> None:
    event = event_of(evaluation(trace_id, span_id=span_id), plan())
    ids = {k: v for k, v in event.attributes.items() if k.endswith((".trace.id", ".span.id"))}
    assert (event.trace_id, event.span_id, ids) == linked


@pytest.mark.parametrize(
    ("keep", "asked", "told"),
    [
        (KeepText.FULL, False, None),
        (KeepText.FULL, True, "y" * 600),
        (KeepText.EXCERPT, True, "y" * 500),
        (KeepText.NONE, True, None),
    ],
)
def test_explanations_as_far_as_they_may_be_kept(
    keep: KeepText, asked: bool, told: str | None
) -> None:
    score = evaluation("a", Score(value=1.0, explanation="y" * 600))
    attributes = event_of(score, plan(keep, explanations=asked)).attributes
    assert attributes.get("gen_ai.evaluation.explanation") == told


def test_failures_are_events_where_the_plan_asks(
    store: Store, collector: LoopbackCollector
) -> None:
    store.record([evaluation("a", Failed(error_type="timeout", message="quotes a trace"))])
    changed(store)
    assert send(store).events == 0
    changed(store)
    assert send(store, plan(failures=True)).events == 1
    attributes = collector.events[0].attributes
    assert attributes["error.type"] == "timeout"
    assert "quotes a trace" not in attributes.values()
    assert "gen_ai.evaluation.score.value" not in attributes


@pytest.mark.parametrize("otlp", [True, False])
def test_a_run_owes_the_hours_that_it_changed(
    store: Store, collector: LoopbackCollector, otlp: bool
) -> None:
    start = HOUR_0.start + timedelta(minutes=5)
    traces = [make_trace(trace_id=f"t{n}", start_time=start) for n in range(5)]
    source = MemorySource(traces, name="test")
    parts = make_parts(store, source, ScriptedEvaluator(), telemetry=TelemetryPlan(otlp=otlp))

    def run(name: str) -> TelemetryReport | None:
        asyncio.run(
            run_windows(
                parts,
                [HOUR_0],
                kind="hourly",
                run_id=name,
                clock=lambda: datetime(2026, 3, 2, tzinfo=UTC),
            )
        )
        return send_telemetry(store, parts.plan, lambda: NOW)

    if not otlp:
        assert run("first") is None
        assert collector.requests == []
        return
    assert run("first") == TelemetryReport(events=5, hours=1)
    assert run("second") == TelemetryReport()
    source.traces.append(make_trace(trace_id="late", start_time=start))
    assert run("third") == TelemetryReport(events=1, hours=1)
    assert len(set(ids(collector))) == 6
