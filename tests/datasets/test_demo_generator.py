"""The generator gives the committed files again, streams, and plants nothing when told not to."""

import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.demo_traces.files import write_judgements, write_traces
from benchmarks.demo_traces.incidents import Incidents
from benchmarks.demo_traces.library import Library, Passage
from benchmarks.demo_traces.ranker import DEPTH, Ranker, terms
from benchmarks.demo_traces.stream import DEFAULT_END, Recipe, traces
from tests.datasets.demo import DEMO, read_lines

LIBRARY = Library.read()
WITH_INCIDENTS = Recipe(end=DEFAULT_END, incidents=Incidents.before(DEFAULT_END))
WITHOUT = Recipe(end=DEFAULT_END, incidents=Incidents())
HOUR = timedelta(hours=1)


def test_one_day_made_again_is_the_committed_one(tmp_path: Path) -> None:
    start = datetime(2026, 11, 12, tzinfo=UTC)
    made = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        end = start + timedelta(days=1)
        [(path, count)] = write_traces(WITH_INCIDENTS, LIBRARY, folder, start, end)
        assert read_lines(path) == read_lines(DEMO / path.name)
        assert count == len(read_lines(path))
        made.append(path.read_bytes())
    assert made[0] == made[1]


def test_the_judgements_made_again_are_the_committed_ones(tmp_path: Path) -> None:
    count = write_judgements(LIBRARY, tmp_path / "qrels.jsonl")
    written = (tmp_path / "qrels.jsonl").read_bytes()
    assert written == (DEMO / "qrels.jsonl").read_bytes()
    assert count == written.count(b"\n")


def test_incidents_change_nothing_before_they_begin() -> None:
    start = datetime(2026, 11, 8, 18, tzinfo=UTC)
    end = start + 6 * HOUR
    assert list(traces(WITH_INCIDENTS, LIBRARY, start, end)) == list(
        traces(WITHOUT, LIBRARY, start, end)
    )


def test_an_end_elsewhere_moves_the_incidents_with_it() -> None:
    end = datetime(2027, 2, 3, 7, tzinfo=UTC)
    moved, planted = Incidents.before(end), Incidents.before(DEFAULT_END)
    for name in ("ungrounded", "degraded_index", "new_topic", "verbose"):
        assert end - getattr(moved, name) == DEFAULT_END - getattr(planted, name)
    recipe = Recipe(end=end, days=2, incidents=moved)
    made = list(traces(recipe, LIBRARY, end - 3 * HOUR, end))
    assert made
    assert all("2027-02-03T04" <= trace["start_time"] < "2027-02-03T07" for trace in made)


def test_other_seeds_give_other_traces() -> None:
    start, end = DEFAULT_END - HOUR, DEFAULT_END
    other = Recipe(end=DEFAULT_END, seed=2, incidents=Incidents())
    ids = {trace["trace_id"] for trace in traces(WITHOUT, LIBRARY, start, end)}
    assert ids
    assert ids.isdisjoint(t["trace_id"] for t in traces(other, LIBRARY, start, end))


def test_the_volume_scales() -> None:
    start, end = DEFAULT_END - 3 * HOUR, DEFAULT_END
    large = Recipe(end=DEFAULT_END, scale=20, incidents=Incidents())
    ratio = sum(1 for _ in traces(large, LIBRARY, start, end)) / sum(
        1 for _ in traces(WITHOUT, LIBRARY, start, end)
    )
    assert 12 < ratio < 33


def test_a_century_of_traces_is_streamed() -> None:
    recipe = Recipe(end=DEFAULT_END, days=36_500, incidents=Incidents())
    first = list(islice(traces(recipe, LIBRARY, recipe.start, recipe.end), 5))
    assert [trace["start_time"][:4] for trace in first] == ["1926"] * 5


def test_a_stream_in_parts_is_the_whole_stream() -> None:
    start = DEFAULT_END - 4 * HOUR
    halves = [
        list(traces(WITH_INCIDENTS, LIBRARY, at, at + 2 * HOUR)) for at in (start, start + 2 * HOUR)
    ]
    whole = list(traces(WITH_INCIDENTS, LIBRARY, start, DEFAULT_END))
    assert halves[0] + halves[1] == whole


def test_files_do_not_tell_when_they_were_made(tmp_path: Path) -> None:
    start = DEFAULT_END - HOUR
    [(path, _)] = write_traces(WITHOUT, LIBRARY, tmp_path, start, DEFAULT_END)
    assert path.read_bytes()[4:8] == bytes(4)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        assert all(json.loads(line)["trace_id"] for line in lines)


WORDS = st.lists(st.sampled_from(["queue", "lease", "job", "broker", "token", "relay"]), min_size=1)


@given(texts=st.lists(WORDS, min_size=1, max_size=15), query=WORDS)
def test_the_ranker_returns_exactly_what_shares_a_word(
    texts: Sequence[Sequence[str]], query: Sequence[str]
) -> None:
    passages = [
        Passage(id=f"p{place:02d}", topic="t", title="", text=" ".join(words))
        for place, words in enumerate(texts)
    ]
    found = Ranker(passages).rank(" ".join(query))
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    sharing = {p.id for p in passages if set(terms(p.text)) & set(query)}
    assert {passage.id for passage, _ in found} <= sharing
    assert len(found) == min(DEPTH, len(sharing))


def test_the_ranker_gives_bm25() -> None:
    passages = [
        Passage(id="a", topic="t", title="Lease", text="job job"),
        Passage(id="b", topic="t", title="Queue", text="broker token relay job"),
        Passage(id="c", topic="t", title="Relay", text="token"),
    ]
    [(best, score), (second, _)] = Ranker(passages).rank("job")
    assert (best.id, second.id) == ("a", "b")
    # idf = ln(1 + (3 - 2 + .5) / (2 + .5)) = .4700; length 3 of a mean of 10/3; tf = 2
    assert score == pytest.approx(0.4700 * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 0.9)), abs=0.006)
