"""Parts of a run over a source in memory and a real SQLite store."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows.parts import Parts, PlannedEvaluator, PlannedRule
from storage.store import Store, open_store
from tailwatch.plan import EvaluatorPlan, Plan, SourcePlan, TimingPlan
from tailwatch.protocols import Evaluator, TraceSource
from tailwatch.sampling import SampleDesign


def migrated_store(folder: Path) -> Store:
    store = open_store(f"sqlite:///{folder / 'store.db'}")
    store.upgrade()
    return store


def make_parts(
    store: Store,
    source: TraceSource,
    *evaluators: Evaluator,
    design: SampleDesign | None = None,
    rules: Sequence[PlannedRule] = (),
    timing: TimingPlan | None = None,
    **plan: Any,
) -> Parts:
    """Parts as wiring would build them, with the given evaluators under one sampling design."""
    return Parts(
        plan=Plan(
            source=SourcePlan(use="memory", name=source.name),
            evaluators=(EvaluatorPlan(use="scripted"),),
            timing=timing or TimingPlan(),
            **plan,
        ),
        source=source,
        evaluators=tuple(
            PlannedEvaluator(evaluator=e, design=design or SampleDesign()) for e in evaluators
        ),
        rules=tuple(rules),
        judge=None,
        store=store,
    )
