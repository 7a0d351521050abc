"""A backfill on an existing Dask cluster: one loop on each of its workers, results in the store."""

import asyncio
from importlib import import_module
from typing import Any, Final

from flows.engines.crew import LOOK_S, Watch
from flows.shared_worker import work
from tailwatch.errors import ConfigurationError, TailwatchError

Client = Any
Future = Any
"""Of the package `distributed`, which is not there unless its extra is installed."""

CONNECT_S: Final = 15
ALONE_S: Final = 60.0
"""How long to wait for a worker where the cluster has none."""


async def run_on_dask(address: str, watch: Watch, most: int | None = None) -> None:
    """Returns when no hour of the job is left.

    Every worker of the cluster, `most` of them, runs the loop; one that joins gets it too, and the
    hours of one that vanishes are claimed by the others. Raises ConfigurationError where there is
    no cluster, TailwatchError when no worker works any more.
    """
    distributed = _distributed()
    try:
        client = await distributed.Client(
            address, asynchronous=True, timeout=CONNECT_S, set_as_default=False
        )
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"no Dask scheduler answers at {address} ({type(error).__name__}); start one with "
            "`dask scheduler`, and `dask worker ADDRESS` on each machine"
        ) from error
    async with client:
        await _Loops(client, watch, most).until_over()


class _Loops:
    """The loops on the cluster's workers, by the address of the worker."""

    def __init__(self, client: Client, watch: Watch, most: int | None) -> None:
        self._client, self._watch, self._most = client, watch, most
        self._running: dict[str, Future] = {}
        self._ended: set[str] = set()
        self._error: str | None = None

    async def until_over(self) -> None:
        alone_s = 0.0
        while True:
            await self._send_out()
            if await asyncio.to_thread(self._watch.over):
                return
            alone_s = 0.0 if self._running else alone_s + LOOK_S
            if alone_s and self._error is not None:
                raise TailwatchError(f"every worker of the cluster ended: {self._error}")
            if alone_s > ALONE_S:
                raise TailwatchError("the Dask cluster has no worker; the same command goes on")
            await asyncio.sleep(LOOK_S)

    async def _send_out(self) -> None:
        """Notes which loops have ended and which workers are gone, and begins new loops."""
        identity = await self._client.scheduler.identity(n_workers=-1)
        present = set(identity["workers"])
        for address, future in list(self._running.items()):
            if address not in present:
                await self._client.cancel([future], force=True)
                del self._running[address]
            elif future.done():
                await self._note(address, self._running.pop(address))
        for address in sorted(present - self._ended - set(self._running)):
            if self._most is None or len(self._running) < self._most:
                self._running[address] = self._client.submit(
                    work, self._watch.job_id, workers=[address], pure=False
                )

    async def _note(self, address: str, future: Future) -> None:
        """A worker whose loop ended is left alone from then on: nothing is left, or it cannot."""
        self._ended.add(address)
        try:
            self._error = await future.result() or self._error
        except Exception as error:  # noqa: BLE001 - whatever a worker raised, the others go on
            self._error = f"{type(error).__name__}: {error}"


def _distributed() -> Any:
    try:
        return import_module("distributed")
    except ImportError as error:
        raise ConfigurationError(
            "--engine dask needs the package `distributed`: pip install 'tailwatch[dask]', here "
            "and on every worker"
        ) from error
