"""A bare aiohttp POST of a finished body whose reply nobody reads: the floor."""

import asyncio
import json

import aiohttp

from benchmarks.judge_clients import Ends, Stopwatch, Task
from benchmarks.judge_items import Item
from evaluators.index import packaged_rubrics
from evaluators.rubric_file import load_rubric


async def judge_all(task: Task, stopwatch: Stopwatch) -> Ends:
    """Counts a status of 200 as a score; does nothing about faults."""
    instructions = load_rubric(packaged_rubrics()["faithfulness"]).prompt
    bodies = [_body(item, instructions) for item in task.items]
    slots = asyncio.Semaphore(task.in_flight)

    async def ask(body: bytes) -> bool:
        async with slots, session.post(f"{task.url}/chat/completions", data=body) as response:
            await response.read()
            return response.status == 200

    limits = aiohttp.ClientTimeout(total=task.timeout_s)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=limits) as session:
        with stopwatch:
            ends = await asyncio.gather(*map(ask, bodies), return_exceptions=True)
    scored = sum(end is True for end in ends)
    return Ends(scored=scored, failed=len(ends) - scored)


def _body(item: Item, instructions: str) -> bytes:
    texts = [item["question"], *item["documents"], item["answer"]]
    messages = [
        {"role": "system", "content": instructions},
        {"role": "user", "content": "\n\n".join(texts)},
    ]
    return json.dumps({"model": "mock", "messages": messages}).encode()
