"""The commands by name, each imported when it is called: one run needs one of them."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

MODULES = {
    "run": "run",
    "backfill": "backfill",
    "jobs": "jobs",
    "scores": "look",
    "coverage": "look",
    "problems": "look",
    "spend": "spend",
    "export": "export",
    "metrics": "metrics",
    "label": "label",
    "doctor": "administer",
    "up": "administer",
    "demo": "demo",
    "alerts": "alerts",
    "baseline": "baseline",
    "canary": "canary",
    "batches": "batches",
    "dataset": "dataset",
    "judge": "judge",
    "notify": "notify",
    "rubric": "rubric",
    "plan": "administer",
    "db": "administer",
}
"""Each command, or group of them, and its module in `flows.cli`, in the order of the help."""


class Commands(TyperGroup):
    """A group that knows the names of its commands, and imports one when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        del ctx
        return list(MODULES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command; None for a name that is none."""
        if cmd_name in MODULES and cmd_name not in self.commands:
            self.commands.update(_commands_of(MODULES[cmd_name]))
        return super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As typer does; for a wrong name it looks for similar ones among all the commands."""
        if args and args[0] not in MODULES:
            for name in MODULES:
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)


def _commands_of(name: str) -> dict[str, Any]:
    module = import_module(f"flows.cli.{name}")
    holder = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    if hasattr(module, "register"):
        module.register(holder)
    for group, of in MODULES.items():
        app = getattr(module, "app" if group == name else f"{group}_app", None)
        if of == name and isinstance(app, typer.Typer):
            holder.add_typer(app, name=group)
    made = get_group(holder).commands
    return {command: made[command] for command, of in MODULES.items() if of == name}
