"""What a scraper reads: valid text whatever the traces say, and nothing when there is nothing."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from alerts.summaries import summarize
from flows.metrics import HOURS_OWED, SCORES, Point, label_text
from flows.telemetry_text import (
    MetricsServer,
    listen_address,
    metrics_text,
    scraped,
    write_whole,
)
from storage.records import Notice, RunRecord, WindowRecord
from storage.store import Store
from tailwatch.alert import (
    ALL_TRAFFIC,
    Alert,
    AlertState,
    Change,
    Direction,
    ScoreSample,
    Segment,
    Severity,
)
from tailwatch.coverage import Coverage
from tailwatch.errors import ConfigurationError, StoreUnavailableError
from tailwatch.judge_calls import Caps, JudgeCall, SettledCall
from tailwatch.outcome import Usage
from tailwatch.plan import EvaluatorPlan, Plan, RulePlan, SourcePlan, TelemetryPlan
from tailwatch.protocols import AlertMessage
from tailwatch.window import Window
from tests.flows.parts import migrated_store
from tests.storage.examples import FAITHFULNESS, HOUR_0, HOUR_1, NOW, SOURCE

HOSTILE = 'a"b\\c\nd{}=1 \x1b[31m\u202e # HELP x\ud800'

Read = dict[tuple[str, frozenset[tuple[str, str]]], float]


def plan(**fields: object) -> Plan:
    return Plan.model_validate(
        {
            "source": SourcePlan(use="memory", name=SOURCE),
            "evaluators": (EvaluatorPlan(use="scripted"),),
            "segments": ("feature",),
            "rules": (RulePlan(use="floor", severity=Severity.CRITICAL),),
            **fields,
        }
    )


def finish(store: Store, hour: Window) -> None:
    store.finish_window(
        WindowRecord(
            source=SOURCE,
            window=hour,
            status="done",
            listed=9,
            scored=6,
            failed=1,
            late=0,
            run_id="run",
            evaluated_at=NOW,
        )
    )


def summarized(store: Store, *segments: tuple[Segment, int]) -> None:
    samples = [
        ScoreSample(
            series=FAITHFULNESS, segment=each, window=HOUR_1, values=[i / n for i in range(n)]
        )
        for each, n in segments
    ]
    summaries = [summarize(sample, Direction.HIGHER_IS_BETTER) for sample in samples]
    store.record_summaries(SOURCE, summaries, NOW)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with migrated_store(tmp_path) as opened:
        yield opened


@pytest.fixture
def busy(store: Store) -> Store:
    """A store with some of everything."""
    for hour in (HOUR_0, HOUR_1):
        finish(store, hour)
    summarized(store, (ALL_TRAFFIC, 200), (Segment(field="feature", value=HOSTILE), 100))
    store.record_coverage(
        SOURCE,
        [
            Coverage(
                series=FAITHFULNESS,
                window=HOUR_1,
                listed=9,
                eligible=9,
                sampled=8,
                scored=6,
                skipped={"missing_output": 1},
                failed={HOSTILE: 1},
            )
        ],
    )
    store.start_run(RunRecord(run_id="run", kind="hourly", started_at=NOW))
    store.finish_run("run", NOW, "done")
    alert = Alert(
        rule="floor",
        series=FAITHFULNESS,
        segment=Segment(field="feature", value=HOSTILE),
        state=AlertState.OPEN,
        opened_at=NOW,
        onset=HOUR_1.start,
        updated_at=NOW,
        sentence="it is bad",
    )
    message = AlertMessage(
        message_id="m",
        alert_id=alert.alert_id,
        source=SOURCE,
        change=Change.OPENED,
        severity=Severity.CRITICAL,
        title="it is bad",
        body="",
        at=NOW,
    )
    store.record_alert(SOURCE, alert, (), [Notice(destination=HOSTILE, message=message)])
    store.record_check(SOURCE, HOUR_1.end)
    return store


def read(text: str) -> Read:
    """The text as Prometheus' own reader has it; each time series once."""
    found: Read = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        for sample in family.samples:
            key = (sample.name, frozenset((k, v) for k, v in sample.labels.items() if v))
            assert key not in found
            found[key] = sample.value
    return found


def only(found: Read, name: str, **labels: str) -> float:
    wanted = set(labels.items())
    (value,) = (value for (n, of), value in found.items() if n == name and wanted <= of)
    return value


