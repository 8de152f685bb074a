"""`cf-mtls verify`: the proof, with real requests.

Rules of this file:
- Files are opened one after the other, because a passphrase may be asked for; they are proven side by side.
- However many files there are, no more requests are under way than for one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cf_mtls.cli import console, many
from cf_mtls.cli.options import CaCert, ConnectTo, PlanFiles, WitnessName, asked, mappings, now, plan_files
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
from cf_mtls.diagnostics import Diagnostic, Exit, Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cf_mtls.declare.search import Found
    from cf_mtls.model.asked import Asked
    from cf_mtls.model.evidence import Dossier, Proof
    from cf_mtls.verify.connect import ConnectTo as Mapping
    from cf_mtls.verify.wallet import Wallet
    from cf_mtls.verify.witness import Witness

    Opened = tuple[Declared, Wallet]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("verify")(verify)


def verify(
    files: PlanFiles = None,
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

    FILE: plan files, folders of them, or plans saved by plan --out.
    Exit codes: 0 proven, 1 could not tell, 3 not enforced as declared; of many files the worst: 3, 1, 0.
    """
    from cf_mtls.report.proof_many import worst
    from cf_mtls.verify.proofs import chosen

    wanted = chosen(proofs)
    if list_:
        return _list(wanted)
    asking = witnesses(witness_name, connect_to, cacert)
    searched = plan_files(files)
    paths, opened = searched.paths, _all_opened(searched)
    if len(paths) == 1 and isinstance(opened[0], Failure):
        raise opened[0]
    reports = Reports(as_json, junit, html, screenshots, searched)
    reports.check()
    prove = _prover(wanted, asking, mappings(connect_to), asked(None, connect_to, edge=True))

    def once() -> int:
        found = _proofs(paths, opened, prove)
        reports.give(found)
        return worst(found)

    return repeat(watch, once)


def _all_opened(searched: Found) -> list[Opened | Failure]:
    refused = many.refused(searched)
    return [refused[path] if path in refused else many.attempted(_opened, path) for path in searched.paths]


def proven(
    searched: Found, asking: Sequence[Witness], routes: tuple[Mapping, ...], numbers: str | None = None
) -> list[Proof]:
    """What became of each file, in order: opened one after the other, proven side by side."""
    from cf_mtls.verify.proofs import chosen

    return _proofs(
        searched.paths, _all_opened(searched), _prover(chosen(numbers), asking, routes, asked(edge=True))
    )


def _opened(path: Path) -> Opened:
    """What a file declares, and its clients. Raises Failure when it cannot be read."""
    declared = _declared(path)
    return declared, open_clients(declared.clients)


def _prover(
    wanted: frozenset[int], asking: Sequence[Witness], routes: tuple[Mapping, ...], whom: Asked
) -> Callable[[Opened], Dossier]:
    """A function that proves a file, to be run for many side by side."""
    from threading import Semaphore

    from cf_mtls import proving
    from cf_mtls.verify.witness import shared

    together, gate = [shared(witness) for witness in asking], Semaphore(proving.HANDSHAKES)

    def prove(opened: Opened) -> Dossier:
        declared, wallet = opened
        return proving.verify_all(subject(declared, wanted, wallet), together, routes, gate, whom)

    return prove


def _proofs(
    paths: Sequence[Path], opened: Sequence[Opened | Failure], prove: Callable[[Opened], Dossier]
) -> list[Proof]:
    """What became of each file, in order."""
    from cf_mtls.model.evidence import Dossier, Proof

    def made(one: Opened | Failure) -> Dossier:
        if isinstance(one, Failure):
            raise one
        return prove(one)

    results = many.side_by_side(opened, made)
    return [
        Proof(str(path), Dossier(()), result.diagnostics)
        if isinstance(result, Failure)
        else Proof(str(path), result)
        for path, result in zip(paths, results, strict=True)
    ]


def _list(wanted: frozenset[int]) -> int:
    from cf_mtls.verify.proofs import PROOFS

    for row in PROOFS:
        if row.number in wanted:
            needed = "required" if row.required else "optional"
            console.out(
                f"{row.number}. {row.name} ({needed})\n   shows that {row.proves}\n   leaves open: {row.leaves_open}"
            )
    return Exit.OK


def _declared(path: Path) -> Declared:
    """What the file says about its proof, be it a plan file or a saved plan. Needs no account."""
    from cf_mtls import workflow
    from cf_mtls.declare.files import is_saved_plan, read_bytes
    from cf_mtls.planning.planfile_reader import load

    raw = read_bytes(path)
    if not isinstance(raw, Diagnostic) and is_saved_plan(raw):
        saved = load(raw, str(path), to_apply=False)
        return Declared(saved.targets, saved.clients, saved.desired)
    stack = workflow.validate(path, now(), console.variables())
    console.show(stack.diagnostics)
    return Declared(stack.targets, stack.clients, stack.state, stack.folders)
