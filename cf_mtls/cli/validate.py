"""`cf-mtls validate`: file and chains, without the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.cli import console
from cf_mtls.cli.options import PlanFile, plan_file
from cf_mtls.diagnostics import Exit

if TYPE_CHECKING:
    import typer


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("validate")(validate)


def validate(file: PlanFile = None) -> int:
    """Check a plan file and its certificates. No network."""
    from cf_mtls import workflow

    path = plan_file(file)
    stack = workflow.validate(path)
    console.show(stack.diagnostics)
    count = f"{len(stack.state)} resources, {len(stack.targets)} URLs, {len(stack.clients)} clients"
    console.out(f"{path} is valid: stack {stack.name}, {count}.")
    console.say(f"Next:\n    cf-mtls plan {path}")
    return Exit.OK
