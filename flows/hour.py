"""One hour before it is evaluated: what the source lists, and each evaluator's sample of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flows.chunks import Clock
from flows.failover import taking_part
from flows.listing import list_hour, split_waiting
from flows.parts import Parts, PlannedEvaluator
from flows.sampling_day import sampling_day
from storage.records import WindowRecord
from tailwatch.evaluation import Series
from tailwatch.trace import TraceRef
from tailwatch.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """A listed hour.

    `waiting` counts the traces that are not finished; `late` are those of which this listing is the
    first after the hour was done, and `relisted` says that the hour, done before, is listed
    otherwise now: with other traces, or with other values of one, such as a thumb, or the latency
    of one that had not ended. `restating` names the run that broke off when it had changed some of
    the hour and had not yet brought its summaries up to date.
    """

    window: Window
    refs: Sequence[TraceRef]
    eligible: Sequence[TraceRef]
    waiting: int
    late: frozenset[str]
    done_before: bool
    relisted: bool
    restating: str | None
    samples: Sequence[tuple[PlannedEvaluator, Mapping[str, float]]]

    @property
    def series(self) -> list[Series]:
        return [planned.series for planned, _ in self.samples]


async def look_at(parts: Parts, window: Window, run_id: str, clock: Clock) -> Hour:
    """Lists the hour and records the listing. Raises SourceError and StoreError."""
    store, source = parts.store, parts.source.name
    refs, errors = await list_hour(parts.source, window)
    done = [record for record in store.windows(source, window) if record.status == "done"]
    known = store.listed(source, window) if done else {}
    late = frozenset(r.trace_id for r in refs if r.trace_id not in known) if done else frozenset()
    relisted = any(record.listed != len(refs) for record in done) or any(
        known.get(ref.trace_id, ref) != ref for ref in refs
    )
    if late or relisted:
        store.begin_restating(source, window, run_id)
    store.record_listing(refs, clock())
    store.record_fetch_errors(errors, run_id, clock())
    return _hour(parts, window, refs, clock, done, late=late, relisted=relisted)


async def look_back_at(parts: Parts, window: Window, run_id: str, clock: Clock) -> Hour:
    """The hour as it was listed when it was done; one that is not is listed now.

    So what came late stays for a run that takes the whole hour. Raises SourceError and StoreError.
    """
    store, source = parts.store, parts.source.name
    done = [record for record in store.windows(source, window) if record.status == "done"]
    refs = list(store.listed(source, window).values()) if done else []
    if not any(record.listed == len(refs) for record in done):
        return await look_at(parts, window, run_id, clock)
    return _hour(parts, window, refs, clock, done, late=frozenset(), relisted=False)


def _hour(
    parts: Parts,
    window: Window,
    refs: Sequence[TraceRef],
    clock: Clock,
    done: Sequence[WindowRecord],
    *,
    late: frozenset[str],
    relisted: bool,
) -> Hour:
    eligible, waiting = split_waiting(refs, window, parts.plan.timing.max_wait, clock())
    day = sampling_day(parts, window)
    flagged = day.flagged(eligible)
    return Hour(
        window=window,
        refs=refs,
        eligible=eligible,
        waiting=len(waiting),
        late=late,
        done_before=bool(done),
        relisted=relisted,
        restating=next((record.restating for record in done), None),
        samples=[(p, day.sample(p, eligible, flagged)) for p in taking_part(parts, window)],
    )
