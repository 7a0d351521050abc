"""One turn as one trace: its spans with their times, tokens and money, and what the user said."""

from collections.abc import Sequence
from random import Random

from benchmarks.demo_traces.clock import Clock, Json
from benchmarks.demo_traces.models import MODELS, tokens
from benchmarks.demo_traces.tools import call_tools
from benchmarks.demo_traces.turns import READ, Turn
from benchmarks.demo_traces.wording import COMPLAINTS

_SYSTEM_PROMPT_TOKENS = 320
_AGENT_SHARE = 0.6
_TIMEOUT_MS = 30_000.0
_TOTALS = ("input_tokens", "output_tokens", "cost_usd")


def trace_json(rng: Random, turn: Turn) -> Json:
    """The trace in tailwatch's own format, without `source`; what is unknown is left out."""
    clock = Clock(turn.start)
    agent = turn.session.feature == "troubleshooting" and rng.random() < _AGENT_SHARE
    steps, error_type = _steps(rng, clock, turn, agent)
    answered = error_type is None
    name = "troubleshoot" if agent else "answer_question"
    ending = {"status": "ok"} if answered else {"status": "error", "error_type": error_type}
    root = {"span_id": "0", "kind": "agent" if agent else "chain", "name": name} | clock.whole()
    trace: Json = {
        "trace_id": f"{rng.getrandbits(64):016x}" * (2 if rng.random() < 0.02 else 1),
        **clock.whole(),
        "root_span_id": "0",
        "name": name,
        "latency_ms": clock.elapsed_ms,
        **ending,
        "conversation_id": turn.session.conversation_id,
        "user_id": f"u{turn.session.user:03d}",
        "feature": turn.session.feature,
        "environment": turn.session.environment,
        "model": turn.session.model,
        "provider": "marten",
        "prompt_name": "docs-answer",
        "prompt_version": turn.session.prompt_version,
        **_totals(steps),
        "cost_basis": "price_table",
        "input": turn.asked,
    }
    if answered:
        trace["output"] = turn.answer
        trace["ttft_ms"] = steps[-1]["ttft_ms"]
        trace["feedback"] = _feedback(rng, clock, turn)
    trace["reference"] = turn.question.reference
    _lose_values(rng, trace)
    trace["spans"] = [root | ending, *steps]
    return {key: value for key, value in trace.items() if value not in (None, [])}


def _steps(rng: Random, clock: Clock, turn: Turn, agent: bool) -> tuple[list[Json], str | None]:
    """The spans below the root in order, and the type of the error that ended them, if any."""
    steps: list[Json] = []
    if agent:
        steps.append(_llm(rng, clock, turn, "plan", 110, rng.randint(6, 14), None) | _id(1))
        calls, gave_up = call_tools(rng, clock, first_span=2)
        steps += calls
        if gave_up:
            return steps, "tool_error"
    steps.append(_retriever(rng, clock, turn) | _id(len(steps) + 1))
    read = sum(tokens(passage.text) for passage, _ in turn.ranking[:READ])
    prompt = _SYSTEM_PROMPT_TOKENS + tokens(turn.asked) + read
    written = tokens(turn.answer) if turn.answer else 0
    answer = _llm(rng, clock, turn, "write_answer", prompt, written, turn.error_type)
    steps.append(answer | _id(len(steps) + 1))
    return steps, turn.error_type


def _id(number: int) -> Json:
    return {"span_id": str(number), "parent_id": "0"}


def _retriever(rng: Random, clock: Clock, turn: Turn) -> Json:
    documents = [
        {"id": passage.id, "rank": rank, "score": score}
        | ({"text": passage.text} if rank < READ else {})
        for rank, (passage, score) in enumerate(turn.ranking)
    ]
    return {
        "kind": "retriever",
        "name": "search_docs",
        **clock.spend(rng.lognormvariate(4.1, 0.35)),
        "status": "ok",
        "query": turn.question.query,
        "documents": documents,
    }


def _llm(
    rng: Random,
    clock: Clock,
    turn: Turn,
    name: str,
    input_tokens: int,
    output_tokens: int,
    error_type: str | None,
) -> Json:
    model = MODELS[turn.session.model]
    span: Json = {"kind": "llm", "name": name, "response_model": turn.session.model}
    if error_type is not None:
        took = _TIMEOUT_MS if error_type == "timeout" else rng.uniform(90, 400)
        return span | clock.spend(took) | {"status": "error", "error_type": error_type}
    ttft = round(model.first_token_ms * rng.lognormvariate(0, 0.3))
    took = ttft + output_tokens * model.token_ms * rng.lognormvariate(0, 0.2)
    return (
        span
        | clock.spend(took)
        | {
            "status": "ok",
            "ttft_ms": ttft,
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "cost_usd": model.cost_usd(input_tokens, output_tokens),
        }
    )


def _totals(steps: Sequence[Json]) -> Json:
    """The sums over the model calls; None where no call was billed."""
    billed = [step for step in steps if "cost_usd" in step]
    return {
        name: round(sum(step[name] for step in billed), 7) if billed else None for name in _TOTALS
    }


def _feedback(rng: Random, clock: Clock, turn: Turn) -> list[Json]:
    """A thumb on every seventh answer, mostly true; the wish for another answer; a few words."""
    given: list[Json] = []
    if turn.session.environment == "production" and rng.random() < 0.14:
        up = rng.random() < (0.92 if turn.good else 0.3)
        given.append({"kind": "thumb", "value": 1 if up else -1})
        if not up and rng.random() < 0.3:
            given.append({"kind": "text", "text": rng.choice(COMPLAINTS)})
    if turn.asked_again:
        given.append({"kind": "retry"})
    for feedback in given:
        feedback["time"] = clock.later(rng.randint(3, 90))
    return given


def _lose_values(rng: Random, trace: Json) -> None:
    """Now and then a platform did not record something."""
    for share, names in (
        (0.01, ("cost_usd",)),
        (0.01, ("ttft_ms",)),
        (0.02, ("user_id",)),
        (0.005, (*_TOTALS, "latency_ms")),
    ):
        if rng.random() < share:
            trace.update(dict.fromkeys(names))
