"""The sources by name: this index, then the entry-point group `tailwatch.sources`."""

from tailwatch.loading import load
from tailwatch.plan import SourcePlan
from tailwatch.protocols import SourceFactory, TraceSource

SOURCES = {"files": "sources.files:files_source"}
GROUP = "tailwatch.sources"


def build_source(plan: SourcePlan) -> TraceSource:
    """The source that the plan names, ready to be asked; nothing is read yet.

    Raises UnknownNameError for a name nobody offers, ConfigurationError for a wrong option.
    """
    factory: SourceFactory = load("source", plan.use, SOURCES, GROUP)
    return factory(plan.name, plan.options)
