"""The tool calls of the troubleshooting agent: some fail and are tried again, a few for good."""

from random import Random
from typing import Any

from benchmarks.demo_traces.clock import Clock, Json

MAX_TRIES = 3
_TIMEOUT_MS = 2000.0
_FAILURE_SHARE = 0.07
_FAILS_AGAIN = 0.35


def call_tools(rng: Random, clock: Clock, first_span: int) -> tuple[list[Json], bool]:
    """The spans of one or two tools, one for each try, and whether the last one gave up."""
    spans: list[Json] = []
    for name in rng.sample(("broker_status", "list_leases", "read_log"), rng.randint(1, 2)):
        arguments = _arguments(rng, name)
        for tried in range(MAX_TRIES):
            failed = rng.random() < (_FAILS_AGAIN if tried else _FAILURE_SHARE)
            took = rng.lognormvariate(5.0, 0.5)
            spans.append(
                {
                    "span_id": str(first_span + len(spans)),
                    "parent_id": "0",
                    "kind": "tool",
                    "name": name,
                    **clock.spend(_TIMEOUT_MS if failed else took),
                    **_ending(rng, name, arguments, failed),
                }
            )
            if not failed:
                break
        if failed:
            return spans, True
    return spans, False


def _ending(rng: Random, name: str, arguments: Json, failed: bool) -> Json:
    call: dict[str, Any] = {"name": name, "arguments": arguments}
    if failed:
        call["error"] = "the broker did not answer within 2 s"
        return {"status": "error", "error_type": "tool_error", "tool": call}
    return {"status": "ok", "tool": call | {"result": _result(rng, name)}}


def _arguments(rng: Random, name: str) -> Json:
    if name == "broker_status":
        return {"broker": rng.choice(("b1", "b2", "b3"))}
    if name == "list_leases":
        return {"older_than": rng.choice(("10m", "1h"))}
    return {"lines": rng.choice((50, 200)), "level": "warn"}


def _result(rng: Random, name: str) -> Any:
    if name == "broker_status":
        return {"role": rng.choice(("leader", "follower")), "free_percent": rng.randint(4, 80)}
    if name == "list_leases":
        return {"leases": rng.randint(0, 40)}
    return rng.choice(
        ("no warnings", "slow flush: 231 ms", "lease lost: worker w-7", "peer b2 gone")
    )
