"""Functions of scipy.special, imported when the first of them is called.

With what it brings it takes a tenth of a start, and most commands compute no limits.
"""

from importlib import import_module
from typing import Any


def bdtr(k: float, n: int, p: float) -> float:
    """The chance of at most `k` in `n` at probability `p`."""
    return float(_special().bdtr(k, n, p))


def bdtrc(k: float, n: int, p: float) -> float:
    """The chance of more than `k` in `n` at probability `p`."""
    return float(_special().bdtrc(k, n, p))


def betainc(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function at `x`."""
    return float(_special().betainc(a, b, x))


def betaincinv(a: float, b: float, y: float) -> float:
    """Where the regularised incomplete beta function is `y`."""
    return float(_special().betaincinv(a, b, y))


def pdtri(k: float, y: float) -> float:
    """The mean of the Poisson distribution that has at most `k` with chance `y`."""
    return float(_special().pdtri(k, y))


def _special() -> Any:
    return import_module("scipy.special")
