"""`cf-mtls apply`: do it, then verify."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cf_mtls import output_file
from cf_mtls.cli import applied, console, plan, proof
from cf_mtls.cli.applied import UNRECORDED
from cf_mtls.cli.journal import Journal, Stop
from cf_mtls.cli.options import (
    Adopt,
    AllowClearedSecrets,
    AllowDelete,
    AllowLockout,
    AllowUnproven,
    AllowWeaken,
    CaCert,
    ConnectTo,
    Destroy,
    HostElsewhere,
    OneCa,
    PlanFile,
    RefusedTwice,
    Target,
    WildcardHostnames,
    WitnessName,
    account,
    asked,
    gates,
    mappings,
    now,
    plan_file,
    typed,
    witness,
)
from cf_mtls.diagnostics import Code, Diagnostic, Exit, Failure, Fault, Severity

if TYPE_CHECKING:
    from cf_mtls.model.plan import Allowed, Plan, Step
    from cf_mtls.planning.saved import Saved
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

LEFT = Code("apply.other-plan-left", Severity.NOTE, Fault.INVOCATION, "what is left is another plan")

OF_THE_RUN = frozenset({
    "file", "auto_approve", "expect", "journal", "deadline", "no_verify", "as_json", "connect_to", "cacert",
    "witness_name",
})  # fmt: skip
"""The parameters that make it no other plan: every other is repeated in the command that saves what is left."""

DEADLINE_S = 60.0
"""How long after a change the edge may take to agree, unless --deadline says otherwise."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("apply")(apply)


def apply(
    context: typer.Context,
    file: PlanFile = None,
    auto_approve: Annotated[bool, typer.Option("--auto-approve", "-y", help="Do not ask for yes.")] = False,
    expect: Annotated[
        str | None, typer.Option("--expect", metavar="DIGEST", help="Refuse any plan but the approved one.")
    ] = None,
    journal: Annotated[
        str | None, typer.Option("--journal", metavar="FILE", help="Write what is done, as JSON lines.")
    ] = None,
    record: Annotated[
        str | None,
        typer.Option(
            "--record", metavar="FILE", help="Once all is applied, write what was, for drift --applied."
        ),
    ] = None,
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
    deadline: Annotated[
        float, typer.Option("--deadline", metavar="SECONDS", help="How long the edge may take to agree.")
    ] = DEADLINE_S,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Leave the proof at the end out: then nothing is proven.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="How it ended and the verdicts, as JSON.")] = False,
    connect_to: ConnectTo = None,
    cacert: CaCert = None,
    witness_name: WitnessName = "httpx",
) -> int:
    """Do what plan shows, then verify it with real requests. FILE: a plan file, or a plan saved by plan --out.

    A saved plan is applied as it stands, without a question, and refused when the account moved since.
    Exit codes: 0 applied (or nothing to do) and proven, or --no-verify; 1 error, or applied and not proven, as the last
    line says; 3 applied and not enforced as declared, 4 refused, 130 stopped.
    """
    from cf_mtls import proving

    path = plan_file(file)
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
    asking = witness(witness_name, connect_to, cacert)  # a bad option ends here, before anything is changed
    if record:
        output_file.check(Path(record), UNRECORDED)
    stop = Stop()
    where = account(stop.asked)
    saved: Saved | None = None
    try:
        with Journal(journal) as written:
            made, declared, wallet, saved = _read(path, where, allowed, expect, destroy=destroy)
            plan.check(made) if as_json else plan.show(made, where, saved.digest if saved else None)
            _approved(made, saved, expect, _continued(context, path))
            ran = applied.Ran(None, path, written, as_json, asked(where, connect_to, edge=True))
            if not made.is_empty:
                if not auto_approve and saved is None and not confirmed():
                    console.say("Nothing was changed.")
                    written.outcome = "not applied"
                    return Exit.ERROR
                with stop:
                    settler = _settler(made, declared, wallet, asking, where, connect_to, deadline)
                    ran = replace(ran, steps=_perform(made, settler, where, written))
            if record:
                ran = replace(ran, lost=applied.record(made, saved, Path(record)))
            if no_verify:
                return applied.unproven(ran)
            looked = proving.after(
                made,
                declared.state,
                declared.targets,
                wallet,
                now(),
                binds=not made.inputs.allowed.targets and not made.inputs.is_destroy,
                authorities=declared.authorities(),
            )
            return applied.prove(ran, looked, asking, where.pace, deadline)
    except Failure as failure:
        applied.not_applied(as_json=as_json)
        if expect and saved is None and failure.exit_code is Exit.INTERRUPTED:
            detail = "The digest that was approved is that of the whole plan."
            note = LEFT.found(detail, _continued(context, path))
            raise Failure((*failure.diagnostics, note), failure.exit_code) from None
        raise


