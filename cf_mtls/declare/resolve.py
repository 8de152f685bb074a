"""A plan file as read becomes a `Stack`: the desired `State`, who the clients are, and what is wrong.

Rules of this file:
- Pure: the files' bytes and the time come in.
- Gathers every problem, each at the place in the plan file that causes it.
- Names get the ownership mark here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from cf_mtls.access.decide import Asker
from cf_mtls.declare.document import PASSED_ON, ChainDocument, PolicyDocument, PolicyReference, ProbeDocument
from cf_mtls.declare.semantics import semantics
from cf_mtls.declare.values import UNKNOWN
from cf_mtls.diagnostics import Code, Diagnostic, Failure, Fault, Severity, has_errors
from cf_mtls.model.evidence import Client, Expected, Target
from cf_mtls.model.frozen import EMPTY, freeze, freeze_object
from cf_mtls.model.marks import application_name, certificate_name
from cf_mtls.model.resources import (
    AccessApplication,
    AccessPolicy,
    Address,
    CaCertificate,
    HostnameSettings,
    Kind,
    Resource,
    Rule,
    host_of,
    public,
)
from cf_mtls.model.state import State
from cf_mtls.model.waiver import Waiver
from cf_mtls.pki.chain import SSLCLIENT, judge
from cf_mtls.pki.identity import NO_CERTIFICATE, read_client_certificates
from cf_mtls.pki.lint import check_chain_file, lint_client
from cf_mtls.pki.pem import read_certificates
from cf_mtls.pki.pkcs12 import is_pkcs12

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from cf_mtls.declare.document import ApplicationDocument, CertificateDocument
    from cf_mtls.declare.files import Source
    from cf_mtls.declare.yaml_text import Path
    from cf_mtls.diagnostics import Place
    from cf_mtls.pki.pem import Certificate, Chain

NO_TRUST = Code(
    "application.host-without-certificate", Severity.ERROR, Fault.FILE, "an application's hostname has no CA"
)
SAME_DOMAIN = Code(
    "application.same-domain", Severity.ERROR, Fault.FILE, "two applications want the same domain"
)
SAME_CHAIN = Code("certificate.same-chain", Severity.ERROR, Fault.FILE, "the same CA chain is declared twice")
DOMAINS = Code("application.domains", Severity.ERROR, Fault.FILE, "an application needs domain or domains")
OVERDUE = Code("certificate.overdue", Severity.WARNING, Fault.FILE, "a CA is overdue for removal")
PIN_IN_LIST = Code(
    "certificate.pin-in-list", Severity.ERROR, Fault.FILE, "an id does not say which CA it pins"
)
MIXED = Code(
    "application.mixed-policies", Severity.ERROR, Fault.FILE, "reusable and inline policies cannot be mixed"
)
BOTH_SCOPES = Code("scope.both", Severity.ERROR, Fault.FILE, "account_id and zone_id cannot both be given")
WOULD_BE_REFUSED = Code(
    "client.would-be-refused", Severity.WARNING, Fault.FILE, "a declared client would be refused"
)
KEY_ABSENT = Code("client.key-absent", Severity.WARNING, Fault.FILE, "a client's private key is not here")
CLIENT_ABSENT = Code(
    "client.certificate-absent", Severity.WARNING, Fault.FILE, "a client's certificate is not here"
)

CERTIFICATE_RULES = frozenset({"certificate", "common_name"})
"""Selectors that only a verified client certificate can meet: facts 4.4 and 4.5."""

DEFAULT_POLICY = AccessPolicy("valid certificate", "non_identity", (Rule("certificate"),))
"""What an application gets when its file lists no policies: Service Auth, any valid certificate."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A plan file, understood."""

    name: str
    account_id: str | None
    zone_id: str | None
    state: State
    """Desired; only what the file declares, so an application holds no field that the file leaves out."""
    places: Mapping[Address, Place]
    clients: tuple[Client, ...]
    targets: tuple[Target, ...]
    diagnostics: tuple[Diagnostic, ...]
    askers: Mapping[str, Asker]
    """Each client whose certificate could be read, as Access would see it."""
    waivers: tuple[Waiver, ...] = ()

    @property
    def hosts(self) -> frozenset[str]:
        """Every hostname that the file names."""
        domains = (host_of(d) for _, app in self.state.of(AccessApplication) for d in app.domains)
        named = (h for _, ca in self.state.of(CaCertificate) for h in ca.associated_hostnames)
        return frozenset((*domains, *named))


