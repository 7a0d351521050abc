"""The texts of a trace that is known: from the store where it keeps them whole, else the source."""

from evaluators.privacy import make_privacy
from flows.golden_file import trace_of_texts
from flows.parts import Parts
from storage.records import StoredTrace
from tailwatch.errors import SourceError
from tailwatch.plan import KeepText
from tailwatch.printable import printable
from tailwatch.trace import FetchError, Trace


async def trace_in_full(parts: Parts, trace_id: str, *, may_be_sent: bool = False) -> Trace | str:
    """The trace with its texts, or in a sentence why they cannot be had.

    With `may_be_sent` only a trace that the plan's `never_send` lets leave for a judge. What the
    store keeps of a trace is not enough to tell, so that it is then asked of the source.
    """
    stored = parts.store.trace(parts.source.name, trace_id)
    if stored is None:
        return "the store does not know it"
    careful = may_be_sent and bool(parts.plan.privacy.never_send)
    if stored.text_kept is KeepText.FULL and not careful:
        return _as_kept(stored)
    fetched = await _fetched(parts, stored)
    if isinstance(fetched, str):
        kept = stored.text_kept.value if stored.text_kept else KeepText.NONE.value
        return f"{fetched} (keep_text: {kept})"
    if careful and make_privacy(parts.plan.privacy).withholds(fetched):
        return "the plan's privacy.never_send keeps it from every judge"
    return fetched


async def _fetched(parts: Parts, stored: StoredTrace) -> Trace | str:
    try:
        async for item in parts.source.fetch([stored.ref]):
            if isinstance(item, FetchError):
                return f"the source could not give it: {printable(item.message)}"
            return item
    except SourceError as error:
        return f"the source could not give it: {printable(str(error))}"
    return "the source no longer has it"


def _as_kept(stored: StoredTrace) -> Trace:
    ref = stored.ref
    return trace_of_texts(
        source=ref.source,
        trace_id=ref.trace_id,
        start_time=ref.start_time,
        texts=(stored.input, stored.output, stored.reference),
        documents=stored.documents,
        model=ref.model,
    )
