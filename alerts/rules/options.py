"""The options of a rule in the plan: validated, with messages that name the fix."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from tailwatch.errors import ConfigurationError
from tailwatch.plan import duration
from tailwatch.printable import printable

OptionsT = TypeVar("OptionsT", bound=BaseModel)

_SHOWN_VALUE_CHARS = 60


def _hours(value: object) -> object:
    """A plain number is hours, text is a duration such as `24h`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return timedelta(hours=value)
    return duration(value)


def _whole_hours(value: timedelta) -> timedelta:
    if value < timedelta(hours=1) or value % timedelta(hours=1):
        raise ValueError("must be whole hours, 1h or more, such as 6h or 3d")
    return value


Hours = Annotated[timedelta, BeforeValidator(_hours), AfterValidator(_whole_hours)]
Share = Annotated[float, Field(gt=0, lt=1)]
Alpha = Annotated[float, Field(gt=0, le=0.5)]
Count = Annotated[int, Field(ge=1)]


class RuleOptions(BaseModel):
    """What every rule's options have in common: nothing unknown, nothing changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def read_options(model: type[OptionsT], rule: str, options: Mapping[str, Any]) -> OptionsT:
    """The validated options of the rule called `rule`.

    Raises ConfigurationError with one line for each option that is missing, unknown or wrong.
    """
    try:
        return model.model_validate(dict(options))
    except ValidationError as error:
        known = ", ".join(model.model_fields)
        lines = [_problem(dict(problem), known) for problem in error.errors()]
        name = printable(rule, _SHOWN_VALUE_CHARS)
        raise ConfigurationError("\n".join(f"rule {name!r}: {line}" for line in lines)) from error


def _problem(problem: Mapping[str, Any], known: str) -> str:
    option = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        return f"{option!r} is not an option; accepted: {known}"
    if problem["type"] == "missing":
        return f"the option {option!r} is missing; add it under `options`"
    value = printable(repr(problem["input"]), _SHOWN_VALUE_CHARS)
    return f"{option} is {value}; {problem['msg'].removeprefix('Value error, ')}"
