"""A judge behind any OpenAI-compatible endpoint: paced, capped, and never inventing a verdict."""

import asyncio
import time
import zlib
from dataclasses import replace
from datetime import timedelta
from typing import Final

import httpx2

from evaluators.clients.chat_endpoint import ChatEndpoint, call_errors
from evaluators.clients.gate import Gate
from evaluators.clients.judge_dialect import Dialect
from evaluators.clients.judge_errors import trouble_of_call, trouble_of_response
from evaluators.clients.judge_reply import Answer, Reply, Trouble, read_reply, read_verdict
from evaluators.clients.memory_ledger import in_memory
from evaluators.clients.pacing import Ending, Pace, Ticket
from evaluators.clients.prices import OPENAI_URL, cost_usd, price_of, shown
from evaluators.clients.run_ledger import RunLedger
from tailwatch.errors import ConfigurationError
from tailwatch.outcome import NO_USAGE, Failed, FailureKind, Skipped, SkipReason, Usage
from tailwatch.plan import JudgePlan, PricePlan
from tailwatch.protocols import JudgeQuestion, Verdict

LONGEST_WAIT_S: Final = 120.0
"""Who is told to stay away for longer gives up: a later run asks again."""

_ATTEMPTS: Final = 3
_INSTRUCTIONS_TOKENS: Final = 4_000
_ANSWER_TOKENS: Final = JudgeQuestion(instructions="", material="", choices=()).max_output_tokens
_FREE: Final = Usage(cost_usd=0.0)
_WAITING: Final = timedelta(hours=1)
"""How long a call whose money is set aside may wait for its turn, before it counts as lost."""

_CONGESTION: Final = frozenset({FailureKind.RATE_LIMITED, FailureKind.TIMEOUT})
_CLOSED: Final = Trouble(
    kind=FailureKind.RATE_LIMITED,
    message="not asked: the judge endpoint wants no calls for more than two minutes",
    retryable=True,
    retry_after_s=float("inf"),
    free=True,
)


