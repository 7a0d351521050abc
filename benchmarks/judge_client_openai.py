"""A bare loop over `AsyncOpenAI.chat.completions.parse`, as many would write it."""

import asyncio
from typing import Literal

import httpx2
import openai
from pydantic import BaseModel

from benchmarks.judge_clients import Ends, Stopwatch, Task
from benchmarks.judge_items import Item
from evaluators.index import packaged_rubrics
from evaluators.rubric_file import load_rubric


class Verdict(BaseModel):
    """The structured answer."""

    explanation: str
    choice: Literal["supported", "minor_additions", "major_additions", "contradicted_or_invented"]


async def judge_all(task: Task, stopwatch: Stopwatch) -> Ends:
    """The client with its defaults (two retries), and a pool that allows the concurrency."""
    instructions = load_rubric(packaged_rubrics()["faithfulness"]).prompt
    limits = httpx2.Limits(max_connections=task.in_flight, max_keepalive_connections=task.in_flight)
    http = openai.DefaultAsyncHttpxClient(timeout=task.timeout_s, limits=limits)
    slots = asyncio.Semaphore(task.in_flight)

    async def ask(item: Item) -> bool:
        texts = [item["question"], *item["documents"], item["answer"]]
        async with slots:
            reply = await client.chat.completions.parse(
                model="mock",
                messages=[
                    {"role": "system", "content": instructions},
                    {"role": "user", "content": "\n\n".join(texts)},
                ],
                response_format=Verdict,
                temperature=0,
                max_completion_tokens=400,
            )
        return reply.choices[0].message.parsed is not None

    async with openai.AsyncOpenAI(base_url=task.url, api_key="none", http_client=http) as client:
        with stopwatch:
            ends = await asyncio.gather(*map(ask, task.items), return_exceptions=True)
    return Ends(
        scored=sum(end is True for end in ends),
        failed=sum(isinstance(end, Exception) for end in ends),
    )
