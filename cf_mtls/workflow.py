"""The use cases, composed: validate, plan, apply, show. What is proven with requests is in `proving`.

Rules of this file:
- Each is one function from values to values; it prints nothing and reads no environment.
- `plan` is handed a `Reader`; only `apply` makes a `Writer`.
"""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING

from cf_mtls.access.doors import doorways
from cf_mtls.declare.applications import NO_TRUST
from cf_mtls.declare.clients import shown_by, shown_of
from cf_mtls.declare.files import NO_VARIABLES, chains_beside, load
from cf_mtls.declare.resolve import resolve
from cf_mtls.declare.values import ID32
from cf_mtls.diagnostics import Code, Diagnostic, Exit, Failure, Fault, Severity, has_errors
from cf_mtls.model.asked import NOBODY, Asked, of_api
from cf_mtls.model.plan import NOTHING, SHAPES, Allowed, Inputs, Plan, Promise
from cf_mtls.model.resources import Address, Scope, hosts_on
from cf_mtls.model.state import State
from cf_mtls.planning.admission import (
    NO_PEOPLE,
    People,
    cas_on,
    departed,
    host_and_path,
    with_bundles,
    with_contents,
)
from cf_mtls.planning.approval import losses, not_counted
from cf_mtls.planning.basis import resting
from cf_mtls.planning.contents import doubts
from cf_mtls.planning.diff import diff
from cf_mtls.planning.duplicates import not_told, refusals, rivals
from cf_mtls.planning.feasible import NO_ZONE, beyond_limits, in_no_zone, without_ca
from cf_mtls.planning.foreign import weakenings
from cf_mtls.planning.gates import (
    IMPOSSIBLE,
    by_wildcard,
    deletions,
    lockouts,
    no_order,
    unproven,
    weaker,
    wildcards,
)
from cf_mtls.planning.guard import hosts_touched, known_hosts
from cf_mtls.planning.order import order
from cf_mtls.planning.ownership import merge, pins
from cf_mtls.planning.succession import handovers
from cf_mtls.planning.withdrawal import withdrawals
from cf_mtls.planning.write_only import may_clear
from cf_mtls.quick import dataclass
from cf_mtls.remote.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from cf_mtls.declare.resolve import Stack
    from cf_mtls.diagnostics import Place
    from cf_mtls.model.coverage import Coverage
    from cf_mtls.model.people import Shown
    from cf_mtls.model.plan import Change, Removed, Step
    from cf_mtls.model.resources import Resource
    from cf_mtls.planning.saved import Saved
    from cf_mtls.remote.elsewhere import Beside
    from cf_mtls.remote.snapshot import Snapshot
    from cf_mtls.remote.stages import Boundary, Setback
    from cf_mtls.verify.wallet import Wallet

NO_SCOPE = Code("scope.missing", Severity.ERROR, Fault.INVOCATION, "neither an account nor a zone is named")
SCOPE_MISMATCH = Code("scope.mismatch", Severity.ERROR, Fault.INVOCATION, "file and environment disagree")
SCOPE_INVALID = Code("scope.invalid", Severity.ERROR, Fault.INVOCATION, "an id in the environment is not one")

OTHER_DIGEST = Code(
    "apply.other-digest", Severity.ERROR, Fault.INVOCATION, "this is not the plan that was approved"
)
PARTIAL = Code("plan.partial", Severity.WARNING, Fault.INVOCATION, "the plan is partial")
NO_SUCH_TARGET = Code(
    "plan.no-such-target", Severity.ERROR, Fault.INVOCATION, "a target is nothing of this file"
)


@dataclass(frozen=True, slots=True)
class Account:
    """How to reach Cloudflare: what the environment says, and the pace. None is "not set"."""

    token: str | None
    base_url: str
    account_id: str | None = None
    zone_id: str | None = None
    pace: Pace = field(default_factory=Pace)

    @property
    def asked(self) -> Asked:
        """Whom this run has asked until now: an emulator once an answer said so."""
        return of_api(self.base_url, emulated=self.pace.run.is_emulated)


