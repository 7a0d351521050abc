"""Expected scores, several criteria in one call, and repeats: each is a series of its own."""

import asyncio
import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from evaluators.clients.choice_weights import choice_weights
from evaluators.clients.openai_judge import make_judge
from evaluators.clients.remembered import RememberingJudge
from evaluators.index import packaged_rubrics
from evaluators.rubric import rubric_evaluator
from tailwatch.errors import ConfigurationError
from tailwatch.outcome import Failed, FailureKind, Outcome, Score
from tailwatch.plan import JudgePlan, PricePlan
from tailwatch.protocols import EvaluatorTools
from tailwatch.trace import Trace
from tests.builders import make_trace
from tests.stub_endpoint import (
    StubEndpoint,
    StubReply,
    StubRequest,
    completion,
    in_turn,
    refusal_to_serve,
    verdict,
)

FAITHFULNESS = packaged_rubrics()["faithfulness"]
PRICE = PricePlan(input_usd_per_million=1.0, output_usd_per_million=1.0)
SHEET: Mapping[str, Any] = {
    "name": "manners",
    "version": "2",
    "description": "How an answer treats its reader.",
    "needs": ["input", "output"],
    "instructions": "You read an answer as its reader would.",
    "criteria": [
        {
            "name": "tone",
            "question": "Is it polite?",
            "choices": [
                {"label": "polite", "score": 1, "description": "it is"},
                {"label": "rude", "score": 0, "description": "it is not"},
            ],
        },
        {
            "name": "length",
            "question": "Is it too long?",
            "direction": "lower_is_better",
            "choices": [
                {"label": "short", "score": 0, "description": "no word too many"},
                {"label": "long", "score": 1, "description": "half would do"},
            ],
        },
    ],
}


def sheet_file(folder: Path, **overrides: Any) -> Path:
    path = folder / "manners.yaml"
    path.write_text(yaml.safe_dump({**SHEET, **overrides}))
    return path


def evaluate(
    path: Path,
    options: Sequence[Mapping[str, Any]],
    script: Callable[[StubRequest], StubReply],
    traces: Sequence[Trace] = (make_trace(),),
) -> tuple[list[Sequence[Outcome]], StubEndpoint]:
    """What an evaluator for each of the options says, all at once, with one judge among them."""

    async def run(url: str) -> list[Sequence[Outcome]]:
        judge = make_judge(
            plan := JudgePlan(model="stub", price=PRICE),
            url=url,
            api_key=None,
            model=None,
            first_wait_s=0.001,
        )
        tools = EvaluatorTools(judge=RememberingJudge(judge, judge.ledger, plan.reuse))
        evaluators = [rubric_evaluator(path, each, tools) for each in options]
        try:
            return list(await asyncio.gather(*(e.evaluate(traces) for e in evaluators)))
        finally:
            await judge.close()

    with StubEndpoint(script) as endpoint:
        return asyncio.run(run(endpoint.url)), endpoint


def spoken(choice: str, *tokens: tuple[str, Mapping[str, float]]) -> StubReply:
    """An answer with its tokens, each with the log probabilities of its alternatives."""
    reply = json.loads(verdict(choice).body)
    reply["choices"][0]["logprobs"] = {"content": tokens_of(*tokens)}
    return StubReply(body=json.dumps(reply).encode())


def tokens_of(*tokens: tuple[str, Mapping[str, float]]) -> list[dict[str, Any]]:
    return [
        {
            "token": token,
            "logprob": alternatives.get(token, 0.0),
            "top_logprobs": [{"token": t, "logprob": p} for t, p in alternatives.items()],
        }
        for token, alternatives in tokens
    ]


SURE, HALF = math.log(0.5), math.log(0.25)
ALTERNATIVES = {"A": SURE, "B": HALF, "Z": -3.0, "AB": -3.0}
HEAD: tuple[str, Mapping[str, float]] = ('{"explanation": "so", "choice": ', {})


