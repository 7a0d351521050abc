"""The part of the plan about alerts: the rules, the budget, and who is told."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, InstanceOf, field_validator

from tailwatch.alert import Change, Severity
from tailwatch.plan_values import PlanModel
from tailwatch.quiet_hours import QuietHours, quiet_hours

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

DailyQuiet = Annotated[InstanceOf[QuietHours], BeforeValidator(quiet_hours)]


class RulePlan(PlanModel):
    """One alert rule, applied to every named series in all traffic and in the named segments.

    `series` are evaluator or measure names (`*` is all of them); `segments` are trace fields and
    default to the plan's own.
    """

    use: str
    name: str | None = None
    series: tuple[str, ...] = ("*",)
    segments: tuple[str, ...] | None = None
    severity: Severity = Severity.ERROR
    options: Mapping[str, Any] = Field(default_factory=dict)


class NotifyPlan(PlanModel):
    """One place that messages about alerts go to.

    `url_env` and `key_env` name the environment variables that hold its secrets. `on` are the
    changes it is told of and `least_severity` the least urgent alerts. In its `quiet_hours`
    messages wait; with `even_at_night` those of critical alerts do not. Another `name` is another
    destination, which is told everything anew.
    """

    use: str
    name: str | None = None
    url_env: str | None = None
    key_env: str | None = None
    on: tuple[Change, ...] = Field(
        default=(Change.OPENED, Change.ATTACHED, Change.REOPENED, Change.RESOLVED), min_length=1
    )
    least_severity: Severity = Severity.INFO
    quiet_hours: DailyQuiet | None = None
    even_at_night: bool = False
    options: Mapping[str, Any] = Field(default_factory=dict)

    @field_validator("url_env", "key_env")
    @classmethod
    def _a_variable_and_no_secret(cls, value: str | None) -> str | None:
        if value is not None and _VARIABLE.fullmatch(value) is None:
            # The value is not repeated: whoever put the secret itself here shall not see it logged.
            raise ValueError(
                "must be the name of an environment variable, such as TAILWATCH_SLACK_URL; the "
                "secret itself belongs in the environment"
            )
        return value

    @property
    def destination(self) -> str:
        return self.name or self.use


class AlertsPlan(PlanModel):
    """How often tailwatch may be wrong: one false alert in so many weeks, over all its monitors."""

    false_alarm_weeks: float = Field(default=4, gt=0, le=520)
