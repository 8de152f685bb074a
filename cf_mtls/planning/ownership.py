"""Whose things are whose: what is declared meets what is there.

Rules of this file:
- Ours is what carries our stack's mark in its name. Everything else is foreign and is copied into desired,
  so that the diff can never touch it.
- A CA is found by content: the account's one MD5 may be of any block of the declared chain (which one
  Cloudflare hashes is not known), and the expiry must agree.
- Hostname settings carry no name, so they are ours exactly where the file declares them.
- Only declared fields are managed: what the file leaves out keeps its actual value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cf_mtls.diagnostics import Code, Diagnostic, Fault, Severity
from cf_mtls.model.marks import digits_of, stack_of
from cf_mtls.model.resources import AccessApplication, AccessPolicy, Address, CaCertificate, HostnameSettings
from cf_mtls.model.state import State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from cf_mtls.model.resources import Resource

COLLISION = Code("ownership.foreign", Severity.ERROR, Fault.ACCOUNT, "what stands there is not ours")


@dataclass(frozen=True, slots=True)
class Merged:
    """Desired, complete: foreign things copied in, undeclared fields filled from actual."""

    desired: State
    diagnostics: tuple[Diagnostic, ...]


def merge(declared: State, actual: State, stack: str, adopt: Collection[Address] = ()) -> Merged:
    """What the account should hold, so that a plain diff with `actual` gives exactly our changes.

    declared: only what the file says. adopt: addresses of foreign things to take over in place.
    """
    aligned = align(declared, actual, stack)
    desired: dict[Address, Resource] = {}
    diagnostics: list[Diagnostic] = []
    for address, there in actual.items():
        wanted = aligned.get(address)
        if wanted is None:
            if not is_ours(there, stack):
                desired[address] = there
        elif is_ours(there, stack) or isinstance(there, HostnameSettings) or address in adopt:
            desired[address] = complete(wanted, there)
        else:
            desired[address] = there
            diagnostics.append(_collision(address, there))
    desired |= {address: wanted for address, wanted in aligned.items() if address not in actual}
    return Merged(State(without_defaults(desired)), tuple(diagnostics))


def is_ours(resource: Resource, stack: str) -> bool:
    """Whether a thing carries the mark of this stack."""
    return not isinstance(resource, HostnameSettings) and stack_of(resource.name) == stack


def without_defaults(resources: dict[Address, Resource]) -> dict[Address, Resource]:
    """These resources less hostname settings that say nothing: both false equals absent (facts 2)."""
    return {a: r for a, r in resources.items() if r != HostnameSettings(a.key)}


def align(declared: State, actual: State, stack: str) -> State:
    """The declared state with each CA at the address under which the account already knows its content."""
    moved = {address: home for address, _, home in _homes(declared, actual, stack)}
    return State({moved.get(address, address): resource for address, resource in declared.items()})


def _homes(declared: State, actual: State, stack: str) -> Iterator[tuple[Address, CaCertificate, Address]]:
    taken: set[Address] = set()
    for address, wanted in declared.of(CaCertificate):
        same = [
            (a, c)
            for a, c in actual.of(CaCertificate)
            if a not in taken and same_content(wanted, c) and not _other_chain(wanted, c, stack)
        ]
        # Ours first, then by address, so that the choice never depends on the order of a listing.
        same.sort(key=lambda pair: (not is_ours(pair[1], stack), pair[0]))
        if same:
            taken.add(same[0][0])
            yield address, wanted, same[0][0]


def same_content(wanted: CaCertificate, there: CaCertificate) -> bool:
    """Whether the account's object can be the declared chain: its MD5 and expiry are those of a block."""
    return bool(set(wanted.fingerprints) & set(there.fingerprints)) and bool(
        set(wanted.expirations) & set(there.expirations)
    )


def _other_chain(wanted: CaCertificate, there: CaCertificate, stack: str) -> bool:
    """Whether one of ours says by its name that it is another chain which shares a block with this one."""
    digits = digits_of(there.name)
    return is_ours(there, stack) and digits is not None and digits != (wanted.sha256 or "")[:8]


def complete(wanted: Resource, there: Resource) -> Resource:
    """The declared resource with the id and every undeclared field of the one that is there."""
    match wanted, there:
        case CaCertificate(), CaCertificate():
            return replace(wanted, id=there.id)
        case AccessApplication(), AccessApplication():
            others = tuple(d for d in there.destinations if d.get("type") != "public")
            return replace(
                wanted,
                id=there.id,
                destinations=wanted.destinations + others,
                policies=_policies(wanted.policies, there.policies),
                fields=there.fields.merged(wanted.fields),
            )
        case _:
            return wanted


def _policies(wanted: tuple[AccessPolicy, ...], there: tuple[AccessPolicy, ...]) -> tuple[AccessPolicy, ...]:
    """The declared policies, each with the id and undeclared fields of its namesake in the application."""
    left = [policy for policy in there if not policy.reusable]
    filled = []
    for policy in wanted:
        namesake = next((p for p in left if p.name == policy.name), None)
        if namesake:
            left.remove(namesake)
            policy = replace(policy, id=namesake.id, fields=namesake.fields.merged(policy.fields))  # noqa: PLW2901
        filled.append(policy)
    return tuple(filled)


def _collision(address: Address, there: Resource) -> Diagnostic:
    name = "" if isinstance(there, HostnameSettings) else f' It is named "{there.name}"'
    owner = None if isinstance(there, HostnameSettings) else stack_of(there.name)
    whose = f" and carries the mark of the stack {owner}." if owner else " and carries no mark of cf-mtls."
    detail = f"{address} is in the account already.{name}{whose}"
    fix = f"To take it over in place, its settings becoming those of the file:\n    --adopt {address}"
    return COLLISION.found(detail, fix)
