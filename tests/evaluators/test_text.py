"""Words, sentences and the longest common subsequence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.text import content_words, lcs_length, sentences, words

tokens = st.lists(st.sampled_from("abcdef"), max_size=40)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("... — !?", []),
        ("It’s 3.5% of 1,000 at 10:30.", ["it's", "3.5", "of", "1,000", "at", "10:30"]),
        ("snake_case GPT-4o", ["snake", "case", "gpt", "4", "o"]),
        ("Stra\u00dfe \ufb01ne CAF\u00c9", ["strasse", "fine", "caf\u00e9"]),
        ("東京に3日", ["東", "京", "に", "3", "日"]),
        ("broken \ud800 half", ["broken", "half"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_ascii_text_is_cut_as_any_other(text: str) -> None:
    assert words(text + " é") == [*words(text), "é"]


def test_content_words_keep_order_and_repeats() -> None:
    assert content_words(words("The refund is a refund of the fee")) == ["refund", "refund", "fee"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n ", []),
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ('He said "no." Then left.', ['He said "no."', "Then left."]),
        ("It costs 3.5 euros, e.g. today. Ask Dr. Lee.", None),
        ("Steps:\n- open it\n- close it", ["Steps:", "- open it", "- close it"]),
        ("你好。再见！", ["你好。", "再见！"]),
    ],
)
def test_sentences(text: str, expected: list[str] | None) -> None:
    if expected is None:
        expected = ["It costs 3.5 euros, e.g. today.", "Ask Dr. Lee."]
    assert sentences(text) == expected


@given(st.text())
def test_sentences_lose_no_word(text: str) -> None:
    assert [w for s in sentences(text) for w in words(s)] == words(text)


@given(tokens, tokens)
def test_lcs_length_is_that_of_the_textbook_table(a: list[str], b: list[str]) -> None:
    row = [0] * (len(b) + 1)
    for x in a:
        above = row
        row = [0]
        for column, y in enumerate(b):
            row.append(above[column] + 1 if x == y else max(row[-1], above[column + 1]))
    assert lcs_length(a, b) == row[-1]


def test_lcs_length_of_long_texts() -> None:
    assert lcs_length(["a", "b"] * 2000, ["b", "a"] * 9000) == 4000
