"""What a plan must be allowed to do, in words and with the flag that allows it.

Rules of this file:
- A gate is closed unless it was opened by typing exactly what the message says; no flag opens all of them.
- Being let in for a moment cannot be allowed at all.
- Every message names the object, what would happen, and the words to run again with.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cf_mtls.access.decide import LOGIN
from cf_mtls.access.reach import NOBODY_NAMED, WORD
from cf_mtls.diagnostics import Code, Fault, Severity
from cf_mtls.model.doors import Reach
from cf_mtls.model.marks import shown
from cf_mtls.model.people import Expected
from cf_mtls.model.plan import Action, Phase
from cf_mtls.model.resources import CaCertificate, HostnameSettings
from cf_mtls.planning.admission import standings
from cf_mtls.planning.ownership import is_ours
from cf_mtls.planning.succession import why_unproven

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from cf_mtls.access.decide import Request
    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.doors import Decision, Doorway
    from cf_mtls.model.people import Asker
    from cf_mtls.model.plan import Change
    from cf_mtls.model.resources import Address, Resource
    from cf_mtls.model.state import State
    from cf_mtls.planning.admission import People, Standing
    from cf_mtls.planning.guard import Glitch
    from cf_mtls.planning.succession import Handover

NO_ORDER = Code(
    "plan.no-glitch-free-order", Severity.ERROR, Fault.FILE, "no order of the steps keeps the promise"
)
WEAKER = Code("plan.weaker", Severity.ERROR, Fault.INVOCATION, "the plan lets more people in")
LOCKED_OUT = Code("plan.locks-out", Severity.ERROR, Fault.INVOCATION, "the plan locks a declared client out")
IMPOSSIBLE = Code(
    "plan.expect-impossible", Severity.ERROR, Fault.FILE, "a client that must get in would be locked out"
)
ALREADY_OUT = Code("plan.already-out", Severity.WARNING, Fault.FILE, "a client that must get in does not")
NOT_JUDGED = Code("plan.client-not-judged", Severity.WARNING, Fault.FILE, "a client could not be judged")
UNPROVEN = Code(
    "plan.unproven", Severity.ERROR, Fault.INVOCATION, "new trust cannot be proven before the old is taken"
)
WILDCARD = Code(
    "plan.wildcard-hostname", Severity.ERROR, Fault.FILE, "a wildcard stands where a hostname is needed"
)
BY_WILDCARD = Code(
    "plan.wildcard-not-judged", Severity.WARNING, Fault.CLOUDFLARE, "who gets in by a wildcard is not known"
)
TOO_MUCH = Code(
    "plan.too-much-deleted", Severity.ERROR, Fault.INVOCATION, "the plan deletes much of the stack"
)

LARGE = 0.30
"""The share of our objects that may go without a word: octoDNS's threshold."""

PHASE_WORDS = {
    Phase.UPLOAD: "uploading",
    Phase.WIDEN: "adding hostnames to",
    Phase.SETTINGS: "setting",
    Phase.DEMAND: "changing",
    Phase.RELEASE: "loosening",
    Phase.NARROW: "taking hostnames from",
    Phase.DELETE: "deleting",
}


def no_order(
    glitches: Sequence[Glitch], state: State, *, one_ca: bool = False, twins: bool = False
) -> Iterator[Diagnostic]:
    """One refusal for each host on which no order was found.

    one_ca, twins: whether the account takes a hostname on one CA only, and refuses a CA beside its like.
    """
    for host in sorted({glitch.request.host for glitch in glitches}):
        glitch = next(g for g in glitches if g.request.host == host)
        moment = "let in" if glitch.lets_in else "shut out"
        detail = (
            f"{request_words(glitch.request, state)} would be {moment} for a moment while "
            f"{PHASE_WORDS[glitch.move.phase]} {glitch.move.change.address}, and no other order avoids it."
        )
        if one_ca and not glitch.lets_in:
            detail += ONE_CA_GAP
        if twins and not glitch.lets_in:
            detail += TWINS_GAP
        fix = (
            "Change it in two plans; or let the host be shut for a moment, which fails closed:\n"
            f"    --allow-lockout {host}"
        )
        yield NO_ORDER.found(detail, fix)