def validate(path: Path, at: datetime, variables: Mapping[str, str] = NO_VARIABLES) -> Stack:
    """The stack of a plan file. Raises Failure with everything that is wrong, warnings included.

    at: an aware moment, for what expires. variables: those of the environment, in which passphrases are looked up.
    """
    stack = resolve(load(path, variables), at)
    if has_errors(stack.diagnostics):
        raise Failure(stack.diagnostics)
    return stack


def actual(account: Account) -> State:
    """What the account or zone of the environment holds. Only reads."""
    return _snapshot(scope_of(None, account), account).state


def _snapshot(
    scope: Scope, account: Account, hosts: Collection[str] = (), stacks: Collection[str] = ()
) -> Snapshot:
    """Everything in a scope, read once by a client that can only GET.

    hosts: those for which what lives beside the scope counts too. stacks: whose things' hosts count as well.
    """
    from cf_mtls.remote.gateway import Reader, client_for
    from cf_mtls.remote.snapshot import read

    with client_for(account.token, account.base_url, account.pace.run) as client:
        return read(Reader(client), scope, account.pace, hosts, stacks)


@dataclass(frozen=True, slots=True)
class Views:
    """The states that a URL is explained in, and what plan reads besides."""

    states: Mapping[str, State]
    """By title: the account now, and with a stack how it would be once that is applied; or only what is declared."""
    moved: Mapping[Address, Address] = field(default_factory=dict)
    """Where the account has what is declared."""
    ours: Mapping[Address, Resource] = field(default_factory=dict)
    """What is declared, at the addresses under which the states have it."""
    beside: Beside | None = None
    """The zones; None when no account was asked."""
    notes: tuple[Diagnostic, ...] = ()


def states_to_explain(stack: Stack | None, account: Account, host: str, *, offline: bool) -> Views:
    """What there is to explain about a host: the account as plan reads it; offline only what is declared."""
    if stack and offline:
        return Views({"declared": stack.state})
    hosts, stacks = {host, *(stack.hosts if stack else ())}, {stack.name} if stack else set()
    seen = _snapshot(scope_of(stack, account), account, hosts, stacks)
    if stack is None:
        return Views({"now": seen.state}, beside=seen.beside, notes=seen.diagnostics)
    merged = merge(stack.state, seen.state, stack.name, removed=stack.removed)
    states = {"now": seen.state, "once applied": merged.desired}
    return Views(states, merged.moved, merged.ours, seen.beside, seen.diagnostics)


def scope_of(stack: Stack | None, account: Account) -> Scope:
    """Where the stack lives: the file's id, else the environment's. Raises Failure when they disagree."""
    names = {"CLOUDFLARE_ACCOUNT_ID": account.account_id, "CLOUDFLARE_ZONE_ID": account.zone_id}
    bad = [
        SCOPE_INVALID.found(f"{name} is not 32 hexadecimal characters.", "Copy it from the dashboard.")
        for name, value in names.items()
        if value and not ID32.fullmatch(value)
    ]
    if bad:
        raise Failure(bad)
    if stack and stack.account_id:
        _agree("account_id", stack.account_id, "CLOUDFLARE_ACCOUNT_ID", account.account_id)
        return Scope("account", stack.account_id)
    if stack and stack.zone_id:
        _agree("zone_id", stack.zone_id, "CLOUDFLARE_ZONE_ID", account.zone_id)
        return Scope("zone", stack.zone_id)
    if account.account_id:
        return Scope("account", account.account_id)
    if account.zone_id:
        return Scope("zone", account.zone_id)
    fix = "Set CLOUDFLARE_ACCOUNT_ID, or write account_id (or zone_id) into the plan file."
    raise Failure([NO_SCOPE.found("There is no account_id or zone_id in a file or in the environment.", fix)])


def _agree(key: str, in_file: str, variable: str, in_environment: str | None) -> None:
    if in_environment and in_environment != in_file:
        detail = f"The file's {key} is {in_file}; {variable} is {in_environment}."
        raise Failure([SCOPE_MISMATCH.found(detail, f"Unset {variable}, or mend the file.")])


NOBODY_KNOWN = State()


