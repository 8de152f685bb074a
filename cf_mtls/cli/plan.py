"""`cf-mtls plan`: what would change. Only reads."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cf_mtls import output_file
from cf_mtls.cli import console, many
from cf_mtls.cli.options import (
    Adopt,
    AllowClearedSecrets,
    AllowDelete,
    AllowLockout,
    AllowUnproven,
    AllowWeaken,
    Destroy,
    HostElsewhere,
    OneCa,
    PlanFiles,
    RefusedTwice,
    Target,
    WildcardHostnames,
    account,
    asked,
    gates,
    now,
    plan_files,
    typed,
)
from cf_mtls.cli.plan_many import ends, plan_many
from cf_mtls.diagnostics import Code, Exit, Failure, Fault, Severity, has_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.plan import Plan
    from cf_mtls.workflow import Account

AGAIN = Code("plan.again", Severity.NOTE, Fault.INVOCATION, "everything can be allowed at once")
ONE_FILE = Code("plan.one-file", Severity.ERROR, Fault.INVOCATION, "an option is for one file only")
UNWRITABLE = Code("plan.out", Severity.ERROR, Fault.INVOCATION, "the plan cannot be saved there")


OF_THE_RUN = frozenset({"files", "out", "as_json", "detailed_exitcode"})
"""The parameters that make it no other plan: every other is repeated in the command that comes next."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("plan")(plan)


def plan(
    context: typer.Context,
    files: PlanFiles = None,
    out: Annotated[str | None, typer.Option("--out", metavar="FILE", help="Save the plan for apply.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The plan as JSON, in Terraform's shape.")] = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 2 when there are changes.")
    ] = False,
    destroy: Destroy = False,
    target: Target = None,
    adopt: Adopt = None,
    allow_lockout: AllowLockout = None,
    allow_unproven: AllowUnproven = None,
    allow_weaken: AllowWeaken = None,
    allow_delete: AllowDelete = None,
    allow_cleared_secrets: AllowClearedSecrets = None,
    one_ca: OneCa = False,
    refused_twice: RefusedTwice = None,
    wildcard_hostnames: WildcardHostnames = False,
    host_elsewhere: HostElsewhere = None,
) -> int:
    """Show what apply would change. Only reads. Of many files, the worst code: 1, 4, 2, 0.

    Exit codes: 0 fine, 1 error, 4 refused; with --detailed-exitcode also 2 for changes, and 1 when something was not
    read that the answer rests on.
    """
    from cf_mtls import workflow
    from cf_mtls.planning.planfile import digest_of

    allowed = gates(
        adopt=adopt,
        lockout=allow_lockout,
        unproven=allow_unproven,
        weaken=allow_weaken,
        delete=allow_delete,
        cleared=allow_cleared_secrets,
        target=target,
        one_ca=one_ca,
        twins=refused_twice,
        wildcards=wildcard_hostnames,
        elsewhere=host_elsewhere,
    )
    found = plan_files(files)
    path, *more = found.paths
    if more:
        if out or as_json or target:
            raise Failure([ONE_FILE.found("--out, --json and --target are for one plan file.")], Exit.USAGE)
        return plan_many(found, allowed, destroy=destroy, detailed=detailed_exitcode)
    many.only_one(found)
    if out:
        output_file.check(Path(out), UNWRITABLE)
    stack = workflow.validate(path, now(), console.variables())
    where = account()
    made = workflow.plan(stack, where, allowed, destroy=destroy)
    if as_json:
        console.data(_json_text(made).rstrip("\n"))
        check(made)
    else:
        show(made, where)
    if out:
        save(made, Path(out))
    if not made.is_empty:
        flags = ["--expect", digest_of(made)] if out else typed(context, OF_THE_RUN)
        console.say(f"Next:\n    {shlex.join(['cf-mtls', 'apply', out or str(path), *flags])}")
    many.account_for(found, aside=as_json)
    return ends(made) if detailed_exitcode else Exit.OK


def show(made: Plan, where: Account, digest: str | None = None) -> None:
    """Print the plan, then what deserves a look. Raises Failure (refused) when it cannot be applied.

    digest: of the saved plan that it is or is a part of; None for its own.
    """
    from cf_mtls.planning.planfile import digest_of
    from cf_mtls.report.plan_text import plan_text

    paint = console.paint_for(sys.stdout)
    console.out(plan_text(made, paint, now()))
    if not made.is_empty:
        console.out(paint.dim(f"Digest {digest or digest_of(made)}"))
    console.whom(asked(where))
    check(made)


def check(made: Plan) -> None:
    """Show what deserves a look. Raises Failure (refused) when the plan must not be applied."""
    if has_errors(made.diagnostics):
        raise Failure((*made.diagnostics, *_exact_command(made.diagnostics)), Exit.REFUSED)
    console.show(made.diagnostics)


def _exact_command(found: Sequence[Diagnostic]) -> Iterator[Diagnostic]:
    """The command line as typed with every flag that the refusals name, when flags are all that is missing."""
    flags = [_flag(diagnostic) for diagnostic in found if diagnostic.is_error]
    if flags and all(flags):
        words = [*sys.argv[1:], *(word for flag in dict.fromkeys(map(tuple, flags)) for word in flag)]
        command = shlex.join(["cf-mtls", *words])
        yield AGAIN.found("If all of it is meant, the same command with every flag is:", f"    {command}")


def _flag(diagnostic: Diagnostic) -> list[str]:
    """The flag that a refusal's fix names, as words; empty when it names none."""
    lines = (line.strip() for line in diagnostic.fix.splitlines() if line.startswith("    --"))
    return next(([line] if " " not in line else line.split(" ", 1) for line in lines), [])


def save(made: Plan, out: Path) -> None:
    """Write a plan for apply, whole or not at all. Raises Failure when the file cannot be written."""
    text = _json_text(made)
    output_file.write(out, text.encode("utf-8"), UNWRITABLE)
    console.say(f"Saved to {out}.")


def _json_text(made: Plan) -> str:
    from cf_mtls.planning.planfile import as_json, text

    return text(as_json(made))
