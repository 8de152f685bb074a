"""The clients of a plan file: who verify sends, and how Access would see them.

Rules of this file:
- A file that is there and is not what it should be is an error: a key of another certificate, another kind of file.
  What is absent, or encrypted, is *not checked*, a warning: plan and drift jobs rightly hold no keys.
- Whether anybody lets the client in warns and no more: it must not keep anybody from changing the account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.declare.applications import targets
from cf_mtls.declare.values import same_url
from cf_mtls.diagnostics import Code, Diagnostic, Failure, Fault, Severity, has_errors
from cf_mtls.model.people import Asker, Client, Expected, Shown
from cf_mtls.model.resources import CaCertificate
from cf_mtls.pki.chain import SSLCLIENT, judge
from cf_mtls.pki.client_rules import NO_SERVER_TAKES
from cf_mtls.pki.identity import (
    LOCKED,
    MISMATCH,
    NO_CERTIFICATE,
    NO_KEY,
    UNREADABLE,
    UNSUPPORTED,
    WRONG,
    read_client_certificates,
)
from cf_mtls.pki.lint import lint_client
from cf_mtls.pki.pem import read_certificates

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from cf_mtls.declare.ledger import Ledger
    from cf_mtls.declare.trust import Trust
    from cf_mtls.declare.yaml_text import Path
    from cf_mtls.diagnostics import Place
    from cf_mtls.model.people import Expect
    from cf_mtls.model.state import State
    from cf_mtls.pki.identity import Identity
    from cf_mtls.pki.pem import Certificate, Chain

WOULD_BE_REFUSED = Code(
    "client.would-be-refused", Severity.WARNING, Fault.FILE, "a declared client would be refused"
)
KEY_ABSENT = Code("client.key-absent", Severity.WARNING, Fault.FILE, "a client's private key is not here")
OTHER_URL = Code(
    "client.other-url", Severity.ERROR, Fault.FILE, "a client's expect names no URL of this file"
)
UNFIT = frozenset({"client.no-client-auth", "client.no-signing"})
"""Warnings about a certificate alone with which no TLS server accepts it."""

OF_THE_KEY = frozenset({LOCKED, MISMATCH, NO_KEY, UNREADABLE, UNSUPPORTED, WRONG})
"""What is said of a key's file; the rest is about the certificate's."""

NOT_CHECKED = Code("client.not-checked", Severity.WARNING, Fault.FILE, "a client's key was not checked")
CLIENT_ABSENT = Code(
    "client.certificate-absent", Severity.WARNING, Fault.FILE, "a client's certificate is not here"
)


def asker_of(data: bytes, state: State, at: datetime) -> Asker:
    """A client certificate (PEM, intermediates after it) as Access would see it under the CAs of a declared state.

    Raises Failure when it cannot be read. A CA whose PEM the file does not have cannot be asked.
    """
    certificates, problems = read_client_certificates(data)
    if problems or not certificates:
        raise Failure(problems or [NO_CERTIFICATE.found("The file holds no certificate.")])
    leaf, sent = certificates[0], [c.der for c in certificates[1:]]
    trusted = frozenset(
        address
        for address, ca in state.of(CaCertificate)
        if ca.pem and judge(_ders(ca.pem), leaf.der, sent, at, SSLCLIENT).ok
    )
    return Asker(trusted, frozenset(leaf.common_names))


def shown_by(identity: Identity, at: datetime) -> Shown:
    """What a client that could be opened shows. at: an aware moment."""
    return shown_of(identity.certificate, identity.sent, at)


def shown_of(leaf: Certificate, sent: Sequence[Certificate], at: datetime) -> Shown:
    """What a client with these certificates shows. at: an aware moment."""
    own = [d for d in lint_client(leaf, None, at=at) if d.is_error or d.code.code in UNFIT]
    fault = f"{own[0].code.summary[0].upper()}{own[0].code.summary[1:]}: {own[0].detail}" if own else ""
    return Shown(leaf.der, tuple(c.der for c in sent), frozenset(leaf.common_names), fault)


def _ders(pem: str) -> list[bytes]:
    return [c.der for c in read_certificates(pem.encode("ascii"))[0]]


class Clients:
    """The clients that a plan file declares."""

    def __init__(self, ledger: Ledger, trust: Trust) -> None:
        self._ledger, self._trust = ledger, trust
        self._urls = {same_url(t.url): t.url for t in targets(ledger.source.document)}
        self.askers: dict[str, Asker] = {}
        """Each client whose certificate could be read, as Access would see it."""
        self.shown: dict[str, Shown] = {}
        """What the file of each of them shows."""
        self.places: dict[str, Place] = {}
        """Where something is demanded of each client, else where it is declared."""
        self.listed = tuple(self._clients())

    @property
    def welcome(self) -> dict[str, Asker]:
        """The askers of those that are not to be refused everywhere."""
        return {
            client.name: self.askers[client.name]
            for client in self.listed
            if client.name in self.askers and not self._is_shut_out(client.expect)
        }

    def _is_shut_out(self, expect: Expect) -> bool:
        """Whether a demand is that the client be refused at every URL that the file declares."""
        by_url = dict(expect) if isinstance(expect, tuple) else dict.fromkeys(self._urls.values(), expect)
        return bool(by_url) and {by_url.get(url) for url in self._urls.values()} == {Expected.REFUSED}

    def _clients(self) -> Iterator[Client]:
        for name, client in self._ledger.source.document.clients.items():
            certificate = self._ledger.source.clients[client.certificate]
            key = client.key or client.certificate
            has_key = self._ledger.source.keys[key]
            path: Path = ("clients", name)
            expect = self._demands(client.expect, (*path, "expect"))
            self.places[name] = self._ledger.source.reading.place(
                (*path, "expect") if client.expect else path
            )
            if certificates := self._ledger.source.shown[name]:
                self.shown[name] = shown_of(certificates[0], certificates[1:], self._ledger.at)
                self._check_client(name, certificates, expect, (*path, "certificate"))
            self._check_files(name, path)
            if isinstance(certificate, Diagnostic):
                self._ledger.problem(
                    CLIENT_ABSENT, (*path, "certificate"), f"{certificate.detail} verify cannot send {name}."
                )
            elif not has_key:
                where = self._ledger.source.beside(key)
                what = f"There is no readable file {where}." if client.key else f"{where} holds none."
                detail = f"{what} verify cannot send {name}."
                fix = "Put the key there to have the client proven."
                self._ledger.problem(KEY_ABSENT, (*path, "key"), detail, fix)
            yield Client(
                name,
                str(self._ledger.source.beside(client.certificate)),
                str(self._ledger.source.beside(client.key)) if client.key else None,
                expect,
                has_key and not isinstance(certificate, Diagnostic),
                client.passphrase_env,
                str(self._ledger.source.beside(client.passphrase_file)) if client.passphrase_file else None,
            )

    def _demands(self, found: str | Mapping[str, str] | None, path: Path) -> Expect:
        """What is demanded of a client, by the URLs as the targets have them."""
        if found is None or isinstance(found, str):
            return Expected(found) if found else None
        demands: dict[str, Expected] = {}
        for written, word in found.items():
            url = self._urls.get(same_url(written))
            if url is None:
                detail = f"{written} is no URL of this file. Its URLs are:\n{self._listed_urls}"
                self._ledger.problem(OTHER_URL, (*path, written, "?key"), detail, "Write one of these.")
            elif url in demands:
                self._ledger.problem(
                    OTHER_URL, (*path, written, "?key"), f"{url} is named twice.", "Name it once."
                )
            else:
                demands[url] = Expected(word)
        return tuple(sorted(demands.items()))

    @property
    def _listed_urls(self) -> str:
        return "\n".join(f"    {url}" for url in self._urls.values())

    def _check_files(self, name: str, path: Path) -> None:
        """Whether key and certificate are what they should be and belong together, as far as they are here."""
        has_key = self._ledger.source.document.clients[name].key is not None
        for problem in self._ledger.source.faults[name]:
            place = (*path, "key" if has_key and problem.code in OF_THE_KEY else "certificate")
            if problem.code is LOCKED:
                detail = f"It is encrypted: whether it belongs to the certificate of {name} is seen when it is used."
                self._ledger.problem(NOT_CHECKED, place, detail)
            else:
                self._ledger.placed(problem, place)

    def _check_client(
        self, name: str, certificates: Sequence[Certificate], expect: Expect, path: Path
    ) -> None:
        """Look at a client under the chain that accepts it, else under the first; a stranger may be refused."""
        leaf, sent = certificates[0], [c.der for c in certificates[1:]]
        fitting = {a: c for a, c in self._trust.chains.items() if self._accepts(c, leaf, sent)}
        # A client that fits no chain in hand is taken for one of the CAs whose chain nobody has.
        others = () if self._trust.unknown else self._trust.chains.values()
        found = lint_client(leaf, next(iter([*fitting.values(), *others]), None), at=self._ledger.at)
        faulty = has_errors(found) or any(d.code.code in NO_SERVER_TAKES for d in found)
        trusted = fitting if fitting or faulty else self._trust.unknown
        self.askers[name] = Asker(frozenset(trusted), frozenset(leaf.common_names))
        for problem in found if not self._is_shut_out(expect) else ():
            # A client's fault must not keep anybody from changing the account, so here it only warns.
            said = (
                WOULD_BE_REFUSED.found(f"{problem.code.summary}: {problem.detail}", problem.fix)
                if problem.is_error
                else problem
            )
            self._ledger.placed(said, path)

    def _accepts(self, chain: Chain, leaf: Certificate, sent: list[bytes]) -> bool:
        """Whether a TLS server that trusts the chain would accept the client."""
        return judge([c.der for c in chain.certificates], leaf.der, sent, self._ledger.at, SSLCLIENT).ok