def resolve(source: Source, at: datetime) -> Stack:
    """The stack that a plan file declares; everything wrong with it is in `diagnostics`, in file order.

    at: an aware moment, for what expires.
    """
    resolver = _Resolver(source, at)
    if not has_errors(resolver.found):
        resolver.semantics()
    return resolver.stack()


def declared(source: Source, at: datetime) -> Stack:
    """As `resolve`, without the warnings about who gets in, which take long where a hostname has many applications."""
    return _Resolver(source, at).stack()


def asker_of(data: bytes, stack: Stack, at: datetime) -> Asker:
    """A client certificate (PEM, intermediates after it) as Access would see it under the stack's CAs.

    Raises Failure when it cannot be read. A CA whose PEM the file does not have cannot be asked.
    """
    certificates, problems = read_client_certificates(data)
    if problems or not certificates:
        raise Failure(problems or [NO_CERTIFICATE.found("The file holds no certificate.")])
    leaf, sent = certificates[0], [c.der for c in certificates[1:]]
    trusted = frozenset(
        address
        for address, ca in stack.state.of(CaCertificate)
        if ca.pem and judge(_ders(ca.pem), leaf.der, sent, at, SSLCLIENT).ok
    )
    return Asker(trusted, frozenset(leaf.common_names))


def _ders(pem: str) -> list[bytes]:
    return [c.der for c in read_certificates(pem.encode("ascii"))[0]]


