"""`cf-mtls validate`: file and chains, without the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.cli import console
from cf_mtls.cli.options import PlanFile, now, plan_file
from cf_mtls.diagnostics import Exit

if TYPE_CHECKING:
    import typer

    from cf_mtls.declare.resolve import Stack


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("validate")(validate)


def validate(file: PlanFile = None) -> int:
    """Check a plan file and its certificates. No network."""
    from cf_mtls import workflow

    path = plan_file(file)
    stack = workflow.validate_alone(path, now())
    console.show(stack.diagnostics)
    console.out(verdict(str(path), stack))
    console.say(f"Next:\n    cf-mtls plan {path}")
    return Exit.OK


def verdict(path: str, stack: Stack) -> str:
    """What a file without errors comes to, in one line: what of it was not checked is counted.

    The account is not asked, so nothing is said of it.
    """
    from cf_mtls.declare.clients import CLIENT_ABSENT, KEY_ABSENT, NOT_CHECKED
    from cf_mtls.report.terminal import plural

    counted = ((stack.state, "resource"), (stack.targets, "URL"), (stack.clients, "client"))
    count = ", ".join(plural(len(things), word) for things, word in counted)
    unchecked = {CLIENT_ABSENT, KEY_ABSENT, NOT_CHECKED}
    places = {d.place for d in stack.diagnostics if d.code in unchecked}
    but = f", but for {plural(len(places), 'file')} of clients that could not be checked" if places else ""
    return f"{path} is valid{but}: stack {stack.name}, {count}."
