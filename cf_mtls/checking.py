"""The use case of drift: many stacks against their accounts, side by side, one verdict each.

Rules of this file:
- It is handed a `Reader` and nothing else: a check cannot write.
- An account is read once, however many stacks live in it; all share one pace and one budget of requests.
- A stack that cannot be read, resolved or asked is could-not-check; it neither hides nor changes another's.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cf_mtls import diagnostics, proving, workflow
from cf_mtls.declare.fleet import twice
from cf_mtls.declare.trust import OVERDUE
from cf_mtls.diagnostics import Diagnostic, Failure, Place
from cf_mtls.ends import Ends, ends_of
from cf_mtls.model.ends import End
from cf_mtls.model.evidence import Dossier, Outcome, says_emulator
from cf_mtls.model.plan import Action
from cf_mtls.model.resources import CaCertificate, HostnameSettings
from cf_mtls.model.state import State
from cf_mtls.planning import host_settings, watched
from cf_mtls.planning.admission import with_bundles, with_contents
from cf_mtls.planning.check import Known, ends, findings, said_of_contents, turned, unread
from cf_mtls.planning.drift import ALARMING, Checked, Class, Finding, Status, confirmed, of_diagnostic, waived
from cf_mtls.planning.host_settings import Declaring
from cf_mtls.planning.ownership import homes, merge
from cf_mtls.quick import dataclass
from cf_mtls.remote.gateway import Reader, client_for
from cf_mtls.remote.snapshot import Snapshot, read
from cf_mtls.remote.token_end import token_ends
from cf_mtls.verify.ca_keys import authorities
from cf_mtls.verify.claim import claim
from cf_mtls.verify.wallet import Wallet
from cf_mtls.verify.witness import shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from cf_mtls.declare.resolve import Stack
    from cf_mtls.model.people import Client
    from cf_mtls.model.resources import Address, Scope
    from cf_mtls.model.waiver import Waiver
    from cf_mtls.planning.saved import Saved
    from cf_mtls.verify.witness import Witness
    from cf_mtls.workflow import Account

AT_ONCE = 4
"""Stacks and accounts side by side."""

SOON = timedelta(days=30)


@contextmanager
def _reading(account: Account) -> Iterator[Reader]:
    """Who reads an account, for as long as it is read."""
    with client_for(account.token, account.base_url, account.pace.run) as client:
        yield Reader(client)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run of checks is asked to do."""

    now: datetime
    within: timedelta = SOON
    """What ends sooner is reported."""
    alarming: frozenset[Class] = ALARMING
    applied: tuple[Saved, ...] = ()
    """The plans that were applied last."""
    before: Callable[[Path], State | None] = lambda _: None
    """What a file declared before its last commit, None when that is not known."""
    witness: Witness | None = None
    """Who proves with real requests; None for nobody."""
    opened: Callable[[Sequence[Client]], Wallet] = lambda clients: Wallet({}, tuple(clients))
    """Opens the clients that are sent then."""
    bug: Callable[[Exception], Diagnostic] = diagnostics.bug
    kept_out: Diagnostic | None = None
    """Why no account may be asked: then every valid file could not be checked, and that is why."""
    confirm_s: float = 0
    """Seconds after which an alarm is confirmed by a second read; 0 confirms none."""
    sleep: Callable[[float], None] = time.sleep
    elsewhere: frozenset[str] = frozenset()
    """Hosts that lie in no zone which the token sees, and are meant all the same."""
    heard: Callable[[], None] = lambda: None
    """Called when the edge that answered said that it is an emulator's."""
    passphrase: Callable[[Client], bytes | None] = lambda _: None
    """Of a client whose file is encrypted, as far as it can be had without asking anybody."""
    in_folders: bool = False
    """Whether every plan file of the folders is here: then of a stack that none declares that can be said."""
    unread: Mapping[Path, Diagnostic] = field(default_factory=dict)
    """What a folder has and could not be read, and why: each could not be checked, and is not opened again."""
    of_evidence: tuple[tuple[tuple[str, str] | None, Diagnostic], ...] = ()
    """What is to be said of plans given as applied, and of which stack and scope; None is said of all."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of the environment: those that a file names for a passphrase are looked up."""

    reading: Callable[[Account], AbstractContextManager[Reader]] = _reading
    """Who reads an account; it can only GET."""

    def problems(self, error: Exception) -> tuple[Diagnostic, ...]:
        """What an exception has to say: a failure's own diagnostics, or that this is a bug."""
        return error.diagnostics if isinstance(error, Failure) else (self.bug(error),)


