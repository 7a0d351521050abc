"""Which traces no judge sees, and that both kinds of rubric keep to it."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from evaluators.index import build_evaluator, packaged_rubrics
from evaluators.privacy import make_privacy
from tailwatch.outcome import NO_USAGE, Score, Skipped, SkipReason
from tailwatch.plan import EvaluatorPlan
from tailwatch.privacy import PrivacyPlan
from tailwatch.protocols import EvaluatorTools, JudgeQuestion, Verdict
from tests.builders import make_document, make_trace


class NotingJudge:
    """Takes the first choice and keeps what it was shown."""

    model = "noting"

    def __init__(self) -> None:
        self.shown: list[str] = []

    async def ask(self, question: JudgeQuestion) -> Verdict:
        self.shown.append(question.material)
        return Verdict(choice=question.choices[0], explanation="", usage=NO_USAGE)

    async def close(self) -> None:
        """Nothing is open."""


def withheld(entry: Mapping[str, Any], **trace: Any) -> bool:
    plan = PrivacyPlan.model_validate({"never_send": [entry]})
    return make_privacy(plan).withholds(make_trace(**trace))


@pytest.mark.parametrize(
    ("entry", "held_back"),
    [
        ({"feature": "search"}, True),
        ({"feature": "Search"}, True),
        ({"feature": "chat"}, False),
        ({"feature": ["chat", "search"]}, True),
        ({"tag": "pii"}, True),
        ({"tag": ["a", "b"]}, False),
        ({"metadata.consent": False}, True),
        ({"metadata.consent": True}, False),
        ({"metadata.level": 3}, True),
        ({"metadata.groups": "hr"}, True),
        ({"metadata.unknown": "x"}, False),
        ({"user_id": "u1", "environment": "production"}, True),
        ({"user_id": "u1", "environment": "staging"}, False),
        ({"release": "none"}, False),
    ],
)
def test_a_trace_is_held_back_by_all_fields_of_an_entry(
    entry: Mapping[str, Any], held_back: bool
) -> None:
    metadata = {"consent": False, "level": 3, "groups": ["hr", "it"]}
    found = withheld(entry, tags=("PII", "vip"), user_id="u1", metadata=metadata)
    assert found is held_back


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        ({"never_send": [{"fature": "x"}]}, "is no field to hold traces back by"),
        ({"never_send": [{}]}, "at least 1"),
        ({"never_send": [{"tag": []}]}, "at least 1"),
        ({"redact": [{"name": "Bad name]", "pattern": "x"}]}, "match pattern"),
        ({"redact": [{"name": "x", "pattern": ""}]}, "at least 1"),
        ({"shapes": ["email"]}, "'e-mail'"),
    ],
)
def test_a_plan_that_would_protect_nothing_is_refused(plan: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        PrivacyPlan.model_validate(plan)


@pytest.mark.parametrize("rubric", sorted(packaged_rubrics()))
def test_no_rubric_shows_a_withheld_trace_or_a_private_detail(rubric: str) -> None:
    judge = NotingJudge()
    plan = PrivacyPlan.model_validate(
        {"never_send": [{"tag": "secret"}], "redact": [{"name": "customer", "pattern": r"KD-\d+"}]}
    )
    tools = EvaluatorTools(judge=judge, privacy=make_privacy(plan))
    evaluator = build_evaluator(EvaluatorPlan(use=rubric), tools)
    private = "KD-123, jane@example.com"
    documents = (make_document(text=f"of {private}"), make_document(rank=1, text="nothing"))
    texts = {name: f"{name} of {private}" for name in ("input", "output", "reference")}
    open_one = make_trace(documents=documents, **texts)
    held = make_trace(trace_id="held", tags=("secret",), documents=documents, **texts)

    shown, not_shown = asyncio.run(evaluator.evaluate([open_one, held]))

    assert not_shown == Skipped(reason=SkipReason.NEVER_SEND)
    assert isinstance(shown, Score)
    everything = "\n".join(judge.shown)
    assert "KD-123" not in everything
    assert "jane" not in everything
    assert "[customer], [e-mail]" in everything
    assert shown.details["redacted"] == everything.count("[customer], [e-mail]") * 2


def test_private_details_are_found_before_a_long_text_is_cut() -> None:
    judge = NotingJudge()
    address = "a" * 40 + "@example.com"
    tools = EvaluatorTools(
        judge=judge, privacy=make_privacy(PrivacyPlan()), max_material_chars=1000
    )
    evaluator = build_evaluator(EvaluatorPlan(use="answer_relevance"), tools)
    for before in range(440, 520, 7):
        text = "x " * (before // 2) + address + " y" * 2000
        asyncio.run(evaluator.evaluate([make_trace(output=text)]))
    assert judge.shown
    assert not any("aaaa" in shown or "example" in shown for shown in judge.shown)
