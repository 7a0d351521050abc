"""Text that a database would refuse is written, found and read back as it was."""

import math
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.bulk import COPY_FROM_ROWS
from storage.store import Store
from storage.text import KEY_CHARS, escape, key_text, original_json, safe_json, unescape
from tailwatch.alert import Segment
from tailwatch.outcome import Score
from tests.storage.examples import FAITHFULNESS, HOUR_0, NOW, SOURCE, evaluation, ref

any_text = st.text(st.characters(exclude_categories=()) | st.sampled_from("\x00\ud800\uf7ff0a"))
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=8,
)
HOSTILE = [
    "a\x00b",
    "\ud83d",
    "\ude00\ud83d",
    "\uf7ff0000",
    "'; DROP TABLE traces; --",
    "\x1b[2J\r\n\u202e",
    "%s %(x)s :x ? {}",
    "x" * 300_000,
    "".join(Random(1).choices("abcdefghijklmnop", k=9_000)),
]


@given(any_text)
def test_escaped_text_is_safe_and_comes_back(text: str) -> None:
    escaped = escape(text)
    assert "\x00" not in escaped
    assert escaped.encode().decode() == escaped
    assert unescape(escaped) == text


@given(json_values)
def test_json_comes_back(value: object) -> None:
    assert original_json(safe_json(value)) == value


def test_json_that_is_none_becomes_null() -> None:
    deep: list[object] = []
    for _ in range(5_000):
        deep = [deep]
    assert safe_json({"a": math.nan, "b": [math.inf], 3: 10**5000, "t": (1,)}) == {
        "a": None,
        "b": [None],
        "3": None,
        "t": [1],
    }
    assert str(safe_json(deep)).count("[") == 40


@given(st.lists(st.text(min_size=KEY_CHARS - 1), max_size=4, unique=True))
def test_keys_of_different_texts_differ(texts: list[str]) -> None:
    assert len({key_text(text) for text in texts}) == len(texts)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_fails_no_write_and_comes_back(store: Store, text: str) -> None:
    written = evaluation(
        text, Score(value=1.0, label=text, explanation=text, details={text: [text]}), span_id=text
    )
    whole = evaluation(text)
    listed = ref(text, feature=text, url=text, tags=(text,), start_time=HOUR_0.start)
    store.record_listing([listed], NOW)
    store.record([written, whole])
    store.record([written, whole])
    assert sorted(store.evaluations(SOURCE, text), key=lambda e: bool(e.span_id)) == [
        whole,
        written,
    ]
    assert store.listed(SOURCE, HOUR_0).keys() == {text}
    assert store.recorded(SOURCE, [FAITHFULNESS], HOUR_0)[FAITHFULNESS].keys() == {text}
    stored = store.trace(SOURCE, text)
    assert stored is not None
    assert stored.ref == listed
    samples = store.score_samples(SOURCE, [FAITHFULNESS], HOUR_0, ["feature"])
    assert [sample.segment for sample in samples] == [
        Segment(),
        Segment(field="feature", value=text),
    ]


def test_long_ids_with_the_same_beginning_stay_two(store: Store) -> None:
    ids = {"x" * 5_000 + end for end in "ab"}
    store.record_listing([ref(one) for one in ids], NOW + timedelta(1))
    assert store.listed(SOURCE, HOUR_0).keys() == ids


def test_hostile_text_passes_in_bulk_too(store: Store) -> None:
    """As many rows as are copied at once, with the separators of that copy among their texts."""
    texts = [*HOSTILE, "\\N", "\\.", "tab\tand\nline", '{"a"}', ""]
    written = [
        evaluation(f"{number}{text}", Score(value=0.1, label=text, details={text: text}))
        for number, text in enumerate(texts * (COPY_FROM_ROWS // len(texts) + 1))
    ]
    store.record(written + written[::-1])
    for one in written[: len(texts)]:
        assert store.evaluations(SOURCE, one.trace_id) == [one]
    assert store.stats()["evaluations"] == len(written)