TWINS_GAP = (
    "\nThis account refuses a CA that shares certificates with one that is there, so the old one must be gone first."
    "\nThe gap is three calls and the time that the edge takes, at worst some minutes: facts 1.8. It fails closed:"
    "\nmeanwhile no certificate of either is valid there. If the upload fails, the old CA is put back (exit code 3)."
)

ONE_CA_GAP = (
    "\nThis account takes a hostname on one CA only, so it must leave the old one before the new one can have it."
    "\nThe gap is two calls and the time that the edge takes, seconds, at worst about a minute: facts 1.8."
    "\nIt fails closed: meanwhile no client certificate is valid there, and nobody is let in who should not be."
)


def wildcards(changes: Iterable[Change], *, allowed: bool) -> Iterator[Diagnostic]:
    """One refusal for each CA and each setting that would get a wildcard as hostname.

    allowed: that this account takes them. Whether any does is not known: facts, cloudflare-api 1.7.
    """
    for change in () if allowed else changes:
        new = sorted(_wild(change.after) - _wild(change.before))
        if new:
            name = f" {shown(change.after.name)}" if isinstance(change.after, CaCertificate) else ""
            yield WILDCARD.found(f"{change.address}{name}: {', '.join(new)}. {NOT_KNOWN}", NAME_EACH)


def by_wildcard(people: People, *states: State) -> tuple[People, tuple[Diagnostic, ...]]:
    """The people at the URLs where it can be decided who gets in, and a warning for each where it cannot.

    It cannot on a host that only a wildcard covers and on which a CA of one of the states stands by that wildcard:
    whether it counts there is not known.
    """
    wild = {host for state in states for _, ca in state.of(CaCertificate) for host in _wild(ca)}
    unknown = [t for t in people.targets if t.url.removeprefix("https://").partition("/")[0] in wild]
    rest = replace(people, targets=tuple(t for t in people.targets if t not in unknown))
    said = (BY_WILDCARD.found(f"{t.url}: {NOT_KNOWN}", SEEN) for t in unknown if people.clients and people.at)
    return rest, tuple(said)


SEEN = "Whether the declared clients get in there is not judged. After an apply, ask at a real host below it."


def _wild(resource: Resource | None) -> set[str]:
    match resource:
        case CaCertificate():
            return {host for host in resource.associated_hostnames if "*" in host}
        case HostnameSettings():
            return {resource.hostname} if "*" in resource.hostname else set()
        case _:
            return set()


NOT_KNOWN = (
    "Whether Cloudflare takes a wildcard there is not known, and without it nobody is asked for a certificate at the"
    " hosts that only the wildcard covers: nobody gets in."
)
NAME_EACH = (
    "Name each host in associated_hostnames, and in domains (five an application). If this account takes wildcards:\n"
    "    --wildcard-hostnames"
)


def request_words(request: Request, state: State) -> str:
    """A representative request as a person says it."""
    path = request.path.replace(WORD, "…")
    return f"https://{request.host.replace(WORD, '*')}{path}, asked {asker_words(request.asker, state)},"


def asker_words(asker: Asker, state: State) -> str:
    """Who asks: the certificate, its name, what else is held."""
    parts = []
    for address in sorted(asker.trusted_by):
        ca = state.get(address)
        parts.append(f"with a certificate of {shown(ca.name) if isinstance(ca, CaCertificate) else address}")
    names = asker.common_names - {NOBODY_NAMED}
    if names and asker.trusted_by:
        parts.append(f"named {' and '.join(sorted(names))}")
    if not asker.trusted_by:
        parts.append("without a certificate")
    others = sorted(asker.holds)
    if others:
        listed = ["a login" if c == LOGIN else c for c in others[:3]]
        parts.append(f"holding {', '.join(listed)}{' and more' if len(others) > 3 else ''}")
    return " ".join(parts)


