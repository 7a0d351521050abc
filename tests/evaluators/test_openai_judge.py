import asyncio
import itertools
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from evaluators.clients.openai_judge import OpenAIJudge, make_judge
from tailwatch.errors import ConfigurationError
from tailwatch.outcome import Failed, FailureKind, Skipped, SkipReason
from tailwatch.plan import JudgePlan, PricePlan
from tailwatch.protocols import JudgeQuestion, Verdict
from tests.stub_endpoint import (
    Script,
    StubEndpoint,
    StubReply,
    StubRequest,
    completion,
    in_turn,
    refusal_to_serve,
    verdict,
)

PRICE = PricePlan(input_usd_per_million=1.0, output_usd_per_million=2.0)
KEY = "sk-very-secret-key"
MATERIAL = "the material nobody may log"


def question(material: str = MATERIAL) -> JudgeQuestion:
    return JudgeQuestion(instructions="Is it blue?", material=material, choices=("yes", "no"))


def judge_at(url: str, **plan: Any) -> OpenAIJudge:
    return make_judge(
        JudgePlan(model="stub", **({"price": PRICE} | plan)),
        url=url,
        api_key=KEY,
        model=None,
        first_wait_s=0.001,
    )


def ask(
    script: Script, questions: Sequence[JudgeQuestion] = (question(),), **plan: Any
) -> tuple[list[Verdict | Failed | Skipped], OpenAIJudge, StubEndpoint]:
    """The outcomes of all questions asked at once, with the judge and the endpoint afterwards."""

    async def run(url: str) -> tuple[list[Verdict | Failed | Skipped], OpenAIJudge]:
        judge = judge_at(url, **plan)
        try:
            return list(await asyncio.gather(*map(judge.ask, questions))), judge
        finally:
            await judge.close()

    with StubEndpoint(script) as endpoint:
        outcomes, judge = asyncio.run(run(endpoint.url))
    return outcomes, judge, endpoint


