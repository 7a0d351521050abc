"""Backfills in batches, as a person types them: what is printed, and how the command exits."""

import asyncio
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.testing.utilities import prefect_test_harness

from flows.cli.main import main
from flows.collect_batches import collect_all_batches
from tailwatch.trace import Trace
from tests.builders import START, at, make_trace
from tests.flows.batch_story import by_material
from tests.storage import conftest as stores
from tests.stub_batches import StubBatches
from tests.stub_endpoint import StubReply, StubRequest, refusal_to_serve

migrated_sqlite = stores.migrated_sqlite

PLAN = """\
source: {{use: files, name: mine, options: {{path: traces.jsonl}}}}
evaluators: [{{use: answer_relevance}}, {{use: lexical_support}}]
judge:
  model: small
  price: {{input_usd_per_million: 1.0, output_usd_per_million: 2.0}}
  max_cost_usd: 5
{more}
"""
HOURS = ("--from", f"{START:%Y-%m-%dT%H}", "--to", f"{at(120):%Y-%m-%dT%H}")
COST = 5 * (100 * 1e-6 + 20 * 2e-6) / 2

Tailwatch = Callable[..., tuple[int, str, str]]


@pytest.fixture
def provider() -> Iterator[StubBatches]:
    with StubBatches(by_material) as started:
        yield started