def deletions(
    changes: Sequence[Change],
    actual: State,
    desired: State,
    stack: str,
    allowed: int | None,
    pinned: Collection[str] = (),
) -> Iterator[Diagnostic]:
    """The refusal of a plan that deletes much, unless that number was typed (or more, for a run that goes on).

    pinned: ids of what is ours without a mark.
    Counted: what goes without a successor on the same hostnames, so that a rotation is no loss.
    """
    named = {c.address for c in changes if c.action is Action.DELETE and is_counted(c)}
    ours = sum(
        is_ours(resource, stack) or getattr(resource, "id", None) in pinned or address in named
        for address, resource in actual.items()
    )
    gone = [
        c for c in changes if c.action is Action.DELETE and is_counted(c) and not _is_succeeded(c, desired)
    ]
    bare = sorted(host for change in gone for host in _last_ca_of(change, desired))
    if len(gone) <= (allowed or 0) or (len(gone) <= LARGE * ours and not bare):
        return
    listed = "\n".join(f"    {change.address}" for change in gone)
    detail = f"{len(gone)} of {ours} objects of this stack would be deleted:\n{listed}"
    if bare:
        detail += f"\nWithout any CA afterwards: {', '.join(bare)}."
    yield TOO_MUCH.found(detail, f"If that is meant, say how many:\n    --allow-delete {len(gone)}")


def weaker(
    ways: Sequence[Doorway],
    allowed: Collection[str],
    ours: Collection[Address] = (),
    changes: Iterable[Change] = (),
) -> Iterator[Diagnostic]:
    """A refusal for each URL that would let in more kinds of people, unless it was typed.

    ours: the addresses of what the file declares. Where the trust that it declares is missing below an application
    of its own that does not change, putting it back is no weakening: somebody deleted it.
    """
    changed = {change.address for change in changes}
    for way in ways:
        if way.is_weaker and way.url not in allowed and not _is_healed(way, ours, changed):
            detail = f"{way.url}: {reach_words(way.before.reach)} → {reach_words(way.after.reach)}."
            yield WEAKER.found(detail, f"If that is meant, say so:\n    --allow-weaken {way.url}")


def _is_healed(way: Doorway, ours: Collection[Address], changed: Collection[Address]) -> bool:
    """Whether nobody gets in only because CAs are missing that the file declares, below its own unchanged rules."""
    before, after, governor = way.before, way.after, way.before.decided.application
    is_shut = before.reach is Reach.NOBODY and after.reach is Reach.HOLDERS
    is_same = governor in ours and governor not in changed and governor == after.decided.application
    return is_shut and is_same and after.certificates <= set(ours)


def lockouts(people: People, actual: State, desired: State, allowed: Collection[str]) -> Iterator[Diagnostic]:
    """What is to be said of each declared client that does not get in afterwards, or may not.

    An error where `expect: allowed` becomes impossible by this plan, which nothing allows; a warning where it was so
    already; a refusal where a client may lose its access that was not typed as CLIENT@URL.
    """
    for standing in standings(people, actual, desired):
        found = _lockout(standing, allowed)
        if found:
            place = people.places.get(standing.client.name)
            yield found.at(place) if place else found
    if people.at and actual != desired:
        yield from _not_judged(people)