def test_one_request_brings_a_verdict_with_its_usage() -> None:
    (outcome,), judge, endpoint = ask(lambda _: verdict("no", "It is red.", usage=(1000, 500)))
    assert isinstance(outcome, Verdict)
    assert (outcome.choice, outcome.explanation) == ("no", "It is red.")
    assert outcome.usage.cost_usd == pytest.approx(0.002)
    assert (outcome.usage.input_tokens, outcome.usage.output_tokens) == (1000, 500)
    assert (outcome.usage.latency_ms or 0) > 0
    assert judge.spent_usd == pytest.approx(0.002)
    assert judge.calls == len(endpoint.requests) == 1
    (request,) = endpoint.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    schema = request.body["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert list(schema["schema"]["properties"]) == ["explanation", "choice"]
    assert schema["schema"]["properties"]["choice"]["enum"] == ["yes", "no"]
    assert request.body["temperature"] == 0
    assert request.body["max_completion_tokens"] == 400
    assert [message["role"] for message in request.body["messages"]] == ["system", "user"]
    assert request.body["messages"][1]["content"] == MATERIAL


TRIED_AGAIN, ASKED_ONCE = 3, 1
FAULTS: list[tuple[str, StubReply, FailureKind, int, bool]] = [
    (
        "400",
        refusal_to_serve(400, code="context_length_exceeded"),
        FailureKind.BAD_REQUEST,
        1,
        True,
    ),
    ("401", refusal_to_serve(401, f"bad key {KEY}"), FailureKind.AUTH, 1, True),
    ("403", refusal_to_serve(403), FailureKind.AUTH, 1, True),
    ("404", refusal_to_serve(404), FailureKind.BAD_REQUEST, 1, True),
    ("408", refusal_to_serve(408), FailureKind.TIMEOUT, 3, False),
    ("409", refusal_to_serve(409), FailureKind.UNAVAILABLE, 3, True),
    ("422 twice", refusal_to_serve(422, "no such model"), FailureKind.BAD_REQUEST, 2, True),
    (
        "moved",
        StubReply(status=307, headers={"location": "http://127.0.0.1:9/v1/chat/completions"}),
        FailureKind.BAD_REQUEST,
        1,
        True,
    ),
    ("413", refusal_to_serve(413), FailureKind.BAD_REQUEST, 1, True),
    ("429", refusal_to_serve(429), FailureKind.RATE_LIMITED, 3, True),
    (
        "429 for minutes",
        refusal_to_serve(429, headers={"retry-after": "180"}),
        FailureKind.RATE_LIMITED,
        1,
        True,
    ),
    (
        "429 until a date",
        refusal_to_serve(429, headers={"retry-after": "Thu, 01 Jan 2099 00:00:00 GMT"}),
        FailureKind.RATE_LIMITED,
        1,
        True,
    ),
    (
        "429 no credit",
        refusal_to_serve(429, code="insufficient_quota"),
        FailureKind.RATE_LIMITED,
        1,
        True,
    ),
    ("500", refusal_to_serve(500), FailureKind.UNAVAILABLE, 3, True),
    ("504", refusal_to_serve(504), FailureKind.TIMEOUT, 3, False),
    ("529", refusal_to_serve(529), FailureKind.UNAVAILABLE, 3, True),
    ("error in HTML", StubReply(status=503, body=b"<html>"), FailureKind.UNAVAILABLE, 3, True),
    ("hangs up", StubReply(hang_up=True), FailureKind.UNAVAILABLE, 3, False),
    ("slow", verdict("yes", delay_s=0.6), FailureKind.TIMEOUT, 3, False),
    ("drips", replace(verdict("yes"), drip_s=0.02), FailureKind.TIMEOUT, 3, False),
    (
        "breaks off",
        replace(verdict("yes"), headers={"content-length": "10000"}),
        FailureKind.TIMEOUT,
        3,
        False,
    ),
    ("HTML", StubReply(body=b"<html>hello</html>"), FailureKind.BAD_OUTPUT, 3, False),
    ("broken JSON", StubReply(body=b'{"choices": ['), FailureKind.BAD_OUTPUT, 3, False),
    ("no choices", StubReply(body=b'{"object": "list"}'), FailureKind.BAD_OUTPUT, 3, False),
    ("empty choices", StubReply(body=b'{"choices": []}'), FailureKind.BAD_OUTPUT, 3, False),
    ("prose", completion("I would say yes."), FailureKind.BAD_OUTPUT, 3, False),
    ("fenced", completion('```json\n{"choice": "yes"}\n```'), FailureKind.BAD_OUTPUT, 3, False),
    ("wrong choice", verdict("perhaps"), FailureKind.BAD_OUTPUT, 3, False),
    ("number", completion('{"choice": 1}'), FailureKind.BAD_OUTPUT, 3, False),
    ("empty", completion(""), FailureKind.BAD_OUTPUT, 3, False),
    ("null", completion(None), FailureKind.BAD_OUTPUT, 3, False),
    ("refusal", completion(None, refusal="I can't"), FailureKind.REFUSED, 1, False),
    ("length", completion('{"expl', finish_reason="length"), FailureKind.TRUNCATED, 1, False),
    (
        "filter",
        completion("", finish_reason="content_filter"),
        FailureKind.CONTENT_FILTERED,
        1,
        False,
    ),
    (
        "filter 400",
        refusal_to_serve(400, code="content_filter"),
        FailureKind.CONTENT_FILTERED,
        1,
        True,
    ),
]


@pytest.mark.parametrize(
    ("reply", "kind", "requests", "free"),
    [fault[1:] for fault in FAULTS],
    ids=[fault[0] for fault in FAULTS],
)
def test_each_fault_is_a_typed_failure_and_never_a_verdict(
    reply: StubReply, kind: FailureKind, requests: int, free: bool
) -> None:
    (outcome,), judge, endpoint = ask(lambda _: reply, timeout=timedelta(seconds=0.3))
    assert isinstance(outcome, Failed)
    assert outcome.error_type == kind
    assert len(endpoint.requests) == judge.calls == requests
    assert KEY not in outcome.message
    assert MATERIAL not in outcome.message
    assert (judge.spent_usd == 0) is free
    assert (outcome.usage.cost_usd or 0.0) == pytest.approx(judge.spent_usd)


@pytest.mark.parametrize(
    "first",
    [
        refusal_to_serve(429, headers={"retry-after": "0"}),
        refusal_to_serve(500),
        StubReply(body=b"<html>"),
        completion("not json"),
    ],
    ids=["429", "500", "html", "prose"],
)
def test_a_passing_fault_is_tried_again(first: StubReply) -> None:
    (outcome,), judge, endpoint = ask(in_turn([first, verdict("yes")]))
    assert isinstance(outcome, Verdict)
    assert len(endpoint.requests) == 2
    assert outcome.usage.cost_usd == pytest.approx(judge.spent_usd)


@pytest.mark.parametrize("usage", [(-5, 1), (100, None), (None, None), ("many", 1), None])
def test_usage_that_is_not_fully_told_is_unknown_and_not_paid_for_twice(usage: Any) -> None:
    (outcome,), judge, endpoint = ask(lambda _: verdict("yes", usage=usage))
    assert isinstance(outcome, Verdict)
    assert len(endpoint.requests) == 1
    assert outcome.usage.input_tokens is None
    assert outcome.usage.cost_usd == judge.spent_usd > 0.0008


def test_everyone_stays_away_when_one_is_told_to() -> None:
    arrived: list[float] = []

    def script(_: StubRequest) -> StubReply:
        arrived.append(time.monotonic())
        if len(arrived) == 1:
            return refusal_to_serve(429, headers={"retry-after-ms": "300", "retry-after": "60"})
        return verdict("yes", delay_s=0.05)

    outcomes, _, _ = ask(script, [question(str(i)) for i in range(12)], concurrency=2)
    assert all(isinstance(outcome, Verdict) for outcome in outcomes)
    assert len(arrived) == 13
    early = [at for at in arrived if at < arrived[0] + 0.3]
    assert len(early) <= 3  # the other place's call, and one that began as the refusal came


def test_when_it_is_away_for_long_nobody_waits_or_asks() -> None:
    script = in_turn([refusal_to_serve(429, headers={"retry-after": "3600"}), verdict("yes")])
    outcomes, judge, endpoint = ask(script, [question(str(i)) for i in range(9)], concurrency=1)
    kinds = {(o.error_type, o.retryable) for o in outcomes if isinstance(o, Failed)}
    assert kinds == {(FailureKind.RATE_LIMITED, True)}
    assert len(outcomes) == 9
    assert len(endpoint.requests) == 1
    assert judge.spent_usd == 0


def test_no_more_calls_a_minute_are_made_than_the_plan_says() -> None:
    arrived: list[float] = []

    def script(_: StubRequest) -> StubReply:
        arrived.append(time.monotonic())
        return verdict("yes")

    ask(script, [question(str(i)) for i in range(5)], requests_per_minute=600)
    gaps = [late - early for early, late in itertools.pairwise(arrived)]
    assert len(gaps) == 4
    assert sum(gaps) >= 0.35


def test_an_endpoint_that_nobody_answers_at_is_unavailable_and_costs_nothing() -> None:
    with StubEndpoint(lambda _: verdict("yes")) as gone:
        url = gone.url

    async def run() -> tuple[Verdict | Failed | Skipped, float]:
        judge = judge_at(url)
        try:
            return await judge.ask(question()), judge.spent_usd
        finally:
            await judge.close()

    outcome, spent = asyncio.run(run())
    assert isinstance(outcome, Failed)
    assert (outcome.error_type, outcome.retryable) == (FailureKind.UNAVAILABLE, True)
    assert spent == 0


def picky(request: StubRequest) -> StubReply:
    """Like an older server: no structured output, no new limit name, no choice of temperature."""
    if "max_completion_tokens" in request.body:
        return refusal_to_serve(400, "unknown field", param="max_completion_tokens")
    if "temperature" in request.body:
        return refusal_to_serve(400, "Only the default temperature is supported")
    if request.body["response_format"]["type"] != "json_object":
        return refusal_to_serve(422, "response_format must be json_object")
    return verdict("YES ")


def test_fields_an_endpoint_refuses_are_left_out_and_that_is_remembered() -> None:
    async def run(url: str) -> list[Verdict | Failed | Skipped]:
        judge = judge_at(url)
        try:
            return [await judge.ask(question()), await judge.ask(question())]
        finally:
            await judge.close()

    with StubEndpoint(picky) as endpoint:
        outcomes = asyncio.run(run(endpoint.url))
    assert [o.choice for o in outcomes if isinstance(o, Verdict)] == ["yes", "yes"]
    assert len(endpoint.requests) == 4 + 1
    last = endpoint.requests[-1].body
    assert last["max_tokens"] == 400
    assert "temperature" not in last
    assert "JSON object" in last["messages"][0]["content"]


def test_a_400_that_names_nothing_is_put_down_to_structured_output_only_until_it_has_worked() -> (
    None
):
    def wants_json_object(request: StubRequest) -> StubReply:
        plain = request.body["response_format"]["type"] == "json_object"
        return verdict("yes") if plain else refusal_to_serve(400, "bad request")

    (outcome,), _, endpoint = ask(wants_json_object)
    assert isinstance(outcome, Verdict)
    assert len(endpoint.requests) == 2

    script = in_turn([verdict("yes"), refusal_to_serve(400, "bad request")])
    first, second = ask(script, [question(), question("other")], concurrency=1)[0]
    assert isinstance(first, Verdict)
    assert isinstance(second, Failed)
    assert second.error_type == FailureKind.BAD_REQUEST


@pytest.mark.parametrize("concurrency", [1, 5])
def test_no_more_questions_are_open_than_allowed(concurrency: int) -> None:
    outcomes, _, endpoint = ask(
        lambda _: verdict("yes", delay_s=0.02),
        [question(str(i)) for i in range(20)],
        concurrency=concurrency,
    )
    assert all(isinstance(outcome, Verdict) for outcome in outcomes)
    assert endpoint.max_in_flight == concurrency


def test_the_cap_stops_the_run_and_is_used_as_far_as_the_worst_case_allows() -> None:
    cap = 0.01
    outcomes, judge, endpoint = ask(
        lambda _: verdict("yes", usage=(400, 100), delay_s=0.002),
        [question(str(i)) for i in range(60)],
        max_cost_usd=cap,
    )
    scored = [outcome for outcome in outcomes if isinstance(outcome, Verdict)]
    skipped = [outcome for outcome in outcomes if isinstance(outcome, Skipped)]
    assert len(scored) + len(skipped) == 60
    assert {outcome.reason for outcome in skipped} == {SkipReason.OVER_BUDGET}
    assert {outcome.detail for outcome in skipped} == {
        "judge.max_cost_usd (0.01 USD for a run) does not cover another call"
    }
    assert judge.spent_usd == pytest.approx(sum(o.usage.cost_usd or 0 for o in scored))
    worst = 0.0018
    assert cap - worst < judge.spent_usd <= cap
    assert len(endpoint.requests) == len(scored)


def test_a_call_that_was_cancelled_is_booked_at_its_worst_case() -> None:
    async def run(url: str) -> tuple[float, bool]:
        judge = judge_at(url)
        try:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(judge.ask(question()), 0.1)
            rest = judge.ledger.caps.run_usd - judge.spent_usd
            left = await judge.ledger.reserve(
                question(), "stub", worst_case_usd=rest, longest=timedelta(0)
            )
            return judge.spent_usd, left is not None
        finally:
            await judge.close()

    with StubEndpoint(lambda _: verdict("yes", delay_s=0.5)) as endpoint:
        spent, nothing_left_reserved = asyncio.run(run(endpoint.url))
    assert spent > 0.0008  # 400 output tokens at 2 USD a million, and the prompt
    assert nothing_left_reserved


def test_a_free_endpoint_without_reported_usage_costs_nothing() -> None:
    (outcome,), judge, _ = ask(lambda _: verdict("yes", usage=None), price=None)
    assert isinstance(outcome, Verdict)
    assert judge.spent_usd == 0
    assert outcome.usage.input_tokens is None


def test_neither_the_material_nor_the_key_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        ask(in_turn([refusal_to_serve(500, MATERIAL), verdict("yes", MATERIAL)]))
    assert caplog.records
    assert MATERIAL not in caplog.text
    assert KEY not in caplog.text


def test_a_lone_surrogate_can_be_asked_about() -> None:
    (outcome,), _, endpoint = ask(lambda _: verdict("no"), [question("a \ud83d b")])
    assert isinstance(outcome, Verdict)
    assert endpoint.requests[0].body["messages"][1]["content"] == "a ? b"


@pytest.mark.parametrize(
    ("url", "key", "said"),
    [
        (None, None, "OPENAI_API_KEY"),
        ("localhost:8080", None, "http://"),
        ("http://me:secret@[::1", "k", "not a URL"),
        (None, "sk-\u201dabc", "copy it again"),
        (None, "sk-x", "judge.price"),
    ],
)
def test_what_cannot_work_is_said_before_the_first_call(
    url: str | None, key: str | None, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        make_judge(JudgePlan(model="unheard-of"), url=url, api_key=key, model=None)
    assert "abc" not in str(caught.value)


def test_the_settings_model_wins_and_the_worst_case_follows_the_price() -> None:
    judge = make_judge(JudgePlan(model="unheard-of"), url=None, api_key=KEY, model="gpt-4o-mini")
    assert judge.model == "gpt-4o-mini"
    assert judge.worst_case_usd == pytest.approx((28_000 * 0.15 + 400 * 0.6) / 1e6)
    assert judge.ledger.caps.run_usd == 1.0
    asyncio.run(judge.close())
