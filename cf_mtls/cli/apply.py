"""`cf-mtls apply`: do it, then verify."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cf_mtls.cli import console, plan, proof
from cf_mtls.cli.journal import Journal, Stop
from cf_mtls.cli.options import (
    Adopt,
    AllowDelete,
    AllowLockout,
    AllowWeaken,
    CaCert,
    ConnectTo,
    Destroy,
    OneCa,
    PlanFile,
    Target,
    WitnessName,
    account,
    gates,
    mappings,
    now,
    plan_file,
    witness,
)
from cf_mtls.diagnostics import Code, Diagnostic, Exit, Failure, Fault, Severity

if TYPE_CHECKING:
    from pathlib import Path

    from cf_mtls.model.plan import Allowed, Plan, Step
    from cf_mtls.planning.saved import Saved
    from cf_mtls.proving import Subject
    from cf_mtls.remote.pace import Pace
    from cf_mtls.settle import Settler
    from cf_mtls.verify.wallet import Wallet
    from cf_mtls.verify.witness import Witness
    from cf_mtls.workflow import Account

NEEDS_ANSWER = Code("apply.not-confirmed", Severity.ERROR, Fault.INVOCATION, "nobody can be asked to confirm")
SHAPED = Code(
    "apply.saved-plan-option",
    Severity.ERROR,
    Fault.INVOCATION,
    "an option would make the saved plan another one",
)

CONTINUED = (
    "Have the plan as it is now approved. After a run that was stopped, what is left is another plan; under the digest "
    "that it was approved by only a saved plan continues:\n    cf-mtls plan --out PLANFILE"
    "\n    cf-mtls apply PLANFILE --expect DIGEST"
)
"""What helps when the digest is another one."""

DEADLINE_S = 60.0
"""How long after a change the edge may take to agree, unless --deadline says otherwise."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("apply")(apply)


def apply(
    file: PlanFile = None,
    auto_approve: Annotated[bool, typer.Option("--auto-approve", "-y", help="Do not ask for yes.")] = False,
    expect: Annotated[
        str | None, typer.Option("--expect", metavar="DIGEST", help="Refuse any plan but the approved one.")
    ] = None,
    journal: Annotated[
        str | None, typer.Option("--journal", metavar="FILE", help="Write what is done, as JSON lines.")
    ] = None,
    destroy: Destroy = False,
    target: Target = None,
    adopt: Adopt = None,
    allow_lockout: AllowLockout = None,
    allow_weaken: AllowWeaken = None,
    allow_delete: AllowDelete = None,
    one_ca: OneCa = False,
    deadline: Annotated[
        float, typer.Option("--deadline", metavar="SECONDS", help="How long the edge may take to agree.")
    ] = DEADLINE_S,
    connect_to: ConnectTo = None,
    cacert: CaCert = None,
    witness_name: WitnessName = "httpx",
) -> int:
    """Do what plan shows, then verify it with real requests. FILE: a plan file, or a plan saved by plan --out.

    A saved plan is applied as it stands, without a question, and refused when the account moved since.
    Exit codes: 0 applied, 1 error, 3 applied but not enforced as declared, 4 refused, 130 stopped.
    """
    from cf_mtls.verify.proofs import ALL

    path = plan_file(file)
    allowed = gates(
        adopt=adopt,
        lockout=allow_lockout,
        weaken=allow_weaken,
        delete=allow_delete,
        target=target,
        one_ca=one_ca,
    )
    asking = witness(witness_name, connect_to, cacert)  # a bad option ends here, before anything is changed
    stop = Stop()
    where = account(stop.asked)
    with Journal(journal) as written:
        made, declared, saved = _read(path, where, allowed, expect, destroy=destroy)
        plan.show(made, saved.digest if saved else None)
        if saved is None:
            _approved(made, expect)
        elif made.steps != saved.steps:
            console.say(_what_is_left(made, saved))
        wallet = proof.open_what_can_be(declared.clients if declared.targets else ())
        if not made.is_empty:
            if not auto_approve and saved is None and not confirmed():
                console.say("Nothing was changed.")
                return Exit.ERROR
            with stop:
                _perform(
                    made, _settler(declared, wallet, asking, where, connect_to, deadline), where, written
                )
        if made.inputs.allowed.targets:
            console.say(
                f"The plan was partial, so nothing was verified. Afterwards:\n    cf-mtls verify {path}"
            )
            return Exit.OK
        if made.inputs.is_destroy:
            return Exit.OK
        return prove(proof.subject(declared, ALL, wallet), asking, where.pace, deadline)


