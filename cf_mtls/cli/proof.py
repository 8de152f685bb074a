"""What `verify`, `apply` and `drift` share about proofs: who is sent, who asks, and what is written down.

Rules of this file:
- Reports are written whole or not at all; the exit code comes from the list that is printed.
- A passphrase comes from the place that the plan file names, else from a prompt on a terminal, else there is none.
"""

from __future__ import annotations

import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from cf_mtls import output_file
from cf_mtls.cli import console, many, passphrase
from cf_mtls.cli.live import LiveLine
from cf_mtls.cli.options import now, witness
from cf_mtls.diagnostics import Code, Exit, Failure, Fault, Severity, has_errors
from cf_mtls.quick import dataclass
from cf_mtls.report.terminal import harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cf_mtls.declare.search import Found
    from cf_mtls.model.evidence import Proof, Verdict
    from cf_mtls.model.people import Client, Target
    from cf_mtls.model.state import State
    from cf_mtls.pki.authority import Authority
    from cf_mtls.proving import Patience, Subject
    from cf_mtls.remote.pace import Pace
    from cf_mtls.report.terminal import Paint
    from cf_mtls.verify.wallet import Wallet
    from cf_mtls.verify.witness import Witness

UNSENT = Code("client.cannot-be-sent", Severity.WARNING, Fault.FILE, "a declared client cannot be sent")
UNWRITABLE = Code("verify.report", Severity.ERROR, Fault.INVOCATION, "a report cannot be written")

EVERY_WITNESS = ("httpx", "curl", "browser")

Proofs: TypeAlias = Annotated[
    str | None, typer.Option("--proofs", metavar="NUMBERS", help="Only these, as 1,3,7 or 1-3; see --list.")
]
Junit: TypeAlias = Annotated[
    str | None, typer.Option("--junit", metavar="FILE", help="Write the verdicts as JUnit XML.")
]
Html: TypeAlias = Annotated[
    str | None, typer.Option("--html", metavar="FILE", help="Write the proof as one page, for the file.")
]
Screenshots: TypeAlias = Annotated[
    str | None, typer.Option("--screenshots", metavar="DIR", help="Write what the browser saw, as PNG.")
]


@dataclass(frozen=True, slots=True)
class Declared:
    """What a plan file or a saved plan says about its proof."""

    targets: tuple[Target, ...]
    clients: tuple[Client, ...]
    state: State
    folders: tuple[Path, ...] = ()
    """Where its chain files are."""

    def authorities(self) -> tuple[Authority, ...]:
        """The declared CAs whose key lies beside their chain."""
        from cf_mtls.verify.ca_keys import authorities

        return authorities(self.folders, self.state)


def subject(declared: Declared, chosen: frozenset[int], wallet: Wallet) -> Subject:
    """What is to be proven."""
    from cf_mtls import proving
    from cf_mtls.verify.proofs import OTHER_NAME

    cas = declared.authorities() if OTHER_NAME in chosen else ()
    return proving.subject(declared.targets, wallet, declared.state, now(), chosen, authorities=cas)


def open_clients(clients: Sequence[Client]) -> Wallet:
    """The clients, opened. Raises Failure, before anything is sent, with all that is wrong with their files."""
    from cf_mtls.verify.wallet import open_all

    wallet = open_all(clients, _passphrase)
    if has_errors(wallet.diagnostics):
        raise Failure(wallet.diagnostics)
    return wallet


def open_what_can_be(clients: Sequence[Client]) -> Wallet:
    """As `open_clients`, but what is wrong is a warning: a client's fault keeps nobody from changing the account."""
    from cf_mtls.verify.wallet import open_all

    wallet = open_all(clients, _passphrase)
    console.show(
        UNSENT.found(f"{d.code.summary}: {d.detail}", d.fix, d.place) if d.is_error else d
        for d in wallet.diagnostics
    )
    return wallet


def given_passphrase(client: Client) -> bytes | None:
    """The passphrase of a client's file, from where the plan file says; nobody is asked. None where it says nothing.

    Raises Failure when it is not there.
    """
    file = Path(client.passphrase_file) if client.passphrase_file else None
    return passphrase.given(client.passphrase_env, file, pipes=False)


def _passphrase(client: Client) -> bytes | None:
    found = given_passphrase(client)
    if found is None and console.interactive():
        return passphrase.asked(f"the key of {client.name}", "passphrase_env in the plan file")
    return found


def witnesses(names: str, connect_to: list[str] | None, cacert: str | None) -> tuple[Witness, ...]:
    """The witnesses of names such as `httpx,curl`; `all` is everybody who is here, the absent said aloud.

    Raises Failure when one that was named is unknown or absent.
    """
    if names != "all":
        return tuple(witness(name.strip(), connect_to, cacert) for name in names.split(","))
    found: list[Witness] = []
    for name in EVERY_WITNESS:
        try:
            found.append(witness(name, connect_to, cacert))
        except Failure as failure:
            if failure.exit_code is Exit.USAGE:
                raise
            console.say(
                f"Left out: {name}: {failure.diagnostics[0].code.summary}. {failure.diagnostics[0].fix}"
            )
    return tuple(found)


