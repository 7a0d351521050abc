"""Keys of questions: what was paid for is found again under them, whatever the version."""

import pytest

from tailwatch.judge_calls import question_key
from tailwatch.protocols import JudgeQuestion

PLAIN = JudgeQuestion(instructions="i", material="mä\ud800", choices=("a", "b"))
WHOLE = JudgeQuestion(
    instructions="ü",
    material="",
    choices=(),
    max_output_tokens=9,
    rubric="r",
    version="2",
    sample=3,
    temperature=0.5,
    criteria=(("x", ("y", "z")),),
    weighed=True,
)


@pytest.mark.parametrize(
    ("question", "key"),
    [
        (PLAIN, "0089250a866f667462ebd5bc5cdccb49"),
        (WHOLE, "5e3f32d3dcaf64725e1e8f91f31e3787"),
    ],
)
def test_keys_are_what_they_were(question: JudgeQuestion, key: str) -> None:
    assert question_key("small", question) == key
    assert question_key("small", question) == key
