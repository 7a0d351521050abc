"""A batch at the provider: how far it is and, once it has ended, its results in our books."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from evaluators.clients.batch_lines import (
    LOST_REPLY,
    BatchReply,
    never_asked,
    question_of,
    read_line,
)
from evaluators.clients.judge_reply import Answer, Trouble
from evaluators.clients.openai_batch import ProviderBatch
from flows.batch_work import BatchWork
from storage.batch_records import Batch, BatchLine
from tailwatch.errors import BatchError
from tailwatch.judge_calls import SettledCall
from tailwatch.outcome import Failed, Usage
from tailwatch.protocols import Verdict

_AT_ONCE: Final = 1_000

UNKNOWN = "the judge endpoint does not know this batch; is it another account?"
GONE = (
    "the judge endpoint no longer has the results of a batch; "
    "`tailwatch batches cancel` gives them up"
)


async def look_after(work: BatchWork, batch: Batch, *, give_up: bool = False) -> Batch:
    """The submitted batch as it is now, settled if it has ended.

    One that the provider does not know stays as it is, unless told to `give_up`: then each of its
    questions is booked at its worst case, for nobody knows whether it was charged.
    """
    found = await work.endpoint.look(batch.provider_id or "")
    now = work.clock()
    if found is None:
        batch = replace(batch, looked_at=now, note=UNKNOWN)
        if give_up:
            return await asyncio.to_thread(_settle, work, batch, [], LOST_REPLY)
    else:
        batch = _as_found(batch, found, work)
        if found.ended:
            return await _fetch_and_settle(work, batch, found, give_up=give_up)
    await asyncio.to_thread(work.store.record_batch, batch)
    return batch


async def delete_files(work: BatchWork, batch: Batch) -> Batch:
    """Deletes what the provider keeps of a settled batch: the questions and the answers."""
    for file_id in (batch.file_id, batch.output_file_id, batch.error_file_id):
        if file_id is not None:
            await work.endpoint.delete_file(file_id)
    batch = replace(batch, files_deleted=True)
    await asyncio.to_thread(work.store.record_batch, batch)
    return batch


def _as_found(batch: Batch, found: ProviderBatch, work: BatchWork) -> Batch:
    return replace(
        batch,
        looked_at=work.clock(),
        provider_status=found.status,
        completed=found.completed,
        failed=found.failed,
        expires_at=found.expires_at,
        output_file_id=found.output_file_id,
        error_file_id=found.error_file_id,
        note=f"refused: {', '.join(found.faults)}" if found.faults else None,
    )


async def _fetch_and_settle(
    work: BatchWork, batch: Batch, found: ProviderBatch, *, give_up: bool
) -> Batch:
    lines = await asyncio.to_thread(work.store.batch_lines, batch.batch_key)
    questions = {line.call_id: question_of(line.form) for line in lines}
    replies: dict[str, BatchReply] = {}
    unreadable = 0
    for file_id in filter(None, (found.error_file_id, found.output_file_id)):
        try:
            async for content in work.endpoint.lines(file_id):
                reply = read_line(content, questions, work.terms.model)
                if reply is not None:
                    replies[reply.call_id] = reply
                elif content.strip():
                    unreadable += 1
        except LookupError:
            if not give_up:
                raise BatchError(GONE) from None
            unreadable += 1
    certain = found.status != "completed" and not unreadable
    missing = never_asked(found.status, found.faults) if certain else LOST_REPLY
    return await asyncio.to_thread(_settle, work, batch, list(replies.values()), missing)


def _settle(
    work: BatchWork, batch: Batch, replies: Sequence[BatchReply], missing: Trouble
) -> Batch:
    """Books every question: first the money with the verdicts, then that the batch is settled, so
    that whoever is killed in between does both again.
    """
    by_call = {reply.call_id: reply for reply in replies}
    now = work.clock()
    lines: list[BatchLine] = []
    calls: list[SettledCall] = []
    for line in work.store.batch_lines(batch.batch_key):
        reply = by_call.get(line.call_id, BatchReply(call_id=line.call_id, found=missing))
        usage = _usage(work, line, reply)
        verdict = _verdict(reply.found, usage)
        calls.append(SettledCall(call_id=line.call_id, at=now, usage=usage, verdict=verdict))
        lines.append(_settled_line(line, reply.found, usage))
    for some in _parts(calls):
        work.store.settle_calls(some)
    batch = replace(
        batch,
        state="settled",
        settled_at=now,
        cost_usd=sum(line.usage.cost_usd or 0.0 for line in lines),
        completed=sum(line.state == "answered" for line in lines),
        failed=sum(line.state == "failed" for line in lines),
    )
    work.store.settle_batch(batch, lines)
    return batch


def _usage(work: BatchWork, line: BatchLine, reply: BatchReply) -> Usage:
    """What was reported; nothing where nothing can have been charged; else the worst case."""
    if reply.tokens is not None:
        return work.terms.usage(reply.tokens)
    free = isinstance(reply.found, Trouble) and reply.found.free
    return Usage(cost_usd=0.0 if free else line.worst_case_usd)


def _verdict(found: Answer | Trouble, usage: Usage) -> Verdict | None:
    if isinstance(found, Trouble):
        return None
    return Verdict(choice=found.choice, explanation=found.explanation, usage=usage)


def _settled_line(line: BatchLine, found: Answer | Trouble, usage: Usage) -> BatchLine:
    if isinstance(found, Answer):
        return replace(line, state="answered", usage=usage)
    failure = Failed(
        error_type=found.kind, message=found.message, retryable=found.retryable, usage=usage
    )
    return replace(line, state="failed", usage=usage, failure=failure)


def _parts(calls: Sequence[SettledCall]) -> Iterator[Sequence[SettledCall]]:
    return (calls[start : start + _AT_ONCE] for start in range(0, len(calls), _AT_ONCE))
