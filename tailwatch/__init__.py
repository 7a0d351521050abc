"""The vocabulary every room shares: frozen values, the six seams, and nothing that does I/O."""

__version__ = "0.1.0"
