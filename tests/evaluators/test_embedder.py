"""The real default model, read from its package: slow to import, so loaded once for all tests."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from evaluators.clients import embedder as module
from evaluators.clients.embedder import (
    DEFAULT_MODEL,
    EmbeddingsMissingError,
    SentenceTransformerEmbedder,
    Vectors,
    load_embedder,
)
from tailwatch.errors import ConfigurationError

ROOT = Path(__file__).parents[2]

LOADS_OFFLINE = """
import os, socket, sys
def no_network(*args, **kwargs):
    raise AssertionError("the default model reached for the network")
for name in ("create_connection", "getaddrinfo"):
    setattr(socket, name, no_network)
socket.socket.connect = no_network
from evaluators.clients.embedder import load_embedder
vectors = load_embedder("all-MiniLM-L6-v2").embed(["a cat", "a kitten", "the stock exchange"])
assert vectors.shape == (3, 384), vectors.shape
assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
assert not [name for name in os.environ if name.startswith(("HF_", "TRANSFORMERS_"))]
assert "/datasets" in str(getattr(sys.modules.get("datasets"), "__path__", "/datasets"))
"""


def test_the_default_loads_offline_beside_a_folder_called_datasets(tmp_path: Path) -> None:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "traces.jsonl").write_text("{}\n")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
    done = subprocess.run(
        [sys.executable, "-c", LOADS_OFFLINE],
        cwd=tmp_path,
        env=clean | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Loading weights" not in done.stderr


def test_datasets_holds_no_code() -> None:
    assert list((ROOT / "datasets").rglob("*.py")) == []


def test_rows_are_unit_float32_in_the_order_asked_for() -> None:
    embedder = load_embedder(DEFAULT_MODEL)
    texts = ["a long sentence about invoices and when they are sent", "", "cat", "\ud800 lone", ""]
    vectors = embedder.embed(texts)
    assert vectors.dtype == np.float32
    assert vectors.shape == (5, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    for text, vector in zip(texts, vectors, strict=True):
        assert embedder.embed([text])[0] == pytest.approx(vector, abs=1e-5)
    assert embedder.embed([]).shape == (0, 384)
    assert load_embedder(DEFAULT_MODEL) is embedder


def test_what_cannot_load_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="does not load"):
        load_embedder(str(tmp_path))
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(EmbeddingsMissingError, match=r"install tailwatch\[embeddings\]"):
        load_embedder("another/model")


class CountingEncoder:
    """Stands where sentence-transformers' model does, to see what it is asked to encode."""

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def encode(self, texts: list[str], **_: object) -> Vectors:
        self.encoded += texts
        return np.array([[len(text), 1.0] for text in texts], dtype=np.float32)


def test_each_different_text_is_encoded_once_and_short_ones_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_CACHED_TEXTS", 2)
    encoder = CountingEncoder()
    embedder = SentenceTransformerEmbedder("m", encoder)
    assert embedder.embed(["ccc", "a", "bb", "a"])[:, 0].tolist() == [3, 1, 2, 1]
    assert encoder.encoded == ["a", "bb", "ccc"]
    embedder.embed(["ccc", "bb"])
    assert encoder.encoded == ["a", "bb", "ccc"]
    embedder.embed(["a"])
    assert encoder.encoded == ["a", "bb", "ccc", "a"]
