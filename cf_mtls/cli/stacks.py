"""`cf-mtls stacks`: the plan files of a folder, and the matrix that spreads them over CI runners."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cf_mtls.cli import console
from cf_mtls.cli.options import plan_files
from cf_mtls.diagnostics import Code, Exit, Failure, Fault, Severity

SPLIT = Code("stacks.name", Severity.ERROR, Fault.FILE, "a plan file's name cannot be passed on")
RENAME = "Give it a name without line breaks and without blanks at its ends."


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("stacks")(stacks)


def stacks(
    folders: Annotated[
        list[str] | None, typer.Argument(metavar="[FOLDER]...", help="Folders or files; else plans.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="A matrix for GitHub Actions, on one line.")
    ] = False,
    jobs: Annotated[
        int, typer.Option("--jobs", metavar="NUMBER", help="At most so many entries.", min=1, max=256)
    ] = 256,
) -> int:
    """List the plan files below a folder. No network."""
    from cf_mtls.declare.fleet import matrix, stack_name
    from cf_mtls.report.terminal import harmless

    found = plan_files([name for name in folders or [] if name.strip()] or ["plans"])
    split = [path for path in found if str(path) != str(path).strip() or len(str(path).splitlines()) > 1]
    if as_json and split:
        raise Failure(
            [
                SPLIT.found(f"{harmless(str(path))}: jobs are given names one a line.", RENAME)
                for path in split
            ]
        )
    if as_json:
        console.data(json.dumps(matrix(found, jobs)))
    else:
        console.out("\n".join(harmless(f"{path}  {stack_name(path)}") for path in found))
    return Exit.OK