def test_the_expected_score_weighs_the_choices_by_their_probabilities() -> None:
    reply = spoken("A", HEAD, ('"', {}), ("A", ALTERNATIVES), ('"}', {}))
    ((outcome,),), endpoint = evaluate(FAITHFULNESS, [{"scoring": "expected"}], lambda _: reply)
    assert isinstance(outcome, Score)
    assert outcome.value == pytest.approx((0.5 * 1.0 + 0.25 * 0.7) / 0.75)
    assert outcome.label == "supported"
    assert outcome.details["scoring"] == "expected"
    assert outcome.details["weights"]["minor_additions"] == pytest.approx(1 / 3, abs=1e-4)
    body = endpoint.requests[0].body
    assert (body["logprobs"], body["top_logprobs"]) == (True, 20)
    schema = body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["choice"]["enum"] == ["A", "B", "C", "D"]
    assert "- B: minor_additions: " in body["messages"][0]["content"]


def refuses_logprobs(request: StubRequest) -> StubReply:
    if "logprobs" in request.body:
        return refusal_to_serve(400, "logprobs is not supported with this model")
    return verdict("B")


@pytest.mark.parametrize("script", [lambda _: verdict("B"), refuses_logprobs])
def test_without_probabilities_the_score_is_that_of_the_choice_and_says_so(
    script: Callable[[StubRequest], StubReply],
) -> None:
    ((outcome,),), _ = evaluate(FAITHFULNESS, [{"scoring": "expected"}], script)
    assert isinstance(outcome, Score)
    assert (outcome.value, outcome.label) == (0.7, "minor_additions")
    assert outcome.details == {
        "scoring": "choice",
        "because": "the endpoint told no probabilities",
    }


@pytest.mark.parametrize(
    ("tokens", "weights"),
    [
        ([HEAD, ('"A', {'"A': SURE, '"B': SURE, "B": 0.0}), ('"}', {})], {"A": 0.5, "B": 0.5}),
        ([HEAD, ('"a"}', {'"a"}': SURE, '"B",': HALF})], {"A": 2 / 3, "B": 1 / 3}),
        ([HEAD, ('"', {}), ("A", {"A": -900.0, "B": -901.0})], None),
        ([HEAD, ('"', {}), ("A", {"C": 0.0})], None),
        ([HEAD, ('"', {}), ("A", {})], None),
        ([HEAD, ('"', {})], None),
        ([("no JSON", {"A": 0.0})], None),
        ([], None),
    ],
)
def test_the_token_that_chose_is_found_however_it_is_cut(
    tokens: Any, weights: Mapping[str, float] | None
) -> None:
    found = choice_weights({"content": tokens_of(*tokens)}, ["A", "B"])
    assert found == (None if weights is None else pytest.approx(weights))


@pytest.mark.parametrize(
    "logprobs", [None, "yes", {}, {"content": None}, {"content": [1]}, {"content": [{"token": 1}]}]
)
def test_other_forms_of_probabilities_are_none(logprobs: object) -> None:
    assert choice_weights(logprobs, ["A", "B"]) is None


@given(st.lists(st.floats(-30, 0), min_size=2, max_size=2))
def test_weights_are_a_distribution(logprobs: list[float]) -> None:
    alternatives = dict(zip("AB", logprobs, strict=True))
    weights = choice_weights({"content": tokens_of(HEAD, ('"', {}), ("A", alternatives))}, "AB")
    assert weights is not None
    assert sum(weights.values()) == pytest.approx(1)
    assert all(0 <= weight <= 1 for weight in weights.values())


def manners(tone: str, length: str) -> StubReply:
    answers = {"tone": tone, "length": length}
    content = {name: {"explanation": f"why {c}", "choice": c} for name, c in answers.items()}
    return completion(json.dumps(content))


BOTH = [{"criterion": "tone"}, {"criterion": "length"}]


