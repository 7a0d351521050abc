"""When a flow run was meant to start."""

from datetime import UTC, datetime

from prefect import runtime


def scheduled_start() -> datetime:
    """The slot of the schedule, also for a run that starts late; now for a run by hand.

    A plain datetime: Prefect's own kind loses its zone when a duration is taken from it.
    """
    slot = runtime.flow_run.scheduled_start_time
    return datetime.now(UTC) if slot is None else datetime.fromtimestamp(slot.timestamp(), UTC)
