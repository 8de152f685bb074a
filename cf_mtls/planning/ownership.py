"""Whose things are whose: what is declared meets what is there.

Rules of this file:
- Ours is what carries our stack's mark in its name, or whose id the file pins.
  Everything else is foreign and is copied into desired, so that the diff can never touch it.
- A CA of ours is the declared bundle when the digits in its name say so, with MD5 and expiry agreeing (`contents`).
  A bundle that differs in any certificate is another CA: made beside, and the old one retired; never renamed.
- Hostname settings carry no name: what stands on the hostname decides whose they are (`host_settings`).
- Only declared fields are managed: what the file leaves out keeps its actual value.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cf_mtls.diagnostics import Code, Diagnostic, Fault, Severity
from cf_mtls.model.frozen import EMPTY, freeze_object
from cf_mtls.model.marks import stack_of
from cf_mtls.model.resources import (
    GUARDS_NOTHING,
    AccessApplication,
    AccessPolicy,
    Address,
    CaCertificate,
    Contents,
    HostnameSettings,
)
from cf_mtls.model.state import State
from cf_mtls.planning.canon import policy_meaning
from cf_mtls.planning.contents import agreement, taken_over
from cf_mtls.planning.host_settings import Owners, unmanaged_note
from cf_mtls.planning.leaving import Leaving, leaving
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from cf_mtls.model.frozen import Record
    from cf_mtls.model.plan import Removed
    from cf_mtls.model.resources import Resource

PIN_ABSENT = Code("ownership.pin-absent", Severity.ERROR, Fault.FILE, "a pinned id is not in the account")
PIN_CONTENT = Code("ownership.pin-content", Severity.ERROR, Fault.FILE, "a pinned id is another CA")
POLICY_ABSENT = Code(
    "ownership.policy-absent", Severity.ERROR, Fault.FILE, "a reusable policy is not in the account"
)
COLLISION = Code("ownership.foreign", Severity.ERROR, Fault.ACCOUNT, "what stands there is not ours")
NOT_RECORDED = Code(
    "ownership.not-recorded", Severity.ERROR, Fault.FILE, "nothing records what an adopted CA holds"
)
AMBIGUOUS = Code(
    "ownership.ambiguous", Severity.ERROR, Fault.FILE, "a CA may be one of several declared bundles"
)


@dataclass(frozen=True, slots=True)
class Merged:
    """Desired, complete: foreign things copied in, undeclared fields filled from actual."""

    desired: State
    diagnostics: tuple[Diagnostic, ...]
    moved: Mapping[Address, Address]
    """Declared address to the one under which the account knows the thing."""
    ours: Mapping[Address, Resource]
    """What is declared, at the addresses under which `desired` has it."""
    unmanaged: tuple[Address, ...] = ()
    """Settings in the account on hostnames of this stack that the file does not declare."""


def merge(
    declared: State,
    actual: State,
    stack: str,
    adopt: Collection[Address] = (),
    removed: Sequence[Removed] = (),
    *,
    destroy: bool = False,
) -> Merged:
    """What the account should hold, so that a plain diff with `actual` gives exactly our changes.

    declared: only what the file says; an id in it pins a thing. adopt: foreign things to take over in place, and
    settings to put back that no file declares. removed: ids that leave. destroy: everything that is ours leaves.
    """
    moved = homes(declared, actual, stack)
    adopted = {moved.get(address, address) for address in adopt}
    aligned = State({moved.get(address, address): resource for address, resource in declared.items()})
    pinned = {a for a, wanted in aligned.items() if a in actual and is_pinned(wanted, actual[a])}
    mine = pinned | {a for a, there in actual.items() if is_ours(there, stack)}
    owners = Owners(actual, mine, stack)
    leaves = leaving(removed, actual, stack)
    if destroy:
        return _emptied(aligned, actual, mine, adopted, owners, leaves)
    known = {policy.id: policy for _, policy in actual.of(AccessPolicy)}
    unmanaged = tuple(a for a in owners.unmanaged(actual, aligned) if a not in adopted)
    desired: dict[Address, Resource] = {}
    managed: set[Address] = set()
    diagnostics = [*leaves.diagnostics, *_pinned_but_absent(aligned, actual)]
    for address, there in actual.items():
        wanted = aligned.get(address)
        if wanted is None:
            if address in leaves.kept or not _is_ours_to_drop(address, there, mine, adopted, owners, leaves):
                desired[address] = there
        elif refusal := _refusal(address, wanted, there, mine, adopted, owners):
            desired[address] = there
            diagnostics.append(refusal)
        else:
            managed.add(address)
            diagnostics += (*_other_content(address, wanted, there), *_not_recorded(address, wanted, there))
            desired[address] = complete(_with_policies(wanted, known), there)
    new = {address: wanted for address, wanted in aligned.items() if address not in actual}
    desired |= {address: _uploaded(_with_policies(wanted, known)) for address, wanted in new.items()}
    diagnostics += (*_guessed(aligned, actual, managed), *_unknown_policies(desired))
    diagnostics += (unmanaged_note(a, s) for a, s in actual.of(HostnameSettings) if a in unmanaged)
    return Merged(State(without_defaults(desired)), tuple(diagnostics), moved, aligned, unmanaged)


def _is_ours_to_drop(
    address: Address,
    there: Resource,
    mine: Collection[Address],
    adopted: Collection[Address],
    owners: Owners,
    leaves: Leaving,
) -> bool:
    """Whether what the file does not declare leaves: ours by mark, listed as removed, or settings typed out."""
    if isinstance(there, HostnameSettings):
        return address in adopted and owners.is_ours(there.hostname)
    return address in leaves.gone or address in mine


def _refusal(
    address: Address,
    wanted: Resource,
    there: Resource,
    mine: Collection[Address],
    adopted: Collection[Address],
    owners: Owners,
) -> Diagnostic | None:
    """Why a declared thing must not be put where something is; None when it may."""
    if address in mine or (address in adopted and not _elsewhere(there)):
        return None
    if isinstance(wanted, HostnameSettings) and isinstance(there, HostnameSettings):
        return owners.refusal(address, wanted, there)
    return _collision(address, there)


def _emptied(
    aligned: State,
    actual: State,
    mine: Collection[Address],
    adopted: Collection[Address],
    owners: Owners,
    leaves: Leaving,
) -> Merged:
    """The account without anything of this stack: what is marked, pinned, listed as removed, and declared settings."""
    desired: dict[Address, Resource] = {}
    diagnostics = list(leaves.diagnostics)
    for address, there in actual.items():
        wanted = aligned.get(address)
        if isinstance(there, HostnameSettings):
            declared = wanted is not None and there != HostnameSettings(there.hostname)
            rests = owners.others(there.hostname) or (not owners.is_ours(there.hostname) and wanted != there)
            if address in adopted or (declared and not rests):
                continue
            diagnostics += [owners.staying(address, there)] if declared else []
        elif address not in leaves.kept and (address in mine or address in leaves.gone):
            continue
        desired[address] = there
    unmanaged = tuple(owners.unmanaged(State(desired), aligned))
    diagnostics += (unmanaged_note(a, s) for a, s in actual.of(HostnameSettings) if a in unmanaged)
    return Merged(State(desired), tuple(diagnostics), {}, {}, unmanaged)


def is_pinned(wanted: Resource, there: Resource) -> bool:
    """Whether the file names this very object by its id, in the plan's own scope."""
    return _id(wanted) is not None and _id(wanted) == _id(there) and not _elsewhere(there)