def people_of(stack: Stack, actual: State = NOBODY_KNOWN) -> People:
    """The declared clients of a stack, judged by their own files at the moment for which it was resolved.

    actual: what the account holds; CAs of ours that left the file are looked for beside its chains.
    """
    beside = tuple(
        chain.pem for chain in chains_beside(stack.folders, departed(actual, stack.state, stack.name))
    )
    return People(stack.clients, stack.targets, stack.shown, stack.at, stack.client_places, beside)


def _inputs(
    declared: State,
    hosts: frozenset[str],
    allowed: Allowed,
    people: People,
    removed: Sequence[Removed],
    whom: Asked = NOBODY,
    *,
    is_destroy: bool = False,
) -> Inputs:
    return Inputs(
        declared,
        hosts,
        allowed,
        people.clients,
        people.targets,
        people.shown,
        people.beside,
        is_destroy,
        tuple(removed),
        whom,
    )


def with_wallet(stack: Stack, wallet: Wallet) -> Stack:
    """A stack whose clients are judged by what could be opened, also where a passphrase was needed."""
    opened = {n: shown_by(i, stack.at) for n, i in wallet.identities.items()} if stack.at else {}
    return replace(stack, clients=wallet.clients or stack.clients, shown={**stack.shown, **opened})


def validate_alone(path: Path, at: datetime, variables: Mapping[str, str] = NO_VARIABLES) -> Stack:
    """As `validate`; raises Failure also where the file by itself refuses a client that it demands to get in."""
    stack = validate(path, at, variables)
    if refused := contradictions(stack):
        raise Failure((*stack.diagnostics, *refused))
    return stack


def contradictions(stack: Stack) -> tuple[Diagnostic, ...]:
    """Where a file demands that a client get in and what it declares refuses it: decided by the file alone.

    Passed over: hostnames on which the file declares no CA, because the account may have one.
    """
    people = people_of(stack)
    decided = [t for t in people.targets if cas_on(stack.state, host_and_path(t.url)[0])]
    found = lockouts(replace(people, targets=tuple(decided)), State(), stack.state, ())
    return tuple(d for d in found if d.code is IMPOSSIBLE)


def plan(stack: Stack, account: Account, allowed: Allowed = NOTHING, *, destroy: bool = False) -> Plan:
    """What would change. Only reads; what must not be applied is an error in the plan's diagnostics."""
    scope = scope_of(stack, account)
    snapshot = _snapshot(scope, account, stack.hosts, {stack.name})
    everybody = people_of(stack, snapshot.state)
    people = NO_PEOPLE if destroy else everybody
    made = planned(
        stack.name, scope, stack.state, snapshot.state, allowed, people, stack.removed, destroy=destroy
    )
    inputs = _inputs(
        stack.state, stack.hosts, allowed, everybody, stack.removed, account.asked, is_destroy=destroy
    )
    infeasible = () if destroy else tuple(_infeasible(stack, snapshot, made, allowed))
    told = (d for d in stack.diagnostics if d.code is not NO_TRUST)  # decided here, with the account
    coverage = covered(snapshot, stack.state, stack.name, stack.places, allowed.elsewhere)
    said = (*told, *_unread(coverage, snapshot), *infeasible, *made.diagnostics)
    return replace(made, diagnostics=said, inputs=inputs, coverage=coverage)


def _unread(coverage: Coverage, snapshot: Snapshot) -> Iterator[Diagnostic]:
    """Why something of an account could not be read: what the plan rests on, and the rest too."""
    yield from dict.fromkeys(d for d in (*snapshot.diagnostics, *coverage.why()) if d.code is not NO_ZONE)


def covered(
    snapshot: Snapshot,
    declared: State,
    name: str,
    places: Mapping[Address, Place],
    elsewhere: Collection[str],
) -> Coverage:
    """What was read for whatever is said of a stack. elsewhere: hosts that were typed out: their zone is not asked."""
    zoneless = tuple(in_no_zone(declared, places, snapshot.beside.holds, elsewhere))
    left = snapshot.coverage.not_asked | {f"the zone of {host}" for host in elsewhere}
    return resting(replace(snapshot.coverage, not_asked=left), declared, snapshot.state, name, zoneless)


