"""Which measures belong together: an incident in one family says nothing about another."""

from alerts.incidents import Families
from flows.parts import Parts
from tailwatch.evaluation import Series

QUALITY, RETRIEVAL, OPERATION, COVERAGE = "quality", "retrieval", "operation", "coverage"

_RETRIEVAL = ("precision", "recall", "ndcg", "reciprocal_rank", "map", "hit_rate", "document_")
_COVERAGE_RULES = {"no_data", "no_traffic", "coverage", "failure_rate"}


def families_of(parts: Parts) -> Families:
    """The family of a rule on a series: what it measures, or coverage for missing scores."""
    coverage = {planned.rule.name for planned in parts.rules if planned.plan.use in _COVERAGE_RULES}

    def family(rule: str, series: Series) -> str:
        return COVERAGE if rule in coverage else measured(parts, series)

    return family


def measured(parts: Parts, series: Series) -> str:
    """What a series measures: the operation, retrieval or the quality of answers."""
    if series.evaluator in parts.plan.measures:
        return OPERATION
    return RETRIEVAL if series.evaluator.startswith(_RETRIEVAL) else QUALITY