def _elsewhere(resource: Resource) -> str | None:
    return resource.elsewhere if isinstance(resource, CaCertificate | AccessApplication) else None


def _id(resource: Resource) -> str | None:
    return None if isinstance(resource, HostnameSettings) else resource.id


def _pinned_but_absent(aligned: State, actual: State) -> Iterator[Diagnostic]:
    there = {_id(resource) for resource in actual.values()}
    for address, wanted in aligned.items():
        if _id(wanted) is not None and _id(wanted) not in there:
            detail = f"{address} is pinned to the id {_id(wanted)}, which the account does not have."
            anew = "Take the id: out of the file to make it anew, or mend the id."
            gone = "Nobody has its PEM, so it cannot be made anew: take the entry out, or mend the id."
            yield PIN_ABSENT.found(detail, gone if _cannot_be_made(wanted) else anew)


def _cannot_be_made(wanted: Resource) -> bool:
    return isinstance(wanted, CaCertificate) and wanted.pem is None


def _other_content(address: Address, wanted: Resource, there: Resource) -> Iterator[Diagnostic]:
    """A pin on a CA with another content: the API cannot change a PEM in place (facts 1.5)."""
    if (
        isinstance(wanted, CaCertificate)
        and isinstance(there, CaCertificate)
        and is_pinned(wanted, there)
        and agreement(wanted, there) is None
    ):
        detail = f"The id {wanted.id} is {address}, which is not the chain that the file declares beside it."
        fix = (
            "A CA's content cannot be changed in place. To rotate, keep the pinned entry as it was and add the "
            "new chain as an entry of its own, without an id."
        )
        yield PIN_CONTENT.found(detail, fix)


