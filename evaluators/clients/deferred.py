"""Libraries that take long to import, imported when they are first used.

Most runs of the command need none of them: openai takes half a second, aiohttp and the price list a
quarter each.
"""

from importlib import import_module
from typing import Any


class Deferred:
    """Stands for a module: whatever is asked of it is asked of the module, which is imported then.

    if TYPE_CHECKING:
        import openai
    else:
        openai = Deferred("openai")
    """

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self.__name__), attribute)
