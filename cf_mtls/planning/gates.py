"""What a plan must be allowed to do, in words and with the flag that allows it.

Rules of this file:
- A gate is closed unless it was opened by typing exactly what the message says; no flag opens all of them.
- Being let in for a moment cannot be allowed at all.
- Every message names the object, what would happen, and the words to run again with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.access.decide import LOGIN
from cf_mtls.access.reach import NOBODY_NAMED, WORD
from cf_mtls.diagnostics import Code, Fault, Severity
from cf_mtls.model.doors import Reach
from cf_mtls.model.marks import shown
from cf_mtls.model.plan import Action, Phase
from cf_mtls.model.resources import CaCertificate, HostnameSettings
from cf_mtls.planning.ownership import is_ours

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from cf_mtls.access.decide import Request
    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.doors import Decision, Doorway
    from cf_mtls.model.people import Asker
    from cf_mtls.model.plan import Change
    from cf_mtls.model.state import State
    from cf_mtls.planning.guard import Glitch

NO_ORDER = Code(
    "plan.no-glitch-free-order", Severity.ERROR, Fault.FILE, "no order of the steps keeps the promise"
)
WEAKER = Code("plan.weaker", Severity.ERROR, Fault.INVOCATION, "the plan lets more people in")
LOCKED_OUT = Code("plan.locks-out", Severity.ERROR, Fault.INVOCATION, "the plan locks a declared client out")
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


def no_order(glitches: Sequence[Glitch], state: State, *, one_ca: bool = False) -> Iterator[Diagnostic]:
    """One refusal for each host on which no order was found."""
    for host in sorted({glitch.request.host for glitch in glitches}):
        glitch = next(g for g in glitches if g.request.host == host)
        moment = "let in" if glitch.lets_in else "shut out"
        detail = (
            f"{request_words(glitch.request, state)} would be {moment} for a moment while "
            f"{PHASE_WORDS[glitch.move.phase]} {glitch.move.change.address}, and no other order avoids it."
        )
        if one_ca and not glitch.lets_in:
            detail += ONE_CA_GAP
        fix = (
            "Change it in two plans; or let the host be shut for a moment, which fails closed:\n"
            f"    --allow-lockout {host}"
        )
        yield NO_ORDER.found(detail, fix)


ONE_CA_GAP = (
    "\nThis account takes a hostname on one CA only, so it must leave the old one before the new one can have it."
    "\nThe gap is two calls and the time that the edge takes, seconds, at worst about a minute: facts 1.8."
    "\nIt fails closed: meanwhile no client certificate is valid there, and nobody is let in who should not be."
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
    changes: Sequence[Change], actual: State, desired: State, stack: str, allowed: int | None
) -> Iterator[Diagnostic]:
    """The refusal of a plan that deletes much, unless that number was typed (or more, for a run that goes on).

    Counted: what goes without a successor on the same hostnames, so that a rotation is no loss.
    """
    ours = sum(is_ours(resource, stack) for resource in actual.values())
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


def weaker(ways: Sequence[Doorway], allowed: Collection[str]) -> Iterator[Diagnostic]:
    """A refusal for each URL that would let in more kinds of people, unless it was typed."""
    for way in ways:
        if way.is_weaker and way.url not in allowed:
            detail = f"{way.url}: {reach_words(way.before.reach)} → {reach_words(way.after.reach)}."
            yield WEAKER.found(detail, f"If that is meant, say so:\n    --allow-weaken {way.url}")


def locked_out(
    clients: Iterable[tuple[str, str, Decision, Decision]], allowed: Collection[str]
) -> Iterator[Diagnostic]:
    """A refusal for each declared client that gets in now and would not afterwards.

    clients: name, URL, the decision now and afterwards.
    """
    for name, where, now, then in clients:
        host = where.removeprefix("https://").partition("/")[0]
        if now.outcome.lets_in and not then.outcome.lets_in and host not in allowed:
            policy = f" by the policy {then.policy.name}" if then.policy else ""
            detail = f"{name} gets in at {where} now; afterwards: {then.outcome.value}{policy}."
            yield LOCKED_OUT.found(detail, f"If that is meant, say so:\n    --allow-lockout {host}")


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