@dataclass(slots=True)
class _Stack:
    """A file on its way: what is understood of it so far, and what went wrong."""

    path: Path
    stack: Stack | None = None
    scope: Scope | None = None
    failed: tuple[Diagnostic, ...] = ()


@dataclass(slots=True)
class _Seen:
    """A scope as read, with the end of the token; or why it could not be."""

    snapshot: Snapshot | None = None
    token_ends: datetime | None = None
    notes: tuple[Diagnostic, ...] = ()
    failed: tuple[Diagnostic, ...] = field(default=())


def check(paths: Sequence[Path], account: Account, asked: Asked) -> tuple[Checked, ...]:
    """A verdict for each file, in their order. Raises nothing: what fails is in the verdict.

    An alarm is read a second time after `confirm_s`; what stands in one of the two alone is a change under way.
    """
    first = _once(paths, account, asked)
    if asked.confirm_s <= 0 or all(checked.status is not Status.DRIFT for checked in first):
        return first
    asked.sleep(asked.confirm_s)
    again = _once(paths, account, asked)
    return tuple(confirmed(one, two) for one, two in zip(first, again, strict=True))


def _once(paths: Sequence[Path], account: Account, asked: Asked) -> tuple[Checked, ...]:
    items = [_understood(path, account, asked) for path in paths]
    if not asked.kept_out:
        _only_once(items)
    if asked.witness:
        asked = replace(asked, witness=shared(asked.witness))
    scopes = list(dict.fromkeys(i.scope for i in items if i.scope and not i.failed))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        seen = dict(
            zip(scopes, pool.map(lambda scope: _seen(scope, items, account, asked), scopes), strict=True)
        )
        return tuple(pool.map(lambda item: _checked(item, items, seen, asked), items))


def _understood(path: Path, account: Account, asked: Asked) -> _Stack:
    if path in asked.unread:
        return _Stack(path, failed=(asked.unread[path],))
    try:
        stack = workflow.validate(path, asked.now, asked.variables)
        if asked.kept_out:
            return _Stack(path, stack, failed=(asked.kept_out,))
        return _Stack(path, stack, workflow.scope_of(stack, account))
    except Exception as error:  # noqa: BLE001 - one broken stack hides no other
        return _Stack(path, failed=asked.problems(error))


def _only_once(items: Sequence[_Stack]) -> None:
    """Two files of one stack would each call the other's things drift, and two of other settings each the other's
    settings: all are refused.
    """
    known = [(i.path, i.stack.name, str(i.scope)) for i in items if i.stack]
    refused = twice(known)
    for item in items:
        if item.path in refused:
            item.failed = (refused[item.path],)
    others = [
        Declaring(str(i.path), str(i.scope), dict(i.stack.state.of(HostnameSettings)), i.stack.places)
        for i in items
        if i.stack and not i.failed
    ]
    differing = host_settings.differing(others)
    for item in items:
        item.failed = item.failed or differing.get(str(item.path), ())


def _seen(scope: Scope, items: Sequence[_Stack], account: Account, asked: Asked) -> _Seen:
    """An account or zone, read once for all the stacks that live in it."""
    stacks = [item.stack for item in items if item.stack and item.scope == scope and not item.failed]
    hosts = frozenset(host for stack in stacks for host in stack.hosts)
    names = {stack.name for stack in stacks}
    try:
        with asked.reading(account) as reader:
            snapshot = read(reader, scope, account.pace, hosts, names)
            ends = token_ends(reader, scope, account.pace)
            known = (ends, ()) if isinstance(ends, datetime) else (None, (ends,) if ends else ())
            return _Seen(snapshot, *known)
    except Exception as error:  # noqa: BLE001 - one broken account hides no other
        return _Seen(failed=asked.problems(error))