def _infeasible(stack: Stack, snapshot: Snapshot, made: Plan, allowed: Allowed) -> Iterator[Diagnostic]:
    """What Cloudflare must refuse of a plan, or what would shut everybody out."""
    yield from in_no_zone(stack.state, stack.places, snapshot.beside.holds, allowed.elsewhere)
    sides = (side for change in made.changes for side in (change.before, change.after) if side is not None)
    changed = frozenset(host for side in sides for host in hosts_on(side))
    yield from without_ca(stack.state, stack.places, made.desired, changed)


def planned(
    name: str,
    scope: Scope,
    declared: State,
    actual: State,
    allowed: Allowed,
    people: People = NO_PEOPLE,
    removed: Sequence[Removed] = (),
    *,
    destroy: bool = False,
) -> Plan:
    """The plan from what is declared and what is there; pure. people: who must not be locked out.

    removed: ids that the file retires or forgets. destroy: everything of the stack is to go, what is pinned included.

    Raises Failure (usage) when something is targeted that is neither declared nor to be changed.
    """
    merged = merge(declared, actual, name, allowed.adopt, removed, destroy=destroy)
    actual = with_contents(with_bundles(actual, people.beside, name), merged.desired)
    changes = diff(actual, merged.desired)
    desired, left_out = merged.desired, tuple[Address, ...]()
    if allowed.targets:
        _all_known(allowed.targets, frozenset(merged.ours) | {change.address for change in changes})
        changes, left_out = _only(allowed.targets, changes)
        desired = actual.put_all({change.address: change.after for change in changes})
    everything = State({**actual, **desired})
    beside = rivals(changes, actual, allowed.twins)
    ordered = order(
        changes, actual, desired, allowed.lockout, one_ca=allowed.one_ca_per_hostname, rivals=beside
    )
    hosts = known_hosts(actual, changes)
    ways = doorways(actual, desired, {host for change in changes for host in hosts_touched(change, hosts)})
    judged, not_judged = by_wildcard(people, actual, desired)
    diagnostics = (
        *merged.diagnostics,
        *not_judged,
        *_partial(left_out),
        *refusals(beside, changes, everything),
        *not_told(changes, actual, allowed.twins, beside),
        *no_order(ordered.glitches, everything, one_ca=allowed.one_ca_per_hostname, twins=bool(beside)),
        *beyond_limits(ordered.steps, actual),
        *wildcards(changes, allowed=allowed.wildcard_hostnames),
        *weaker(ways, allowed.weaken, merged.ours, changes),
        *lockouts(judged, actual, desired, allowed.lockout),
        *unproven(
            handovers(ordered.steps, actual, desired, name, actual, one_ca=allowed.one_ca_per_hostname),
            people,
            everything,
            allowed.unproven,
        ),
        *deletions(changes, actual, desired, name, allowed.delete, pins(declared)),
        *may_clear(changes, allowed.cleared),
        *(weakening.warning for weakening in weakenings(desired, merged.ours)),
        *doubts(merged.desired, merged.ours),
        *(withdrawals(actual, desired, people.at) if people.at else ()),
    )
    promise = Promise(ordered.requests, len(ordered.steps) + 1, not ordered.glitches, ordered.shut)
    inputs = _inputs(declared, frozenset(), allowed, people, removed, is_destroy=destroy)
    return Plan(
        name, scope, actual, desired, changes, ordered.steps, diagnostics, promise, ways, inputs, left_out
    )


def _all_known(targets: frozenset[Address], known: frozenset[Address]) -> None:
    """Raise Failure (usage) for each target that is none of these addresses."""
    unknown = [
        NO_SUCH_TARGET.found(
            f"{address} is neither declared nor among the changes.", "Write it as the plan shows it."
        )
        for address in sorted(targets - known)
    ]
    if unknown:
        raise Failure(unknown, Exit.USAGE)


def _only(
    targets: frozenset[Address], changes: tuple[Change, ...]
) -> tuple[tuple[Change, ...], tuple[Address, ...]]:
    """The changes of some addresses, and the addresses of those that are left out."""
    chosen = tuple(change for change in changes if change.address in targets)
    return chosen, tuple(change.address for change in changes if change.address not in targets)


def _partial(left_out: tuple[Address, ...]) -> Iterator[Diagnostic]:
    """The warning that a plan is not everything."""
    if left_out:
        listed = "\n".join(f"    {address}" for address in left_out)
        yield PARTIAL.found(f"Left out by --target:\n{listed}", "Plan without --target afterwards.")