def test_the_figures_are_those_of_the_store(busy: Store) -> None:
    found = read(metrics_text(busy, plan(), HOUR_1.end + timedelta(hours=2)))
    shown = label_text(HOSTILE)
    part = {"segment_value": shown, "source": SOURCE, "judge": "judge-small"}
    assert only(found, "tailwatch_scores", **part) == 100
    assert only(found, "tailwatch_score_p10", **part) == 0.09
    assert only(found, "tailwatch_traces_failed", reason=shown) == 1
    assert only(found, "tailwatch_coverage_ratio") == 0.75
    assert only(found, "tailwatch_hours_owed") == 22
    assert only(found, "tailwatch_last_evaluated_timestamp_seconds") == HOUR_1.end.timestamp()
    assert only(found, "tailwatch_last_run_timestamp_seconds", kind="hourly", status="done")
    assert only(found, "tailwatch_alerts_open", severity="critical", state="open") == 1
    assert only(found, "tailwatch_alerts_open", severity="critical", state="muted") == 0
    assert only(found, "tailwatch_alert_onset_timestamp_seconds", **part, severity="critical")
    assert only(found, "tailwatch_messages_waiting", destination=shown, state="pending") == 1
    assert only(found, "tailwatch_judge_cost_usd_total") == 0


def test_a_new_store_says_what_is_owed_and_no_more(store: Store) -> None:
    found = read(metrics_text(store, plan(telemetry=TelemetryPlan(otlp=True)), NOW))
    assert only(found, "tailwatch_hours_owed") == 24
    assert only(found, "tailwatch_telemetry_hours_owed") == 0
    assert not [name for name, _ in found if name.startswith(("tailwatch_score", "tailwatch_last"))]


def test_no_more_segments_than_the_plan_has(store: Store) -> None:
    finish(store, HOUR_1)
    values = [(Segment(field="feature", value=f"f{n}"), n) for n in range(1, 6)]
    summarized(store, (ALL_TRAFFIC, 9), *values, (Segment(field="model", value="m"), 9))
    found = read(metrics_text(store, plan(max_segment_values=2), NOW))
    shown = {dict(of).get("segment_value") for name, of in found if name == "tailwatch_scores"}
    assert shown == {None, "f5", "f4"}


def test_money_only_grows(store: Store) -> None:
    def call(name: str, days_ago: int) -> JudgeCall:
        at = NOW - timedelta(days=days_ago)
        return JudgeCall(
            call_id=name,
            run_id="run",
            question_key=name,
            evaluator="faithfulness",
            version="1",
            judge="judge-small",
            worst_case_usd=1.0,
            at=at,
        )

    store.reserve_calls([call("old", 30), call("lost", 30), call("new", 0)], Caps(run_usd=9))
    then = NOW - timedelta(days=30)
    paid = [store.paid_in_all(then)]
    for name in ("old", "new"):
        store.settle_calls([SettledCall(call_id=name, at=NOW, usage=Usage(cost_usd=0.25))])
        paid.append(store.paid_in_all(then))
    paid += [store.paid_in_all(NOW), store.paid_in_all(NOW + timedelta(days=300))]
    assert paid == [0, 0.25, 0.5, 1.5, 1.5]


@given(st.lists(st.text(max_size=300), max_size=8, unique=True))
def test_any_texts_are_as_many_labels_on_one_line_each(texts: list[str]) -> None:
    points = [Point(metric=SCORES, labels={"segment_value": label_text(t)}, value=1) for t in texts]
    assert len(read(scraped(points))) == len(texts)
    assert scraped(points).count("\n") == (len(texts) + 2 if texts else 0)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "tailwatch.prom"
    write_whole("one\n", path)
    write_whole("two\n", path)
    assert path.read_text() == "two\n"
    assert [each.name for each in tmp_path.iterdir()] == ["tailwatch.prom"]
    with pytest.raises(ConfigurationError, match="cannot be written: No such file"):
        write_whole("three\n", tmp_path / "nowhere" / "x.prom")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9464", ("127.0.0.1", 9464)),
        (":0", ("127.0.0.1", 0)),
        ("10.0.0.7:80", ("10.0.0.7", 80)),
        ("[::1]:9464", ("::1", 9464)),
    ],
)
def test_addresses_to_listen_on(text: str, address: tuple[str, int]) -> None:
    assert listen_address(text) == address


@pytest.mark.parametrize("text", ["", "localhost", "1:70000", "1:-1", "1:٣"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"write an address such as 127\.0\.0\.1:9464"):
        listen_address(text)


def test_a_scraper_gets_figures_or_sees_that_there_are_none() -> None:
    answers = iter([scraped([Point(metric=HOURS_OWED, labels={}, value=3)])])

    def compute() -> str:
        try:
            return next(answers)
        except StopIteration:
            raise StoreUnavailableError("the store does not answer") from None

    with MetricsServer("127.0.0.1", 0, compute) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            answer = httpx.get(f"{url}/metrics")
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert only(read(answer.text), "tailwatch_hours_owed") == 3
            assert httpx.get(f"{url}/metrics").status_code == 503
            assert httpx.get(url).status_code == 404
        finally:
            server.shutdown()
            thread.join()
