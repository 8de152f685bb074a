"""The use cases, composed: validate, plan, apply, verify.

Rules of this file:
- Each is one function from values to values; it prints nothing and reads no environment.
- `plan` is handed a `Reader`; only `apply` makes a `Writer`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from cf_mtls.declare.document import ID32
from cf_mtls.declare.files import load
from cf_mtls.declare.resolve import resolve
from cf_mtls.diagnostics import Code, Failure, Fault, Severity, has_errors
from cf_mtls.model.evidence import Evidence, Got, Outcome
from cf_mtls.model.plan import Plan, Promise
from cf_mtls.model.resources import Scope
from cf_mtls.model.state import State
from cf_mtls.planning.diff import diff
from cf_mtls.planning.gates import deletions, no_order
from cf_mtls.planning.order import order
from cf_mtls.planning.ownership import merge
from cf_mtls.remote.pace import Pace
from cf_mtls.verify.expect import expect
from cf_mtls.verify.judge import judge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cf_mtls.declare.resolve import Stack
    from cf_mtls.model.evidence import Probe, Verdict
    from cf_mtls.model.plan import Step
    from cf_mtls.model.resources import Address

NO_SCOPE = Code("scope.missing", Severity.ERROR, Fault.INVOCATION, "neither an account nor a zone is named")
SCOPE_MISMATCH = Code("scope.mismatch", Severity.ERROR, Fault.INVOCATION, "file and environment disagree")
SCOPE_INVALID = Code("scope.invalid", Severity.ERROR, Fault.INVOCATION, "an id in the environment is not one")

AT_ONCE = 8
"""Probes side by side."""


@dataclass(frozen=True, slots=True)
class Account:
    """How to reach Cloudflare: what the environment says, and the pace. None is "not set"."""

    token: str | None
    base_url: str
    account_id: str | None = None
    zone_id: str | None = None
    pace: Pace = field(default_factory=Pace)


class Witness(Protocol):
    """Whoever can ask a probe's question."""

    name: str

    def ask(self, probe: Probe) -> Evidence:
        """What one request saw."""


def validate(path: Path) -> Stack:
    """The stack of a plan file. Raises Failure with everything that is wrong, warnings included."""
    stack = resolve(load(path))
    if has_errors(stack.diagnostics):
        raise Failure(stack.diagnostics)
    return stack


def scope_of(stack: Stack, account: Account) -> Scope:
    """Where the stack lives: the file's id, else the environment's. Raises Failure when they disagree."""
    names = {"CLOUDFLARE_ACCOUNT_ID": account.account_id, "CLOUDFLARE_ZONE_ID": account.zone_id}
    bad = [SCOPE_INVALID.found(f"{name} is not 32 hexadecimal characters.") for name, value in names.items()
           if value and not ID32.fullmatch(value)]  # fmt: skip
    if bad:
        raise Failure(bad)
    if stack.account_id:
        _agree("account_id", stack.account_id, "CLOUDFLARE_ACCOUNT_ID", account.account_id)
        return Scope("account", stack.account_id)
    if stack.zone_id:
        _agree("zone_id", stack.zone_id, "CLOUDFLARE_ZONE_ID", account.zone_id)
        return Scope("zone", stack.zone_id)
    if account.account_id:
        return Scope("account", account.account_id)
    if account.zone_id:
        return Scope("zone", account.zone_id)
    fix = "Write account_id (or zone_id) into the file, or set CLOUDFLARE_ACCOUNT_ID."
    raise Failure(
        [NO_SCOPE.found("The file has no account_id and no zone_id, and the environment none.", fix)]
    )


def _agree(key: str, in_file: str, variable: str, in_environment: str | None) -> None:
    if in_environment and in_environment != in_file:
        detail = f"The file's {key} is {in_file}; {variable} is {in_environment}."
        raise Failure([SCOPE_MISMATCH.found(detail, f"Unset {variable}, or mend the file.")])


@dataclass(frozen=True, slots=True)
class Allowed:
    """What was typed out: things to take over, and gates to open. None and empty open nothing."""

    adopt: frozenset[Address] = frozenset()
    lockout: frozenset[str] = frozenset()
    """Hosts that may be shut for a moment."""
    delete: int | None = None
    """How many objects may be deleted."""
    one_ca_per_hostname: bool = False
    """Whether this account takes a hostname on one CA only."""


NOTHING = Allowed()


def plan(stack: Stack, account: Account, allowed: Allowed = NOTHING, *, destroy: bool = False) -> Plan:
    """What would change. Only reads; what must not be applied is an error in the plan's diagnostics."""
    from cf_mtls.remote.gateway import Reader, client_for
    from cf_mtls.remote.snapshot import read

    scope = scope_of(stack, account)
    with client_for(account.token, account.base_url) as client:
        snapshot = read(Reader(client), scope, account.pace)
    declared = State() if destroy else stack.state
    made = planned(stack.name, scope, declared, snapshot.state, allowed)
    return replace(made, diagnostics=(*stack.diagnostics, *snapshot.diagnostics, *made.diagnostics))


def planned(name: str, scope: Scope, declared: State, actual: State, allowed: Allowed) -> Plan:
    """The plan from what is declared and what is there; pure."""
    merged = merge(declared, actual, name, allowed.adopt)
    changes = diff(actual, merged.desired)
    ordered = order(changes, actual, merged.desired, allowed.lockout, one_ca=allowed.one_ca_per_hostname)
    both = State({**actual, **merged.desired})
    return Plan(
        name,
        scope,
        actual,
        merged.desired,
        changes,
        ordered.steps,
        (
            *merged.diagnostics,
            *no_order(ordered.glitches, both),
            *deletions(changes, actual, merged.desired, name, allowed.delete),
        ),
        Promise(ordered.requests, len(ordered.steps) + 1, not ordered.glitches),
    )


def apply(made: Plan, account: Account, said: Callable[[Step], None]) -> int:
    """Do a plan; the number of steps done. Raises Failure where it stopped."""
    from cf_mtls.remote.apply import Applier
    from cf_mtls.remote.gateway import Writer, client_for

    with client_for(account.token, account.base_url) as client:
        return Applier(Writer(client), account.pace, said).apply(made)


def verify(stack: Stack, witness: Witness) -> tuple[Verdict, ...]:
    """A verdict for every URL with every client, side by side; a client who is not here is not sent."""
    probes = expect(stack.targets, stack.clients)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return judge(zip(probes, pool.map(lambda probe: _ask(witness, probe), probes), strict=True))


def _ask(witness: Witness, probe: Probe) -> Evidence:
    if probe.client and not probe.client.is_here:
        return Evidence(failure=Got.UNTRIED, detail="its certificate or key is not here")
    return witness.ask(probe)


def verify_until(stack: Stack, witness: Witness, pace: Pace, deadline_s: float) -> tuple[Verdict, ...]:
    """As `verify`, again and again until nothing fails or the deadline passes: the edge learns slowly."""
    seen: list[Sequence[Verdict]] = []

    def none_fails() -> bool:
        seen.append(verify(stack, witness))
        return not any(verdict.outcome is Outcome.FAIL for verdict in seen[-1])

    pace.until("the edge to do what was applied", deadline_s, none_fails)
    return tuple(seen[-1])
