"""Makes a golden set of people's labels: each trace, or document, with what most of them said."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from evaluators.document_rubric import document_key
from flows.golden_file import GoldenDocument, GoldenItem
from flows.parts import Parts
from flows.resolving import Output, resolved
from flows.stored_texts import trace_in_full
from storage.rows import short_hash
from tailwatch.review import Origin, ReviewLabel
from tailwatch.trace import RetrievedDocument, Trace

_ID_CHARS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """The items, and what was left out: `ties` by evaluator, and traces with why (`gone`)."""

    items: Sequence[GoldenItem]
    ties: dict[str, int]
    gone: dict[str, str]
    shared: int
    alike: int


async def golden_items(
    parts: Parts,
    names: Sequence[str],
    *,
    origin: Origin | None = None,
    licence: str | None = None,
) -> Export:
    """An item for each labelled trace, in the order of their ids, and one for each labelled
    document, which holds that one alone of the trace's documents.

    Only labels of the newest version that anybody labelled count, for each evaluator; with `origin`
    only those of random samples or of alerts. A trace that came up in both ways is a random one. An
    item holds the texts, so a trace that no judge may see makes none.
    """
    labels = [
        label
        for label in parts.store.labels(parts.source.name)
        if (not names or label.evaluator in names) and origin in (None, label.draw.origin)
    ]
    choices: dict[Output, dict[str, str]] = {}
    ties: dict[str, int] = {}
    shared = alike = 0
    for evaluator in sorted({label.evaluator for label in labels}):
        mine = [label for label in labels if label.evaluator == evaluator]
        version = max(mine, key=lambda label: label.at).version
        people = resolved(label for label in mine if label.version == version)
        shared, alike = shared + people.shared, alike + people.alike
        if people.ties:
            ties[evaluator] = len(people.ties)
        for output, label in people.labels.items():
            choices.setdefault(output, {})[evaluator] = label.choice
    items, gone = [], {}
    for trace_id, group in groupby(sorted(choices, key=_place), key=itemgetter(0)):
        trace = await trace_in_full(parts, trace_id, may_be_sent=True)
        if isinstance(trace, str):
            gone[trace_id] = trace
            continue
        for output in group:
            documents = [d for d in trace.documents if output[1] in (None, document_key(d))]
            if output[1] is not None and not documents:
                gone[f"{trace_id}, {output[1]}"] = "the trace has no such document any more"
            else:
                origin = _origin(labels, output)
                about = documents[-1:] if output[1] is not None else documents
                items.append(_item(trace, output, about, choices[output], origin, licence))
    return Export(items=items, ties=ties, gone=gone, shared=shared, alike=alike)


def _place(output: Output) -> tuple[str, str]:
    return output[0], output[1] or ""


def _origin(labels: Sequence[ReviewLabel], output: Output) -> Origin:
    origins = {label.draw.origin for label in labels if label.output == output}
    return Origin.RANDOM if Origin.RANDOM in origins else Origin.ALERT


def _id(trace: Trace, document: str | None) -> str:
    """The trace's and the document's id; a long one of a document is cut where a hash tells on."""
    whole = _clean("/".join(filter(None, (trace.source, trace.trace_id, document))))
    if document is None or len(whole) <= _ID_CHARS:
        return whole[:_ID_CHARS]
    return f"{whole[: _ID_CHARS - 20]}-{short_hash(trace.source, trace.trace_id, document)[:16]}"


def _item(
    trace: Trace,
    output: Output,
    documents: Sequence[RetrievedDocument],
    labels: dict[str, str],
    origin: Origin,
    licence: str | None,
) -> GoldenItem:
    return GoldenItem(
        id=_id(trace, output[1]),
        input=_known(trace.input),
        output=_known(trace.output),
        documents=tuple(
            GoldenDocument(id=_known(document.id), text=_clean(document.text))
            for document in documents
            if document.text
        ),
        reference=_known(trace.reference),
        labels=labels,
        origin=origin.value,
        licence=licence,
        model=_known(trace.model),
    )


def _known(text: str | None) -> str | None:
    return None if text is None else _clean(text)


def _clean(text: str) -> str:
    """The text without lone surrogates, which no JSON file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