def _not_recorded(address: Address, wanted: Resource, there: Resource) -> Iterator[Diagnostic]:
    """A CA that was taken over, or is to be, beside a chain file that may become another without a word."""
    if not isinstance(wanted, CaCertificate) or not isinstance(there, CaCertificate) or wanted.id:
        return
    if agreement(wanted, there) is Contents.RECORDED and wanted.contents is Contents.KNOWN:
        detail = (
            f"{address}, named {there.name}, was uploaded by somebody else: what it holds is what the file records, "
            "and that must not change unseen."
        )
        fix = f"Write beside its chain:\n    sha256: {wanted.sha256}"
        yield NOT_RECORDED.found(detail, fix)


def _uploaded(wanted: Resource) -> Resource:
    """What is to be made: what a CA holds is known once this program has uploaded it."""
    if isinstance(wanted, CaCertificate) and wanted.pem is not None and wanted.id is None:
        return replace(wanted, contents=Contents.KNOWN)
    return wanted


def _with_policies(wanted: Resource, known: Mapping[str | None, AccessPolicy]) -> Resource:
    """An application with its references to reusable policies filled in from the account's, by id."""
    if not isinstance(wanted, AccessApplication):
        return wanted
    filled = tuple(known.get(p.id, p) if p.reusable else p for p in wanted.policies)
    return replace(wanted, policies=filled)


def _unknown_policies(desired: dict[Address, Resource]) -> Iterator[Diagnostic]:
    for address, resource in desired.items():
        for policy in resource.policies if isinstance(resource, AccessApplication) else ():
            if policy.reusable and not policy.decision:
                detail = (
                    f"{address} references the reusable policy {policy.id}, which the account does not have."
                )
                yield POLICY_ABSENT.found(detail, "Look for its id in the dashboard.")


def is_ours(resource: Resource, stack: str) -> bool:
    """Whether a thing is of a kind that we make, in the plan's own scope, and carries the mark of this stack."""
    if not isinstance(resource, CaCertificate | AccessApplication):
        return False
    return resource.elsewhere is None and stack_of(resource.name) == stack


def pins(declared: State) -> frozenset[str]:
    """The ids by which a file names what is in the account."""
    return frozenset(id_ for resource in declared.values() if (id_ := _id(resource)))


def without_defaults(resources: dict[Address, Resource]) -> dict[Address, Resource]:
    """These resources less hostname settings that say nothing: both false equals absent (facts 2)."""
    return {a: r for a, r in resources.items() if r != HostnameSettings(a.key)}


def homes(declared: State, actual: State, stack: str) -> Mapping[Address, Address]:
    """For every declared thing that the account already knows: the address under which it does."""
    named: dict[str, list[Address]] = {}
    for address, resource in actual.items():
        for name in _names(resource):
            named.setdefault(name, []).append(address)
    moved: dict[Address, Address] = {}
    taken: set[Address] = set()
    for address, wanted in sorted(declared.items(), key=lambda item: (_id(item[1]) is None, item[0])):
        close = {a: actual[a] for name in _names(wanted) for a in named.get(name, ()) if a not in taken}
        home = _home(address, wanted, close, stack)
        if home is not None:
            moved[address] = home
            taken.add(home)
    return moved


def _names(resource: Resource) -> Iterator[str]:
    """What two things must share, at least one of it, to be the same: `_is_same` looks no further."""
    yield f"id {_id(resource)}"
    match resource:
        case CaCertificate():
            yield from resource.fingerprints
        case AccessApplication():
            yield from resource.domains


def _home(
    address: Address, wanted: Resource, close: Mapping[Address, Resource], stack: str
) -> Address | None:
    """Where the account has a declared thing; None when it has it nowhere, or for settings, which never move."""
    if isinstance(wanted, HostnameSettings):
        return None
    same = [(a, r) for a, r in close.items() if _is_same(wanted, r)]
    # The pinned one, then ours, known before guessed, then by address: never by the order of a listing.
    same.sort(
        key=lambda found: (
            not is_pinned(wanted, found[1]),
            not is_ours(found[1], stack),
            not _is_known(wanted, found[1]),
            found[0] != address,
            found[0],
        )
    )
    return same[0][0] if same else None


def _is_same(wanted: Resource, there: Resource) -> bool:
    match wanted, there:
        case CaCertificate(), CaCertificate() if wanted.id is None:
            return not there.elsewhere and agreement(wanted, there) is not None
        case AccessApplication(), AccessApplication():
            # The account keeps each domain unique, so one shared domain is enough: facts 3.5.
            return bool(set(wanted.domains) & set(there.domains)) or is_pinned(wanted, there)
        case _:
            return is_pinned(wanted, there)


def _is_known(wanted: Resource, there: Resource) -> bool:
    if isinstance(wanted, CaCertificate) and isinstance(there, CaCertificate):
        return agreement(wanted, there) is Contents.KNOWN
    return False


