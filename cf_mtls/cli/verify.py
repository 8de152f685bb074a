"""`cf-mtls verify`: the proof, with real requests."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cf_mtls.cli import console
from cf_mtls.cli.options import (
    CaCert,
    ConnectTo,
    PlanFile,
    WitnessName,
    now,
    plan_file,
    show_commands,
    witness,
)

if TYPE_CHECKING:
    import typer


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("verify")(verify)


def verify(
    file: PlanFile = None,
    connect_to: ConnectTo = None,
    cacert: CaCert = None,
    witness_name: WitnessName = "httpx",
) -> int:
    """Ask every declared URL without a certificate and with each client, and judge the answers.

    Exit codes: 0 proven, 1 could not tell, 3 not enforced as declared.
    """
    from cf_mtls import proving, workflow
    from cf_mtls.report.proof_text import exit_for, proof_text

    asking = witness(witness_name, connect_to, cacert)
    stack = workflow.validate(plan_file(file), now())
    console.show(stack.diagnostics)
    verdicts = proving.verify(proving.Subject(stack.targets, stack.clients).probes(), asking)
    show_commands(verdicts)
    console.out(proof_text(verdicts, console.paint_for(sys.stdout)))
    return exit_for(verdicts)
