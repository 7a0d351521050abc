"""`tailwatch judge`: how far the judge can be believed, and a judge of your own on this machine."""

import typer

from flows.cli.serve_judge import serve
from flows.cli.validate_judge import rate, validate

app = typer.Typer(help="Judges: validate them, and serve one yourself.", no_args_is_help=True)


@app.callback()
def judge() -> None:
    """Keeps this a group whatever the number of its commands."""


app.command("serve")(serve)
app.command("validate")(validate)
app.command("rate")(rate)
