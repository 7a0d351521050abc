"""Reads `tailwatch.yaml`, and says for every fault in which line it is and what is accepted."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from evaluators.yaml_size import refuse_too_large
from tailwatch.errors import ConfigurationError, PlanError
from tailwatch.plan import FaultError, Plan


class _PlanLoader(yaml.SafeLoader):
    """Only `true` and `false` are truth values: YAML 1.1 would read the key `on` as true."""


_PlanLoader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag != "tag:yaml.org,2002:bool" or first in "tTfF"
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

_MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A valid plan, with the file it came from so that later faults can name their line."""

    path: Path
    plan: Plan
    root: yaml.Node

    @property
    def folder(self) -> Path:
        """The folder that relative paths in the plan start from."""
        return self.path.absolute().parent

    def fault(self, location: Iterable[str | int], error: ConfigurationError) -> str:
        """One line of a PlanError for a fault that showed when the part at `location` was built."""
        steps = tuple(location)
        return _sentence(self.path, self.root, steps, str(error))


def read_plan(path: Path) -> PlanFile:
    """The plan in a YAML file.

    Raises PlanError with a line for each fault; ConfigurationError when there is no such file.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(
            f"there is no plan at {path}; name one with --plan or TAILWATCH_PLAN"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the plan {path} cannot be read: {error}") from error
    root, document = _parse(path, text)
    try:
        plan = Plan.model_validate(document)
    except ValidationError as error:
        raise PlanError(
            _sentence(path, root, _location(fault), _message(fault["msg"], _shown(fault)))
            for fault in error.errors()
        ) from None
    return PlanFile(path=path, plan=plan, root=root)


def _parse(path: Path, text: str) -> tuple[yaml.Node, Any]:
    """The nodes, which know their lines, and the values."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        refuse_too_large(root, str(path))
        twice = list(_repeated_keys(root))
        document = yaml.load(text, Loader=_PlanLoader)  # noqa: S506 - a safe one
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PlanError([f"{path}:{line}: not valid YAML: {error.problem}"]) from None
    except (yaml.YAMLError, ValueError) as error:
        raise PlanError([f"{path}:1: not valid YAML: {error}"]) from None
    except ConfigurationError as error:
        raise PlanError([str(error)]) from None
    except RecursionError:
        raise PlanError([f"{path}:1: nested too deeply, or an alias inside itself"]) from None
    if not isinstance(root, yaml.MappingNode):
        raise PlanError([f"{path}:1: a plan is a mapping that begins with `source:`"])
    if twice:
        raise PlanError(
            f"{path}:{key.start_mark.line + 1}: {key.value}: given twice; keep one" for key in twice
        )
    return root, document


def _repeated_keys(node: yaml.Node | None) -> Iterable[yaml.ScalarNode]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    yield key
                seen.add(key.value)
            yield from _repeated_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated_keys(item)


def _sentence(path: Path, root: yaml.Node, location: Iterable[str | int], message: str) -> str:
    steps = tuple(location)
    node, named = _find(root, steps)
    return f"{path}:{node.start_mark.line + 1}: {'.'.join(map(str, named)) or 'plan'}: {message}"


def _find(node: yaml.Node, location: tuple[str | int, ...]) -> tuple[yaml.Node, list[str | int]]:
    """The deepest node on the way to a location, and the part of the way that names something."""
    named: list[str | int] = []
    where = node
    for step in location:
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in node.value if k.value == step), None)
            named.append(step)
            if pair is None:
                continue
            where, node = pair
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            named.append(step)
            where = node = node.value[step]
    return where, named


def _location(fault: ErrorDetails) -> tuple[str | int, ...]:
    error = fault.get("ctx", {}).get("error")
    return (*fault["loc"], *(error.location if isinstance(error, FaultError) else ()))


def _shown(fault: ErrorDetails) -> Any:
    """What was given; not where the name of a variable belongs, for it may be the secret itself."""
    return None if ".".join(map(str, fault["loc"])).endswith("_env") else fault["input"]


def _cut(given: Any) -> str:
    """What was given, as much of it as a sentence bears."""
    text = repr(given)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def _message(message: str, given: Any) -> str:
    text = message.removeprefix("Value error, ")
    if text == "Extra inputs are not permitted":
        return "not a known setting here; see docs/plan.md for those that are"
    if text.startswith("Input should be a valid dictionary"):
        return f"must hold settings, as in `use: NAME` (got {_cut(given)})"
    if text == "Field required":
        return "missing; it has to be given"
    if isinstance(given, str | int | float) and repr(given) not in text:
        return f"{text} (got {_cut(given)})"
    return text
