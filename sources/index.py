"""The sources by name: this index, then the entry-point group `tailwatch.sources`."""

from pathlib import Path

from tailwatch.loading import load
from tailwatch.plan import SourcePlan
from tailwatch.protocols import SourceFactory, TraceSource

SOURCES = {"files": "sources.files:files_source"}
GROUP = "tailwatch.sources"


def build_source(plan: SourcePlan, cache: Path | None = None) -> TraceSource:
    """The source that the plan names, ready to be asked; nothing is read yet. `cache` is a folder
    in which it may keep what it can make again.

    Raises UnknownNameError for a name nobody offers, ConfigurationError for a wrong option.
    """
    factory: SourceFactory = load("source", plan.use, SOURCES, GROUP)
    return factory(plan.name, plan.options, cache)
