"""The applications of a plan file, and where they are asked for.

Rules of this file:
- What the file leaves out of an application is not in it: only what is declared is managed.
- Names get the ownership mark here; those of CAs get theirs in `trust`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.declare.application_document import PASSED_ON, PolicyReference, ProbeDocument
from cf_mtls.diagnostics import Code, Fault, Severity
from cf_mtls.model.frozen import EMPTY, freeze, freeze_object
from cf_mtls.model.marks import application_name
from cf_mtls.model.people import Target
from cf_mtls.model.resources import AccessApplication, AccessPolicy, Address, Kind, Rule, host_of, public
from cf_mtls.model.rules import demands_certificate

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from cf_mtls.declare.application_document import ApplicationDocument, PolicyDocument
    from cf_mtls.declare.document import Document
    from cf_mtls.declare.ledger import Ledger
    from cf_mtls.declare.yaml_text import Path

NO_TRUST = Code(
    "application.host-without-certificate",
    Severity.WARNING,
    Fault.FILE,
    "an application's hostname has no CA in this file",
)
SAME_DOMAIN = Code(
    "application.same-domain", Severity.ERROR, Fault.FILE, "two applications want the same domain"
)
DOMAINS = Code("application.domains", Severity.ERROR, Fault.FILE, "an application needs domain or domains")
MIXED = Code(
    "application.mixed-policies", Severity.ERROR, Fault.FILE, "reusable and inline policies cannot be mixed"
)

DEFAULT_POLICY = AccessPolicy("valid certificate", "non_identity", (Rule("certificate"),))
"""What an application gets when its file lists no policies: Service Auth, any valid certificate."""


def applications(ledger: Ledger) -> None:
    """Gather the applications that a plan file declares."""
    document = ledger.source.document
    hosts = {host for group in document.certificates.values() for host in group.associated_hostnames}
    for label, found in document.applications.items():
        for path, domain in _application(ledger, label, found):
            _trusted(ledger, domain, path, hosts)


def _application(ledger: Ledger, label: str, found: ApplicationDocument) -> Iterator[tuple[Path, str]]:
    """Gather an application; each domain of it that demands a certificate, with the application's path."""
    path: Path = ("applications", label)
    if (found.domain is None) == (found.domains is None):
        ledger.problem(DOMAINS, (*path, "?key"), "Give `domain: host/path`, or `domains:` with up to five.")
        return
    domains = found.domains or [found.domain or ""]
    address = Address(Kind.APPLICATION, domains[0])
    if ledger.has(SAME_DOMAIN, address, (*path, "domain"), domains[0], "Make them one application."):
        return
    declared = {k: v for k in PASSED_ON if (v := getattr(found, k)) is not None}
    policies = tuple(map(policy_of, found.policies)) if found.policies is not None else (DEFAULT_POLICY,)
    if len({policy.reusable for policy in policies}) > 1:
        detail = "Some policies here are written out and some are references."
        ledger.problem(MIXED, (*path, "policies"), detail, "Write all of them out, or reference all of them.")
    resource = AccessApplication(
        application_name(found.name or label, ledger.source.document.stack),
        tuple(public(domain) for domain in domains),
        policies,
        freeze_object(declared),
        found.id,
    )
    ledger.add(address, resource, path)
    if demands_certificate(resource):
        for domain in domains:
            yield path, domain


NO_WILDCARD = (
    "Name each host in domains (five an application) and in the associated_hostnames of the CA. Whether Cloudflare"
    " takes a wildcard there is not known: plan refuses one unless --wildcard-hostnames says that this account does."
)


def _trusted(ledger: Ledger, domain: str, path: Path, hosts: Collection[str]) -> None:
    host = host_of(domain)
    if host not in hosts:  # whether Access takes wildcards here is not known: facts 1.7
        detail = f"{host} is in no `associated_hostnames` here, so only clients of another CA can get in."
        fix = (
            NO_WILDCARD
            if "*" in host
            else f"Add {host} to the associated_hostnames of the CA whose clients should get in."
        )
        ledger.problem(NO_TRUST, (*path, "domain"), detail, fix)


def targets(document: Document) -> Iterator[Target]:
    """Where each application is asked for, in file order."""
    for label, found in document.applications.items():
        ask = found.probe or ProbeDocument()
        for domain in found.domains or ([found.domain] if found.domain else []):
            plain = domain if "/" in domain else domain + "/"
            place = host_of(domain) + ask.path if ask.path else plain
            yield Target(f"https://{place}", label, ask.method, ask.expect_status)


def policy_of(found: PolicyDocument | PolicyReference) -> AccessPolicy:
    """A policy as a plan file has it."""
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
