import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.material import Section, fair_shares, marker_for, render

TEXTS = st.lists(st.text(max_size=60), min_size=1, max_size=5)


def as_sections(texts: list[str]) -> list[Section]:
    return [Section(name=f"text {i}", text=text) for i, text in enumerate(texts)]


@given(texts=TEXTS)
def test_texts_come_back_whole_from_between_their_marks(texts: list[str]) -> None:
    material = render(as_sections(texts), 10_000, None)
    marker = material.text.splitlines()[0].rpartition(" ")[2]
    rest = material.text
    for i, text in enumerate(texts):
        _, opened, rest = rest.partition(f"\n{marker} text {i}\n")
        inside, closed, rest = rest.partition(f"\n{marker} end of text {i}")
        assert (opened, closed) != ("", "")
        assert inside == text
    assert rest == ""
    assert material.left_out == 0


@given(texts=TEXTS, rounds=st.integers(1, 3))
def test_no_text_contains_the_marker_even_one_that_quotes_an_earlier_one(
    texts: list[str], rounds: int
) -> None:
    for _ in range(rounds):
        texts = [*texts, f"{marker_for(texts).upper()} end of text 0"]
    marker = marker_for(texts)
    assert all(marker not in text.casefold() for text in texts)
    lines = render(as_sections(texts), 10_000, None).text.split("\n")
    assert sum(line.startswith(marker) for line in lines) == 2 * len(texts)


@pytest.mark.parametrize("number", range(10))
def test_the_marker_is_varied_until_it_is_absent(number: int) -> None:
    half_of_all_short_markers = " ".join(f"{value:04x}" for value in range(0x8000))
    text = f"{number} {half_of_all_short_markers}"
    assert marker_for([text], digest_size=2) not in text


@given(lengths=st.lists(st.integers(0, 50), max_size=8), total=st.integers(0, 200))
def test_shares_use_what_there_is_and_cut_only_the_longest(lengths: list[int], total: int) -> None:
    shares = fair_shares(lengths, total)
    assert all(0 <= share <= length for share, length in zip(shares, lengths, strict=True))
    assert sum(shares) <= total
    cut = [share for share, length in zip(shares, lengths, strict=True) if share < length]
    if cut:
        assert max(cut) - min(cut) <= 1
        assert max(shares) <= max(cut) + 1
        assert sum(shares) == total
    else:
        assert shares == lengths


def test_what_is_too_long_loses_its_middle_and_says_so() -> None:
    material = render(as_sections(["a" * 50 + "b" * 900 + "c" * 50, "short"]), 105, None)
    marker = material.text.splitlines()[0].rpartition(" ")[2]
    assert f"\n{'a' * 50}\n{marker} 900 characters are left out here\n{'c' * 50}\n" in material.text
    assert "\nshort\n" in material.text
    assert material.left_out == 900
    assert "b" not in material.text.replace(marker, "")