def _checked(item: _Stack, items: Sequence[_Stack], seen: dict[Scope, _Seen], asked: Asked) -> Checked:
    there = seen.get(item.scope) if item.scope else None
    failed = item.failed or (there.failed if there else ())
    if item.stack and item.scope and there and there.snapshot and not failed:
        try:
            return _judged(item, item.stack, items, there, there.snapshot, asked)
        except Exception as error:  # noqa: BLE001 - one broken stack hides no other
            failed = asked.problems(error)
    name, where = item.stack.name if item.stack else "", str(item.scope or "")
    return Checked(str(item.path), name, where, tuple(_unchecked(str(item.path), failed)), asked.alarming)


def _judged(
    item: _Stack, stack: Stack, items: Sequence[_Stack], there: _Seen, snapshot: Snapshot, asked: Asked
) -> Checked:
    """The verdict on a stack whose account could be read."""
    file, scope = str(item.path), item.scope
    ending = ends_of(stack, asked.passphrase)
    known = _known(item, stack, items, there, asked, ending)
    found = list(findings(known, snapshot.state, asked.now, asked.within))
    found += _overdue(file, stack, found)
    coverage = workflow.covered(snapshot, stack.state, stack.name, stack.places, asked.elsewhere)
    left_out = {"the edge"} if not asked.witness else set[str]()
    left_out |= {f"the end of client {name}" for name, _ in ending.unknown}
    rested, kept_elsewhere = _watched(stack, snapshot.state, known)
    left_out |= {f"whether the rules of {address} moved" for address in kept_elsewhere}
    coverage = replace(coverage, not_asked=coverage.not_asked | left_out)
    found += unread(coverage, Place(file))
    found += rested
    if asked.witness:
        found += _proven(stack, asked, asked.witness)
    marked, unmet = waived(found, stack.waivers, asked.now.date())
    return Checked(
        file,
        stack.name,
        str(scope),
        marked,
        asked.alarming,
        _unused(unmet, marked, known, ending, there, asked) if unmet else (),
        (
            *(note for whose, note in asked.of_evidence if whose in {None, (stack.name, str(scope))}),
            *snapshot.diagnostics,
            *there.notes,
            *(note for _, note in ending.unknown),
            *said_of_contents(known, snapshot.state, asked.now),
            *watched.not_recorded(kept_elsewhere),
        ),
        turned(known, snapshot.state),
        coverage,
    )


def _watched(stack: Stack, actual: State, known: Known) -> tuple[list[Finding], tuple[Address, ...]]:
    """What is found of rules that no file holds, and of which of them nobody can tell whether they moved."""
    merged = merge(stack.state, actual, stack.name, removed=stack.removed)
    ours = [actual[address] for address in merged.ours if address in actual]
    people = workflow.people_of(stack, actual)
    there = with_contents(with_bundles(actual, people.beside, stack.name), merged.desired)
    found = [
        *watched.moved(ours, actual, known.applied, known.file),
        *watched.let_down(people, there, merged.desired, known.file),
    ]
    return found, watched.unrecorded(ours, actual, known.applied)


def _unused(
    unmet: Sequence[Waiver],
    found: Sequence[Finding],
    known: Known,
    ending: Ends,
    there: _Seen,
    asked: Asked,
) -> tuple[Waiver, ...]:
    """Of the waivers that met nothing those that can go: what they are for was looked at, and is not there."""
    unseen_at = [finding.address for finding in found if finding.kind is Class.UNCHECKED]
    if any(not address.startswith(("proof/", "client/")) for address in unseen_at):
        return ()
    proven = asked.witness and not any(address.startswith("proof/") for address in unseen_at)
    # An end that is too far away to be reported is there all the same.
    actual = there.snapshot.state if there.snapshot else State()
    ever = ends(known, actual, asked.now, timedelta.max)
    _, left = waived(ever, unmet, asked.now.date())
    closed = {f"client/{name}" for name, _ in ending.unknown}
    return tuple(
        waiver
        for waiver in left
        if (proven or not waiver.address.startswith("proof/"))
        and waiver.address not in closed
        and not (waiver.address == "token" and there.notes)
    )


