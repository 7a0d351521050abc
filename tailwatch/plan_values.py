"""What the parts of a plan share: the common model, and durations with a unit."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def duration(value: object) -> object:
    """A timedelta from text such as `90s`, `10m`, `6h`, `7d` or `2w`.

    Anything else is handed on. Raises ValueError for text of another form, and for a number other
    than 0, whose unit nobody knows.
    """
    if isinstance(value, int | float) and value:
        raise ValueError(f"{value!r} has no unit; write s, m, h, d or w after it, as in {value!r}m")
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise ValueError(
            f"{value!r} is not a duration; write a number and s, m, h, d or w, as in 6h"
        )
    try:
        return timedelta(**{_UNITS[match[2]]: float(match[1])})
    except OverflowError:
        raise ValueError(f"{value!r} is longer than any calendar; write less") from None


Duration = Annotated[timedelta, BeforeValidator(duration), Field(ge=timedelta(0))]


class PlanModel(BaseModel):
    """A part of a plan: it cannot be changed, and a setting that it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