def _settler(
    made: Plan,
    declared: proof.Declared,
    wallet: Wallet,
    asking: Witness,
    where: Account,
    connect_to: list[str] | None,
    deadline_s: float,
) -> Settler:
    """What waits for the edge between two phases, and proves what takes over in a rotation."""
    from cf_mtls.rotation import Rotation
    from cf_mtls.settle import Settler

    patience = proof.patience(where.pace, deadline_s, proof.live_line())
    asked, given = (declared.targets, wallet, asking), made.inputs.allowed
    rotation = Rotation(made.stack, *asked, patience, now, console.say, given.unproven, given.lockout)
    return Settler(*asked, mappings(connect_to), patience, now, console.say, rotation)


def _read(
    path: Path, where: Account, allowed: Allowed, expect: str | None, *, destroy: bool
) -> tuple[Plan, proof.Declared, Wallet, Saved | None]:
    """The plan, what to verify afterwards, who can be sent, and the saved plan when it was one."""
    from cf_mtls import workflow
    from cf_mtls.declare.files import is_saved_plan, read_bytes
    from cf_mtls.model.plan import NOTHING, SHAPES

    raw = read_bytes(path)
    if not isinstance(raw, Diagnostic) and is_saved_plan(raw):
        if destroy or allowed.only(SHAPES) != NOTHING:
            raise Failure([SHAPED.found("Which changes it makes was said when it was made.")], Exit.USAGE)
        made, saved = workflow.saved_plan(raw, str(path), where, now(), allowed, expect)
        wallet = proof.open_what_can_be(saved.clients if saved.targets else ())
        return made, proof.Declared(saved.targets, saved.clients, saved.inputs.declared), wallet, saved
    stack = workflow.validate(path, now(), console.variables())
    wallet = proof.open_what_can_be(stack.clients if stack.targets else ())
    made = workflow.plan(workflow.with_wallet(stack, wallet), where, allowed, destroy=destroy)
    seen = replace(
        made.inputs, clients=stack.clients, shown=stack.shown
    )  # as plan, which opens nothing, saw them
    made = replace(made, inputs=seen)
    return made, proof.Declared(stack.targets, stack.clients, stack.state, stack.folders), wallet, None


def _continued(context: typer.Context, path: Path) -> str:
    """What continues after a run under the digest of a file's plan was stopped: what is left has another digest.

    Only a saved plan can be told from what is left of it, because it holds the whole.
    """
    words = ["plan", str(path), "--out", f"{path.stem}.plan.json", *typed(context, OF_THE_RUN)]
    return (
        "After a run that was stopped, what is left is another plan. To have it approved, and to apply it by the"
        " command that this ends with; a plan that is saved so continues under its digest:\n"
        f"    {shlex.join(['cf-mtls', *words])}"
    )


def _approved(made: Plan, saved: Saved | None, expect: str | None, continued: str) -> None:
    """Raise Failure (refused) unless the plan is the one whose digest was approved, or what is left of it."""
    from cf_mtls.planning.planfile import digest_of
    from cf_mtls.report.terminal import plural
    from cf_mtls.workflow import OTHER_DIGEST

    if saved is not None:  # its own digest was looked at before anything else
        if len(made.steps) < len(saved.steps):
            left = f"{plural(len(made.steps), 'step')} of {len(saved.steps)} left"
            console.say(f"An earlier run of this plan was here: {left}.")
        return
    if expect is not None and digest_of(made) != expect:
        detail = f"Approved was {expect}; the plan now is {digest_of(made)}. File or account changed since."
        raise Failure([OTHER_DIGEST.found(detail, continued)], Exit.REFUSED)


def _perform(made: Plan, settler: Settler, where: Account, written: Journal) -> int:
    """The number of steps done. Raises Failure where it stopped."""
    from cf_mtls import workflow
    from cf_mtls.report.plan_text import step_text, summary
    from cf_mtls.report.terminal import plural

    def said(step: Step) -> None:
        written.step(step)
        console.say(f"  done  {step_text(step, made)}  {written.elapsed()}")

    done = workflow.apply(made, where, workflow.Hooks(said, settler.between, written.doing))
    console.say(f"Applied in {plural(done, 'step')}: {summary(made).removeprefix('Plan: ')}")
    return done


def confirmed() -> bool:
    """Whether a person at a terminal typed yes. Raises Failure when nobody can be asked."""
    if not console.interactive():
        detail = "Input or output is not a terminal. Nothing was changed."
        fix = "To apply without a question:\n    cf-mtls apply --auto-approve"
        raise Failure([NEEDS_ANSWER.found(detail, fix)])
    return console.ask("Type yes to apply this (--auto-approve answers it): ") == "yes"
