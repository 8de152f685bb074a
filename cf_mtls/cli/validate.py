"""`cf-mtls validate`: file and chains, without the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.cli import console
from cf_mtls.cli.options import PlanFile, now, plan_file
from cf_mtls.diagnostics import Exit

if TYPE_CHECKING:
    import typer


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("validate")(validate)


def validate(file: PlanFile = None) -> int:
    """Check a plan file and its certificates. No network."""
    from cf_mtls import workflow
    from cf_mtls.report.terminal import plural

    path = plan_file(file)
    stack = workflow.validate_alone(path, now())
    console.show(stack.diagnostics)
    counted = ((stack.state, "resource"), (stack.targets, "URL"), (stack.clients, "client"))
    count = ", ".join(plural(len(things), word) for things, word in counted)
    console.out(f"{path} is valid: stack {stack.name}, {count}.")
    console.say(f"Next:\n    cf-mtls plan {path}")
    return Exit.OK
