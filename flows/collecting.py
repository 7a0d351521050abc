"""A judge that asks later: what is not answered yet goes into a batch."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from evaluators.clients.batch_lines import BatchTerms
from evaluators.clients.openai_judge import OpenAIJudge
from evaluators.clients.run_ledger import RunLedger
from flows.chunks import Clock
from flows.open_batch import Collected, Limits, Line, OpenBatch
from storage.batch_records import BatchJob, BatchLine
from storage.store import Store
from tailwatch.judge_calls import Caps, JudgeCall, KnownVerdict, question_key
from tailwatch.outcome import NO_USAGE, Failed, Skipped, SkipReason, Usage
from tailwatch.protocols import Judge, JudgeQuestion, Verdict

Answer = Verdict | Failed | Skipped

IN_BATCH: Final = Skipped(reason=SkipReason.IN_BATCH)

_FREE: Final = Usage(cost_usd=0.0)

OPEN_FOR: Final = timedelta(days=7)
"""How long a call of a batch may stay unsettled: its day, and a team that is away."""

AnswerT = TypeVar("AnswerT")


class Grouped(Generic[AnswerT]):
    """Answers many questions of one event loop together: those that wait while others are asked."""

    def __init__(
        self, answer: Callable[[Mapping[str, JudgeQuestion]], Awaitable[Mapping[str, AnswerT]]]
    ) -> None:
        self._answer = answer
        self._turn = asyncio.Lock()
        self._waiting: dict[str, JudgeQuestion] = {}
        self._futures: dict[str, asyncio.Future[AnswerT]] = {}

    async def ask(self, key: str, question: JudgeQuestion) -> AnswerT:
        """The answer to the question. Equal ones that wait together are asked once."""
        if key not in self._futures:
            self._futures[key] = asyncio.get_running_loop().create_future()
            self._waiting[key] = question
        future = self._futures[key]
        async with self._turn:
            if not future.done():
                await self._answer_waiting()
        return future.result()

    async def _answer_waiting(self) -> None:
        asked, self._waiting = self._waiting, {}
        futures = {key: self._futures.pop(key) for key in asked}
        try:
            answers = await self._answer(asked)
        except BaseException:
            for future in futures.values():
                future.cancel()
            raise
        for key, future in futures.items():
            future.set_result(answers[key])


class CollectingJudge:
    """Answers what is known, and puts the rest into batches, which `submit` takes when they end.

    Known is a verdict given from `since` on and what the job's own batches brought, failures
    included. The first question that is not known is asked `online`, if that is given: its answer
    shows in which form the endpoint wants all the others. A question that is in a batch is
    `Skipped(in_batch)`, which is never recorded; one that the caps do not cover is
    `Skipped(over_budget)`. When the store or the provider fails, all that is still asked counts as
    in a batch, and `finish` raises what happened.
    """

    def __init__(
        self,
        job: BatchJob,
        store: Store,
        terms: BatchTerms,
        caps: Caps,
        submit: Callable[[Collected], Awaitable[None]],
        *,
        endpoint: str,
        since: datetime,
        clock: Clock,
        limits: Limits,
        online: OpenAIJudge | None = None,
    ) -> None:
        self._job = job
        self._store = store
        self._terms = terms
        self._caps = caps
        self._submit = submit
        self._endpoint = endpoint
        self._since = since
        self._clock = clock
        self._limits = limits
        self._online = online
        self._made = len(store.batches(job.job_id))
        self._open: OpenBatch | None = None
        self._used: set[str] = set()
        self._paid: set[str] = set()
        self._broken: Exception | None = None
        self._reuses = RunLedger(store, caps, clock=clock)
        self._reuses.begin(job.job_id)
        self._grouped = Grouped(self._answer_all)

    @property
    def model(self) -> str:
        return self._terms.model

    async def close(self) -> None:
        """Throws away the questions that were not submitted."""
        if self._open is not None:
            self._open.content.close()

    async def ask(self, question: JudgeQuestion) -> Answer:
        """The answer, if it is known; else it is in a batch now, or over budget.

        Of those who wait for one answer together, such as the criteria of a sheet, one has paid.
        """
        key = question_key(self.model, question)
        answer = await self._grouped.ask(key, question)
        if isinstance(answer, Skipped) or answer.usage == NO_USAGE:
            return answer
        if key not in self._paid:
            self._paid.add(key)
            return answer
        if isinstance(answer, Failed):
            return replace(answer, usage=NO_USAGE)
        self._reuses.count_reused(question, self.model)
        from_then = answer.reused_from or self._clock()
        return replace(answer, usage=_FREE, reused_from=from_then)

    async def finish(self) -> None:
        """Submits what is left. Raises what broke the collecting, if something did."""
        if self._broken is not None:
            raise self._broken
        await self._end_batch()
        await self._reuses.close()

    async def _answer_all(self, asked: Mapping[str, JudgeQuestion]) -> Mapping[str, Answer]:
        if self._broken is not None:
            return dict.fromkeys(asked, IN_BATCH)
        try:
            known = await asyncio.to_thread(self._known, list(asked))
            for key, answer in known.items():
                if isinstance(answer, Verdict) and answer.reused_from is not None:
                    self._reuses.count_reused(asked[key], self.model)
            rest = {key: question for key, question in asked.items() if key not in known}
            if self._job.state == "cancelling":
                return {**known, **dict.fromkeys(rest, IN_BATCH)}
            return {**known, **await self._collect(rest)}
        except Exception as error:  # noqa: BLE001 - `finish` raises it; here it would be an outcome
            self._broken = error
            return dict.fromkeys(asked, IN_BATCH)

    def _known(self, keys: Sequence[str]) -> dict[str, Answer]:
        brought = self._store.answered_in_job(self._job.job_id, keys)
        verdicts = self._store.known_verdicts(keys, self._since)
        new = [key for key in keys if key not in verdicts and key not in brought]
        answers: dict[str, Answer] = dict.fromkeys(self._store.asked_in_batches(new), IN_BATCH)
        for key in keys:
            line, known = brought.get(key), verdicts.get(key)
            if known is not None:
                answers[key] = self._verdict(key, known, line)
            elif line is not None and line.failure is not None:
                usage = NO_USAGE if key in self._used else line.usage
                answers[key] = replace(line.failure, usage=usage)
            if key in answers:
                self._used.add(key)
        return answers

    def _verdict(self, key: str, known: KnownVerdict, line: BatchLine | None) -> Verdict:
        """The verdict with what it took, for the first who asks; reused by all others, and where
        it was given before the backfill began.
        """
        if key in self._used or known.at < self._job.started_at:
            return replace(known.verdict, reused_from=known.at)
        if line is not None and line.state == "answered":
            return replace(known.verdict, usage=line.usage)
        return known.verdict

    async def _collect(self, questions: Mapping[str, JudgeQuestion]) -> dict[str, Answer]:
        """Puts the questions into the open batch, and into further ones as each is full."""
        answers = await self._learn(questions)
        part: list[Line] = []
        for key, question in questions.items():
            if key in answers:
                continue
            batch = self._open or self._new_batch()
            line = batch.line(key, question, self._terms)
            if not batch.has_room([*part, line]):
                answers |= await asyncio.to_thread(self._put, batch, part)
                part = []
                await self._end_batch()
                batch = self._new_batch()
                line = batch.line(key, question, self._terms)
            part.append(line)
        if self._open is not None:
            answers |= await asyncio.to_thread(self._put, self._open, part)
        return answers

    async def _learn(self, questions: Mapping[str, JudgeQuestion]) -> dict[str, Answer]:
        """The verdict on the first question ever, asked online; the batch has what brings none."""
        online = self._online
        if online is None or not questions:
            return {}
        self._online = None
        online.ledger.begin(self._job.job_id)
        key, question = next(iter(questions.items()))
        answer = await online.ask(question)
        self._terms = replace(self._terms, dialect=online.dialect)
        return {key: answer} if isinstance(answer, Verdict) else {}

    def _new_batch(self) -> OpenBatch:
        self._made += 1
        self._open = OpenBatch.of(
            self._job,
            number=self._made,
            endpoint=self._endpoint,
            price_share=self._terms.price_share,
            now=self._clock(),
            limits=self._limits,
        )
        return self._open

    def _put(self, batch: OpenBatch, lines: Sequence[Line]) -> dict[str, Answer]:
        """Notes the questions and sets their money aside, in this order: what is set aside is
        always known to be in a batch.
        """
        if not lines:
            return {}
        self._store.record_batch(batch.batch)
        self._store.add_batch_lines(batch.key, [line.record for line in lines])
        now = self._clock()
        calls = [self._call(line, now) for line in lines]
        covered = self._store.reserve_calls(calls, self._caps)
        left_out = [call for call, paid in zip(calls, covered, strict=True) if not paid]
        why = self._store.refusals(left_out, self._caps)
        self._store.drop_batch_lines([call.call_id for call in left_out])
        batch.write([line for line, paid in zip(lines, covered, strict=True) if paid])
        over_budget: dict[str, Answer] = {
            call.question_key: Skipped(reason=SkipReason.OVER_BUDGET, detail=sentence)
            for call, sentence in zip(left_out, why, strict=True)
        }
        return {line.record.question_key: IN_BATCH for line in lines} | over_budget

    def _call(self, line: Line, now: datetime) -> JudgeCall:
        return JudgeCall(
            call_id=line.record.call_id,
            run_id=self._job.job_id,
            question_key=line.record.question_key,
            evaluator=line.rubric,
            version=line.version,
            judge=self.model,
            worst_case_usd=line.record.worst_case_usd,
            at=now,
            open_until=now + OPEN_FOR,
            outlives_run=True,
        )

    async def _end_batch(self) -> None:
        batch, self._open = self._open, None
        if batch is None:
            return
        with batch.content:
            if batch.lines:
                await self._submit(batch.collected())
            else:
                nothing = replace(batch.batch, state="abandoned", note="the caps covered nothing")
                await asyncio.to_thread(self._store.abandon_batch, nothing)


class OutsideBatches:
    """Asks `judge`, but not what is in a batch: that is being paid for, and its answer comes."""

    def __init__(self, judge: Judge, store: Store) -> None:
        self._judge = judge
        self._store = store
        self._grouped = Grouped(self._in_batches)

    @property
    def model(self) -> str:
        return self._judge.model

    async def close(self) -> None:
        """Closes the judge."""
        await self._judge.close()

    async def ask(self, question: JudgeQuestion) -> Answer:
        """The judge's answer, or `Skipped(in_batch)`."""
        if await self._grouped.ask(question_key(self.model, question), question):
            return IN_BATCH
        return await self._judge.ask(question)

    async def _in_batches(self, asked: Mapping[str, JudgeQuestion]) -> Mapping[str, bool]:
        found = await asyncio.to_thread(self._store.asked_in_batches, list(asked))
        return {key: key in found for key in asked}
