"""How much a YAML file stands for: aliases let a few lines mean more than any memory holds."""

import yaml

from tailwatch.errors import ConfigurationError

MOST_NODES = 100_000
"""More values than any plan or rubric has; one that means more is a mistake, or meant badly."""


def refuse_too_large(root: yaml.Node | None, what: str) -> None:
    """Raises ConfigurationError when the file stands for too many values, or one holds itself."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()
    stack: list[tuple[yaml.Node, bool]] = [] if root is None else [(root, False)]
    while stack:
        node, done = stack.pop()
        children = _children(node)
        if done:
            open_nodes.discard(id(node))
            sizes[id(node)] = 1 + sum(sizes[id(child)] for child in children)
            if sizes[id(node)] > MOST_NODES:
                raise ConfigurationError(
                    f"{what}:{node.start_mark.line + 1}: it stands for more than "
                    f"{MOST_NODES:,} values; aliases (*name) repeat what they stand for"
                )
        elif id(node) not in sizes:
            open_nodes.add(id(node))
            stack.append((node, True))
            for child in children:
                if id(child) in open_nodes:
                    raise ConfigurationError(
                        f"{what}:{child.start_mark.line + 1}: a value holds itself, by an alias "
                        "(*name)"
                    )
                stack.append((child, False))


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []
