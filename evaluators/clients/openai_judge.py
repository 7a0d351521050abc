"""A judge behind any OpenAI-compatible endpoint: bounded, capped, and never inventing a verdict."""

import asyncio
import time
import zlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import openai

from evaluators.clients.judge_dialect import Dialect, prompt_token_bound
from evaluators.clients.judge_errors import trouble_of
from evaluators.clients.judge_reply import Answer, Reply, Trouble, read_answer, read_reply
from evaluators.clients.memory_ledger import in_memory
from evaluators.clients.prices import OPENAI_URL, cost_usd, price_of, shown
from evaluators.clients.run_ledger import RunLedger
from tailwatch.errors import ConfigurationError
from tailwatch.outcome import NO_USAGE, Failed, Skipped, SkipReason, Usage
from tailwatch.plan import JudgePlan, PricePlan
from tailwatch.protocols import JudgeQuestion, Verdict

_ATTEMPTS = 3
_LONGEST_WAIT_S = 120.0
_INSTRUCTIONS_TOKENS = 4_000
_ANSWER_TOKENS = JudgeQuestion(instructions="", material="", choices=()).max_output_tokens
_OVER_BUDGET = Skipped(
    reason=SkipReason.OVER_BUDGET, detail="the caps under `judge` do not cover another call"
)
_FREE = Usage(cost_usd=0.0)
_BOOKING = timedelta(minutes=1)


