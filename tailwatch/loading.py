"""From a name in the plan to the code behind it: a room's own index, then installed plug-ins."""

import importlib
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from tailwatch.errors import ConfigurationError, UnknownNameError


def split_parameter(name: str) -> tuple[str, str | None]:
    """`ndcg@10` as its family `ndcg@k` and the parameter `10`; a plain name as itself and None."""
    family, at, parameter = name.partition("@")
    return (f"{family}@k", parameter) if at else (name, None)


def load(kind: str, name: str, index: Mapping[str, str], group: str) -> Any:
    """The object that `name` stands for, imported when asked for and not before.

    `index` maps names to `module:attribute`; `group` is the entry-point group in which another
    package may offer more names. The index wins, so that a plug-in cannot replace what is ours.
    Raises UnknownNameError when neither knows the name, ConfigurationError when it cannot load.
    """
    if name in index:
        module, _, attribute = index[name].partition(":")
        return getattr(importlib.import_module(module), attribute)
    offered = {entry.name: entry for entry in entry_points(group=group)}
    if name not in offered:
        raise UnknownNameError(kind, name, (*index, *offered))
    try:
        return offered[name].load()
    except Exception as error:
        raise ConfigurationError(
            f"the {kind} {name!r} of the package {offered[name].value} does not load: {error}"
        ) from error
