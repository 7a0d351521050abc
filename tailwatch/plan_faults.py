"""What can be wrong between the parts of a plan."""


class FaultError(ValueError):
    """What is wrong between parts of a plan that are fine by themselves, and where to mend it."""

    def __init__(self, message: str, location: tuple[str | int, ...]) -> None:
        super().__init__(message)
        self.location = location


def refuse_twins(kind: str, setting: str, names: list[str]) -> None:
    """Raises FaultError for a name that two entries have."""
    for number, name in enumerate(names):
        if name in names[:number]:
            message = f"two {kind} are called {name!r}; give each its own `name`"
            raise FaultError(message, (setting, number))


def refuse_repeated(setting: str, names: tuple[str, ...]) -> None:
    """Raises FaultError for a name that is there twice."""
    for number, name in enumerate(names):
        if name in names[:number]:
            message = f"{name!r} is twice among the {setting}; keep one"
            raise FaultError(message, (setting, number))


def refuse_unknown(
    kind: str, where: tuple[str | int, ...], given: tuple[str, ...], known: tuple[str, ...]
) -> None:
    """Raises FaultError for a name that is not known."""
    for number, name in enumerate(given):
        if name not in known:
            message = f"{name!r} is not a {kind}; known: {', '.join(known)}"
            raise FaultError(message, (*where, number))
