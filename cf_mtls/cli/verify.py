"""`cf-mtls verify`: the proof, with real requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cf_mtls.cli import console
from cf_mtls.cli.options import (
    CaCert,
    ConnectTo,
    PlanFile,
    WitnessName,
    mappings,
    now,
    plan_file,
    show_commands,
)
from cf_mtls.cli.proof import (
    Declared,
    Html,
    Junit,
    Proofs,
    Reports,
    Screenshots,
    open_clients,
    repeat,
    subject,
    witnesses,
)
from cf_mtls.diagnostics import Diagnostic, Exit

if TYPE_CHECKING:
    from pathlib import Path


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("verify")(verify)


def verify(
    file: PlanFile = None,
    proofs: Proofs = None,
    list_: Annotated[
        bool, typer.Option("--list", help="Say what each proof shows, and send nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The verdicts as JSON.")] = False,
    junit: Junit = None,
    html: Html = None,
    screenshots: Screenshots = None,
    watch: Annotated[
        float | None, typer.Option("--watch", metavar="SECONDS", min=1, help="Again and again, until Ctrl-C.")
    ] = None,
    connect_to: ConnectTo = None,
    cacert: CaCert = None,
    witness_name: WitnessName = "httpx",
) -> int:
    """Ask every declared URL with and without certificates, right and wrong ones, and judge the answers.

    FILE: a plan file, or a plan saved by plan --out.
    Exit codes: 0 proven, 1 could not tell, 3 not enforced as declared.
    """
    from cf_mtls.verify.proofs import chosen

    wanted = chosen(proofs)
    if list_:
        return _list(wanted)
    asking = witnesses(witness_name, connect_to, cacert)
    declared = _declared(plan_file(file))
    wallet = open_clients(declared.clients)
    reports = Reports(as_json, junit, html, screenshots)

    def once() -> int:
        from cf_mtls import proving
        from cf_mtls.report.proof_text import exit_for

        found = proving.verify_all(subject(declared, wanted, wallet), asking, mappings(connect_to))
        if not as_json:
            show_commands(found.verdicts)
        reports.give(found)
        return exit_for(found.verdicts)

    return repeat(watch, once)


def _list(wanted: frozenset[int]) -> int:
    from cf_mtls.verify.proofs import PROOFS

    for row in PROOFS:
        if row.number in wanted:
            console.out(
                f"{row.number}. {row.name}\n   shows that {row.proves}\n   leaves open: {row.leaves_open}"
            )
    return Exit.OK


def _declared(path: Path) -> Declared:
    """What the file says about its proof, be it a plan file or a saved plan. Needs no account."""
    from cf_mtls import workflow
    from cf_mtls.declare.files import read_bytes
    from cf_mtls.planning.planfile_reader import is_saved_plan, load

    raw = read_bytes(path)
    if not isinstance(raw, Diagnostic) and is_saved_plan(raw):
        saved = load(raw, str(path), to_apply=False)
        return Declared(saved.targets, saved.clients, saved.desired)
    stack = workflow.validate(path, now())
    console.show(stack.diagnostics)
    return Declared(stack.targets, stack.clients, stack.state)