class _Resolver:
    def __init__(self, source: Source, at: datetime) -> None:
        self.source = source
        self.at = at
        self.chains: dict[Address, Chain] = {}
        self.unknown: set[Address] = set()
        self.askers: dict[str, Asker] = {}
        self.document = source.document
        self.found: list[Diagnostic] = []
        self.resources: dict[Address, Resource] = {}
        self.places: dict[Address, Place] = {}
        self._read()
        self.clients = tuple(self._clients())

    def _read(self) -> None:
        document = self.document
        if document.account_id and document.zone_id:
            self._problem(
                BOTH_SCOPES,
                ("zone_id", "?key"),
                "A stack lives in one account or in one zone.",
                "Take one of them out.",
            )
        for label, group in document.certificates.items():
            self._certificates(label, group)
        for host, settings in document.hostname_settings.items():
            self._add(
                Address(Kind.SETTINGS, host),
                HostnameSettings(host, settings.client_certificate_forwarding, settings.china_network),
                ("hostname_settings", host),
            )
        for label, application in document.applications.items():
            self._application(label, application)

    def stack(self) -> Stack:
        document = self.document
        return Stack(
            document.stack,
            document.account_id,
            document.zone_id,
            State(self.resources),
            self.places,
            self.clients,
            tuple(self._targets()),
            tuple(sorted(self.found, key=lambda d: (d.place.line, d.place.column) if d.place else (0, 0))),
            self.askers,
            tuple(self._waivers()),
        )

    def _waivers(self) -> Iterator[Waiver]:
        for index, found in enumerate(self.document.waivers):
            place = self.source.reading.place(("waivers", index))
            yield Waiver(found.address, found.reason, found.owner, found.until, found.finding, place)

    def _problem(self, code: Code, path: Path, detail: str, fix: str = "") -> None:
        self._placed(code.found(detail, fix), path)

    def _placed(self, diagnostic: Diagnostic, path: Path) -> None:
        place = self.source.reading.place(path)
        self.found.append(diagnostic.at(place, self.source.reading.source(place)))

    def _add(self, address: Address, resource: Resource, path: Path) -> None:
        self.resources[address] = resource
        self.places[address] = self.source.reading.place(path)

    def _certificates(self, label: str, group: CertificateDocument) -> None:
        base: Path = ("certificates", label, "chain")
        listed = isinstance(group.chain, list)
        if listed and group.id:
            detail = "The chain is a list, so the id belongs to one of its items."
            self._problem(
                PIN_IN_LIST, ("certificates", label, "id"), detail, "Write the item as {file: …, id: …}."
            )
        hosts = tuple(sorted(set(group.associated_hostnames)))
        if group.chain == UNKNOWN:
            self._unknown(label, group, hosts, base)
            return
        for index, item in enumerate(group.chain if isinstance(group.chain, list) else [group.chain]):
            path: Path = (*base, index) if listed else base
            chain = self._chain(item.file if isinstance(item, ChainDocument) else item, path)
            pin = item.id if isinstance(item, ChainDocument) else None if listed else group.id
            if chain and isinstance(item, ChainDocument):
                self._overdue(item, path)
            if chain:
                self._certificate(label, chain, hosts, path, pin)

    def _unknown(self, label: str, group: CertificateDocument, hosts: tuple[str, ...], path: Path) -> None:
        """A CA that is in the account and whose PEM nobody has: what the file recorded of it."""
        fingerprint, ends = group.fingerprint or "", group.expires_on
        address = Address(Kind.CERTIFICATE, fingerprint)
        if ends is None or self._twice(address, path):  # the model has seen to it that there is an end
            return
        self.unknown.add(address)
        name = application_name(label, self.document.stack)
        self._add(
            address, CaCertificate(name, hosts, (fingerprint,), (ends.astimezone(UTC),), id=group.id), path
        )

    def _twice(self, address: Address, path: Path) -> bool:
        if address in self.resources:
            where = self.places[address]
            self._problem(SAME_CHAIN, path, f"It stands at line {where.line} too.", "Declare it once.")
        return address in self.resources

    def _overdue(self, item: ChainDocument, path: Path) -> None:
        if item.until and item.until < self.at.date():
            days = (self.at.date() - item.until).days
            detail = f"{item.file} was to be gone after {item.until}, {days} days ago."
            self._problem(OVERDUE, path, detail, "Take it out of the list, plan and apply.")

    def _certificate(
        self, label: str, chain: Chain, hosts: tuple[str, ...], path: Path, pin: str | None
    ) -> None:
        address = Address(Kind.CERTIFICATE, chain.md5s[0])
        if self._twice(address, path):
            return
        self.chains[address] = chain
        name = certificate_name(label, chain.sha256, self.document.stack)
        resource = CaCertificate(name, hosts, chain.md5s, chain.expirations, chain.sha256, chain.pem, pin)
        self._add(address, resource, path)

    def _chain(self, name: str, path: Path) -> Chain | None:
        data = self.source.chains[name]
        if isinstance(data, Diagnostic):
            self._placed(data, path)
            return None
        chain, problems = check_chain_file(data, at=self.at)
        for problem in problems:
            self._placed(problem, path)
        return chain

    def _application(self, label: str, found: ApplicationDocument) -> None:
        path: Path = ("applications", label)
        if (found.domain is None) == (found.domains is None):
            self._problem(
                DOMAINS, (*path, "?key"), "Give `domain: host/path`, or `domains:` with up to five."
            )
            return
        domains = found.domains or [found.domain or ""]
        address = Address(Kind.APPLICATION, domains[0])
        if address in self.resources:
            where = self.places[address]
            self._problem(
                SAME_DOMAIN,
                (*path, "domain"),
                f"{domains[0]} stands at line {where.line} too.",
                "Make them one application.",
            )
            return
        declared = {k: v for k in PASSED_ON if (v := getattr(found, k)) is not None}
        policies = tuple(map(_policy, found.policies)) if found.policies is not None else (DEFAULT_POLICY,)
        if len({policy.reusable for policy in policies}) > 1:
            detail = "Some policies here are written out and some are references."
            self._problem(
                MIXED, (*path, "policies"), detail, "Write all of them out, or reference all of them."
            )
        resource = AccessApplication(
            application_name(found.name or label, self.document.stack),
            tuple(public(domain) for domain in domains),
            policies,
            freeze_object(declared),
            found.id,
        )
        self._add(address, resource, path)
        if any(rule.kind in CERTIFICATE_RULES for policy in policies for rule in _rules(policy)):
            for domain in domains:
                self._trusted(domain, path)

    def _trusted(self, domain: str, path: Path) -> None:
        host = host_of(domain)
        hosts = {h for group in self.document.certificates.values() for h in group.associated_hostnames}
        if host not in hosts:  # whether Access takes wildcards here is not known: facts 1.7
            detail = f"{host} is in no `associated_hostnames`, so no client certificate can be valid there."
            fix = f"Add {host} to the associated_hostnames of the CA whose clients should get in."
            self._problem(NO_TRUST, (*path, "domain"), detail, fix)

    def _clients(self) -> Iterator[Client]:
        for name, client in self.document.clients.items():
            certificate = self.source.clients[client.certificate]
            key = client.key or client.certificate
            has_key = self.source.keys[key]
            path: Path = ("clients", name)
            if not isinstance(certificate, Diagnostic) and not is_pkcs12(client.certificate):
                self._check_client(name, certificate, client.expect, (*path, "certificate"))
            if isinstance(certificate, Diagnostic):
                self._problem(
                    CLIENT_ABSENT, (*path, "certificate"), f"{certificate.detail} verify cannot send {name}."
                )
            elif not has_key:
                detail = f"There is no readable file {self.source.beside(key)}. verify cannot send {name}."
                fix = "Put the key there to have the client proven."
                self._problem(KEY_ABSENT, (*path, "key"), detail, fix)
            yield Client(
                name,
                str(self.source.beside(client.certificate)),
                str(self.source.beside(client.key)) if client.key else None,
                Expected(client.expect) if client.expect else None,
                has_key and not isinstance(certificate, Diagnostic),
                client.passphrase_env,
                str(self.source.beside(client.passphrase_file)) if client.passphrase_file else None,
            )

    def _check_client(self, name: str, data: bytes, expect: str | None, path: Path) -> None:
        """Look at a client under the chain that accepts it, else under the first; a stranger may be refused."""
        certificates, problems = read_client_certificates(data)
        for problem in problems:
            self._placed(problem, path)
        if problems or not certificates:
            return
        leaf, sent = certificates[0], [c.der for c in certificates[1:]]
        fitting = {a: c for a, c in self.chains.items() if self._accepts(c, leaf, sent)}
        # A client that fits no chain in hand is taken for one of the CAs whose chain nobody has.
        others = () if self.unknown else self.chains.values()
        found = lint_client(leaf, next(iter([*fitting.values(), *others]), None), at=self.at)
        trusted = fitting if fitting or has_errors(found) else self.unknown
        self.askers[name] = Asker(frozenset(trusted), frozenset(leaf.common_names))
        for problem in found if expect != "refused" else ():
            # A client's fault must not keep anybody from changing the account, so here it only warns.
            said = (
                WOULD_BE_REFUSED.found(f"{problem.code.summary}: {problem.detail}", problem.fix)
                if problem.is_error
                else problem
            )
            self._placed(said, path)

    def _accepts(self, chain: Chain, leaf: Certificate, sent: list[bytes]) -> bool:
        """Whether a TLS server that trusts the chain would accept the client."""
        return judge([c.der for c in chain.certificates], leaf.der, sent, self.at, SSLCLIENT).ok

    def semantics(self) -> None:
        """Gather the warnings about who gets in."""
        welcome = {c.name: self.askers[c.name] for c in self.clients
                   if c.expected is not Expected.REFUSED and c.name in self.askers}  # fmt: skip
        for address, found in semantics(State(self.resources), welcome):
            place = self.places[address]
            self.found.append(found.at(place, self.source.reading.source(place)))

    def _targets(self) -> Iterator[Target]:
        for label, found in self.document.applications.items():
            ask = found.probe or ProbeDocument()
            for domain in found.domains or ([found.domain] if found.domain else []):
                plain = domain if "/" in domain else domain + "/"
                place = host_of(domain) + ask.path if ask.path else plain
                yield Target(f"https://{place}", label, ask.method, ask.expect_status)


def _policy(found: PolicyDocument | PolicyReference) -> AccessPolicy:
    if isinstance(found, PolicyReference):
        return AccessPolicy("", "", (), id=found.id, reusable=True)
    declared = {"session_duration": found.session_duration} if found.session_duration else {}
    return AccessPolicy(
        found.name,
        found.decision,
        _rule_list(found.include),
        _rule_list(found.require),
        _rule_list(found.exclude),
        freeze_object(declared) if declared else EMPTY,
    )


def _rule_list(rules: list[dict[str, object]]) -> tuple[Rule, ...]:
    return tuple(Rule(kind, freeze(value)) for rule in rules for kind, value in rule.items())


def _rules(policy: AccessPolicy) -> tuple[Rule, ...]:
    return (*policy.include, *policy.require)
