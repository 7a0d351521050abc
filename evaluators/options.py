"""The options a plan gives an evaluator, as a validated value."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from tailwatch.errors import ConfigurationError


class Options(BaseModel):
    """What an evaluator accepts under `options`: each field is one option, with its default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


OptionsT = TypeVar("OptionsT", bound=Options)


def parse_options(evaluator: str, kind: type[OptionsT], given: Mapping[str, Any]) -> OptionsT:
    """The options as a `kind`. Raises ConfigurationError with one line for each fault."""
    try:
        return kind.model_validate(dict(given))
    except ValidationError as error:
        known = ", ".join(kind.model_fields) or "none"
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
        )
        raise ConfigurationError(
            f"options of the evaluator {evaluator!r}: {faults} (its options: {known})"
        ) from None


def refuse_parameter(evaluator: str, parameter: str | None) -> None:
    """Raises ConfigurationError for an `@parameter` where the evaluator has none."""
    if parameter is not None:
        raise ConfigurationError(
            f"the evaluator {evaluator!r} takes no parameter; write it without @{parameter}"
        )
