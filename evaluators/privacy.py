"""What of a trace may leave for a judge, as the plan says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from evaluators.redaction import Redaction, make_redaction
from tailwatch.privacy import PrivacyPlan
from tailwatch.protocols import Redacted
from tailwatch.trace import Trace

_METADATA = "metadata."


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPrivacy:
    """A plan's `privacy`. Field values are compared without regard to case: `PII` is `pii`."""

    redaction: Redaction
    never_send: Sequence[Mapping[str, frozenset[str]]]

    def withholds(self, trace: Trace) -> bool:
        """Whether an entry of `never_send` has, in each of its fields, a value of the trace."""
        return any(
            all(not values.isdisjoint(_values(trace, field)) for field, values in entry.items())
            for entry in self.never_send
        )

    def redact(self, texts: Sequence[str]) -> Redacted:
        """The texts with a mark for each private detail."""
        return self.redaction.redact(texts)


def make_privacy(plan: PrivacyPlan) -> PlannedPrivacy:
    """The privacy of a plan. Raises ConfigurationError for a pattern that is not accepted."""
    return PlannedPrivacy(
        redaction=make_redaction(plan.shapes, plan.redact),
        never_send=[
            {field: frozenset(value.casefold() for value in values) for field, values in e.items()}
            for e in plan.never_send
        ],
    )


def _values(trace: Trace, field: str) -> Iterator[str]:
    if field == "tag":
        found: Sequence[object] = trace.tags
    elif field.startswith(_METADATA):
        found = _each(trace.metadata.get(field.removeprefix(_METADATA)))
    else:
        found = [getattr(trace, field)]
    for value in found:
        if value is not None:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            yield text.casefold()


def _each(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else [value]
