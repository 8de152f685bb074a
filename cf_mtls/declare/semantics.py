"""What can be known from a plan file alone about who gets in, without the account.

Rules of this file:
- Pure; decided with `access/` on the declared state, so no rule about policies is written twice.
- Warnings only: the file may be right together with what else is in the account.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from cf_mtls.access.decide import Request, decide, decide_policies, world_of
from cf_mtls.access.doors import door_at
from cf_mtls.access.reach import askers_at, concrete
from cf_mtls.diagnostics import Code, Fault, Severity
from cf_mtls.model.doors import Reach
from cf_mtls.model.resources import AccessApplication, Address, CaCertificate, host_of, path_of
from cf_mtls.model.rules import demands_certificate, member
from cf_mtls.model.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.people import Asker
    from cf_mtls.model.resources import AccessPolicy, Resource

Found: TypeAlias = "tuple[Address, Diagnostic]"
"""A warning and the address that it is about."""

UNUSED_CA = Code(
    "certificate.not-demanded", Severity.WARNING, Fault.FILE, "nothing demands a certificate there"
)
VOID = Code("policy.certificate-void", Severity.WARNING, Fault.FILE, "a certificate is not needed after all")
UNREACHABLE = Code("policy.unreachable", Severity.WARNING, Fault.FILE, "a policy can never decide")
UNKNOWN_NAME = Code(
    "policy.unknown-common-name", Severity.WARNING, Fault.FILE, "no declared client has that name"
)
NO_CLIENT = Code("application.no-client-gets-in", Severity.WARNING, Fault.FILE, "no declared client gets in")


def semantics(state: State, clients: Mapping[str, Asker]) -> Iterator[Found]:
    """Every warning with the address that it is about.

    clients: the declared ones that must be let in, with the CAs that they are valid under.
    """
    yield from _unused(state)
    for address, app in state.of(AccessApplication):
        yield from _void(state, address, app)
        yield from _unreachable(state, address, app)
        yield from _names(address, app, clients)
        yield from _nobody(state, address, app, clients)


def _unused(state: State) -> Iterator[Found]:
    demanded = {
        host_of(d) for _, app in state.of(AccessApplication) if demands_certificate(app) for d in app.domains
    }
    unknown = {
        host_of(d) for _, app in state.of(AccessApplication) if _rests_elsewhere(app) for d in app.domains
    }
    wild = any("*" in host for host in demanded | unknown)
    for address, ca in state.of(CaCertificate):
        idle = [host for host in ca.associated_hostnames if host not in demanded | unknown]
        if idle and not wild:
            detail = (
                f"{', '.join(idle)}: clients are asked for a certificate, but no application here needs it."
            )
            yield address, UNUSED_CA.found(detail, "Add an application for it, or take the hostname out.")


def _rests_elsewhere(app: AccessApplication) -> bool:
    """Whether it refers to a reusable policy or a group: what those demand is not in this file."""
    return any(
        p.reusable or any(rule.kind == "group" for rule in (*p.include, *p.require)) for p in app.policies
    )


def _void(state: State, address: Address, app: AccessApplication) -> Iterator[Found]:
    if not demands_certificate(app):
        return
    for domain in app.domains:
        found = door_at(state, concrete(host_of(domain)), path_of(domain) or "/")
        if found.reach > Reach.HOLDERS and found.decided.application == address:
            who = "anyone" if found.reach is Reach.ANYONE else "somebody with other credentials"
            detail = f"{domain}: a rule asks for a certificate, but {who} gets in without one: include is OR."
            yield (
                address,
                VOID.found(detail, "Put the certificate into require, or take the other way in out."),
            )


def _unreachable(state: State, address: Address, app: AccessApplication) -> Iterator[Found]:
    host = concrete(host_of(app.domain))
    world = world_of(state, host)
    beside: dict[Address, Resource] = {
        a: replace(ca, associated_hostnames=(host,))
        for a in world.trusted
        if isinstance(ca := state[a], CaCertificate)
    }

    def deciding(policies: tuple[AccessPolicy, ...]) -> set[int]:
        """Which of some policies decide for anybody, as if they stood alone on the host."""
        alone = State({**beside, address: replace(app, policies=policies)})
        found = (decide_policies(policies, world, asker)[1] for asker in askers_at((alone,), host))
        return {id(policy) for policy in found if policy}

    decided = deciding(app.policies)
    for policy in app.policies:
        if id(policy) not in decided and deciding((policy,)):
            detail = (
                f"{policy.name} in {address}: the policies before it decide for everyone whom it would match."
            )
            yield (
                address,
                UNREACHABLE.found(detail, "Service Auth and Bypass run first, then Allow and Block."),
            )


def _names(address: Address, app: AccessApplication, clients: Mapping[str, Asker]) -> Iterator[Found]:
    known = {name for asker in clients.values() for name in asker.common_names}
    wanted = {
        member(rule, "common_name")
        for policy in app.policies
        for rule in (*policy.include, *policy.require)
        if rule.kind == "common_name"
    }
    for name in sorted(wanted - known if clients else ()):
        have = ", ".join(sorted(known)) or "none"
        detail = f"{address} lets in the common name {name}; the declared clients have: {have}. Case counts."
        yield address, UNKNOWN_NAME.found(detail, "Compare with:\n    cf-mtls pki inspect CLIENT")


def _nobody(
    state: State, address: Address, app: AccessApplication, clients: Mapping[str, Asker]
) -> Iterator[Found]:
    if not clients or not demands_certificate(app):
        return
    # Whether a CA on a wildcard counts is not known (facts 1.7): there nothing is said of the clients.
    # Where the file has no CA the account may have one.
    here = {host for _, ca in state.of(CaCertificate) for host in ca.associated_hostnames}
    for domain in app.domains:
        if host_of(domain) not in here or "*" in host_of(domain):
            continue
        host, path = concrete(host_of(domain)), concrete(path_of(domain)) or "/"
        if not any(decide(state, Request(host, path, asker)).outcome.lets_in for asker in clients.values()):
            detail = f"{domain}: none of {', '.join(sorted(clients))} gets in."
            yield (
                address,
                NO_CLIENT.found(detail, "Compare its rules and the CA on its hostname with the clients."),
            )
