"""The alert rules by name. A rule of another package joins by the entry point `tailwatch.rules`."""

from tailwatch.loading import load
from tailwatch.plan import RulePlan
from tailwatch.protocols import AlertRule, RuleFactory

RULES = {
    "floor": "alerts.rules.floor:floor",
    "limit": "alerts.rules.limit:limit",
    "tail_evidence": "alerts.rules.tail_evidence:tail_evidence",
    "no_data": "alerts.rules.no_data:no_data",
    "no_traffic": "alerts.rules.no_traffic:no_traffic",
    "coverage": "alerts.rules.coverage:coverage",
    "failure_rate": "alerts.rules.failure_rate:failure_rate",
}

ENTRY_POINTS = "tailwatch.rules"


def build_rule(plan: RulePlan) -> AlertRule:
    """The rule that the plan asks for, under the plan's name for it.

    Raises UnknownNameError when no rule is called so, ConfigurationError for a wrong option.
    """
    factory: RuleFactory = load("rule", plan.use, RULES, ENTRY_POINTS)
    return factory(plan.name or plan.use, plan.options)