def patience(pace: Pace, deadline_s: float, live: LiveLine) -> Patience:
    """How long to wait for the edge, with the line that says so."""
    from cf_mtls.proving import Patience

    return Patience(pace.clock, deadline_s, live.say, pace.stopping)


def live_line() -> LiveLine:
    """The line on stderr."""
    return LiveLine(sys.stderr)


# Reports


@dataclass(frozen=True, slots=True)
class Reports:
    """Where reports go; None for those that nobody wants."""

    as_json: bool = False
    junit: str | None = None
    html: str | None = None
    screenshots: str | None = None
    searched: Found | None = None
    """The files of the call, for the account of its folders."""

    def check(self) -> None:
        """Raise Failure when one of the files could not be written: for before anybody is asked."""
        for name in filter(None, (self.junit, self.html)):
            output_file.check(Path(name), UNWRITABLE)

    def give(self, proofs: Sequence[Proof]) -> None:
        """Print the proofs and write what was asked for. Raises Failure when a file cannot be written."""
        _print(proofs, self.searched, as_json=self.as_json)
        if self.screenshots:
            _write_pictures(proofs, Path(self.screenshots))
        if self.junit:
            from cf_mtls.report.junit import junit

            _write(Path(self.junit), junit(proofs).encode("utf-8"))
        if self.html:
            from cf_mtls.report.html import page

            _write(Path(self.html), page(proofs, now()).encode("utf-8"))


def as_data(proofs: Sequence[Proof], searched: Found | None) -> dict[str, Any]:
    """The proofs as JSON data, with the account of the folders that were searched for them."""
    from cf_mtls.report.proof_json import proofs_json

    files = {"files": searched.data} if searched and searched.folders else {}
    return {**proofs_json(proofs), **files}


def _print(proofs: Sequence[Proof], searched: Found | None, *, as_json: bool) -> None:
    import json

    from cf_mtls.report.proof_many import verdict_line

    paint = console.paint_for(sys.stdout)
    if as_json:
        console.data(json.dumps(as_data(proofs, searched), indent=2))
        return
    for proof in proofs:
        _print_one(proof, paint, is_alone=len(proofs) == 1)
    for proof in proofs if len(proofs) > 1 else ():
        console.out(verdict_line(proof, paint))
    if searched:
        many.account_for(searched)


def _print_one(proof: Proof, paint: Paint, *, is_alone: bool) -> None:
    """The requests that can be pasted and the table, or what was wrong with the file."""
    from cf_mtls.report.proof_text import proof_text

    console.show(proof.problems)
    if not proof.problems:
        if not is_alone:
            console.out(paint.bold(f"== {harmless(proof.file)}"))
        _show_commands(proof.found.verdicts)
        console.out(proof_text(proof.found, paint, _columns()) + ("" if is_alone else "\n"))


def _show_commands(verdicts: Sequence[Verdict]) -> None:
    """The exact commands of a witness that has them, ready to paste, on stdout."""
    for verdict in verdicts:
        if verdict.evidence.command:
            can_be_pasted = not verdict.evidence.command.startswith("#")
            console.out(f"{'$ ' if can_be_pasted else ''}{verdict.evidence.command}")
            console.out(
                f"{verdict.evidence.http_version} {verdict.evidence.status or verdict.evidence.detail}\n"
            )


def _columns() -> int | None:
    """How wide the table may be: a terminal's width, COLUMNS, or as wide as it likes."""
    if sys.stdout.isatty() or console.environment("COLUMNS"):
        return shutil.get_terminal_size().columns
    return None


def _write_pictures(proofs: Sequence[Proof], folder: Path) -> None:
    seen = (v for proof in proofs for v in proof.found.verdicts if v.evidence.screenshot)
    for index, verdict in enumerate(seen):
        name = f"{index + 1:03}-proof-{verdict.probe.proof}-{_plain(verdict.probe.who)}.png"
        _write(folder / name, verdict.evidence.screenshot or b"")


def _plain(text: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in text)


def _write(path: Path, content: bytes) -> None:
    """Write a report whole or not at all, in a folder that is made when it is not there."""
    with suppress(OSError):  # what is then missing is said by the writing
        path.parent.mkdir(parents=True, exist_ok=True)
    output_file.write(path, content, UNWRITABLE)
    console.say(f"Written to {path}.")


def repeat(every_s: float | None, once: Callable[[], int]) -> int:
    """The exit code of `once`; with a pause given, it is done again and again until Ctrl-C."""
    import time

    code = once()
    while every_s is not None:
        time.sleep(every_s)
        console.say(f"\n{now():%Y-%m-%d %H:%M:%S} UTC")
        code = once()
    return code
