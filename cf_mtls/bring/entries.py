"""A chosen thing as the members of its entry in a plan file.

Rules of this file:
- Only what says something is written: the server's defaults and what the file's own defaults mean are not.
- Ids are pinned, names are not written: what is pinned keeps its name.
- Whether an entry means what is there is not trusted here: `draft` goes the whole road and looks.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

from cf_mtls.bring.match import Match, Misfit
from cf_mtls.declare.application_document import PASSED_ON
from cf_mtls.declare.applications import DEFAULT_POLICY
from cf_mtls.declare.values import SHORT, UNKNOWN
from cf_mtls.model.frozen import Record, thaw
from cf_mtls.model.marks import digits_of, stack_of
from cf_mtls.model.resources import AccessApplication, AccessPolicy, CaCertificate, HostnameSettings
from cf_mtls.planning.canon import PARTS, fields_meaning, policy_meaning
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cf_mtls.model.resources import Address, Resource, Rule

WITHOUT_VALUE = frozenset({"certificate", "everyone", "any_valid_service_token"})
"""Selectors whose object means nothing: facts 4.4."""

_LONGEST_LABEL = 40


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a plan file: where it stands, its members, and what its comment says."""

    section: str
    label: str
    address: Address
    members: dict[str, Any]
    said: str = ""
    """What the account calls it; untrusted."""
    note: str = ""
    match: Match | None = None


def entries(chosen: Mapping[Address, Resource], matches: Mapping[Address, Match | Misfit]) -> list[Entry]:
    """An entry for each thing, in the order of names; labels are distinct within their section."""
    made: list[Entry] = []
    labels: set[tuple[str, str]] = set()
    for address, thing in sorted(chosen.items(), key=lambda pair: (_name(pair[1]).casefold(), pair[0])):
        entry = _entry(address, thing, matches.get(address), labels)
        labels.add((entry.section, entry.label))
        made.append(entry)
    return made


def _entry(
    address: Address, thing: Resource, found: Match | Misfit | None, labels: set[tuple[str, str]]
) -> Entry:
    match thing:
        case CaCertificate():
            label = free("certificates", slug(thing.name, "ca"), labels)
            return _certificate(label, address, thing, found)
        case HostnameSettings():
            members = {
                name: True
                for name in ("client_certificate_forwarding", "china_network")
                if getattr(thing, name)
            }
            return Entry("hostname_settings", thing.hostname, address, members)
        case AccessApplication():
            label = free("applications", slug(thing.name, "application"), labels)
            names = [f'"{p.name}"' for p in thing.policies if p.reusable]
            note = f"reusable policies, in order: {', '.join(names)}" if names else ""
            return Entry("applications", label, address, _application(thing), thing.name, note)
        case _:
            message = f"{address} is of a kind that no plan file declares"
            raise TypeError(message)


def _certificate(label: str, address: Address, ca: CaCertificate, found: Match | Misfit | None) -> Entry:
    said = f"{ca.name}, expires {ca.expires_on:%Y-%m-%d}"
    rest = {"associated_hostnames": list(ca.associated_hostnames), "id": ca.id}
    if isinstance(found, Match):
        count = len(found.chain.certificates)
        note = "" if found.block == 1 else f"recognised by block {found.block} of {count} in {found.path}"
        members = {"chain": f"certs/{label}.pem", **rest, "sha256": found.chain.sha256}
        return Entry("certificates", label, address, members, said, note, found)
    known = {"fingerprint": ca.fingerprints[0], "expires_on": f"{ca.expires_on:%Y-%m-%dT%H:%M:%SZ}"}
    note = f"{found.path} holds its certificate, but: {found.why}" if found else ""
    return Entry("certificates", label, address, {"chain": UNKNOWN, **known, **rest}, said, note)


def _application(app: AccessApplication) -> dict[str, Any]:
    place: dict[str, Any] = (
        {"domain": app.domain} if len(app.domains) == 1 else {"domains": list(app.domains)}
    )
    told = fields_meaning(app.fields)
    fields = {name: thaw(app.fields[name]) for name in sorted(PASSED_ON) if name in told}
    policies = [_policy(policy) for policy in app.policies]
    is_default = [policy_meaning(p) for p in app.policies] == [policy_meaning(DEFAULT_POLICY)]
    return {**place, "id": app.id, **({} if is_default else {"policies": policies}), **fields}


def _policy(policy: AccessPolicy) -> dict[str, Any]:
    if policy.reusable:
        return {"id": policy.id}
    duration = policy.fields.get("session_duration")
    return {
        "name": policy.name,
        **({} if policy.decision == "non_identity" else {"decision": policy.decision}),
        **{part: [_rule(r) for r in rules] for part in PARTS if (rules := getattr(policy, part))},
        **({} if duration in {None, "", "24h"} else {"session_duration": duration}),
    }


def _rule(rule: Rule) -> dict[str, Any]:
    value = rule.value
    if rule.kind in WITHOUT_VALUE:
        return {rule.kind: {}}
    said = {k: v for k, v in value.items() if v is not None} if isinstance(value, Record) else {}
    inner = said.get(SHORT.get(rule.kind, ""))
    if len(said) == 1 and isinstance(inner, str):
        return {rule.kind: inner}
    return {rule.kind: thaw(value)}


def slug(name: str, otherwise: str) -> str:
    """A name as a label: a-z, 0-9 and inner hyphens, without our mark."""
    bare = re.sub(r" \(cf-mtls [a-z0-9-]+\)$", "", name) if stack_of(name) else name
    bare = bare.removesuffix(f" {digits_of(name)}") if digits_of(name) else bare
    ascii_only = unicodedata.normalize("NFKD", bare).encode("ascii", "ignore").decode("ascii").lower()
    words = re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")
    return words[:_LONGEST_LABEL].strip("-") or otherwise


def free(section: str, label: str, labels: Iterable[tuple[str, str]]) -> str:
    """The label, with a number behind it where the section has it already. labels: those that are taken, by section."""
    taken = {name for where, name in labels if where == section}
    tries = (label, *(f"{label}-{n}" for n in range(2, len(taken) + 3)))
    return next(name for name in tries if name not in taken)


def _name(thing: Resource) -> str:
    return thing.hostname if isinstance(thing, HostnameSettings) else thing.name