def test_all_criteria_are_asked_in_one_call_and_scored_apart(tmp_path: Path) -> None:
    traces = [make_trace(trace_id=str(i), input=f"question {i}") for i in range(3)]
    (tones, lengths), endpoint = evaluate(
        sheet_file(tmp_path), BOTH, lambda _: manners("RUDE", "long"), traces
    )
    for outcomes, value, label in ((tones, 0.0, "rude"), (lengths, 1.0, "long")):
        for outcome in outcomes:
            assert isinstance(outcome, Score)
            assert (outcome.value, outcome.label) == (value, label)
            assert outcome.explanation in ("why RUDE", "why long")
    assert len(endpoint.requests) == 3
    scores = [each for each in (*tones, *lengths) if isinstance(each, Score)]
    assert sum(score.usage.cost_usd or 0 for score in scores) == pytest.approx(3 * 120e-6)
    schema = endpoint.requests[0].body["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == schema["required"] == ["tone", "length"]
    assert endpoint.requests[0].body["max_completion_tokens"] == 500


@pytest.mark.parametrize(
    "reply",
    [
        completion(json.dumps({"tone": {"choice": "polite"}})),
        manners("polite", "middling"),
        completion("polite and short"),
        completion('["polite", "short"]'),
    ],
)
def test_an_answer_that_lacks_a_criterion_is_none(tmp_path: Path, reply: StubReply) -> None:
    outcomes, _ = evaluate(sheet_file(tmp_path), BOTH, lambda _: reply)
    for outcome in itertools.chain(*outcomes):
        assert isinstance(outcome, Failed)
        assert outcome.error_type == FailureKind.BAD_OUTPUT


def test_each_criterion_is_a_series_of_its_own_with_its_direction(tmp_path: Path) -> None:
    path = sheet_file(tmp_path)
    tone, length = (rubric_evaluator(path, each, EvaluatorTools()) for each in BOTH)
    assert (tone.name, length.name) == ("manners_tone", "manners_length")
    assert tone.version == length.version == "2"
    assert (tone.direction.value, length.direction.value) == ("higher_is_better", "lower_is_better")


@pytest.mark.parametrize(
    ("overrides", "options", "said"),
    [
        ({}, {}, "has the criteria tone, length"),
        ({}, {"criterion": "taste"}, "known: length, tone"),
        ({}, {"criterion": "tone", "scoring": "expected"}, "scoring"),
        ({"criteria": []}, {"criterion": "tone"}, "criteria"),
        ({"criteria": [SHEET["criteria"][0]] * 2}, {"criterion": "tone"}, "the same name"),
        (
            {"criteria": [{**SHEET["criteria"][0], "choices": []}]},
            {"criterion": "tone"},
            "criteria.0.choices",
        ),
        ({"choices": []}, {"criterion": "tone"}, "choices: Extra inputs"),
    ],
)
def test_a_wrong_sheet_or_option_is_explained(
    tmp_path: Path, overrides: dict[str, Any], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        rubric_evaluator(sheet_file(tmp_path, **overrides), options, EvaluatorTools())


def test_repeats_are_asked_apart_and_keep_their_spread() -> None:
    labels = ["supported", "contradicted_or_invented", "supported"]
    script = in_turn([verdict(label, f"because {label}") for label in labels])
    ((outcome,),), endpoint = evaluate(FAITHFULNESS, [{"samples": 3}], script)
    assert isinstance(outcome, Score)
    assert outcome.value == pytest.approx(2 / 3)
    assert sorted(outcome.details["values"]) == [0.0, 1.0, 1.0]
    assert outcome.details["spread"] == pytest.approx(0.57735, abs=1e-5)
    assert (outcome.label, outcome.explanation) == ("supported", "because supported")
    assert len(endpoint.requests) == 3
    assert outcome.usage.input_tokens == 300


def test_one_opinion_that_failed_leaves_no_score_but_the_cost_of_all() -> None:
    script = in_turn([verdict("supported"), verdict("supported"), refusal_to_serve(401)])
    ((outcome,),), _ = evaluate(FAITHFULNESS, [{"samples": 3}], script)
    assert isinstance(outcome, Failed)
    assert outcome.error_type == FailureKind.AUTH
    assert outcome.usage.input_tokens == 200


@pytest.mark.parametrize(
    ("options", "version"),
    [
        ({}, "1"),
        ({"samples": 1, "scoring": "choice"}, "1"),
        ({"samples": 3}, "1-samples3"),
        ({"scoring": "expected"}, "1-expected"),
        ({"scoring": "expected", "samples": 5}, "1-expected-samples5"),
    ],
)
def test_another_measurement_is_another_version(options: dict[str, Any], version: str) -> None:
    assert rubric_evaluator(FAITHFULNESS, options, EvaluatorTools()).version == version


def test_the_temperature_is_the_rubrics(tmp_path: Path) -> None:
    path = tmp_path / "warm.yaml"
    rubric = yaml.safe_load(FAITHFULNESS.read_text())
    path.write_text(yaml.safe_dump({**rubric, "temperature": 0.7}))
    _, endpoint = evaluate(path, [{}], lambda _: verdict("supported"))
    assert endpoint.requests[0].body["temperature"] == 0.7