def _settler(
    declared: proof.Declared,
    wallet: Wallet,
    asking: Witness,
    where: Account,
    connect_to: list[str] | None,
    deadline_s: float,
) -> Settler:
    """What waits for the edge between two phases."""
    from cf_mtls.settle import Settler

    patience = proof.patience(where.pace, deadline_s, proof.live_line())
    return Settler(declared.targets, wallet, asking, mappings(connect_to), patience, now, console.say)


def _read(
    path: Path, where: Account, allowed: Allowed, expect: str | None, *, destroy: bool
) -> tuple[Plan, proof.Declared, Saved | None]:
    """The plan, what to verify afterwards, and the saved plan when it was one."""
    from cf_mtls import workflow
    from cf_mtls.declare.files import is_saved_plan, read_bytes
    from cf_mtls.model.plan import NOTHING, SHAPES

    raw = read_bytes(path)
    if not isinstance(raw, Diagnostic) and is_saved_plan(raw):
        if destroy or allowed.only(SHAPES) != NOTHING:
            raise Failure([SHAPED.found("Which changes it makes was said when it was made.")], Exit.USAGE)
        made, saved = workflow.saved_plan(raw, str(path), where, allowed, expect)
        return made, proof.Declared(saved.targets, saved.clients, made.desired), saved
    stack = workflow.validate(path, now())
    made = workflow.plan(stack, where, allowed, destroy=destroy)
    return made, proof.Declared(stack.targets, stack.clients, made.desired), None


def _what_is_left(made: Plan, saved: Saved) -> str:
    """How far an earlier run of a saved plan came."""
    from cf_mtls.report.terminal import plural

    return (
        f"An earlier run of this plan was here: {plural(len(made.steps), 'step')} of {len(saved.steps)} left."
    )


def _approved(made: Plan, expect: str | None) -> None:
    """Raise Failure (refused) unless the plan is the one whose digest was approved."""
    from cf_mtls.planning.planfile import digest_of
    from cf_mtls.workflow import OTHER_DIGEST

    if expect is not None and digest_of(made) != expect:
        detail = f"Approved was {expect}; the plan now is {digest_of(made)}. File or account changed since."
        raise Failure([OTHER_DIGEST.found(detail, CONTINUED)], Exit.REFUSED)


def _perform(made: Plan, settler: Settler, where: Account, written: Journal) -> None:
    from cf_mtls import workflow
    from cf_mtls.report.plan_text import step_text, summary
    from cf_mtls.report.terminal import plural

    def said(step: Step) -> None:
        written.step(step)
        console.say(f"  done  {step_text(step, made)}  {written.elapsed()}")

    done = workflow.apply(made, where, workflow.Hooks(said, settler.between))
    console.say(f"Applied in {plural(done, 'step')}: {summary(made).removeprefix('Plan: ')}")


def confirmed() -> bool:
    """Whether a person at a terminal typed yes. Raises Failure when nobody can be asked."""
    if not console.interactive():
        detail = "Input or output is not a terminal. Nothing was changed."
        fix = "To apply without a question:\n    cf-mtls apply --auto-approve"
        raise Failure([NEEDS_ANSWER.found(detail, fix)])
    return console.ask("Type yes to apply this (--auto-approve answers it): ") == "yes"


def prove(subject: Subject, asking: Witness, pace: Pace, deadline_s: float) -> int:
    """Verify what was applied; the exit code is 3 when the edge does not do what the file declares."""
    from cf_mtls import proving
    from cf_mtls.model.evidence import Dossier, Proof
    from cf_mtls.report.proof_text import exit_for

    if not subject.probes:
        console.say("Nothing to verify: no application is declared.")
        return Exit.OK
    live = proof.live_line()
    verdicts = proving.verify_until(subject, asking, proof.patience(pace, deadline_s, live))
    live.end()
    console.out()
    proof.Reports().give([Proof("", Dossier(verdicts, notes=subject.notes))])
    return exit_for(verdicts) if exit_for(verdicts) is Exit.VERIFY_FAILED else Exit.OK
