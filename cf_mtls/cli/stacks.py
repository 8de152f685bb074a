"""`cf-mtls stacks`: the plan files of a folder, and the matrix that spreads them over CI runners."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cf_mtls.cli import console, many
from cf_mtls.cli.ci_step import cleared, where, write
from cf_mtls.cli.options import plan_files
from cf_mtls.diagnostics import Code, Exit, Failure, Fault, Severity
from cf_mtls.report.terminal import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cf_mtls.declare.search import Found

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
    folder: Annotated[
        str | None,
        typer.Option(
            "--folder", metavar="FOLDER", help="Leave stacks.json there, every file's account, for ci issue."
        ),
    ] = None,
) -> int:
    """List the plan files below a folder. No network.

    Exit codes: 0 all that could be one is listed; 1 something could not be read, and the rest is listed.
    """
    from cf_mtls.declare.fleet import matrix
    from cf_mtls.declare.search import outline_of

    found = plan_files([name for name in folders or [] if name.strip()] or ["plans"])
    named = [(path, outline_of(path).stack) for path in found.paths if path not in found.unread]
    if as_json:
        _refuse_names(path for path, _ in named)
    if folder:
        (path,) = cleared(folder, {"stacks-path": "stacks.json"}).values()
        write(path, json.dumps(listing(found), indent=2) + "\n")
    if as_json and named:
        console.data(json.dumps(matrix(named, jobs)))
    elif named:
        console.out("\n".join(harmless(f"{path}  {stack}") for path, stack in named))
    console.show(found.unread.values())
    many.account_for(found, aside=as_json)
    return Exit.ERROR if found.unread else Exit.OK


def listing(found: Found) -> dict[str, Any]:
    """The account of the folders as a report, for `ci issue`."""
    from cf_mtls import __version__
    from cf_mtls.report.drift_data import SCHEMA
    from cf_mtls.report.safe import scrubbed

    data: dict[str, Any] = scrubbed({"where": where(), "files": found.data}, ())
    return {"cf_mtls": {"schema": SCHEMA, "version": __version__, "kind": "stacks"}, **data}


def _refuse_names(paths: Iterable[Path]) -> None:
    """Raise Failure for names that a list with one a line would split or trim."""
    split = [path for path in paths if str(path) != str(path).strip() or len(str(path).splitlines()) > 1]
    if split:
        found = (f"{harmless(str(path))}: jobs are given names one a line." for path in split)
        raise Failure([SPLIT.found(text, RENAME) for text in found])
