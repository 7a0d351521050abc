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
    identity_of,
    load_embedder,
)
from evaluators.clients.vector_cache import VectorCache
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
        load_embedder(str(tmp_path)).embed(["a text"])
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
    embedder = SentenceTransformerEmbedder("m", lambda: encoder)
    assert embedder.embed(["ccc", "a", "bb", "a"])[:, 0].tolist() == [3, 1, 2, 1]
    assert encoder.encoded == ["a", "bb", "ccc"]
    embedder.embed(["ccc", "bb"])
    assert encoder.encoded == ["a", "bb", "ccc"]
    embedder.embed(["a"])
    assert encoder.encoded == ["a", "bb", "ccc", "a"]


def refuses() -> CountingEncoder:
    raise AssertionError("the model was loaded for texts whose vectors are known")


def test_vectors_are_known_to_the_next_process_without_the_model(tmp_path: Path) -> None:
    cache = tmp_path / "deep" / "vectors"
    encoder = CountingEncoder()
    first = SentenceTransformerEmbedder("m", lambda: encoder, VectorCache(cache))
    vectors = first.embed(["a", "bb", "a"])
    again = SentenceTransformerEmbedder("m", refuses, VectorCache(cache))
    assert np.array_equal(again.embed(["a", "bb", "a"]), vectors)
    another = SentenceTransformerEmbedder("n", lambda: encoder, VectorCache(cache))
    assert np.array_equal(another.embed(["a", "bb", "a"]), vectors)
    assert encoder.encoded == ["a", "bb", "a", "bb"]


def test_a_full_cache_forgets_what_was_not_asked_for_lately(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path / "vectors", most=4)
    texts = [bytes([number]) for number in range(6)]
    for text in texts[:4]:
        cache.remember("m", {text: np.ones(3, dtype=np.float32)})
    assert cache.known("m", [texts[0]]).keys() == {texts[0]}
    for text in texts[4:]:
        cache.remember("m", {text: np.ones(3, dtype=np.float32)})
    assert cache.known("m", texts).keys() == {texts[0], texts[3], texts[4], texts[5]}


@pytest.mark.parametrize("damage", ["no database", "a folder"])
def test_a_cache_that_cannot_be_used_costs_time_and_nothing_else(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "vectors"
    if damage == "a folder":
        path.mkdir()
    else:
        path.write_text("this is no database, whatever its name may say")
    encoder = CountingEncoder()
    embedder = SentenceTransformerEmbedder("m", lambda: encoder, VectorCache(path))
    assert embedder.embed(["ccc", "a"])[:, 0].tolist() == [3, 1]
    assert embedder.embed(["dddd"])[:, 0].tolist() == [4]
    assert [record.message.count("may be deleted") for record in caplog.records] == [1]


def test_another_content_of_a_model_folder_is_another_model(tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("1")
    before = identity_of(str(tmp_path))
    (tmp_path / "weights").write_text("22")
    assert identity_of(str(tmp_path)) != before
