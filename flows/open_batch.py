"""A batch that is being filled: its questions as lines of a file that has no name on the disk."""

import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import IO, Final

from evaluators.clients.batch_lines import BatchTerms, form_of
from evaluators.clients.openai_batch import MOST_BYTES, MOST_LINES
from storage.batch_records import Batch, BatchJob, BatchLine
from storage.rows import short_hash
from tailwatch.protocols import JudgeQuestion

_IN_MEMORY_BYTES: Final = 8_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one batch may hold."""

    lines: int = MOST_LINES
    size: int = MOST_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A question on its way into a batch: what is noted of it, and what is sent."""

    record: BatchLine
    rubric: str
    version: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """A batch with all its questions. The file is gone when it is closed."""

    batch: Batch
    content: IO[bytes]


@dataclass(slots=True, kw_only=True)
class OpenBatch:
    """A batch with its questions so far. Their texts are never in a file that can be found."""

    batch: Batch
    limits: Limits
    content: IO[bytes]
    lines: int = 0
    size: int = 0
    worst_case_usd: float = 0.0

    @classmethod
    def of(
        cls,
        job: BatchJob,
        *,
        number: int,
        endpoint: str,
        price_share: float,
        now: datetime,
        limits: Limits,
    ) -> "OpenBatch":
        """An empty one, under a key of its own."""
        return cls(
            batch=Batch(
                batch_key=uuid.uuid4().hex,
                job_id=job.job_id,
                number=number,
                endpoint=endpoint,
                created_at=now,
                price_share=price_share,
            ),
            limits=limits,
            content=tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES),
        )

    @property
    def key(self) -> str:
        return self.batch.batch_key

    def line(self, question_key: str, question: JudgeQuestion, terms: BatchTerms) -> Line:
        """The question as a line of this batch."""
        call_id = short_hash(self.key, question_key)
        content, most_usd = terms.line(call_id, question)
        record = BatchLine(
            call_id=call_id,
            question_key=question_key,
            form=form_of(question),
            worst_case_usd=most_usd,
        )
        return Line(
            record=record, rubric=question.rubric, version=question.version, content=content
        )

    def has_room(self, lines: Sequence[Line]) -> bool:
        """Whether all these lines fit; the first line of a batch always does."""
        size = self.size + sum(len(line.content) for line in lines)
        count = self.lines + len(lines)
        return count <= 1 or (count <= self.limits.lines and size <= self.limits.size)

    def write(self, lines: Sequence[Line]) -> None:
        """Takes the lines in."""
        for line in lines:
            self.content.write(line.content)
            self.lines += 1
            self.size += len(line.content)
            self.worst_case_usd += line.record.worst_case_usd

    def collected(self) -> Collected:
        """The batch as it is to be submitted."""
        batch = replace(self.batch, lines=self.lines, worst_case_usd=self.worst_case_usd)
        return Collected(batch=batch, content=self.content)
