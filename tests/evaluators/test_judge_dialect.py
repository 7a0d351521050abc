"""How a question becomes the bytes of a request."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from evaluators.clients.judge_dialect import Dialect, encoded
from tailwatch.protocols import JudgeQuestion

TEXTS = st.text(max_size=20) | st.sampled_from(["\ud800", '"}], "x": [{"', "a\0b", "ä\n\t\\"])
FLAGS = st.booleans()


@given(
    question=st.builds(
        JudgeQuestion,
        instructions=TEXTS,
        material=TEXTS,
        choices=st.sampled_from([(), ("yes", "no"), ("ä", '"')]),
        max_output_tokens=st.integers(1, 999),
        temperature=st.sampled_from([0.0, 0.5]),
        criteria=st.sampled_from([(), (("x", ("y", "z")),)]),
        weighed=FLAGS,
    ),
    dialect=st.builds(
        Dialect, json_schema=FLAGS, new_limit_name=FLAGS, temperature=FLAGS, logprobs=FLAGS
    ),
    other=TEXTS,
)
def test_a_request_is_its_encoded_body_whatever_was_asked_before(
    question: JudgeQuestion, dialect: Dialect, other: str
) -> None:
    for each in (replace(question, material=other), question):
        assert dialect.request("mö", each) == encoded(dialect.body("mö", each))
