"""Whether what a saved plan says was declared is something that a plan file can declare.

Rules of this file:
- A saved plan is a file like any other: its declared state passes the border that a plan file passes, the same types
  and the same words, so that nothing gets to Cloudflare by it that could not be written in YAML.
- A CA is what its PEM says, not what stands beside it.
- Said in one sentence each, for people who edited a file by hand; whoever plans again needs none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.declare.application_document import PASSED_ON, ApplicationDocument, ProbeDocument
from cf_mtls.declare.applications import policy_of
from cf_mtls.declare.values import ID32, LABEL, hostname
from cf_mtls.model.frozen import freeze_object, thaw
from cf_mtls.model.marks import application_name, certificate_name
from cf_mtls.model.resources import (
    AccessApplication,
    CaCertificate,
    Contents,
    HostnameSettings,
    host_of,
    public,
)
from cf_mtls.pki.pem import Certificate, read_chain
from cf_mtls.planning.saved import host_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cf_mtls.model.people import Shown, Target
    from cf_mtls.model.resources import AccessPolicy, Address, Resource
    from cf_mtls.planning.saved import Saved


def faults(saved: Saved) -> Iterator[str]:
    """What no plan file could have declared. Raises ValueError or TypeError where a value is not even of its form."""
    inputs = saved.inputs
    if not LABEL.fullmatch(saved.stack) or len(saved.stack) > 63:
        yield "the stack is not a label"
    if not ID32.fullmatch(saved.scope.id):
        yield f"the {saved.scope.kind}'s id is not one"
    for address, resource in inputs.declared.items():
        if not _can_be_declared(address, resource, saved.stack):
            yield f"{address} is not what a plan file can declare"
    if any(host != hostname(host) for host in inputs.hosts):
        yield "a hostname is not one"
    yield from _proof(saved)


def _proof(saved: Saved) -> Iterator[str]:
    """What is wrong with who is asked where: every declared domain is asked for, and nothing outside the file."""
    inputs = saved.inputs
    names = [client.name for client in inputs.clients]
    if len(set(names)) != len(names) or not inputs.shown.keys() <= set(names):
        yield "its clients do not fit together"
    if not all(map(_is_shown, inputs.shown.values())) or not all(map(_is_pem, inputs.beside)):
        yield "a certificate is not what it is said to be"
    asked = [host_at(target) for target in inputs.targets]
    declared = [host_of(d) for _, app in inputs.declared.of(AccessApplication) for d in app.domains]
    if sorted(asked) != sorted(declared):
        yield "it does not ask for each domain that it declares"
    if not set(asked) <= inputs.hosts or not all(map(_can_be_asked, inputs.targets)):
        yield "it asks for what no plan file can ask for"


def _is_shown(shown: Shown) -> bool:
    """Whether a client shows certificates and has the names of the first. ValueError when they are none."""
    leaf, *_ = [Certificate.from_der(der) for der in (shown.leaf, *shown.sent)]
    return shown.common_names == frozenset(leaf.common_names)


def _is_pem(pem: str) -> bool:
    chain, _ = read_chain(pem.encode("ascii"))
    return chain is not None and chain.pem == pem


def _can_be_asked(target: Target) -> bool:
    path = target.url.removeprefix("https://").partition("/")[2]
    ProbeDocument(path=f"/{path}", method=target.method, expect_status=target.expect_status)  # type: ignore[arg-type]
    return target.url == f"https://{host_at(target)}/{path}" and target.url.isprintable()


def _can_be_declared(address: Address, resource: Resource, stack: str) -> bool:
    match resource:
        case CaCertificate():
            return _is_bundle(address, resource, stack) and _are_hostnames(resource.associated_hostnames)
        case HostnameSettings():
            return resource.hostname == hostname(resource.hostname) == address.key
        case AccessApplication():
            return resource == _through_the_border(resource, stack) and resource.domain == address.key
        case _:
            return False


def _are_hostnames(hosts: tuple[str, ...]) -> bool:
    return bool(hosts) and hosts == tuple(sorted(set(map(hostname, hosts))))


def _is_bundle(address: Address, ca: CaCertificate, stack: str) -> bool:
    """Whether a CA is the bundle of its PEM, or one that is only pinned, with our mark and the address that it has."""
    if ca.elsewhere is not None:
        return False
    if ca.pem is None:
        recorded = ca.id is not None and len(ca.fingerprints) == len(ca.expirations) == 1
        is_named = ca.name.endswith(application_name("", stack))
        return recorded and is_named and (address.key, ca.contents) == (ca.id, Contents.UNKNOWN)
    chain, _ = read_chain(ca.pem.encode("ascii"))
    if chain is None:
        return False
    said = (ca.sha256, ca.fingerprints, ca.expirations, ca.pem)
    is_named = ca.name.endswith(certificate_name("", chain.sha256, stack))
    contents = Contents.RECORDED if ca.id else Contents.KNOWN
    is_there = (address.key, ca.contents) == (chain.sha256, contents)
    return is_named and is_there and said == (chain.sha256, chain.md5s, chain.expirations, chain.pem)


def _through_the_border(app: AccessApplication, stack: str) -> AccessApplication:
    """The application that a plan file with these members declares. ValueError where it could not be written."""
    members = thaw(app.fields)
    document = ApplicationDocument.model_validate(
        {
            **{name: members[name] for name in members.keys() & PASSED_ON},
            "domains": list(app.domains),
            "policies": [_policy(policy) for policy in app.policies],
            **({} if app.id is None else {"id": app.id}),
        }
    )
    label = app.name.removesuffix(application_name("", stack))
    return AccessApplication(
        application_name(label, stack),
        tuple(public(domain) for domain in document.domains or ()),
        tuple(map(policy_of, document.policies or ())),
        freeze_object({k: v for k in PASSED_ON if (v := getattr(document, k)) is not None}),
        document.id,
    )


def _policy(policy: AccessPolicy) -> dict[str, object]:
    if policy.reusable:
        return {"id": policy.id}
    parts = {
        part: [{rule.kind: thaw(rule.value)} for rule in getattr(policy, part)]
        for part in ("include", "require", "exclude")
    }
    return {"name": policy.name, "decision": policy.decision, **parts, **thaw(policy.fields)}
