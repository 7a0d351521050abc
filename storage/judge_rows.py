"""Judge calls, their verdicts and what was used again, as rows of their tables."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from storage.judge_statements import RESERVED, SETTLED
from storage.keep import kept
from tailwatch.caps import utc_day
from tailwatch.judge_calls import JudgeCall, ReusedVerdicts, SettledCall
from tailwatch.plan import KeepText
from tailwatch.protocols import Verdict

LONGEST_CALL = timedelta(hours=1)
"""After that a call is lost whose caller did not say how long it may take."""


def newest(verdicts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The newest for each question, in the order of their keys."""
    newest: dict[str, dict[str, Any]] = {}
    for verdict in verdicts:
        other = newest.setdefault(verdict["question_key"], verdict)
        if verdict["at"] > other["at"]:
            newest[verdict["question_key"]] = verdict
    return [newest[key] for key in sorted(newest)]


def call_row(call: JudgeCall) -> dict[str, Any]:
    return {
        "call_id": call.call_id,
        "run_id": call.run_id,
        "question_key": call.question_key,
        "evaluator": call.evaluator,
        "version": call.version,
        "judge": call.judge,
        "day": utc_day(call.at),
        "state": RESERVED,
        "worst_case_usd": call.worst_case_usd,
        "reserved_at": call.at,
        "open_until": call.open_until or call.at + LONGEST_CALL,
        "outlives_run": call.outlives_run,
    }


def settled_row(call: SettledCall, cost_usd: float) -> dict[str, Any]:
    return {
        "of_call": call.call_id,
        "cost_usd": cost_usd,
        "input_tokens": call.usage.input_tokens,
        "output_tokens": call.usage.output_tokens,
        "latency_ms": call.usage.latency_ms,
        "settled_at": call.at,
        "state": SETTLED,
    }


def verdict_row(key: str, call: SettledCall, verdict: Verdict, keep: KeepText) -> dict[str, Any]:
    return {
        "question_key": key,
        "at": call.at,
        "choice": verdict.choice,
        "explanation": kept(verdict.explanation, keep),
        "call_id": call.call_id,
    }


def reuse_row(reused: ReusedVerdicts) -> dict[str, Any]:
    return {
        "counter": reused.counter,
        "day": utc_day(reused.day),
        "run_id": reused.run_id,
        "evaluator": reused.evaluator,
        "version": reused.version,
        "judge": reused.judge,
        "verdicts": reused.verdicts,
    }
