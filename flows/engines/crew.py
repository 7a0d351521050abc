"""Who does the work of a backfill: this process, a Dask cluster, or workers of a Prefect pool."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from storage.claim_records import JobProgress
from storage.store import Store
from tailwatch.errors import ConfigurationError

LOOK_S: Final = 2.0
"""How often the ledger is looked at."""

OnLedger = Callable[[JobProgress], None]
"""Hears how far the job is, each time the ledger is looked at."""


class Engine(StrEnum):
    """What runs the workers of a backfill."""

    LOCAL = "local"
    DASK = "dask"
    PREFECT = "prefect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """The engine, and how many workers it is to have at the most; None is the engine's own choice.

    Raises ConfigurationError for what does not go together.
    """

    engine: Engine = Engine.LOCAL
    workers: int | None = None
    dask_address: str | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ConfigurationError(f"workers is {self.workers}; it must be 1 or more")
        if self.engine is Engine.LOCAL and self.workers is not None:
            raise ConfigurationError(
                "--workers needs --engine dask or prefect; here, start the same command in "
                "several terminals: they share the hours"
            )
        if self.engine is Engine.DASK and not self.dask_address:
            raise ConfigurationError(
                "--engine dask needs the address of a scheduler: --dask-address "
                "tcp://scheduler:8786"
            )
        if self.engine is not Engine.DASK and self.dask_address:
            raise ConfigurationError("--dask-address needs --engine dask")

    def check_store(self, url: str) -> None:
        """Raises ConfigurationError for a store that the workers cannot share."""
        if self.engine is not Engine.LOCAL and url.startswith("sqlite"):
            raise ConfigurationError(
                f"--engine {self.engine} needs a PostgreSQL store that every worker can reach, "
                "and this one is SQLite, a file on one machine: set TAILWATCH_STORE_URL"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """The ledger of one job, for whoever waits for its workers."""

    store: Store
    job_id: str
    hear: OnLedger

    def over(self) -> bool:
        """Whether no hour is left, or somebody has stopped the job; the progress is told."""
        progress = self.store.backfill_progress(self.job_id)
        self.hear(progress)
        job = self.store.backfill_job(self.job_id)
        return not progress.left or job is None or job.state != "running"
