"""Golden sets: texts that people have judged, one JSON object a line, as judges are checked with.

`python -m flows.golden_file` writes their schema to docs/schemas; a test fails when it is old.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from tailwatch.errors import ConfigurationError
from tailwatch.trace import RetrievedDocument, Span, SpanKind, Trace
from tailwatch.trace_checks import MAX_TEXT_CHARS

SCHEMA: Final = Path(__file__).parent.parent / "docs" / "schemas" / "golden-item.schema.json"
SOURCE: Final = "golden"
"""The source of the traces that golden items are made into."""

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_FAULTS_SHOWN = 5

_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
_Text = Annotated[str, StringConstraints(max_length=MAX_TEXT_CHARS)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GoldenDocument(_Part):
    """A document that the answer was built on; the first is the best ranked."""

    text: _Text
    id: str | None = None


class GoldenProbe(_Part):
    """An attempt to steer the judge of an evaluator towards the choice that it `asks` for.

    The item is its `twin` but for a text that was put in. `kind` says what sort of attempt it is.
    """

    twin: _Name
    evaluator: _Name
    asks: _Name
    kind: _Name | None = None


class GoldenItem(_Part):
    """One judged question and answer.

    `labels` has, by the name of an evaluator, the choice of its rubric that people made. `model`
    wrote the answer. `origin` says where the item comes from and `licence` on what terms it may be
    passed on. `tags` mark what items have in common. `probe` says that the item is an injection.
    """

    id: _Name
    input: _Text | None = None
    output: _Text | None = None
    documents: tuple[GoldenDocument, ...] = ()
    reference: _Text | None = None
    labels: dict[_Name, _Name] = Field(default_factory=dict)
    origin: _Name
    licence: _Name | None = None
    model: _Name | None = None
    tags: tuple[_Name, ...] = ()
    probe: GoldenProbe | None = None


def read_golden(path: Path) -> list[GoldenItem]:
    """The items of a file, in its order; empty lines are passed over.

    Raises ConfigurationError that names the file and the first wrong lines, or an id given twice.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the golden set {path} cannot be read: {error}") from error
    items: dict[str, GoldenItem] = {}
    faults: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            item = GoldenItem.model_validate_json(line)
        except ValidationError as error:
            faults.append(f"{path}:{number}: {_first_fault(error)}")
            continue
        if item.id in items:
            faults.append(
                f"{path}:{number}: the id {item.id!r} is there already; give each its own"
            )
        items[item.id] = item
    if faults:
        more = (
            [f"... and {len(faults) - _FAULTS_SHOWN} more"] if len(faults) > _FAULTS_SHOWN else []
        )
        raise ConfigurationError("\n".join([*faults[:_FAULTS_SHOWN], *more]))
    if not items:
        raise ConfigurationError(f"the golden set {path} is empty; it needs one object a line")
    return list(items.values())


def write_golden(path: Path, items: Iterable[GoldenItem], *, replace: bool = False) -> None:
    """Writes a file that `read_golden` reads; whole or not at all.

    Raises ConfigurationError when it cannot be written, or is there and is not to be replaced.
    """
    if path.exists() and not replace:
        raise ConfigurationError(f"{path} is there already; choose another name or add --replace")
    unfinished = path.with_name(f"{path.name}.part")
    try:
        with unfinished.open("w", encoding="utf-8", newline="\n") as file:
            for item in items:
                file.write(json.dumps(item.model_dump(exclude_defaults=True), ensure_ascii=True))
                file.write("\n")
        unfinished.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error


def golden_trace(item: GoldenItem) -> Trace:
    """The item as a trace, so that evaluators see it as they see any other."""
    documents = [
        RetrievedDocument(rank=rank, id=document.id, text=document.text)
        for rank, document in enumerate(item.documents)
    ]
    return trace_of_texts(
        source=SOURCE,
        trace_id=item.id,
        start_time=_EPOCH,
        texts=(item.input, item.output, item.reference),
        documents=documents,
        model=item.model,
    )


def trace_of_texts(
    *,
    source: str,
    trace_id: str,
    start_time: datetime,
    texts: tuple[str | None, str | None, str | None],
    documents: Sequence[RetrievedDocument],
    model: str | None,
) -> Trace:
    """A trace with these texts (input, output, reference), the documents under one retrieval."""
    asked, answered, reference = texts
    retrieval = Span(
        span_id="retrieval",
        start_time=start_time,
        kind=SpanKind.RETRIEVER,
        documents=tuple(documents),
    )
    return Trace(
        source=source,
        trace_id=trace_id,
        start_time=start_time,
        input=asked,
        output=answered,
        reference=reference,
        model=model,
        spans=(retrieval,) if documents else (),
    )


def schema_text() -> str:
    """The published schema of one line."""
    schema = GoldenItem.model_json_schema()
    schema["title"] = "tailwatch golden item"
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(dialect | schema, indent=2) + "\n"


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_input=False)[0]
    where = ".".join(map(str, fault["loc"]))
    return ": ".join(filter(None, (where, fault["msg"])))


if __name__ == "__main__":
    SCHEMA.write_text(schema_text(), encoding="utf-8")
