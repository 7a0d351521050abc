"""From a plan to parts: where relative paths in it start from."""

import asyncio
import shutil
from pathlib import Path

import pytest

from evaluators.index import packaged_rubrics
from flows.plan_file import read_plan
from flows.wiring import open_parts
from storage.store import open_store
from tailwatch.errors import PlanError
from tailwatch.settings import Settings

PLAN = """\
source: {use: files, name: app, options: {path: TRACES}}
evaluators:
  - use: precision@5
    options: {judgements: own.yaml}
"""


@pytest.mark.parametrize("path", ["traces.jsonl", "~/traces.jsonl"])
def test_paths_start_from_the_folder_of_the_plan_and_a_tilde_from_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    folder = tmp_path / "plan"
    (tmp_path / "elsewhere").mkdir()
    folder.mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("HOME", str(folder))
    (folder / "traces.jsonl").write_text(
        '{"trace_id": "t", "timestamp": "2026-03-02T10:00:00Z"}\n', encoding="utf-8"
    )
    shutil.copy(packaged_rubrics()["document_relevance"], folder / "own.yaml")
    (folder / "plan.yaml").write_text(PLAN.replace("TRACES", path), encoding="utf-8")
    monkeypatch.setenv("TAILWATCH_STORE_URL", f"sqlite:///{tmp_path / 'store.db'}")
    settings = Settings()
    with open_store(settings.store) as store:
        store.upgrade()

    async def opened() -> tuple[bool, str]:
        async with open_parts(read_plan(folder / "plan.yaml"), settings) as parts:
            health = await parts.source.check()
            return health.ok, parts.evaluators[0].evaluator.version

    ok, version = asyncio.run(opened())
    assert ok
    assert "judgements=own/" in version


def test_a_cap_on_a_rubric_that_nobody_asks_is_a_fault_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "traces.jsonl").write_text("")
    (tmp_path / "plan.yaml").write_text(
        "source: {use: files, name: app, options: {path: traces.jsonl}}\n"
        "evaluators: [{use: faithfulness}]\n"
        "judge:\n"
        "  model: small\n"
        "  max_cost_usd_of: {faithfulness: 0.5, refusal: 0.2}\n"
    )
    monkeypatch.setenv("TAILWATCH_STORE_URL", f"sqlite:///{tmp_path / 'store.db'}")
    monkeypatch.setenv("TAILWATCH_JUDGE_URL", "http://127.0.0.1:9/v1")
    settings = Settings()
    with open_store(settings.store) as store:
        store.upgrade()

    async def opened() -> None:
        async with open_parts(read_plan(tmp_path / "plan.yaml"), settings):
            raise AssertionError("nobody asks the rubric `refusal`")

    with pytest.raises(PlanError, match=r"(?s):5.*'refusal'; asked are: faithfulness"):
        asyncio.run(opened())
