"""A plan over a file of traces whose rubrics ask judges at given addresses."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr

from flows.plan_file import read_plan
from flows.runs import RunReport, run_windows
from flows.wiring import open_parts
from storage.records import RunKind
from storage.store import Store, open_store
from tailwatch.settings import Settings
from tailwatch.window import Window
from tests.builders import START
from tests.fakes import SteppingClock

HOUR = Window.hour_of(START)


@dataclass(frozen=True, kw_only=True)
class JudgedPlan:
    """A folder with a plan, traces of one hour and a store; each run opens and closes its parts."""

    settings: Settings

    @classmethod
    def written(
        cls,
        folder: Path,
        traces: Sequence[Mapping[str, Any]],
        plan: Mapping[str, Any],
        judge_url: str,
        second_url: str | None = None,
    ) -> "JudgedPlan":
        lines = [
            {
                "trace_id": f"t{i}",
                "timestamp": (START + timedelta(minutes=i)).isoformat(),
                "input": "When are invoices sent?",
                "output": "On the first day of each month.",
                **trace,
            }
            for i, trace in enumerate(traces)
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / "traces.jsonl").write_text(text, encoding="utf-8")
        whole = {
            "source": {"use": "files", "name": "app", "options": {"path": "traces.jsonl"}},
            "evaluators": [{"use": "answer_relevance"}],
            **plan,
        }
        (folder / "tailwatch.yaml").write_text(yaml.safe_dump(whole), encoding="utf-8")
        settings = Settings(
            plan=folder / "tailwatch.yaml",
            home=folder / "home",
            store_url=SecretStr(f"sqlite:///{folder / 'store.db'}"),
            second_judge_url=second_url,
            second_judge_api_key=None,
            judge_model=None,
        ).model_copy(update={"judge_url": judge_url, "judge_api_key": None})
        with open_store(settings.store) as store:
            store.upgrade()
        return cls(settings=settings)

    def store(self) -> Store:
        """The store, as a reader opens it."""
        return open_store(self.settings.store)

    def run(self, now: datetime, run_id: str, *, kind: RunKind = "hourly") -> RunReport:
        """One run over the hour."""

        async def work() -> RunReport:
            async with open_parts(read_plan(self.settings.plan), self.settings) as parts:
                clock = SteppingClock(now)
                return await run_windows(parts, [HOUR], kind=kind, run_id=run_id, clock=clock)

        return asyncio.run(work())
