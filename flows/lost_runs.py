"""Marks runs as crashed whose process vanished: Prefect by itself shows them running for ever.

Run as `python -m flows.lost_runs` against a server, it puts one automation there, or renews it: a
run that beats no more, and has not ended, is changed to Crashed. Workers must beat more often than
every third of the time it waits (see `flows.supervisor.HEARTBEAT_S`).
"""

import asyncio
from datetime import timedelta

from prefect.automations import Automation
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events import ChangeFlowRunState, EventTrigger, Posture, ResourceSpecification

NAME = "tailwatch: lost runs are crashed"
SILENCE = timedelta(seconds=120)
_BEAT = "prefect.flow-run.heartbeat"
_ENDS = [f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")]


def lost_runs() -> Automation:
    """The automation, not yet on a server."""
    return Automation(
        name=NAME,
        trigger=EventTrigger(
            after={_BEAT},
            expect={_BEAT, *_ENDS},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=SILENCE,
        ),
        actions=[
            ChangeFlowRunState(
                name=None,
                state=StateType.CRASHED,
                force=False,
                message="the process of this run vanished",
            )
        ],
    )


async def deploy() -> None:
    """Puts the automation on the server that PREFECT_API_URL names, in place of an earlier one."""
    async with get_client() as client:
        for earlier in await client.read_automations_by_name(NAME):
            await client.delete_automation(earlier.id)
    await lost_runs().acreate()


if __name__ == "__main__":
    asyncio.run(deploy())
