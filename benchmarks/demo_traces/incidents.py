"""The four planted incidents: when each begins. They last to the end of the data."""

from dataclasses import dataclass
from datetime import datetime, timedelta

UNGROUNDED_PROMPT = "v3"
UNGROUNDED_SHARE = 0.27
DEGRADED_FEATURE = "api-reference"
DRIFTING_FEATURE = "setup-help"
DRIFT_SHARE_AT_END = 0.6
VERBOSE_MODEL = "marten-large"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incidents:
    """The first moment of each incident; None where it does not happen.

    `ungrounded`: a quarter of the answers of prompt v3 go on with what no passage says.
    `degraded_index`: the feature api-reference searches an index that lost two passages in five.
    `new_topic`: in setup-help a growing share of questions, up to 60 %, is about the edge relay.
    `verbose`: marten-large writes more than twice as much.
    """

    ungrounded: datetime | None = None
    degraded_index: datetime | None = None
    new_topic: datetime | None = None
    verbose: datetime | None = None

    @classmethod
    def before(cls, end: datetime) -> "Incidents":
        """All four, at their places before the end of the data."""
        return cls(
            new_topic=end - timedelta(hours=144),
            verbose=end - timedelta(hours=106),
            ungrounded=end - timedelta(hours=88),
            degraded_index=end - timedelta(hours=63),
        )

    def has_ungrounded(self, prompt_version: str, now: datetime) -> bool:
        return prompt_version == UNGROUNDED_PROMPT and _begun(self.ungrounded, now)

    def has_degraded_index(self, feature: str, now: datetime) -> bool:
        return feature == DEGRADED_FEATURE and _begun(self.degraded_index, now)

    def has_verbose(self, model: str, now: datetime) -> bool:
        return model == VERBOSE_MODEL and _begun(self.verbose, now)

    def drift_share(self, feature: str, now: datetime, end: datetime) -> float:
        """The share of the feature's questions that are about the new topic, 0 to 0.6."""
        if feature != DRIFTING_FEATURE or self.new_topic is None or now < self.new_topic:
            return 0.0
        return DRIFT_SHARE_AT_END * ((now - self.new_topic) / (end - self.new_topic))


def _begun(onset: datetime | None, now: datetime) -> bool:
    return onset is not None and now >= onset