@pytest.fixture
def tailwatch(
    provider: StubBatches,
    tmp_path: Path,
    migrated_sqlite: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Tailwatch:
    """The command in a folder with six traces of two hours: exit code, output, errors."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "TAILWATCH_PLAN"):
        monkeypatch.delenv(name, raising=False)
    shutil.copy(migrated_sqlite, tmp_path / "store.db")
    monkeypatch.setenv("TAILWATCH_STORE_URL", f"sqlite:///{tmp_path / 'store.db'}")
    monkeypatch.setenv("TAILWATCH_JUDGE_URL", provider.url)
    monkeypatch.chdir(tmp_path)
    write_plan(tmp_path)
    traces = [
        make_trace(trace_id=f"t{i}", start_time=at(20 * i), output=f"Answer {i}.") for i in range(6)
    ]
    lines = [json.dumps(_fields(trace), default=_jsonable) for trace in traces]
    (tmp_path / "traces.jsonl").write_text("\n".join(lines) + "\n")

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tailwatch", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        code = ended.value.code
        unwrapped = " ".join(printed.out.split())
        return (code if isinstance(code, int) else 0), unwrapped, printed.err

    return call


def _fields(trace: Trace) -> dict[str, Any]:
    return {name: value for name, value in asdict(trace).items() if name != "source"}


def _jsonable(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else dict(value)


def write_plan(folder: Path, more: str = "") -> None:
    (folder / "tailwatch.yaml").write_text(PLAN.format(more=more))


def test_a_backfill_in_batches_from_start_to_end(
    tailwatch: Tailwatch, provider: StubBatches
) -> None:
    assert "No backfill went in batches" in tailwatch("batches", "list")[1]
    code, said, _ = tailwatch("backfill", *HOURS, "--batch")
    assert code == 0
    assert "5 questions in 1 batch at the provider." in said
    assert "take up to a day and are recorded by each hourly run" in said
    assert provider.routes.count("POST /chat") == 1  # which shows in what form to ask the others

    (job,) = json.loads(tailwatch("batches", "list", "--json")[1])
    assert (job["state"], job["batches"][0]["state"]) == ("waiting", "submitted")
    code, said, _ = tailwatch("batches", "show", job["job_id"][:5])
    assert "batch 1: 5 questions, in progress, until 2026-" in said

    provider.finish()
    code, said, _ = tailwatch("batches", "collect")
    assert code == 0
    assert f"done. 5 questions answered, 0 failed; {COST:.4f} USD, {COST:.4f} USD less" in said
    assert "No backfill waits for a batch." in tailwatch("batches", "collect")[1]
    assert "done" in tailwatch("batches", "list")[1]
    assert "Nothing new in 2 hours" in tailwatch("backfill", *HOURS)[1]


def test_the_hourly_run_collects(tailwatch: Tailwatch, provider: StubBatches) -> None:
    tailwatch("backfill", *HOURS, "--batch")
    provider.finish()
    code, said, _ = tailwatch("run")
    assert code == 0
    assert "done. 5 questions answered" in said


def test_a_backfill_is_cancelled(tailwatch: Tailwatch, provider: StubBatches) -> None:
    tailwatch("backfill", *HOURS, "--batch")
    job = json.loads(tailwatch("batches", "list", "--json")[1])[0]["job_id"]
    code, said, _ = tailwatch("batches", "cancel", job)
    assert (code, "being cancelled" in said) == (0, True)
    provider.finish("cancelled", lambda number: number < 2)
    code, said, _ = tailwatch("batches", "collect")
    assert "cancelled. 2 questions answered, 3 failed" in said
    assert "`--only failed`" in said
    code, _, error = tailwatch("batches", "cancel", job)
    assert (code, "is over already" in error) == (2, True)


def test_the_plan_chooses_batches_for_large_backfills(
    tailwatch: Tailwatch, provider: StubBatches, tmp_path: Path
) -> None:
    write_plan(tmp_path, "  batch_over: 6")
    assert "2 hours evaluated" in tailwatch("backfill", *HOURS)[1]
    assert provider.batches == {}
    write_plan(tmp_path, "  batch_over: 5")
    tailwatch("backfill", *HOURS, "--only", "everything", "--no-batch")
    assert provider.batches == {}
    said = tailwatch("backfill", *HOURS, "--only", "everything")[1]
    assert "5 questions in 1 batch" in said


def test_an_endpoint_without_batches_says_what_to_do(
    tailwatch: Tailwatch, provider: StubBatches
) -> None:
    provider.refuse["GET /batches"] = 404
    code, _, error = tailwatch("backfill", *HOURS, "--batch")
    assert code == 2
    assert "has no batches (it answered 404 to /batches); run without --batch" in error
    assert json.loads(tailwatch("batches", "list", "--json")[1]) == []


def test_trouble_with_the_provider_fails_the_command(
    tailwatch: Tailwatch, provider: StubBatches
) -> None:
    tailwatch("backfill", *HOURS, "--batch")
    provider.refuse["GET /batches/id"] = 401
    code, said, _ = tailwatch("batches", "collect")
    assert code == 1
    assert "not looked at. The judge endpoint" in said
    assert "check the API key" in said


def test_batches_speak_the_form_that_the_endpoint_understands(
    tailwatch: Tailwatch, provider: StubBatches
) -> None:
    def old(request: StubRequest) -> StubReply:
        if "temperature" in request.body:
            return refusal_to_serve(400, "Unsupported value", param="temperature")
        return by_material(request)

    provider.script = old
    tailwatch("backfill", *HOURS, "--batch")
    assert all("temperature" not in line["body"] for line in provider.uploads[0].lines)
    provider.finish()
    assert "5 questions answered, 0 failed" in tailwatch("batches", "collect")[1]


def test_a_dry_run_tells_what_batches_would_save(tailwatch: Tailwatch) -> None:
    assert "In batches (`--batch`)" in tailwatch("backfill", *HOURS, "--dry-run")[1]


@pytest.mark.prefect
@pytest.mark.timeout(300)
def test_the_flow_collects_and_leaves_a_note(tailwatch: Tailwatch, provider: StubBatches) -> None:
    assert tailwatch("backfill", *HOURS, "--batch")[0] == 0

    async def collected() -> list[int]:
        waits = [await collect_all_batches()]
        provider.finish()
        return [*waits, await collect_all_batches(), await collect_all_batches()]

    async def notes() -> list[str]:
        async with get_client() as client:
            return [str(each.data) for each in await client.read_artifacts()]

    with prefect_test_harness(server_startup_timeout=120):
        waits = asyncio.run(collected())
        said = asyncio.run(notes())
    assert waits == [1, 0, 0]
    assert sum("No backfill waits for a batch." in note for note in said) == 1
    assert sum("5 questions in 1 batch at the provider." in note for note in said) == 1
    assert sum("done. 5 questions answered, 0 failed" in note for note in said) == 1
    assert "done" in tailwatch("batches", "list")[1]
