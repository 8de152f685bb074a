"""Uploads that an account refuses beside what is there, and what that asks of a plan.

Rules of this file:
- Whether Cloudflare refuses a CA whose first certificate, any certificate or whole bundle is there already is not
  known (facts 1.7), so it is typed, as soon as an account has refused: nothing is assumed.
- Where the old and the new bundle share what is refused, the old one must be gone first: a gap, which fails closed.
- There is a gap only where it can be undone: the PEM of what goes is known, so that it can be put back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from cf_mtls.diagnostics import Code, Diagnostic, Fault, Severity
from cf_mtls.model.marks import shown
from cf_mtls.model.resources import CaCertificate, Contents
from cf_mtls.pki.pem import read_chain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from cf_mtls.model.plan import Change
    from cf_mtls.model.resources import Address
    from cf_mtls.model.state import State

    Rivals: TypeAlias = Mapping[Address, frozenset[Address]]
    """For a CA that is to be uploaded, those beside which the account refuses it."""

Twin: TypeAlias = Literal["first", "any", "whole"]
"""What of a bundle may not be in the account twice: its first certificate, any of them, all of them."""

NO_RIVALS: Rivals = {}

STAYS = Code(
    "plan.duplicate-stays", Severity.ERROR, Fault.FILE, "the account refuses a CA beside one that stays"
)
NOT_TOLD = Code(
    "plan.duplicate-not-told", Severity.NOTE, Fault.ACCOUNT, "only the upload tells whether a CA is refused"
)
MOST = 5
"""CAs that a note names."""

NO_WAY_BACK = Code(
    "plan.no-way-back", Severity.ERROR, Fault.FILE, "a CA could not be put back if its successor is refused"
)


def rivals(changes: Iterable[Change], actual: State, twins: Collection[str]) -> Rivals:
    """For each CA that is to be uploaded: those beside which the account refuses it, there or to be uploaded too.

    twins: of `Twin`; empty for an account that refuses nothing.
    Of a CA of unknown contents one certificate is known; what else it shares cannot be told.
    """
    new = {c.address: c.after for c in changes if c.before is None and isinstance(c.after, CaCertificate)}
    there = {**dict(actual.of(CaCertificate)), **new}
    found = {
        address: frozenset(
            a
            for a, other in there.items()
            if a != address and any(_shares(ca, other, twin) for twin in twins)
        )
        for address, ca in new.items()
    }
    return {address: others for address, others in found.items() if others}


def not_told(
    changes: Iterable[Change], actual: State, twins: Collection[str], found: Rivals
) -> Iterator[Diagnostic]:
    """A note for each CA to be uploaded beside CAs whose contents are not known, where the account refuses any twice.

    found: beside which it is known to be refused.
    """
    for change in changes if twins else ():
        if change.before is None and isinstance(change.after, CaCertificate):
            unknown = [
                _named(actual, address)
                for address, other in actual.of(CaCertificate)
                if other.contents is not Contents.KNOWN and address not in found.get(change.address, ())
            ]
            if unknown:
                yield _not_told(f"{change.address} ({shown(change.after.name)})", unknown)


def _shares(new: CaCertificate, other: CaCertificate, twin: str) -> bool:
    held = _fingerprints(other)
    match twin:
        case "first":
            return new.fingerprints[0] == held[0]
        case "any":
            return bool(set(new.fingerprints) & set(held))
        case "whole":
            return new.sha256 is not None and new.sha256 == other.sha256
        case _:
            return False


def _fingerprints(ca: CaCertificate) -> tuple[str, ...]:
    chain = read_chain(ca.pem.encode("ascii"))[0] if ca.pem and ca.id else None
    return chain.md5s if chain else ca.fingerprints


def refusals(found: Rivals, changes: Iterable[Change], names: State) -> Iterator[Diagnostic]:
    """What no gap can solve: a rival that stays, or one whose PEM is not known, so that it could not be put back.

    names: a state that has every CA concerned.
    """
    leaving = {c.address: c.before for c in changes if c.after is None}
    for address, others in sorted(found.items()):
        for other in sorted(others):
            gone = leaving.get(other)
            if not isinstance(gone, CaCertificate):
                yield _stays(_named(names, address), _named(names, other))
            elif gone.contents is not Contents.KNOWN or gone.pem is None:
                yield _no_way_back(_named(names, address), _named(names, other), gone.contents)


def _named(names: State, address: Address) -> str:
    ca = names.get(address)
    return f"{address} ({shown(ca.name)})" if isinstance(ca, CaCertificate) else str(address)


def _not_told(new: str, unknown: Sequence[str]) -> Diagnostic:
    more = f" and {len(unknown) - MOST} more" if unknown[MOST:] else ""
    detail = (
        f"Whether the account refuses {new} is told by the upload alone: what it holds of these is not known here: "
        f"{', '.join(unknown[:MOST])}{more}. If it is refused, the run stops there."
    )
    return NOT_TOLD.found(detail)


def _stays(new: str, other: str) -> Diagnostic:
    detail = f"{new} shares certificates with {other}, which stays, and this account refuses them twice."
    fix = "Put both into one chain file, or take the other one out in the same plan."
    return STAYS.found(detail, fix)


def _no_way_back(new: str, old: str, contents: Contents) -> Diagnostic:
    why = "recorded, not proven" if contents is Contents.RECORDED else "not known here"
    detail = (
        f"{new} can only be uploaded once {old} is gone, and what that holds is {why}: "
        "if the upload failed, nobody could put it back."
    )
    ours = "Put the PEM that was uploaded under its name beside the plan's chain files; or change"
    fix = f"{'Change' if contents is Contents.RECORDED else ours} to a CA that shares no certificate with it."
    return NO_WAY_BACK.found(detail, fix)