class OpenAIJudge:
    """Asks one model; at most `concurrency` calls are open at once, the rest wait their turn.

    Before each attempt the most it can cost is reserved in `ledger`, and settled afterwards with
    the usage the endpoint reports; an attempt that ends without a report, and may have been
    charged, is booked at its worst case. When the money left does not cover a question it waits
    for the open ones to be settled, and is skipped only if it is still not covered then.
    A few more questions than there are places to call from are reserved, so that none of these
    waits for the books. `calls` counts requests, tries again included. Use it inside one event
    loop, and close it, which closes its ledger.
    """

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        *,
        model: str,
        price: PricePlan,
        ledger: RunLedger,
        concurrency: int,
        timeout_s: float,
        max_material_chars: int,
        first_wait_s: float,
    ) -> None:
        self.model = model
        self.price = price
        self.ledger = ledger
        self.calls = 0
        self._client = client
        self._slots = asyncio.Semaphore(concurrency)
        self._questions = asyncio.Semaphore(concurrency + max(2, concurrency // 4))
        self._timeout_s = timeout_s
        self._max_material_chars = max_material_chars
        self._first_wait_s = first_wait_s
        self._dialect = Dialect()
        self._proven = False

    @property
    def spent_usd(self) -> float:
        """What the run has spent on this judge so far."""
        return self.ledger.spent_usd

    @property
    def worst_case_usd(self) -> float:
        """What one call costs when its material is as long as it may be, each character a token,
        and its answer too. Hardly any call comes near it.
        """
        return cost_usd(
            self.price,
            input_tokens=self._max_material_chars + _INSTRUCTIONS_TOKENS,
            output_tokens=_ANSWER_TOKENS,
        )

    async def close(self) -> None:
        """Books what is not booked yet and closes its connections."""
        await self.ledger.close()
        await self._client.close()

    async def ask(self, question: JudgeQuestion) -> Verdict | Failed | Skipped:
        """The verdict, with the usage of all its attempts; `Failed` after three that came to none.

        An endpoint that refuses a field (structured output, the limit's new name, a temperature)
        is asked without it at once, and from then on. `Skipped(over_budget)` costs nothing.
        """
        async with self._questions:
            return await self._ask(question)

    async def _ask(self, question: JudgeQuestion) -> Verdict | Failed | Skipped:
        dialect, usage, tries = self._dialect, NO_USAGE, 0
        last: Trouble | None = None
        while True:
            found, took = await self._attempt(question, dialect)
            usage += took
            if isinstance(found, Answer):
                self._dialect, self._proven = dialect, True
                return Verdict(choice=found.choice, explanation=found.explanation, usage=usage)
            if isinstance(found, Skipped):
                return found if last is None else _failed(last, usage)
            last = found
            plainer = (
                None
                if found.complaint is None
                else dialect.without(found.complaint, proven=self._proven)
            )
            if plainer is not None:
                dialect = plainer
                continue
            tries += 1
            wait_s = self._wait_s(found, tries, question)
            if wait_s is None:
                return _failed(found, usage)
            await asyncio.sleep(wait_s)

    async def _attempt(
        self, question: JudgeQuestion, dialect: Dialect
    ) -> tuple[Answer | Trouble | Skipped, Usage]:
        body = dialect.body(self.model, question)
        most = cost_usd(
            self.price,
            input_tokens=prompt_token_bound(body),
            output_tokens=question.max_output_tokens,
        )
        call = await self.ledger.reserve(
            question,
            self.model,
            worst_case_usd=most,
            longest=timedelta(seconds=2 * self._timeout_s) + _BOOKING,
        )
        if call is None:
            return _OVER_BUDGET, NO_USAGE
        usage, verdict = _FREE, None
        try:
            async with self._slots:
                usage, started = Usage(cost_usd=most), time.perf_counter()
                reply = await self._send(body)
            if isinstance(reply, Reply):
                usage = _timed(self._usage(reply, most), started)
                found = read_answer(reply, question.choices)
            else:
                usage = _timed(_FREE if reply.free else usage, started)
                found = reply
            if isinstance(found, Answer):
                verdict = Verdict(choice=found.choice, explanation=found.explanation, usage=usage)
        finally:
            # also when the run cancels the call: the endpoint may charge for it all the same
            booked = self.ledger.settle(call, usage, verdict)
        await booked
        return found, usage

    async def _send(self, body: Mapping[str, Any]) -> Reply | Trouble:
        self.calls += 1
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._client.post(
                    "/chat/completions", cast_to=httpx2.Response, body=body
                )
        except (openai.OpenAIError, TimeoutError) as error:
            return trouble_of(error, self.model)
        return read_reply(response.content)

    def _usage(self, reply: Reply, most_usd: float) -> Usage:
        """The reported usage and its cost; the worst case where the endpoint reports none."""
        if reply.usage is None:
            return Usage(cost_usd=most_usd)
        tokens = reply.usage
        return Usage(
            cost_usd=cost_usd(
                self.price,
                input_tokens=tokens.prompt_tokens,
                output_tokens=tokens.completion_tokens,
            ),
            input_tokens=tokens.prompt_tokens,
            output_tokens=tokens.completion_tokens,
        )

    def _wait_s(self, trouble: Trouble, tries: int, question: JudgeQuestion) -> float | None:
        """How long to wait before the next attempt; None when there should be none.

        What the endpoint asks for, else half a second doubling, both with up to a quarter more,
        spread by the question so that those refused together do not come back together.
        """
        asked = trouble.retry_after_s
        if not trouble.retryable or tries >= _ATTEMPTS or (asked or 0.0) > _LONGEST_WAIT_S:
            return None
        wait_s = self._first_wait_s * 2 ** (tries - 1) if asked is None else asked
        spread = zlib.crc32(question.material.encode("utf-8", "replace")) / 2**32
        return wait_s * (1 + spread / 4)


def make_judge(
    plan: JudgePlan,
    *,
    url: str | None,
    api_key: str | None,
    model: str | None,
    ledger: RunLedger | None = None,
    first_wait_s: float = 0.5,
) -> OpenAIJudge:
    """The judge of one run, at `url` or at OpenAI; `model` wins over the plan's.

    Without a `ledger` the plan's caps hold in this process alone. Raises ConfigurationError when
    neither an address nor a key is given or one is malformed, and for a model whose price is not
    known.
    """
    model, key = model or plan.model, (api_key or "").strip()
    _refuse_unusable(url, key)
    longest = plan.max_material_chars + _INSTRUCTIONS_TOKENS
    price = price_of(plan, url=url, model=model, prompt_tokens=longest)
    timeout_s = plan.timeout.total_seconds()
    client = openai.AsyncOpenAI(
        base_url=url or OPENAI_URL,
        api_key=key or "none",
        max_retries=0,
        http_client=openai.DefaultAsyncHttpxClient(
            timeout=httpx2.Timeout(timeout_s, connect=min(5.0, timeout_s)),
            limits=httpx2.Limits(
                max_connections=plan.concurrency, max_keepalive_connections=plan.concurrency
            ),
        ),
    )
    return OpenAIJudge(
        client,
        model=model,
        price=price,
        ledger=ledger or in_memory(plan.caps),
        concurrency=plan.concurrency,
        timeout_s=timeout_s,
        max_material_chars=plan.max_material_chars,
        first_wait_s=first_wait_s,
    )


def _refuse_unusable(url: str | None, key: str) -> None:
    if not url and not key:
        raise ConfigurationError(
            "no judge can be asked: set OPENAI_API_KEY, or TAILWATCH_JUDGE_URL for an endpoint of "
            "your own"
        )
    if url and not url.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"the judge's address is {shown(url)!r}; it must start with http:// or https:// and "
            "usually ends in /v1"
        )
    try:
        httpx2.URL(url or OPENAI_URL)
    except httpx2.InvalidURL:
        raise ConfigurationError(
            f"the judge's address {shown(url or OPENAI_URL)!r} is not a URL; it is of the form "
            "http://host:port/v1"
        ) from None
    if not (key.isascii() and key.isprintable()):
        raise ConfigurationError(
            "the judge's API key has characters that no key has, such as a curly quote or a line "
            "break; copy it again"
        )


def _failed(trouble: Trouble, usage: Usage) -> Failed:
    return Failed(
        error_type=trouble.kind,
        message=trouble.message,
        retryable=trouble.retryable,
        usage=usage,
    )


def _timed(usage: Usage, started: float) -> Usage:
    return replace(usage, latency_ms=(time.perf_counter() - started) * 1000)
