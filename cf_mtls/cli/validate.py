"""`cf-mtls validate`: file and chains, without the network."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from cf_mtls.cli import console, many
from cf_mtls.cli.options import PlanFiles, now, plan_files
from cf_mtls.diagnostics import Exit, Failure
from cf_mtls.report.terminal import harmless

if TYPE_CHECKING:
    from pathlib import Path

    import typer

    from cf_mtls.declare.resolve import Stack
    from cf_mtls.declare.search import Found


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("validate")(validate)


def validate(files: PlanFiles = None) -> int:
    """Check plan files and their certificates. No network. Exit codes: 0 all are valid, 1 one is not."""
    found = plan_files(files)
    results = list(zip(found.paths, valid(found), strict=True))
    for path, result in results:
        if len(results) > 1 and result.diagnostics:
            console.say(f"== {harmless(str(path))}")
        console.show(result.diagnostics)
    for path, result in results:
        if not isinstance(result, Failure):
            console.out(harmless(verdict(str(path), result)))
        elif len(results) > 1:
            console.out(harmless(f"{path} is not valid: {result.diagnostics[0].code.summary}"))
    many.account_for(found)
    codes = [r.exit_code if isinstance(r, Failure) else Exit.OK for _, r in results]
    code = many.worst(codes, (Exit.ERROR, Exit.REFUSED, Exit.OK))
    if code is Exit.OK:
        console.say(f"Next:\n    {shlex.join(['cf-mtls', 'plan', *(files or map(str, found.paths))])}")
    return code


def valid(found: Found) -> list[Stack | Failure]:
    """What each file declares by itself, or all that is wrong with it; the account is not asked."""
    from cf_mtls import workflow

    refused = many.refused(found)

    def stack(path: Path) -> Stack:
        if path in refused:
            raise refused[path]
        return workflow.validate_alone(path, now(), console.variables())

    return many.side_by_side(found.paths, stack)


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
