"""The commands about judges and labels, as a person types them."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from flows.cli.main import main
from flows.golden_file import read_golden
from storage.store import open_store
from tailwatch.review import Draw, Origin, ReviewLabel
from tests.builders import START
from tests.flows.judged_traces import WINDOW, traces
from tests.stub_endpoint import StubEndpoint, StubReply, StubRequest, verdict

PLAN = """\
source: {use: files, name: mine, options: {path: traces.jsonl}}
evaluators: [{use: refusal}]
judge: {model: judge-a, price: {input_usd_per_million: 1, output_usd_per_million: 1}}
"""

Tailwatch = Callable[..., tuple[int, str, str]]


def reply(request: StubRequest) -> StubReply:
    return verdict("turned_away" if "is rude" in request.text else "served")


@pytest.fixture
def endpoint() -> Iterator[StubEndpoint]:
    with StubEndpoint(reply) as served:
        yield served


@pytest.fixture
def tailwatch(
    endpoint: StubEndpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Tailwatch:
    """Runs the command where an hour of 60 traces is judged and labelled as the judge does."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "TAILWATCH_STORE_URL", "TAILWATCH_PLAN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TAILWATCH_JUDGE_URL", endpoint.url)
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.chdir(tmp_path)
    lines = [{k: v for k, v in asdict(t).items() if k != "source"} for t in traces(60)]
    (tmp_path / "traces.jsonl").write_text("\n".join(json.dumps(x, default=str) for x in lines))
    (tmp_path / "tailwatch.yaml").write_text(PLAN)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tailwatch", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        code = stopped.value.code
        return (code if isinstance(code, int) else 0), printed.out, printed.err

    assert call("db", "upgrade")[0] == 0
    code, out, _ = call("run", "--hour", f"{START:%Y-%m-%dT%H}")
    assert code == 0
    assert "Validation of refusal v1 judge-a: unvalidated" in out
    with open_store(f"sqlite:///{tmp_path / '.tailwatch' / 'tailwatch.db'}") as store:
        store.record_labels([_label(place) for place in range(1, 61)])
    return call


def _label(place: int) -> ReviewLabel:
    rude = (place - 1) % 4 == 1
    return ReviewLabel(
        source="mine",
        trace_id=f"t{place - 1:03}",
        evaluator="refusal",
        version="1",
        who="ada",
        choice="turned_away" if rude else "served",
        score=0.0 if rude else 1.0,
        hour=WINDOW,
        at=START,
        took_s=1.0,
        draw=Draw(origin=Origin.RANDOM, sample="s", place=place, population=60),
    )


def test_from_labels_to_what_is_said_beside_the_scores(
    tailwatch: Tailwatch, endpoint: StubEndpoint, tmp_path: Path
) -> None:
    asked = len(endpoint.requests)
    code, out, _ = tailwatch("judge", "validate", "--who", "ada")
    assert (code, len(endpoint.requests)) == (0, asked)
    assert "AUROC 1.00 (0." in out
    assert "60 compared, 15 of them bad" in out

    _, out, _ = tailwatch("scores", "--last", "1h")
    assert "Validation of refusal v1 judge-a: AUROC 1.00" in out
    _, out, _ = tailwatch("scores", "--last", "1h", "--series", "refusal", "--json")
    assert json.loads(out)[0]["validation"].endswith("n 60")

    _, out, _ = tailwatch("judge", "rate", "--last", "1h", "--json")
    [rate] = json.loads(out)
    assert (rate["rate"], rate["method"], rate["labels"]) == (0.25, "two-phase", 60)
    assert "25 % are bad (95 % interval" in tailwatch("judge", "rate", "--last", "1h")[1]

    assert tailwatch("dataset", "export", "--out", "g.jsonl")[0] == 0
    assert len(read_golden(tmp_path / "g.jsonl")) == 60
    assert tailwatch("dataset", "export", "--out", "g.jsonl")[0] == 2
    code, _, said = tailwatch("judge", "validate", "--labels", "g.jsonl", "--dry-run")
    assert (code, len(endpoint.requests)) == (0, asked)
    assert "at most 60 calls" in said
    code, out, _ = tailwatch("judge", "validate", "--labels", "g.jsonl", "--json")
    assert json.loads(out)[0]["labels_from"] == "g.jsonl"


def test_a_cap_for_one_validation_holds(tailwatch: Tailwatch, tmp_path: Path) -> None:
    tailwatch("dataset", "export", "--out", "g.jsonl")
    text = (tmp_path / "g.jsonl").read_text().replace("answer ", "other answer ")
    (tmp_path / "h.jsonl").write_text(text)
    _, out, said = tailwatch(
        "judge", "validate", "--labels", "h.jsonl", "--max-cost", "0.01", "--json"
    )
    assert "cap of 0.0100 USD" in said
    card = json.loads(out)[0]["card"]
    assert 0 < card["n"] < 60
    assert card["n"] + card["lost"] == 60


def test_a_bridge_to_another_judge(tailwatch: Tailwatch, endpoint: StubEndpoint) -> None:
    asked = len(endpoint.requests)
    bridge = ("rubric", "bridge", "--rubric", "refusal", "--judge-to", "judge-b", "--last", "1h")
    assert tailwatch(*bridge, "--dry-run")[0] == 0
    assert len(endpoint.requests) == asked
    code, out, _ = tailwatch(*bridge)
    assert (code, len(endpoint.requests)) == (0, asked + 60)
    assert "60 scores were known, 60 asked for" in out
    assert {request.body["model"] for request in endpoint.requests[asked:]} == {"judge-b"}
    assert "refusal v1 judge-a to refusal v1 judge-b" in tailwatch("rubric", "bridges")[1]
    [record] = json.loads(tailwatch("rubric", "bridges", "--json")[1])
    assert record["comparison"]["same"]["value"] == 1


MISTAKES = [
    (("judge", "validate", "--labels", "none.jsonl"), "cannot be read"),
    (("judge", "validate", "--evaluator", "tone"), "'tone' is not a judged rubric"),
    (("judge", "rate", "--from", "2026-03-02"), "go together"),
    (("rubric", "bridge", "--rubric", "refusal", "--last", "1h"), "both ends are"),
    (("dataset", "export", "--out", "x.jsonl", "--evaluator", "tone"), "no label to export"),
    (("label",), "needs a terminal"),
]


def test_mistakes_are_explained(tailwatch: Tailwatch) -> None:
    for arguments, said in MISTAKES:
        code, _, error = tailwatch(*arguments)
        assert (code, said in error) == (2, True), (arguments, error)
