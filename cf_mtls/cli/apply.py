"""`cf-mtls apply`: do it, then verify."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cf_mtls.cli import console, plan
from cf_mtls.cli.options import (
    Adopt,
    AllowDelete,
    AllowLockout,
    CaCert,
    ConnectTo,
    Destroy,
    OneCa,
    PlanFile,
    WitnessName,
    account,
    gates,
    plan_file,
    witness,
)
from cf_mtls.diagnostics import Code, Exit, Failure, Fault, Severity

if TYPE_CHECKING:
    from cf_mtls.declare.resolve import Stack
    from cf_mtls.workflow import Account, Witness

NEEDS_ANSWER = Code("apply.not-confirmed", Severity.ERROR, Fault.INVOCATION, "nobody can be asked to confirm")

DEADLINE_S = 60.0
"""How long after an apply the edge may take to agree."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("apply")(apply)


def apply(
    file: PlanFile = None,
    auto_approve: Annotated[bool, typer.Option("--auto-approve", "-y", help="Do not ask for yes.")] = False,
    destroy: Destroy = False,
    adopt: Adopt = None,
    allow_lockout: AllowLockout = None,
    allow_delete: AllowDelete = None,
    one_ca: OneCa = False,
    connect_to: ConnectTo = None,
    cacert: CaCert = None,
    witness_name: WitnessName = "httpx",
) -> int:
    """Do what plan shows, then verify it with real requests.

    Exit codes: 0 applied, 1 error, 3 applied but not enforced as declared, 4 refused.
    """
    from cf_mtls import workflow
    from cf_mtls.report.plan_text import step_text, summary
    from cf_mtls.report.terminal import plural

    path, where = plan_file(file), account()
    asking = witness(witness_name, connect_to, cacert)  # a bad option ends here, before anything is changed
    stack = workflow.validate(path)
    allowed = gates(adopt, allow_lockout, allow_delete, one_ca=one_ca)
    made = workflow.plan(stack, where, allowed, destroy=destroy)
    plan.show(made)
    if not made.is_empty:
        if not auto_approve and not confirmed():
            console.say("Nothing was changed.")
            return Exit.ERROR
        done = workflow.apply(made, where, lambda step: console.say(f"  done  {step_text(step, made)}"))
        console.say(f"Applied in {plural(done, 'step')}: {summary(made).removeprefix('Plan: ')}")
    return Exit.OK if destroy else prove(stack, asking, where)


def confirmed() -> bool:
    """Whether a person at a terminal typed yes. Raises Failure when nobody can be asked."""
    if not console.interactive():
        detail = "Input or output is not a terminal. Nothing was changed."
        fix = "To apply without a question:\n    cf-mtls apply --auto-approve"
        raise Failure([NEEDS_ANSWER.found(detail, fix)])
    return console.ask("Type yes to apply this (--auto-approve answers it): ") == "yes"


def prove(stack: Stack, asking: Witness, where: Account) -> int:
    """Verify what was applied; the exit code is 3 when the edge does not do what the file declares."""
    from cf_mtls import workflow
    from cf_mtls.report.proof_text import exit_for, proof_text

    if not stack.targets:
        console.say("Nothing to verify: the file declares no applications.")
        return Exit.OK
    verdicts = workflow.verify_until(stack, asking, where.pace, DEADLINE_S)
    console.out("\n" + proof_text(verdicts, console.paint_for(sys.stdout)))
    return exit_for(verdicts) if exit_for(verdicts) is Exit.VERIFY_FAILED else Exit.OK
