"""`cf-mtls doctor`: what stands in the way, before anything is tried. Only reads."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cf_mtls.cli import console
from cf_mtls.cli.options import ConnectTo, PlanFile, account, asked, now
from cf_mtls.diagnostics import Exit, Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from cf_mtls.declare.resolve import Stack
    from cf_mtls.model.evidence import Handshake


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("doctor")(doctor)


def doctor(
    file: PlanFile = None,
    edge: Annotated[
        bool,
        typer.Option(
            "--edge", help="Also ask the edge whether it wants a certificate: one handshake a hostname."
        ),
    ] = False,
    connect_to: ConnectTo = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    permissions: Annotated[
        bool,
        typer.Option(
            "--permissions",
            help="Only name what the token of plan and drift needs for the file; asks nobody.",
        ),
    ] = False,
) -> int:
    """Look at token, permissions, entitlement, limits, and each hostname of the plan file. Only reads.

    Exit codes: 0 when nothing failed, warnings included; 1 when something did.
    """
    from cf_mtls import bringing
    from cf_mtls.report.doctor_text import doctor_json, doctor_text, is_well

    stack = _stack(file)
    if permissions:
        return _permissions(stack)
    look = _look(connect_to) if edge else None
    where = account()
    findings = bringing.doctor(where, stack, now(), look)
    whom = asked(where, connect_to, edge=edge)
    if as_json:
        console.data(json.dumps(doctor_json(findings, whom), indent=2))
    else:
        console.out(doctor_text(findings, console.paint_for(sys.stdout), whom))
    if stack is None:
        console.say("No plan file was named or found, so no hostname was looked at.")
    return Exit.OK if is_well(findings) else Exit.ERROR


def _permissions(stack: Stack | None) -> int:
    """Name the permissions that a file needs, one a line."""
    from cf_mtls import bringing

    if stack is None:
        console.say("No plan file was named or found.")
        return Exit.ERROR
    for name in bringing.permissions(stack):
        console.data(name)
    console.say(
        "For the account and the zones of its hostnames. Groups that other applications there refer to need"
    )
    console.say(
        "Access: Organizations, Identity Providers, and Groups Read too; doctor with an account tells."
    )
    return Exit.OK


def _look(connect_to: list[str] | None) -> Callable[[str], Handshake]:
    """How to look at the edge, by way of --connect-to or CF_MTLS_CONNECT_TO."""
    from cf_mtls.verify.connect import parse
    from cf_mtls.verify.handshake import look

    texts = connect_to or (console.environment("CF_MTLS_CONNECT_TO") or "").split()
    mappings = tuple(map(parse, texts))
    return lambda host: look(host, mappings)


def _stack(named: str | None) -> Stack | None:
    """The stack of the plan file, None when none is named and none is the only one here."""
    from cf_mtls.declare.files import NONE_GIVEN, choose, load
    from cf_mtls.declare.resolve import resolve

    try:
        path = choose(named or console.environment("CF_MTLS_CONFIG"), Path())
    except Failure as none:
        if [d.code for d in none.diagnostics] == [NONE_GIVEN]:
            return None
        raise
    stack = resolve(load(path), now())
    console.show(d for d in stack.diagnostics if d.is_error)  # a file with faults still has hostnames
    return stack
