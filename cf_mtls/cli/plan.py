"""`cf-mtls plan`: what would change. Only reads."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cf_mtls.cli import console
from cf_mtls.cli.options import (
    Adopt,
    AllowDelete,
    AllowLockout,
    Destroy,
    OneCa,
    PlanFile,
    account,
    gates,
    plan_file,
)
from cf_mtls.diagnostics import Exit, Failure, has_errors

if TYPE_CHECKING:
    from cf_mtls.model.plan import Plan


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("plan")(plan)


def plan(
    file: PlanFile = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 2 when there are changes.")
    ] = False,
    destroy: Destroy = False,
    adopt: Adopt = None,
    allow_lockout: AllowLockout = None,
    allow_delete: AllowDelete = None,
    one_ca: OneCa = False,
) -> int:
    """Show what apply would change. Only reads.

    Exit codes: 0 fine, 1 error, 4 refused; with --detailed-exitcode also 2 for changes.
    """
    from cf_mtls import workflow

    path = plan_file(file)
    allowed = gates(adopt, allow_lockout, allow_delete, one_ca=one_ca)
    made = workflow.plan(workflow.validate(path), account(), allowed, destroy=destroy)
    show(made)
    if not made.is_empty:
        console.say(f"Next:\n    cf-mtls apply {path}{' --destroy' if destroy else ''}")
    return Exit.DIFFERENCES if detailed_exitcode and not made.is_empty else Exit.OK


def show(made: Plan) -> None:
    """Print the plan, then what deserves a look. Raises Failure (refused) when it cannot be applied."""
    from cf_mtls.report.plan_text import plan_text

    console.out(plan_text(made, console.paint_for(sys.stdout), datetime.now(UTC)))
    if has_errors(made.diagnostics):
        raise Failure(made.diagnostics, Exit.REFUSED)
    console.show(made.diagnostics)
