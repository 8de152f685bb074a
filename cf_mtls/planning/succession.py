"""Which new trust must be proven before a hostname leaves a CA, by which declared clients, and why it cannot be.

Rules of this file:
- A successor is a CA of this file that the plan puts on the hostname, or that stands in the same entry as the one that
  leaves. Where the entry of what leaves is not known (an imported CA), every CA of this stack there counts.
- A client proves a successor at a hostname when that one alone, of all CAs there at the time, accepts it, with and
  without what it sends along, at a URL where nobody gets in without a certificate.
- Whether the request then gets through is not decided here (see `settle`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.access.decide import Request, decide
from cf_mtls.model.marks import entry_of
from cf_mtls.model.marks import shown as label
from cf_mtls.model.people import Asker, Expected
from cf_mtls.model.plan import Phase
from cf_mtls.model.resources import CaCertificate, host_of
from cf_mtls.pki.vouching import vouches, vouches_for_all_of
from cf_mtls.planning.admission import NOBODY, cas_on, host_and_path
from cf_mtls.planning.ownership import is_ours
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from cf_mtls.model.people import Client, Shown, Target
    from cf_mtls.model.plan import Step
    from cf_mtls.model.resources import Address
    from cf_mtls.model.state import State
    from cf_mtls.planning.admission import People


@dataclass(frozen=True, slots=True)
class Handover:
    """A hostname that is about to leave a CA, and a CA that is to serve its clients from then on."""

    host: str
    old: Address
    new: Address
    state: State
    """What stands when it must be proven: before the first hostname leaves."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A client whose request at a URL shows that a CA works, because no other CA there accepts it."""

    client: Client
    target: Target


def handovers(
    steps: Iterable[Step], state: State, desired: State, stack: str, start: State, *, one_ca: bool = False
) -> tuple[Handover, ...]:
    """Every handover of some steps, in their order.

    state: what stands before the first of them. start: what stood when the run that they belong to began.
    one_ca: whether a hostname stands on one CA only, so that the new one comes when the old has left.
    """
    found: list[Handover] = []
    before, last = state, None
    for step in steps:
        # What leaves together is proven once, before the first of it leaves.
        before = before if last is step.phase is Phase.NARROW else state
        for host in sorted(hosts_lost(state.get(step.address), step.value)):
            new = successors(host, step.address, start, desired, stack)
            found += (Handover(host, step.address, address, start if one_ca else before) for address in new)
        state, last = state.put(step.address, step.value), step.phase
    return tuple(found)


def hosts_lost(before: object, after: object) -> frozenset[str]:
    """The hostnames that a CA has before and not after; none for anything that is not a CA."""
    if not isinstance(before, CaCertificate):
        return frozenset()
    kept = after.associated_hostnames if isinstance(after, CaCertificate) else ()
    return frozenset(before.associated_hostnames) - set(kept)


def successors(host: str, old: Address, start: State, desired: State, stack: str) -> tuple[Address, ...]:
    """The CAs that take over a hostname from one that leaves it. start: what stood when the run began."""
    entry, here = _entry(start.get(old), stack), cas_on(start, host)
    return tuple(
        address
        for address, ca in cas_on(desired, host).items()
        # What is not there yet is put there by this plan, so it is of this file.
        if address not in here
        or (is_ours(ca, stack) and address != old and entry in {None, _entry(ca, stack)})
    )


def hosts_of_entry(old: Address, start: State, desired: State, stack: str) -> frozenset[str]:
    """The hostnames of the CAs that stay in a CA's entry of the file; none where its name does not say which."""
    entry = _entry(start.get(old), stack)
    return frozenset(
        host
        for address, ca in desired.of(CaCertificate)
        for host in ca.associated_hostnames
        if entry is not None and address != old and _entry(ca, stack) == entry
    )


def _entry(ca: object, stack: str) -> str | None:
    """The entry of the file that a CA of ours was made for; None where its name does not say."""
    return entry_of(ca.name) if isinstance(ca, CaCertificate) and is_ours(ca, stack) else None


def proofs(handover: Handover, people: People, at: datetime) -> tuple[Proof, ...]:
    """The clients and URLs that prove a handover's new CA, keys here or not."""
    cas = cas_on(handover.state, handover.host)
    if handover.new not in cas or any(ca.pem is None for ca in cas.values()):
        return ()
    return tuple(
        Proof(client, target)
        for client in people.clients
        if (shown := people.shown.get(client.name)) and alone(shown, handover.new, cas, at)
        for target in deciding(handover.state, handover.host, handover.new, shown, people.targets)
        if client.expected_at(target.url) is not Expected.REFUSED
    )


def alone(shown: Shown, ca: Address, cas: dict[Address, CaCertificate], at: datetime) -> bool:
    """Whether a CA alone among these accepts a client, whatever the edge makes of what it sends. All PEMs are known."""
    with_sent, without = (
        {a for a, c in cas.items() if c.pem and vouches(c.pem, shown, at, with_sent=sent)}
        for sent in (True, False)
    )
    return with_sent == {ca} and without <= {ca}


def deciding(
    state: State, host: str, ca: Address, shown: Shown, targets: Iterable[Target]
) -> Iterator[Target]:
    """The URLs of a host at which a client of a CA gets in, and nobody without a certificate does."""
    asker = Asker(frozenset({ca}), shown.common_names)
    for target in targets:
        at, path = host_and_path(target.url)
        by_certificate, without = (decide(state, Request(at, path, who)).outcome for who in (asker, NOBODY))
        if at == host and by_certificate.lets_in and not without.lets_in:
            yield target


def why_unproven(handover: Handover, people: People, at: datetime) -> str:
    """Why planning knows that a handover cannot be proven, as a sentence; '' when it can be tried."""
    cas = cas_on(handover.state, handover.host)
    found = proofs(handover, people, at)
    if any(proof.client.is_here for proof in found):
        return ""
    if handover.new not in cas:
        return "it comes only after the old one has left, so nothing can be tried before"
    if unknown := sorted(label(ca.name) for ca in cas.values() if ca.pem is None):
        return f"nobody here has the contents of {', '.join(unknown)}, so who lets a client in cannot be told"
    if found:
        names = ", ".join(sorted({proof.client.name for proof in found}))
        return f"the private key of {names} is not here"
    return _why_nobody(handover, people, cas, at)


def _why_nobody(handover: Handover, people: People, cas: dict[Address, CaCertificate], at: datetime) -> str:
    old, new = cas.get(handover.old), cas[handover.new]
    if old and old.pem and new.pem and vouches_for_all_of(old.pem, new.pem, at):
        return (
            "the old bundle accepts every client that the new one accepts, so no request can tell them apart"
        )
    accepted = {
        name
        for name, shown in people.shown.items()
        if new.pem and vouches(new.pem, shown, at, with_sent=True)
    }
    shared = {name for name in accepted if not alone(people.shown[name], handover.new, cas, at)}
    if not any(host_of(t.url.removeprefix("https://")) == handover.host for t in people.targets):
        return "the file declares no URL on that hostname"
    if accepted and accepted == shared:
        return f"{', '.join(sorted(shared))}: another CA there accepts it too"
    if accepted:
        named = ", ".join(sorted(accepted - shared))
        return f"at no URL there does the certificate of {named} decide whether it gets in"
    if unread := sorted(c.name for c in people.clients if c.name not in people.shown):
        return f"no client that could be opened has a certificate of it; not opened: {', '.join(unread)}"
    return "no declared client has a certificate of it"
