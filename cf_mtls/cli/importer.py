"""`cf-mtls import`: a plan file and its chains from what exists. Only reads the account."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cf_mtls.cli import console
from cf_mtls.cli.options import account, asked, now
from cf_mtls.diagnostics import Code, Exit, Failure, Fault, Severity

if TYPE_CHECKING:
    from cf_mtls.bring.draft import Draft
    from cf_mtls.bring.folder import Found
    from cf_mtls.model.state import State

PLAN_EXISTS = Code("import.plan-exists", Severity.ERROR, Fault.INVOCATION, "the plan file is there already")
BAD_STACK = Code("import.stack", Severity.ERROR, Fault.INVOCATION, "a stack cannot have that name")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("import")(import_)


def import_(
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="The plan file to write.")],
    certs: Annotated[
        list[str] | None, typer.Option("--certs", metavar="DIR", help="Look for the chains' PEM files here.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="HOST", help="Only what is on this hostname.")
    ] = None,
    all_applications: Annotated[
        bool,
        typer.Option(
            "--all-applications/--applications-that-require-certificates",
            help="Every self-hosted application, or those whose policies ask for a certificate.",
        ),
    ] = False,
    stack: Annotated[
        str | None, typer.Option("--stack", metavar="NAME", help="The stack's name; else that of the file.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the files that are there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="What was found, as JSON.")] = False,
) -> int:
    """Write a plan file for what the account (or zone) of the environment holds. Never writes to the account.

    The plan of the written file is empty: that is checked before it is written.
    """
    from cf_mtls import bringing
    from cf_mtls.bring import folder
    from cf_mtls.bring.select import Wish, hostnames

    path = Path(out)
    found = folder.read(certs or [])
    wish = Wish(_stack(stack, path), hostnames(only or []), all_applications)
    where = account()
    made, there = bringing.bring(where, wish, found.files, now())
    if path.exists() and not force:
        return _add_to(path, made, there)
    written = folder.write(made, path, force=force)
    if as_json:
        console.data(json.dumps({**_json(made, written), "asked": asked(where).data()}, indent=2))
    else:
        _tell(made, written, found)
        console.whom(asked(where))
    console.say(f"Next:\n    cf-mtls plan {out}")
    return Exit.OK


def _stack(named: str | None, path: Path) -> str:
    from cf_mtls.bring.entries import slug
    from cf_mtls.declare.values import LABEL

    if named is not None and (not LABEL.fullmatch(named) or len(named) > 63):
        detail = f"{named} is not one; it may hold a-z, 0-9 and inner hyphens, 63 characters at most."
        raise Failure([BAD_STACK.found(detail, "Leave --stack out to take the file's name.")], Exit.USAGE)
    return named or slug(path.stem, "imported")


def _add_to(path: Path, made: Draft, there: State) -> int:
    """Print what an existing plan file lacks; a file with a person's comments in it is not rewritten."""
    from cf_mtls import bringing, workflow
    from cf_mtls.bring import draft, folder

    stack = workflow.validate(path, now(), console.variables())
    part = bringing.missing_from(stack, made, there)
    if not part.entries:
        console.out(f"Nothing to add: {path} declares everything that import would bring.")
        return Exit.OK
    console.data(draft.placed_at(part, folder.relative(part, path)).text.rstrip("\n"))
    detail = f"{path} was not touched. What it lacks is printed on stdout."
    fix = "Add those lines under the keys of the same names, or give --force to replace the file."
    raise Failure([PLAN_EXISTS.found(detail, fix)])


def _tell(made: Draft, written: tuple[Path, ...], found: Found) -> None:
    from cf_mtls.bring.draft import SECTIONS
    from cf_mtls.report.terminal import plural

    counts = {section: [e for e in made.entries if e.section == section] for section in SECTIONS}
    with_chain = len([e for e in counts["certificates"] if e.match])
    console.out(
        f"{plural(len(counts['certificates']), 'CA')} ({with_chain} with the chain), "
        f"{plural(len(counts['hostname_settings']), 'hostname setting')}, "
        f"{plural(len(counts['applications']), 'application')}; "
        f"{len(made.skipped)} left out, with the reasons in the file."
    )
    if found.with_keys:
        console.out(f"{plural(found.with_keys, 'file')} with a private key passed over.")
    for path in written:
        console.out(f"  wrote {path}")
    console.out("The plan of it is empty: checked against what was just read. The account was only read.")


def _json(made: Draft, written: tuple[Path, ...]) -> dict[str, Any]:
    return {
        "written": [str(path) for path in written],
        "entries": [
            {
                "section": e.section,
                "label": e.label,
                "address": str(e.address),
                "chain_found_in": e.match.path if e.match else None,
                "block": e.match.block if e.match else None,
            }
            for e in made.entries
        ],
        "skipped": [{"address": str(s.address), "name": s.name, "why": s.why} for s in made.skipped],
    }
