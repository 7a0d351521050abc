"""A batch on its way to the provider, so that a crash at any point submits nothing twice.

The store has the batch and its questions before the provider hears of it. The provider's batch
carries our key, so whoever finds an open batch later asks the provider whether it has it.
"""

import asyncio
from dataclasses import replace

from evaluators.clients.openai_batch import ProviderBatch
from flows.batch_work import BatchWork, Hold
from flows.open_batch import Collected
from storage.batch_records import Batch
from tailwatch.errors import BatchError, RetryableError
from tailwatch.judge_calls import SettledCall
from tailwatch.outcome import Usage

_FREE = Usage(cost_usd=0.0)


async def submit(work: BatchWork, collected: Collected, hold: Hold) -> None:
    """Uploads the questions and makes a batch of them at the provider.

    Raises BatchUnavailableError, and then the batch stays open for `recover`; BatchError when it
    was refused, and then its questions are free to be asked again.
    """
    batch = collected.batch
    await asyncio.to_thread(work.store.record_batch, batch)
    await hold.confirm()
    try:
        file_id = await work.endpoint.upload(file_name(batch), collected.content)
        batch = replace(batch, file_id=file_id)
        await asyncio.to_thread(work.store.record_batch, batch)
        await hold.confirm()
        made = await work.endpoint.create(file_id, batch.batch_key)
    except BatchError as error:
        if not isinstance(error, RetryableError):
            await recover(work, replace(batch, note=str(error)))
        raise
    await asyncio.to_thread(work.store.record_batch, _submitted(work, batch, made))


async def recover(work: BatchWork, batch: Batch) -> Batch:
    """What became of a batch that was left open: adopted where the provider has it, else abandoned.

    The file is deleted before the provider is asked a second time, so that a request still on its
    way cannot make a batch of it afterwards.
    """
    made = await work.endpoint.find(batch.batch_key)
    if made is None:
        for file_id in await work.endpoint.files_named(file_name(batch)):
            await work.endpoint.delete_file(file_id)
        made = await work.endpoint.find(batch.batch_key)
    if made is not None:
        batch = _submitted(work, batch, made)
        await asyncio.to_thread(work.store.record_batch, batch)
        return batch
    return await asyncio.to_thread(_abandon, work, batch)


def file_name(batch: Batch) -> str:
    """The name under which the provider has the batch's questions."""
    return f"tailwatch-{batch.batch_key}.jsonl"


def _submitted(work: BatchWork, batch: Batch, made: ProviderBatch) -> Batch:
    return replace(
        batch,
        state="submitted",
        lines=batch.lines or len(work.store.batch_lines(batch.batch_key)),
        file_id=made.file_id,
        provider_id=made.provider_id,
        provider_status=made.status,
        submitted_at=work.clock(),
        expires_at=made.expires_at,
    )


def _abandon(work: BatchWork, batch: Batch) -> Batch:
    now = work.clock()
    calls = [
        SettledCall(call_id=line.call_id, at=now, usage=_FREE)
        for line in work.store.batch_lines(batch.batch_key)
    ]
    work.store.settle_calls(calls)
    batch = replace(batch, state="abandoned", settled_at=now, cost_usd=0.0, files_deleted=True)
    work.store.abandon_batch(batch)
    return batch
