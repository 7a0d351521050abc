"""What is taken out of texts, what stays, and that no text or pattern can make it slow."""

import json
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.private_shapes import is_card, is_iban
from evaluators.redaction import MOST_FINDS, make_redaction
from tailwatch.errors import ConfigurationError
from tailwatch.privacy import PatternPlan, PrivateShape

ALL = make_redaction(PrivateShape, [])

# Put together here, so that no scanner for leaked keys takes this file for a leak.
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
JWT = "ey" + "JhbGciOiJIUzI1NiJ9.ey" + "JzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N"
PEM = "-----BEGIN RSA PRIVATE" + " KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIEpAIB+/=\n"
PEM_END = "-----END RSA PRIVATE" + " KEY-----"


def redacted(text: str) -> str:
    (found,) = ALL.redact([text]).texts
    assert ALL.redact(["beside", text, "others"]).texts == ("beside", found, "others")
    return found


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("write to jane.doe+x@mail.example.com.", "write to [e-mail]."),
        ("Schreib an jörg@müller.de!", "Schreib an [e-mail]!"),
        ("call +49 (0)30 1234-5678 today", "call [phone] today"),
        ("call (212) 555-0187", "call [phone]"),
        ("call 212\u2011555\u20110187 or 1", "call [phone] or 1"),
        ("ruf 030/1234567 an", "ruf [phone] an"),
        ("ring 07700 900123", "ring [phone]"),
        ("appelez le 01 44 23 45 68", "appelez le [phone]"),
        ("card 4111 1111 1111 1111, thanks", "card [card], thanks"),
        ("in 2024 4111-1111-1111-1111 12 times", "in 2024 [card] 12 times"),
        ("amex 3782 822463 10005", "amex [card]"),
        ("amex 378282246310005", "amex [card]"),
        ("to DE89 3704 0044 0532 0130 00 NOW", "to [iban] NOW"),
        ("to BE68 5390 0754 7034 NEXT", "to [iban] NEXT"),
        ("gb82west12345698765432", "[iban]"),
        (f"key sk-proj-{LETTERS}", "key [key]"),
        (f"id AK{'IA'}IOSFODNN7EXAMPLE;", "id [key];"),
        (f"gh{'p_'}{LETTERS}", "[key]"),
        (f"github{'_pat_'}{LETTERS}", "[key]"),
        (f"it is {JWT}, keep it", "it is [key], keep it"),
        (f"Authorization: Bearer {LETTERS}", "Authorization: [key]"),
        (f"'authorization': 'Basic {LETTERS}='", "'[key]'"),
        (f"use bearer {LETTERS} here", "use [key] here"),
        ("password: hunter22!x", "[key]"),
        ("API_KEY='abc12345'", "[key]'"),
        ("postgres://bob:s3cret@host/db", "postgres[key]host/db"),
        (f"a {PEM}{PEM_END} b", "a [key] b"),
        (f"cut off {PEM}", "cut off [key]"),
        ("no surrogate \ud800 hides a@b.de", "no surrogate ? hides [e-mail]"),
    ],
)
def test_private_details_are_taken_out(text: str, shown: str) -> None:
    assert redacted(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "on 2026-11-23, 23.11.2026 or 01/02/2026 at 10:30:59",
        "from 192.168.100.1, version 1.2.3, for 1,234,567.89 EUR",
        "order 12345678 of 1000000 at 3.14159265358979 and 0.0012345678901",
        "123e4567-e89b-12d3-a456-426614174000",
        "4111 1111 1111 1112 and 0000 0000 0000 0000",
        "DE00370400440532013000",
        "risk-management-frameworks-2, task-sk-1, bearer responsibilities",
        "the password: at least eight characters; token: authentication",
        "@mentions, a@b, 5 @ 3 euros, AKIA, see https://host/a@b",
        "a lone surrogate \ud800 stays where nothing is found",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert redacted(text) == text


def test_one_detail_has_one_mark_in_all_texts_and_another_one_has_another() -> None:
    found = ALL.redact(
        ["mine is A@b.de, 030/1234567", "call 030 1234567, not 030/7654321", "or a@B.de, c@d.de"]
    )
    assert found.texts == (
        "mine is [e-mail], [phone]",
        "call [phone], not [phone 2]",
        "or [e-mail], [e-mail 2]",
    )
    assert found.counts == {"e-mail": 3, "phone": 3}


def test_patterns_of_ones_own_come_first_and_overlaps_are_covered_whole() -> None:
    own = [PatternPlan(name="customer", pattern=r"(?i)\bKD-\d{6}\b|jane")]
    redaction = make_redaction(PrivateShape, own)
    found = redaction.redact(["kd-123456 is jane.doe@example.com, KD-654321 is not"])
    assert found.texts == ("[customer] is [customer 2], [customer 3] is not",)
    assert found.counts == {"customer": 3}


def test_only_the_wanted_shapes_are_looked_for() -> None:
    text = "a@b.de, 030/1234567"
    assert make_redaction([PrivateShape.PHONE], []).redact([text]).texts == ("a@b.de, [phone]",)
    assert make_redaction([], []).redact([text]).texts == (text,)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(unclosed", "missing \\)"),
        ("(?<=x)y", "look-around"),
        (r"(a)\1", "back-references"),
        ("(((a{1,1000}){1,1000}){1,1000})", "repetition"),
        ("x*", "empty text"),
        (r"\b", "empty text"),
        ("x|$", "empty text"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused_in_a_sentence(pattern: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as refused:
        make_redaction([], [PatternPlan(name="own", pattern=pattern)])
    assert "\n" not in str(refused.value)


CATASTROPHIC = r"(a+)+$|(a|aa)+$|(.*a){20}c|([a-zA-Z]+)*@"
"""Each of these takes Python's own `re` longer than the age of the world on the text below."""

_IN_TIME = """
import json, sys
from evaluators.redaction import make_redaction
from tailwatch.privacy import PatternPlan, PrivateShape
pattern, text = json.load(sys.stdin)
found = make_redaction(PrivateShape, [PatternPlan(name="own", pattern=pattern)]).redact([text])
print(len(found.texts[0]))
"""


@pytest.mark.parametrize(
    "text",
    ["a" * 200_000 + "!", "1234 4111 " * 20_000, PEM * 2_000, "sk-" * 60_000, "a@b.de " * 30_000],
    ids=["a's", "numbers", "keys", "beginnings", "mails"],
)
def test_no_pattern_and_no_text_makes_it_run_for_ever(text: str) -> None:
    # In a process of its own: a search that runs away cannot be stopped from inside.
    done = subprocess.run(
        [sys.executable, "-c", _IN_TIME],
        input=json.dumps([CATASTROPHIC, text]),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert 0 < int(done.stdout) <= len(text)


def test_a_text_with_too_much_to_take_out_loses_its_whole_rest() -> None:
    found = ALL.redact(["x@y.de " * (MOST_FINDS + 5) + "and a name nobody looked for"])
    assert "name" not in found.texts[0]
    assert found.counts == {"e-mail": MOST_FINDS + 1}


PIECES = st.one_of(
    st.sampled_from(["jane@example.com", "+49 30 1234567", "4111111111111111", "é\U0001f600", " "]),
    st.text(max_size=8),
)


@given(pieces=st.lists(PIECES, max_size=8))
def test_what_was_taken_out_is_nowhere_and_the_rest_is_all_there(pieces: list[str]) -> None:
    text = " | ".join(pieces)
    (shown,) = ALL.redact([text]).texts
    assert "jane@example.com" not in shown
    assert "4111111111111111" not in shown or "4111111111111111" not in text
    # what is left stands in the text, in the same order
    rest = re.split(r"\[(?:key|card|iban|e-mail|phone)(?: \d+)?\]", shown)
    place = 0
    source = text.encode("utf-8", "replace").decode() if shown != text else text
    for part in rest:
        found = source.find(part, place)
        assert found >= 0
        place = found + len(part)


@given(number=st.integers(10**11, 10**17))
def test_exactly_one_check_digit_makes_a_card(number: int) -> None:
    right = [digit for digit in range(10) if is_card(f"{number}{digit}")]
    assert len(right) == (1 if len(f"{number}") >= 12 else 0)


@given(account=st.integers(0, 10**18 - 1))
def test_a_wrong_digit_breaks_an_iban(account: int) -> None:
    body = f"{account:018d}"
    check = 98 - int(f"{body}131400") % 97
    number = f"DE{check:02d}{body}"
    assert is_iban(number)
    other = "1" if number[-1] == "0" else "0"
    assert not is_iban(number[:-1] + other)
