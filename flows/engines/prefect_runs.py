"""A backfill by workers of a Prefect pool: one flow run for each, which runs the loop."""

import asyncio
from importlib import import_module
from typing import Any, Final

from flows.engines.crew import LOOK_S, Watch
from tailwatch.errors import ConfigurationError, TailwatchError

FlowRun = Any
"""Prefect takes a second to import, which is left to those who use it."""

DEPLOYMENT: Final = "share-backfill/by-job"
WORKERS: Final = 2
"""How many flow runs there are where nobody says."""

_LOOKS_AT_SERVER: Final = 15
"""How many looks at the ledger come to one at the server."""


async def run_on_prefect(watch: Watch, workers: int | None = None) -> None:
    """Returns when no hour of the job is left.

    The flow runs are numbered within the job, and their keys are the job's id and the number: the
    same command, given again while they live, starts none twice. Raises ConfigurationError where
    the deployment is not on the server, TailwatchError when every run has ended before the hours.
    """
    async with import_module("prefect.client.orchestration").get_client() as client:
        runs = await _begin(client, watch.job_id, workers or WORKERS)
        looks = 0
        while not await asyncio.to_thread(watch.over):
            await asyncio.sleep(LOOK_S)
            looks += 1
            if looks % _LOOKS_AT_SERVER == 0:
                runs = [await client.read_flow_run(run.id) for run in runs]
                if all(_ended(run) for run in runs):
                    raise TailwatchError(
                        "every flow run of this backfill has ended, and hours are left; see the "
                        "runs on Prefect's page, then give the same command again"
                    )


async def _begin(client: Any, job_id: str, workers: int) -> list[FlowRun]:
    run_deployment = import_module("prefect.deployments.flow_runs").arun_deployment
    not_found = import_module("prefect.exceptions").ObjectNotFound
    runs: list[FlowRun] = []
    number = 0
    while len(runs) < workers:
        number += 1
        try:
            run = await run_deployment(
                DEPLOYMENT,
                client=client,
                parameters={"job_id": job_id},
                flow_run_name=f"backfill {job_id}, worker {number}",
                idempotency_key=f"{job_id}:{number}",
                timeout=0,
                as_subflow=False,
            )
        except not_found as error:
            raise ConfigurationError(
                f"the Prefect server has no deployment {DEPLOYMENT}: run `tailwatch up`, or "
                "`prefect deploy --all`, and set PREFECT_API_URL to its address"
            ) from error
        if not _ended(run):  # one of an earlier command, which is over, does no more
            runs.append(run)
    return runs


def _ended(run: "FlowRun") -> bool:
    return bool(run.state is not None and run.state.is_final())