def saved_plan(
    raw: bytes, file: str, account: Account, at: datetime, typed: Allowed = NOTHING, expect: str | None = None
) -> tuple[Plan, Saved]:
    """A saved plan made again on the account as it is now. typed: what was allowed on the command line.

    at: an aware moment, for which the clients are judged.
    expect: the digest that was approved. Raises Failure when the file is no plan, was changed, is not the approved one,
    is stale, or was made from something else than it says.
    """
    from cf_mtls.planning.planfile_reader import load

    saved = load(raw, file)
    if expect is not None and expect != saved.digest:
        detail = f"Approved was {expect}; {file} holds {saved.digest}."
        raise Failure([OTHER_DIGEST.found(detail, "Name the plan that was approved.")], Exit.REFUSED)
    _agree(
        f"{saved.scope.kind}_id",
        saved.scope.id,
        "the environment",
        getattr(account, f"{saved.scope.kind}_id"),
    )
    snapshot = _snapshot(saved.scope, account, saved.hosts, {saved.stack})
    made = again(saved, snapshot.state, at, typed, is_approved=expect is not None)
    inputs = made.inputs
    coverage = covered(snapshot, inputs.declared, saved.stack, {}, inputs.allowed.elsewhere)
    zoneless = (d for d in coverage.why() if d.code is NO_ZONE and not inputs.is_destroy)
    said = (*_unread(coverage, snapshot), *zoneless, *made.diagnostics)
    return replace(made, diagnostics=said, coverage=coverage), saved


def again(saved: Saved, actual: State, at: datetime, typed: Allowed = NOTHING, *, is_approved: bool) -> Plan:
    """A saved plan as its inputs make it now, pure: gates, ownership and order are decided as for any plan.

    at: an aware moment, for which the clients are judged.
    is_approved: whether its digest was. Without that whoever edited the file could have written anything: what it says
    was allowed does not count, and as its clients may have been taken out, nobody may lose access by it.
    What stands in its way is in the plan's diagnostics. Raises Failure (refused) when it is stale, or not what it was
    made from.
    """
    inputs = saved.inputs
    allowed = typed | (inputs.allowed if is_approved else inputs.allowed.only(SHAPES))
    shown = {name: _shown_at(found, at) for name, found in inputs.shown.items()}
    people = People(inputs.clients, inputs.targets, shown, at, {}, inputs.beside)
    try:
        made = planned(
            saved.stack,
            saved.scope,
            inputs.declared,
            actual,
            allowed,
            NO_PEOPLE if inputs.is_destroy else people,
            inputs.removed,
            destroy=inputs.is_destroy,
        )
    except Failure as failure:  # what was targeted is there no more
        raise Failure(failure.diagnostics, Exit.REFUSED) from None
    found = () if is_approved else (*losses(made), *not_counted(inputs.allowed, allowed))
    made = replace(made, diagnostics=(*made.diagnostics, *found), inputs=replace(inputs, allowed=allowed))
    saved.check(actual, made)
    return made


def _shown_at(found: Shown, at: datetime) -> Shown:
    """What a client shows, looked at again at another moment: since then it may have expired."""
    from cf_mtls.pki.pem import Certificate

    leaf, *sent = (Certificate.from_der(der) for der in (found.leaf, *found.sent))
    return shown_of(leaf, sent, at)


def apply(made: Plan, account: Account, hooks: Hooks) -> int:
    """Do a plan; the number of steps done. Raises Failure where it stopped."""
    from cf_mtls.remote.apply import Applier
    from cf_mtls.remote.gateway import Writer, client_for

    pace = replace(account.pace, run=account.pace.run.again())
    with client_for(account.token, account.base_url, pace.run, is_cut=False) as client:
        return Applier(Writer(client), pace, hooks.said, hooks.between, hooks.doing).apply(made)


@dataclass(frozen=True, slots=True)
class Hooks:
    """What happens along an apply: after each step, between two phases, and before each call."""

    said: Callable[[Step], None] = lambda _: None
    between: Callable[[Boundary], Setback | None] = lambda _: None
    doing: Callable[[Step], None] = lambda _: None
