"""`cf-mtls pki`: judge and inspect certificates. Making them has its own file, `pki_make`.

Rules of this file:
- No network. Verdicts are OpenSSL's. The exit code is this program's: where `openssl verify` ends with 2, `verify` ends
  with 1, because 2 means differences here.
- Files that cannot be read or decoded are all reported before anything is judged.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cf_mtls.cli import console, pki_make
from cf_mtls.diagnostics import Diagnostic, Exit, Failure, Place, has_errors
from cf_mtls.report.terminal import harmless

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cf_mtls.pki.pem import Certificate

HELP = "Certificates: judge them as openssl does, inspect, make a CA, issue and export clients. No network."

Clients = Annotated[
    list[Path], typer.Argument(help="Client certificates, PEM; of each file the first counts.")
]
ChainFile = Annotated[Path, typer.Option("--chain", help="What is trusted: the chain that is uploaded, PEM.")]
Against = Annotated[Path | None, typer.Option(help="A new chain: say what it changes for each client.")]
Untrusted = Annotated[list[Path] | None, typer.Option(help="What clients send along, PEM.")]
At = Annotated[str, typer.Option(help="Judge for this moment, UTC, such as 2027-01-31; now by default.")]
Strict = Annotated[bool, typer.Option("--strict", help="Add what a stricter verifier would refuse.")]
Within = Annotated[
    int, typer.Option("--expiring-within", min=0, help="Warn about what ends in so many days.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


OWN = """Judged as a client's own file. Who lets it in was not asked; that says:
    cf-mtls pki verify --chain CHAIN {file}"""


class Purpose(Enum):
    """Whose question decides."""

    VERIFY = "verify"
    SSLCLIENT = "sslclient"


Asking = Annotated[Purpose, typer.Option(help="Ask as `openssl verify` does, or as a TLS server does.")]


def register(app: typer.Typer) -> None:
    """Add `pki` and its commands to the program."""
    sub = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None)
    sub.command()(verify)
    sub.command()(inspect)
    pki_make.register(sub)
    app.add_typer(sub, name="pki")


def verify(
    clients: Clients,
    chain: ChainFile,
    against: Against = None,
    untrusted: Untrusted = None,
    purpose: Asking = Purpose.VERIFY,
    at: At = "",
    strict: Strict = False,
    as_json: Json = False,
) -> int:
    """Say what OpenSSL says about client certificates under a chain.

    Exit codes: 0 all validate (with --against: none stops validating), 1 otherwise, or could not tell.
    `openssl verify` ends with 2 where this ends with 1.
    """
    moment, reader = _moment(at), _Reader()
    trusted, new = reader.all_of([chain]), reader.all_of([against] if against else [])
    leaves = [(str(path), leaf) for path in clients for leaf in reader.first_of(path)]
    sent = reader.all_of(untrusted or [])
    reader.finish()
    kind = None if purpose is Purpose.VERIFY else purpose.value
    failed, objects, text = (
        _changed(trusted, new, leaves, sent, moment, kind)
        if against
        else _under(trusted, leaves, sent, moment, kind)
    )
    result: dict[str, object] = {
        "purpose": purpose.value,
        "at": moment.isoformat(),
        "ok": not failed,
        "clients": objects,
    }
    if against:
        taken = _still_vouched(trusted, new, moment)
        result["still_vouched"] = taken
        text = "\n".join([*(STILL_VOUCHED.format(subject=subject) for subject in taken), text])
    _print(result, text, as_json=as_json)
    if strict:
        _show_strict(leaves, new or trusted, moment)
    return Exit.ERROR if failed else Exit.OK


STILL_VOUCHED = (
    "{subject}: taken out, but a root above it stays. Its clients are out only if they send their leaf alone, or "
    "the server ignores what they send; Cloudflare's edge may use it."
)


def _still_vouched(old: Sequence[Certificate], new: Sequence[Certificate], at: datetime) -> list[str]:
    """The subjects of the CAs that the new chain lacks and accepts all the same when clients send them."""
    from cf_mtls.pki.vouching import taken_and_vouched
    from cf_mtls.report.terminal import harmless

    return [harmless(c.subject) for c in taken_and_vouched(old, new, at)]


Leaves = list[tuple[str, "Certificate"]]
Result = tuple[bool, list[dict[str, object]], str]
"""Whether it failed, the JSON of each client, the text for a person."""


def _under(
    trusted: Sequence[Certificate],
    leaves: Leaves,
    sent: Sequence[Certificate],
    at: datetime,
    kind: str | None,
) -> Result:
    from cf_mtls.pki import fleet
    from cf_mtls.report import pki as report

    checked = fleet.check(trusted, leaves, sent=sent, at=at)
    failed = not all(c.verdict(kind).ok for c in checked)
    text = report.fleet(checked, kind, console.paint_for(sys.stdout))
    return failed, [report.checked_object(c) for c in checked], text


def _changed(
    old: Sequence[Certificate],
    new: Sequence[Certificate],
    leaves: Leaves,
    sent: Sequence[Certificate],
    at: datetime,
    kind: str | None,
) -> Result:
    from cf_mtls.pki import fleet
    from cf_mtls.report import pki as report

    found = fleet.compare(old, new, leaves, sent=sent, at=at)
    failed = any(change.stops(kind) for change in found)
    text = report.changes(found, kind, console.paint_for(sys.stdout))
    return failed, [report.change_object(change, kind) for change in found], text


def _show_strict(leaves: Leaves, trusted: Sequence[Certificate], at: datetime) -> None:
    from cf_mtls.pki.lint import lint_strict

    console.show(d.at(Place(name)) for name, leaf in leaves for d in lint_strict(leaf, trusted, at=at))


def inspect(
    file: Annotated[Path, typer.Argument(help="Certificates, PEM: a chain, or a client's.")],
    client: Annotated[
        list[Path] | None, typer.Option(help="Clients that the chain must let in, PEM.")
    ] = None,
    at: At = "",
    within: Within = 30,
    as_json: Json = False,
) -> int:
    """Show certificates as a tree and say what is missing, twice, out of order, weak or ending.

    A file whose first certificate is a client's is judged as the client's own: who trusts it is not asked.

    Exit codes: 0 nothing worse than a warning, 1 an error was found, or could not tell.
    """
    from cf_mtls.pki.lint import is_clients_own
    from cf_mtls.pki.tree import tree
    from cf_mtls.report import pki as report

    moment, reader = _moment(at), _Reader()
    certificates = reader.all_of([file])
    clients = [(path, leaf) for path in client or () for leaf in reader.first_of(path)]
    reader.finish()
    is_own = is_clients_own(certificates) and not clients
    found = _lint(file, certificates, clients, moment, within)
    objects = [report.certificate_object(c, moment) for c in certificates]
    result = {
        "judged_as": "client" if is_own else "chain",
        "certificates": objects,
        "clients": [{"file": str(path), **report.certificate_object(leaf, moment)} for path, leaf in clients],
        "diagnostics": [report.diagnostic_object(d) for d in found],
    }
    shown = [*certificates, *(leaf for _, leaf in clients)]
    text = report.tree(tree(shown), moment, console.paint_for(sys.stdout))
    _print(result, text, as_json=as_json)
    if not as_json:
        if is_own:
            console.say(OWN.format(file=harmless(str(file))))
        console.show(found)
    return Exit.ERROR if has_errors(found) else Exit.OK


def _lint(
    file: Path,
    certificates: Sequence[Certificate],
    clients: Sequence[tuple[Path, Certificate]],
    at: datetime,
    within: int,
) -> list[Diagnostic]:
    """What is to be said, each with its file; a client's own file, and one without any CA, are looked at as such."""
    from cf_mtls.pki.lint import is_clients_own, lint_chain, lint_client, lint_clients_own

    if is_clients_own(certificates) and not clients:
        own = lint_clients_own(certificates, at=at, expiring_within_days=within)
        return [d.at(Place(str(file))) for d in own]
    a_chain = any(c.is_ca for c in certificates)
    found = list(lint_chain(certificates, at=at, expiring_within_days=within)) if a_chain else []
    clients = [*clients, *((file, c) for c in certificates if not a_chain)]
    placed = [d.at(Place(str(file))) for d in found]
    for path, leaf in clients:
        about = lint_client(leaf, certificates if a_chain else None, at=at, expiring_within_days=within)
        placed += [d.at(Place(str(path))) for d in about]
    return placed