def _lockout(standing: Standing, allowed: Collection[str]) -> Diagnostic | None:
    name, url = standing.client.name, standing.url
    if standing.expected is Expected.ALLOWED and standing.is_out_after:
        said = f"{name} must get in at {url}; {_afterwards(standing)}"
        if standing.fault or not standing.may_lose:
            return ALREADY_OUT.found(said, "Change its `expect`, its certificate, or the trust.")
        return IMPOSSIBLE.found(said, "No flag allows that. Change its `expect`, or the trust.")
    if standing.expected is Expected.REFUSED or not standing.may_lose or f"{name}@{url}" in allowed:
        return None
    detail = f"{name} gets in at {url} now; {_afterwards(standing)}"
    if not standing.is_decided:
        detail += (
            "\nThat is the worst of what is possible: a CA's contents are not known here, or it hangs on whether "
            "the edge uses the intermediates that the client sends."
        )
    return LOCKED_OUT.found(detail, f"If that is meant, say so:\n    --allow-lockout {name}@{url}")


def _afterwards(standing: Standing) -> str:
    """What a client gets afterwards, in the worst case."""
    then = next(new for old, new in sorted(standing.cases, key=_by_loss) if not new.outcome.lets_in)
    policy = f" by the policy {then.policy.name}" if then.policy else ""
    fault = f" {standing.fault}" if standing.fault else ""
    return f"afterwards: {then.outcome.value}{policy}.{fault}"


def _by_loss(case: tuple[Decision, Decision]) -> bool:
    return not (case[0].outcome.lets_in and not case[1].outcome.lets_in)


def _not_judged(people: People) -> Iterator[Diagnostic]:
    for client in people.clients:
        if client.name not in people.shown:
            detail = (
                f"{client.name}: its certificate cannot be read here, so nobody can say whether this plan locks "
                "it out, and it proves no CA."
            )
            place = people.places.get(client.name)
            found = NOT_JUDGED.found(detail, "Plan where its file is, and its passphrase if it has one.")
            yield found.at(place) if place else found


def unproven(
    found: Iterable[Handover], people: People, names: State, allowed: Collection[str]
) -> Iterator[Diagnostic]:
    """A refusal for each hostname that leaves a CA while planning knows that its successor cannot be proven before.

    names: a state that has every CA concerned. allowed: the hostnames that were typed.
    """
    why: dict[str, list[str]] = {}
    for handover in found if people.at else ():
        reason = why_unproven(handover, people, people.at) if people.at else ""
        if reason and handover.host not in allowed:
            old, new = (ca_name(names, address) for address in (handover.old, handover.new))
            why.setdefault(handover.host, []).append(f"from {old} to {new}: {reason}.")
    for host, reasons in why.items():
        detail = f"{host} passes\n" + "\n".join(f"    {line}" for line in dict.fromkeys(reasons))
        fix = (
            "Declare a client of the new CA, with its key here and its `expect` not refused, and keep the old CA's "
            "PEM file beside the new one's. If it may go unproven, say so:\n"
            f"    --allow-unproven {host}"
        )
        yield UNPROVEN.found(detail, fix)


def ca_name(state: State, address: Address) -> str:
    """A CA's name as people read it, its address where the state does not have it."""
    ca = state.get(address)
    return shown(ca.name) if isinstance(ca, CaCertificate) else str(address)


def reach_words(reach: Reach) -> str:
    """The step of the lattice in words."""
    return {
        Reach.NOBODY: "nobody",
        Reach.HOLDERS: "certificate holders",
        Reach.OTHERS: "other credentials too",
        Reach.ANYONE: "anyone",
    }[reach]


def is_counted(change: Change) -> bool:
    """Whether a deletion takes an object away; settings are only put back to what they are without a word."""
    return not isinstance(change.before, HostnameSettings)


def _is_succeeded(change: Change, desired: State) -> bool:
    """Whether a CA that goes leaves every one of its hostnames to another."""
    return isinstance(change.before, CaCertificate) and not _last_ca_of(change, desired)


def _last_ca_of(change: Change, desired: State) -> frozenset[str]:
    """The hostnames that have no CA once this one is gone."""
    if not isinstance(change.before, CaCertificate):
        return frozenset()
    held = {host for _, ca in desired.of(CaCertificate) for host in ca.associated_hostnames}
    return frozenset(change.before.associated_hostnames) - held
