"""The texts of a trace that a rubric asks for, under names of our own."""

from collections.abc import Mapping, Sequence

from evaluators.material import Section
from evaluators.rubric_file import Need
from tailwatch.outcome import Skipped, SkipReason
from tailwatch.protocols import Privacy
from tailwatch.trace import Trace

MISSING: Mapping[Need, SkipReason] = {
    Need.INPUT: SkipReason.MISSING_INPUT,
    Need.OUTPUT: SkipReason.MISSING_OUTPUT,
    Need.DOCUMENTS: SkipReason.MISSING_DOCUMENTS,
    Need.REFERENCE: SkipReason.MISSING_REFERENCE,
}
"""Why a trace without that text is skipped."""


def sections_of(
    trace: Trace, needs: Sequence[Need], privacy: Privacy | None
) -> Sequence[Section] | Skipped:
    """The texts, in the order of `needs`, or the first of them that the trace lacks.

    Nothing of a trace that no judge may see. A blank text counts as missing. Documents are numbered
    from 1 by rank: their ids are somebody else's text and stay out of the frame.
    """
    if privacy is not None and privacy.withholds(trace):
        return Skipped(reason=SkipReason.NEVER_SEND)
    found: list[Section] = []
    for need in needs:
        texts = [each for each in _texts(trace, need) if each.text.strip()]
        if not texts:
            return Skipped(reason=MISSING[need])
        found += texts
    return found


def _texts(trace: Trace, need: Need) -> list[Section]:
    if need is Need.DOCUMENTS:
        return [
            Section(name=f"document {number}", text=document.text or "")
            for number, document in enumerate(trace.documents, start=1)
        ]
    name, text = {
        Need.INPUT: ("question", trace.input),
        Need.OUTPUT: ("answer", trace.output),
        Need.REFERENCE: ("reference answer", trace.reference),
    }[need]
    return [Section(name=name, text=text or "")]