class OpenAIJudge:
    """Asks one model, through a gate: as many calls at once as the endpoint bears, the plan's
    concurrency at the most, at the pace that its limits and its refusals allow.

    Before each attempt the most it can cost is reserved in `ledger`, and settled afterwards with
    the usage the endpoint reports; an attempt that ends without a report, and may have been
    charged, is booked at its worst case. When the money left does not cover a question it waits
    for the open ones to be settled, and is skipped only if it is still not covered then.
    Of questions there are more than calls may be open, so that no place to call from waits for the
    books, also of a slow store, or for a question that waits to be asked again: `in_hand` says how
    many it can use at a time. `calls` counts requests, tries again included. Use it inside one
    event loop, and close it, which closes its ledger.
    """

    def __init__(
        self,
        endpoint: ChatEndpoint,
        gate: Gate,
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
        self.in_hand = 4 * concurrency
        self.calls = 0
        self._endpoint = endpoint
        self._gate = gate
        self._questions = asyncio.Semaphore(3 * concurrency)
        self._longest = timedelta(seconds=2 * timeout_s + LONGEST_WAIT_S) + _WAITING
        self._max_material_chars = max_material_chars
        self._first_wait_s = first_wait_s
        self._dialect = Dialect()
        self._proven = False

    @property
    def dialect(self) -> Dialect:
        """How the endpoint is asked: more plainly once it has refused a field."""
        return self._dialect

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
        await self._endpoint.close()

    async def ask(self, question: JudgeQuestion) -> Verdict | Failed | Skipped:
        """The verdict, with the usage of all its attempts; `Failed` after three that came to none.

        An endpoint that refuses a field (structured output, the limit's new name, a temperature,
        log probabilities) is asked without it at once, and from then on. `Skipped(over_budget)`
        costs nothing.
        """
        async with self._questions:
            return await self._ask(question)

    async def _ask(self, question: JudgeQuestion) -> Verdict | Failed | Skipped:
        dialect, usage, tries = self._dialect, NO_USAGE, 0
        last: Trouble | None = None
        while True:
            found, took = await self._attempt(question, dialect, again=last is not None)
            usage += took
            if isinstance(found, Answer):
                self._dialect, self._proven = dialect, True
                return Verdict(choice=found.choice, explanation=found.explanation, usage=usage)
            if isinstance(found, Skipped):
                return found if last is None else _failed(last, usage)
            last = found
            plainer = self._plainer(dialect, found)
            if plainer is not None:
                dialect = plainer
                continue
            tries += 1
            wait_s = self._wait_s(found, tries, question)
            if wait_s is None:
                return _failed(found, usage)
            await asyncio.sleep(wait_s)

    def _plainer(self, dialect: Dialect, trouble: Trouble) -> Dialect | None:
        """How to ask again at once after a request was refused as invalid; None if that is no help.

        Of the questions that were put in the same way at the same time the first to be answered
        tells the others how.
        """
        if trouble.complaint is None:
            return None
        if self._proven and self._dialect != dialect:
            return self._dialect
        return dialect.without(trouble.complaint, proven=self._proven)

    async def _attempt(
        self, question: JudgeQuestion, dialect: Dialect, *, again: bool
    ) -> tuple[Answer | Trouble | Skipped, Usage]:
        body = dialect.request(self.model, question)
        most = cost_usd(
            self.price, input_tokens=len(body), output_tokens=question.max_output_tokens
        )
        call = await self.ledger.reserve(
            question, self.model, worst_case_usd=most, longest=self._longest
        )
        if call is None:
            why = await self.ledger.why_refused(question, self.model, worst_case_usd=most)
            return Skipped(reason=SkipReason.OVER_BUDGET, detail=why), NO_USAGE
        usage, verdict = _FREE, None
        try:
            # four bytes for a token, as endpoints estimate it themselves
            tokens = len(body) // 4 + question.max_output_tokens
            ticket = await self._gate.enter(tokens, again=again)
            if ticket is None:
                return _CLOSED, _FREE
            usage, started = Usage(cost_usd=most), time.perf_counter()
            reply = await self._send(body, ticket)
            if isinstance(reply, Reply):
                usage = self._usage(reply, most, started)
                found = read_verdict(reply, question)
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

    async def _send(self, body: bytes, ticket: Ticket) -> Reply | Trouble:
        """One request, for which the gate gave the ticket."""
        self.calls += 1
        ending, tokens, retry_after_s = Ending.OTHERWISE, None, None
        try:
            found = await self._exchange(body)
            if isinstance(found, Reply):
                ending = Ending.ANSWERED
                tokens = None if found.usage is None else found.usage.total
            elif found.retryable:
                retry_after_s = found.retry_after_s
                if found.kind in _CONGESTION:
                    ending = Ending.CONGESTED
        finally:
            self._gate.leave(ticket, ending, tokens=tokens, retry_after_s=retry_after_s)
        return found

    async def _exchange(self, body: bytes) -> Reply | Trouble:
        try:
            response = await self._endpoint.post(body)
        except call_errors() as error:
            return trouble_of_call(error)
        if response.status != 200:
            return trouble_of_response(response, self.model)
        return read_reply(response.body)

    def _usage(self, reply: Reply, most_usd: float, started: float) -> Usage:
        """The reported usage and its cost; the worst case where the endpoint reports none."""
        if reply.usage is None:
            return _timed(Usage(cost_usd=most_usd), started)
        tokens = reply.usage
        return Usage(
            cost_usd=cost_usd(
                self.price,
                input_tokens=tokens.prompt_tokens,
                output_tokens=tokens.completion_tokens,
            ),
            input_tokens=tokens.prompt_tokens,
            output_tokens=tokens.completion_tokens,
            latency_ms=_ms_since(started),
        )

    def _wait_s(self, trouble: Trouble, tries: int, question: JudgeQuestion) -> float | None:
        """How long to wait before the next attempt; None when there should be none.

        Half a second, doubling, with up to a quarter more, spread by the question so that those
        refused together do not come back together; or as long as the endpoint asked.
        """
        asked = trouble.retry_after_s
        if not trouble.retryable or tries >= _ATTEMPTS or (asked or 0.0) > LONGEST_WAIT_S:
            return None
        if asked is not None:
            return asked
        spread = zlib.crc32(question.material.encode("utf-8", "replace")) / 2**32
        return self._first_wait_s * 2.0 ** (tries - 1) * (1 + spread / 4)


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
    pace = Pace(
        plan.concurrency,
        requests_per_minute=plan.requests_per_minute,
        tokens_per_minute=plan.tokens_per_minute,
    )
    return OpenAIJudge(
        ChatEndpoint(url or OPENAI_URL, key=key or "none", timeout_s=timeout_s),
        Gate(pace, longest_wait_s=LONGEST_WAIT_S),
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
    return replace(usage, latency_ms=_ms_since(started))


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