def _guessed(aligned: State, actual: State, merged: Collection[Address]) -> Iterator[Diagnostic]:
    """A CA without digits that more than one declared bundle could be: which one is not known, so none is said."""
    for address, there in actual.of(CaCertificate):
        home = aligned.get(address)
        if address not in merged or not isinstance(home, CaCertificate) or _is_known(home, there) or home.id:
            continue
        rivals = [
            a
            for a, wanted in aligned.of(CaCertificate)
            if a != address and _is_rival(a, wanted, there, actual)
        ]
        if rivals:
            detail = (
                f"{address}, named {there.name}, may be {home.name} or another bundle that the file declares: "
                "the account shows one certificate of it, which they share."
            )
            fix = f"Write the id beside the chain that was uploaded there:\n    id: {there.id}"
            yield AMBIGUOUS.found(detail, fix)


def _is_rival(address: Address, wanted: CaCertificate, there: CaCertificate, actual: State) -> bool:
    """Whether a declared bundle that the account is not known to hold may be this CA too."""
    at_home = actual.get(address)
    settled = wanted.id is not None or (at_home is not None and _is_known(wanted, at_home))
    return not settled and agreement(wanted, there) is not None


def complete(wanted: Resource, there: Resource) -> Resource:
    """The declared resource with the id and every undeclared field of the one that is there."""
    match wanted, there:
        case CaCertificate(), CaCertificate():
            return taken_over(wanted, there, pinned=is_pinned(wanted, there))
        case AccessApplication(), AccessApplication():
            return replace(
                wanted,
                id=there.id,
                name=there.name if is_pinned(wanted, there) else wanted.name,
                destinations=_destinations(wanted, there),
                policies=_policies(wanted.policies, there.policies),
                fields=_guarding(there.fields).merged(wanted.fields),
            )
        case _:
            return wanted


def _guarding(fields: Record) -> Record:
    """The undeclared fields of the application that is there; a type that guards nothing is none of them."""
    return fields.merged(SELF_HOSTED) if fields.get("type") in GUARDS_NOTHING else fields


SELF_HOSTED = freeze_object({"type": "self_hosted"})

OF_A_DESTINATION = ("type", "uri", "overrides")
"""What is managed of a public destination; what else the account has there is kept: facts 3.3."""


def _destinations(wanted: AccessApplication, there: AccessApplication) -> tuple[Record, ...]:
    """The declared destinations, each with the unknown members of the account's one, and all that are not public."""
    known = {d.get("uri"): d for d in there.destinations if d.get("type") == "public"}
    kept = (known.get(d.get("uri"), EMPTY).without(OF_A_DESTINATION).merged(d) for d in wanted.destinations)
    return (*kept, *(d for d in there.destinations if d.get("type") != "public"))


def _policies(wanted: tuple[AccessPolicy, ...], there: tuple[AccessPolicy, ...]) -> tuple[AccessPolicy, ...]:
    """The declared policies, each with the id and undeclared fields of the one that it is in the application.

    That is its namesake; of the others the one that decides the same by the same rules: it was renamed.
    """
    left = [policy for policy in there if not policy.reusable]
    found: dict[int, AccessPolicy] = {}
    for is_same in (_has_same_name, _has_same_rules):
        for place, policy in enumerate(wanted):
            match = next((p for p in left if place not in found and is_same(policy, p)), None)
            if match:
                left.remove(match)
                found[place] = replace(policy, id=match.id, fields=match.fields.merged(policy.fields))
    return tuple(found.get(place, policy) for place, policy in enumerate(wanted))


def _has_same_name(wanted: AccessPolicy, there: AccessPolicy) -> bool:
    return not wanted.reusable and wanted.name == there.name


def _has_same_rules(wanted: AccessPolicy, there: AccessPolicy) -> bool:
    sides = (replace(p, name="", fields=EMPTY) for p in (wanted, there))
    one, other = map(policy_meaning, sides)
    return not wanted.reusable and one == other


def _collision(address: Address, there: Resource) -> Diagnostic:
    name = "" if isinstance(there, HostnameSettings) else f' It is named "{there.name}"'
    owner = None if isinstance(there, HostnameSettings) else stack_of(there.name)
    whose = f" and carries the mark of the stack {owner}." if owner else " and carries no mark of cf-mtls."
    detail = f"{address} is in the account already.{name}{whose}"
    if elsewhere := _elsewhere(there):
        detail += f" It lives in {elsewhere}, which this plan does not manage."
        return COLLISION.found(detail, f"Remove it there, or plan with {elsewhere.partition(':')[0]}_id.")
    fix = f"To take it over in place, its settings becoming those of the file:\n    --adopt {address}"
    return COLLISION.found(detail, fix)