def _unchecked(file: str, failed: Sequence[Diagnostic]) -> Iterator[Finding]:
    for problem in failed:
        if problem.is_error:
            found = of_diagnostic(problem, Class.UNCHECKED, (), Place(file))
            yield replace(found, says=" ".join(found.says.split()))


def _known(
    item: _Stack, stack: Stack, items: Sequence[_Stack], there: _Seen, asked: Asked, ending: Ends
) -> Known:
    actual = there.snapshot.state if there.snapshot else None
    others = [i.stack for i in items if i.stack and i.scope == item.scope and i is not item]
    token = (End("token", there.token_ends),) if there.token_ends else ()
    applied = tuple(p for p in asked.applied if (p.stack, p.scope) == (stack.name, item.scope))
    return Known(
        str(item.path),
        stack.name,
        stack.state,
        stack.places,
        (*ending.known, *token),
        frozenset(a for other in others if actual is not None for a in _cas_of(other, actual)),
        applied,
        None if applied else asked.before(item.path),
        stack.removed,
        _stacks_here(item, items) if asked.in_folders else None,
        workflow.people_of(stack, actual).beside if actual is not None else (),
    )


def _stacks_here(item: _Stack, items: Sequence[_Stack]) -> frozenset[str] | None:
    """The stacks that the files declare in a scope; None where a file could not be read: it may declare any."""
    if any(i.stack is None or i.scope is None for i in items):
        return None
    return frozenset(i.stack.name for i in items if i.stack and i.scope == item.scope)


def _cas_of(stack: Stack, actual: State) -> Iterator[Address]:
    """The addresses under which the account has the CAs that a stack declares."""
    yield from homes(State(stack.state.of(CaCertificate)), actual, stack.name).values()


def _overdue(file: str, stack: Stack, found: Sequence[Finding]) -> Iterator[Finding]:
    """The CAs that are overdue for removal and still there: of one that is not, nothing is to be removed."""
    addresses = {place.path: address for address, place in stack.places.items()}
    absent = {f.change.address for f in found if f.change and f.change.action is Action.CREATE}
    for problem in stack.diagnostics:
        path = problem.place.path if problem.place else ""
        if problem.code is OVERDUE and addresses.get(path) not in absent:
            says = f"{problem.code.summary}: {problem.detail}"
            essence = f"{OVERDUE.code} {addresses.get(path)}"
            yield Finding(
                Class.EXPIRING, path or OVERDUE.code, says, essence, place=problem.place or Place(file)
            )


def _proven(stack: Stack, asked: Asked, witness: Witness) -> Iterator[Finding]:
    """What real requests say: a failed proof is a finding; what keeps a URL from being proven could not be checked."""
    cas = authorities(stack.folders, stack.state)
    wallet = asked.opened(stack.clients)
    subject = proving.subject(stack.targets, wallet, stack.state, asked.now, authorities=cas)
    verdicts = proving.verify(subject, witness)
    if says_emulator(verdicts):
        asked.heard()
    for verdict in verdicts:
        if verdict.outcome is Outcome.FAIL:
            yield _of_request(
                Class.UNENFORCED, verdict.probe.url, verdict.probe.who, verdict.why, verdict.got.value
            )
    for gap in claim(Dossier(verdicts)).gaps:
        essence = gap.verdict.got.value if gap.verdict else gap.why
        yield _of_request(Class.UNCHECKED, gap.url, gap.who or "proof", gap.why, essence)


def _of_request(kind: Class, url: str, who: str, why: str, essence: str) -> Finding:
    return Finding(kind, f"proof/{url} {who}", f"{who}: {why}", essence)
