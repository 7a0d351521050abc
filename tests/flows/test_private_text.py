"""Where private text may not turn up: at an endpoint, in a log, an artifact or the store."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.testing.utilities import prefect_test_harness

from flows.backfill import BackfillRange, backfill
from tailwatch.errors import PlanError
from tailwatch.evaluation import Series
from tailwatch.outcome import Score
from tests.builders import START
from tests.flows.judged_plan import HOUR, JudgedPlan
from tests.stub_endpoint import StubEndpoint, StubReply, StubRequest, refusal_to_serve, verdict

PRIVATE = {
    "an address": "zoe.quux@example.org",
    "a card": "4111 1111 1111 1111",
    "a key": "sk-" + "live-48vq7m2nx9k1p3",
    "a customer": "KD-48151623",
}
"""Texts that the plan takes out."""

HELD_BACK = "confidential-wombat"
"""A text that no pattern knows, of a trace that no judge may see."""

HARMLESS = "the harmless parcel"
"""A text that judges may see, and the store may not keep."""

RUBRICS = ("answer_relevance", "faithfulness", "document_relevance", "refusal")
LATER = START + timedelta(hours=2)


def traces() -> list[dict[str, Any]]:
    """One with the private texts everywhere, some that fail, one held back, one unreadable."""
    everything = " and ".join((HARMLESS, *PRIVATE.values()))
    texts = {
        "input": f"question: {everything}",
        "output": f"answer: {everything}",
        "reference": f"reference: {everything}",
        "documents": [{"id": "d1", "text": f"document: {everything}"}],
    }
    held = json.loads(json.dumps(texts).replace(HARMLESS, HELD_BACK))
    return [
        texts,
        {**texts, "input": f"REFUSE {everything}"},
        {**texts, "input": f"BREAK {everything}"},
        {**held, "feature": "hr"},
        {**texts, "documents": {"torn": everything}},
    ]


def quoting(request: StubRequest) -> StubReply:
    """A judge that repeats all that it was shown, in its reason as in its errors."""
    if "REFUSE" in request.text:
        return refusal_to_serve(400, request.text, code="context_length_exceeded")
    if "BREAK" in request.text:
        return StubReply(body=request.text.encode())
    schema = request.body["response_format"]["json_schema"]["schema"]
    return verdict(schema["properties"]["choice"]["enum"][0], request.text)


@pytest.fixture
def endpoint() -> Iterator[StubEndpoint]:
    with StubEndpoint(quoting) as serving:
        yield serving


@pytest.fixture
def plan(tmp_path: Path, endpoint: StubEndpoint) -> JudgedPlan:
    return JudgedPlan.written(
        tmp_path,
        traces(),
        {
            "evaluators": [{"use": name} for name in (*RUBRICS, "lexical_support")],
            "judge": {"model": "stub"},
            "keep_text": "none",
            "privacy": {
                "redact": [{"name": "customer", "pattern": r"\bKD-\d{8}\b"}],
                "never_send": [{"feature": "HR"}],
            },
        },
        endpoint.url,
    )


def cores() -> list[str]:
    """What no trace of a private text may hold: the middle of each, however it is quoted."""
    return [text[4:-2] for text in PRIVATE.values()]


def sent(endpoint: StubEndpoint) -> str:
    """Every byte of every request, as text."""
    return "\n".join(
        f"{each.path} {dict(each.headers)} {json.dumps(each.body, ensure_ascii=False)}"
        for each in endpoint.requests
    )


def written(plan: JudgedPlan) -> str:
    """Every value of every column of every table, and every byte of every file below the home."""
    store = Path(plan.settings.store.removeprefix("sqlite:///"))
    values = []
    with closing(sqlite3.connect(store)) as connection:
        names = connection.execute("select name from sqlite_master where type = 'table'")
        for (table,) in names.fetchall():
            rows = connection.execute(f'select * from "{table}"')  # noqa: S608 - its own names
            values += [f"{value}" for row in rows for value in row]
    files = [*store.parent.glob(f"{store.name}*"), *plan.settings.home.rglob("*")]
    values += [each.read_bytes().decode("utf-8", "replace") for each in files if each.is_file()]
    return "\n".join(values)


def test_private_text_is_neither_sent_nor_logged_nor_kept(
    plan: JudgedPlan,
    endpoint: StubEndpoint,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(0)
    report = plan.run(LATER, "run-1")
    logged = caplog.text + "".join(capfd.readouterr())
    at_judge, at_rest = sent(endpoint), written(plan)

    # the judges were asked, and what may be seen was: else the rest would prove nothing
    assert HARMLESS in at_judge
    for mark in ("[e-mail]", "[card]", "[key]", "[customer]"):
        assert mark in at_judge
    assert "answer_relevance" in at_rest
    assert report.counts["failed"] == 2 * len(RUBRICS)

    for core in (*cores(), HELD_BACK):
        assert core not in at_judge
        assert core not in at_rest
        assert core not in logged
    assert HARMLESS not in at_rest
    assert HARMLESS not in logged


def test_a_trace_held_back_is_accounted_for_and_scored_by_code(plan: JudgedPlan) -> None:
    plan.run(LATER, "run-1")
    with plan.store() as store:
        skipped = {c.series.evaluator: c.skipped for c in store.coverage("app", HOUR)}
        judged = Series(evaluator="refusal", version="1", judge="stub")
        (shown,) = [e for e in store.evaluations("app", "t0") if e.series == judged]
        by_code = [e for e in store.evaluations("app", "t3") if not e.series.judge]
    assert all(skipped[name] == {"never_send": 1} for name in RUBRICS)
    assert skipped["lexical_support"] == {}
    assert len(by_code) == 1
    assert isinstance(shown.outcome, Score)
    assert shown.outcome.details["redacted"] == 2 * len(PRIVATE)


def test_a_pattern_that_cannot_be_used_is_refused_with_its_line(plan: JudgedPlan) -> None:
    path = plan.settings.plan
    path.write_text(path.read_text().replace(r"\bKD-\d{8}\b", "(?<!x)KD"), encoding="utf-8")
    with pytest.raises(PlanError, match=r"tailwatch\.yaml:\d+: privacy\.redact: .* look-around"):
        plan.run(LATER, "run-1")


@pytest.mark.prefect
@pytest.mark.timeout(300)
def test_prefect_is_told_nothing_private(
    plan: JudgedPlan, endpoint: StubEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = plan.settings
    monkeypatch.setenv("TAILWATCH_PLAN", str(settings.plan))
    monkeypatch.setenv("TAILWATCH_HOME", str(settings.home))
    monkeypatch.setenv("TAILWATCH_STORE_URL", settings.store)
    monkeypatch.setenv("TAILWATCH_JUDGE_URL", endpoint.url)
    monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "DEBUG")

    async def kept_by_prefect() -> tuple[str, str]:
        counts = await backfill(BackfillRange(start=HOUR.start, end=HOUR.end))
        assert counts["scored"] > 0
        async with get_client() as client:
            artifacts = [str(each.data) for each in await client.read_artifacts()]
            logs = [each.message for each in await client.read_logs()]
        return "\n".join(artifacts), "\n".join(logs)

    with prefect_test_harness(server_startup_timeout=120):
        artifacts, logs = asyncio.run(kept_by_prefect())

    assert "refusal v1 stub" in artifacts
    assert "- `Validation of refusal v1 stub: unvalidated`" in artifacts
    assert HARMLESS in sent(endpoint)
    for core in (*cores(), HELD_BACK, HARMLESS):
        assert core not in artifacts
        assert core not in logs
