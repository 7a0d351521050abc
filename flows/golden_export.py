"""Makes a golden set of people's labels: each trace with what most of them said."""

from collections.abc import Sequence
from dataclasses import dataclass

from flows.golden_file import GoldenDocument, GoldenItem
from flows.parts import Parts
from flows.resolving import resolved
from flows.stored_texts import trace_in_full
from tailwatch.review import Origin, ReviewLabel
from tailwatch.trace import Trace

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
    """An item for each labelled trace, in the order of their ids.

    Only labels of the newest version that anybody labelled count, for each evaluator; with `origin`
    only those of random samples or of alerts. A trace that came up in both ways is a random one. An
    item holds the texts, so a trace that no judge may see makes none.
    """
    labels = [
        label
        for label in parts.store.labels(parts.source.name)
        if (not names or label.evaluator in names) and origin in (None, label.draw.origin)
    ]
    choices: dict[str, dict[str, str]] = {}
    ties: dict[str, int] = {}
    shared = alike = 0
    for evaluator in sorted({label.evaluator for label in labels}):
        mine = [label for label in labels if label.evaluator == evaluator]
        version = max(mine, key=lambda label: label.at).version
        people = resolved(label for label in mine if label.version == version)
        shared, alike = shared + people.shared, alike + people.alike
        if people.ties:
            ties[evaluator] = len(people.ties)
        for trace_id, label in people.labels.items():
            choices.setdefault(trace_id, {})[evaluator] = label.choice
    items, gone = [], {}
    for trace_id in sorted(choices):
        trace = await trace_in_full(parts, trace_id, may_be_sent=True)
        if isinstance(trace, str):
            gone[trace_id] = trace
        else:
            items.append(_item(trace, choices[trace_id], _origin(labels, trace_id), licence))
    return Export(items=items, ties=ties, gone=gone, shared=shared, alike=alike)


def _origin(labels: Sequence[ReviewLabel], trace_id: str) -> Origin:
    origins = {label.draw.origin for label in labels if label.trace_id == trace_id}
    return Origin.RANDOM if Origin.RANDOM in origins else Origin.ALERT


def _item(trace: Trace, labels: dict[str, str], origin: Origin, licence: str | None) -> GoldenItem:
    return GoldenItem(
        id=_clean(f"{trace.source}/{trace.trace_id}")[:_ID_CHARS],
        input=_known(trace.input),
        output=_known(trace.output),
        documents=tuple(
            GoldenDocument(id=_known(document.id), text=_clean(document.text))
            for document in trace.documents
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