class _Reader:
    """Reads PEM files and gathers what is wrong with any of them."""

    def __init__(self) -> None:
        self._problems: list[Diagnostic] = []

    def all_of(self, paths: Sequence[Path]) -> tuple[Certificate, ...]:
        """Every certificate of the files."""
        return tuple(c for path in paths for c in self._read(path))

    def first_of(self, path: Path) -> tuple[Certificate, ...]:
        """The first certificate of a file, as `openssl verify` takes it, or none."""
        return self._read(path)[:1]

    def _read(self, path: Path) -> tuple[Certificate, ...]:
        from cf_mtls.pki.pem import read_certificates
        from cf_mtls.pki.vault import read

        try:
            found, problems = read_certificates(read(path))
        except Failure as failure:
            found, problems = (), failure.diagnostics
        self._problems += [p if p.place else p.at(Place(str(path))) for p in problems]
        return found

    def finish(self) -> None:
        """Nothing when all was read; Failure with every problem otherwise."""
        if self._problems:
            raise Failure(self._problems)


def _moment(text: str) -> datetime:
    if not text:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date such as 2027-01-31", param_hint="--at") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _print(result: Mapping[str, object], text: str, *, as_json: bool) -> None:
    if as_json:
        console.data(json.dumps({"format_version": "1.0", **result}, indent=2))
    else:
        console.out(text)
