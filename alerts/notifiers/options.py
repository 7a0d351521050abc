"""What every notifier checks about its entry in the plan."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from tailwatch.errors import ConfigurationError
from tailwatch.printable import printable
from tailwatch.protocols import Secrets


def refuse_options(name: str, options: Mapping[str, Any], accepted: tuple[str, ...] = ()) -> None:
    """Raises ConfigurationError for an option that the notifier does not have."""
    known = f"accepted: {', '.join(accepted)}" if accepted else "it has none"
    for option in options:
        if option not in accepted:
            raise ConfigurationError(f"{_shown(name)}: {option!r} is not an option; {known}")


def require(name: str, secrets: Secrets, setting: str, example: str) -> None:
    """Raises ConfigurationError unless the plan names the variable of `url_env` or `key_env`."""
    if getattr(secrets, setting) is None:
        raise ConfigurationError(
            f"{_shown(name)}: `{setting}` is missing; name the environment variable that holds "
            f"its secret, as in {setting}: {example}"
        )


def web_address(name: str, value: object) -> str:
    """The address, without a slash at its end. Raises ConfigurationError unless it is of the web.

    The value is never repeated, for it may be a secret.
    """
    text = value.strip().rstrip("/") if isinstance(value, str) else ""
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or not text.isprintable() or " " in text:
        raise ConfigurationError(
            f"{_shown(name)}: its address is not one of the web; write https://host/path"
        )
    return text


def _shown(name: str) -> str:
    return f"notifier {printable(name, 60)!r}"
