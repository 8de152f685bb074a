"""A plan as it is saved, and whether the account still is as it relied on.

Rules of this file:
- A saved plan holds everything that its plan was made from, so that the same plan can be made again; nothing of what
  it says was decided is believed.
- It says what it relied on; whoever applies it looks again and refuses when that moved, unless what moved is the
  plan's own work: then what is left of it is a part of it, by the account's values alone.
- It says what every thing of the stack is once it is applied, whether the plan changes it or not: what a later drift
  check goes by (`baseline`).
"""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING

from cf_mtls.access.reach import concrete, hosts_of
from cf_mtls.access.scene import near
from cf_mtls.diagnostics import Code, Exit, Failure, Fault, Severity, has_errors
from cf_mtls.model.resources import AccessApplication, CaCertificate, HostnameSettings, host_of
from cf_mtls.model.state import State
from cf_mtls.planning import codec
from cf_mtls.planning.canon import differing
from cf_mtls.planning.ownership import complete, homes, is_ours
from cf_mtls.planning.reliance import relied_on
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.people import Client, Target
    from cf_mtls.model.plan import Change, Inputs, Plan, Promise, Step
    from cf_mtls.model.resources import Address, Resource, Scope

STALE = Code("plan.stale", Severity.ERROR, Fault.ACCOUNT, "the plan is stale")
OTHER_STEPS = Code(
    "planfile.other-steps", Severity.ERROR, Fault.FILE, "the saved plan is not what it was made from"
)


@dataclass(frozen=True, slots=True)
class Saved:
    """A plan as it was saved: what it was made from, what to do, what it relied on."""

    stack: str
    scope: Scope
    inputs: Inputs
    changes: tuple[Change, ...]
    steps: tuple[Step, ...]
    relied_on: Mapping[Address, str]
    promise: Promise
    desired: State
    """What the account should hold near the targets' hostnames: what a proof without the account expects."""
    applied: State
    """Every thing of the stack as it is once the plan is applied, see `applied_by`."""
    left_out: tuple[Address, ...] = ()
    refused: tuple[str, ...] = ()
    """The codes of what stood in its way, sorted; such a plan cannot be applied."""
    version: str = field(default="", compare=False)
    """The program that wrote it."""
    digest: str = ""

    @property
    def targets(self) -> tuple[Target, ...]:
        """Where the proof afterwards asks."""
        return self.inputs.targets

    @property
    def clients(self) -> tuple[Client, ...]:
        """Who is sent then."""
        return self.inputs.clients

    @property
    def hosts(self) -> frozenset[str]:
        """The hostnames that must be read for: those of the plan file, and whatever else the plan names."""
        sides = State((c.address, r) for c in self.changes for r in (c.before, c.after) if r is not None)
        return frozenset((*self.inputs.hosts, *hosts_of(sides), *map(host_at, self.targets)))

    def check(self, actual: State, made: Plan) -> None:
        """Raise Failure (refused) unless a plan made again is this one, or the part of it that is left.

        made: what the inputs come to on the account as it is now. A part is left where nothing moved but what the plan
        itself had been doing. A plan with something in its way is only looked at for what moved.
        """
        now = {a: codec.standing(r) for a, r in relied_on(self.changes, actual, self.stack).items()}
        moved = sorted({a for a in now.keys() | self.relied_on.keys() if now.get(a) != self.relied_on.get(a)})
        if moved and not Progress(self, actual).holds(moved, made.changes):
            raise Failure([_stale(self, moved, now)], Exit.REFUSED)
        can_be_told = not moved and not has_errors(made.diagnostics)
        if can_be_told and not self._is(made):
            raise Failure([_other_steps()], Exit.REFUSED)

    def _is(self, made: Plan) -> bool:
        """Whether a plan does the same: what it was made from is looked at as the server shows it."""
        same = [_change(c) for c in self.changes] == [_change(c) for c in made.changes]
        return same and [_step(s) for s in self.steps] == [_step(s) for s in made.steps]


def _change(change: Change) -> tuple[object, ...]:
    return change.address, change.action, change.attributes, _standing(change.after)


def _step(step: Step) -> tuple[object, ...]:
    return step.phase, step.address, step.cause, step.wait, step.group, _standing(step.value)


def _standing(resource: Resource | None) -> str | None:
    return None if resource is None else codec.standing(resource)


class Progress:
    """An account on the way of a saved plan."""

    def __init__(self, saved: Saved, actual: State) -> None:
        self._actual = actual
        known = homes(saved.inputs.declared, actual, saved.stack)
        self._declared = {home: address for address, home in known.items()}
        """The address in the file of what the account knows under another one."""
        self._changes = {change.address: change for change in saved.changes}
        self._values: dict[Address, list[Resource | None]] = {}
        for step in saved.steps:
            self._values.setdefault(step.address, []).append(step.value)

    def holds(self, moved: Iterable[Address], left: Iterable[Change]) -> bool:
        """Whether what moved has a value of the plan's own, and what is left to do is a part of it."""
        return all(map(self._is_on_the_way, moved)) and all(map(self._is_part, left))

    def _change(self, address: Address) -> Change | None:
        return self._changes.get(address) or self._changes.get(self._declared.get(address, address))

    def _is_on_the_way(self, address: Address) -> bool:
        change, there = self._change(address), self._actual.get(address)
        if change is None:
            return False
        values = self._values.get(change.address, ())
        return any(_is(value, there, change) for value in values) or _between(change, there)

    def _is_part(self, left: Change) -> bool:
        change = self._change(left.address)
        return change is not None and _means(change.after, left.after)


def _is(value: Resource | None, there: Resource | None, change: Change) -> bool:
    """Whether what is there is this value of the very thing that a plan changes, or the one that it makes.

    What a new application left unsaid is what the server made of it. The rules of a reusable policy count: where those
    that it was made with are not known, it is not.
    """
    wanted, here, known = _said(value), _said(there), _id(change.before)
    if wanted is None or here is None or type(wanted) is not type(here):
        return wanted is here
    filled = complete(wanted, here)
    if isinstance(wanted, AccessApplication) and isinstance(filled, AccessApplication):
        wanted = replace(filled, name=wanted.name)
    if not isinstance(wanted, HostnameSettings):
        wanted = replace(wanted, id=known or _id(here) or "")
    return codec.standing(wanted) == codec.standing(here)


def _means(wanted: Resource | None, there: Resource | None) -> bool:
    """Whether two values of one address mean the same; settings that say nothing are none (facts 2)."""
    wanted, there = _said(wanted), _said(there)
    if wanted is None or there is None or type(wanted) is not type(there):
        return wanted is there
    return not differing(wanted, there)


def _said(value: Resource | None) -> Resource | None:
    is_default = isinstance(value, HostnameSettings) and value == HostnameSettings(value.hostname)
    return None if is_default else value


def _between(change: Change, there: Resource | None) -> bool:
    """Whether a CA has some of the hostnames that a plan gives or takes: the work of an earlier run arriving."""
    match change.before, there, change.after:
        case CaCertificate() as before, CaCertificate() as here, CaCertificate() as after:
            old, now, new = (set(ca.associated_hostnames) for ca in (before, here, after))
            is_same = before.id == here.id and here.name in {before.name, after.name}
            return is_same and (old & new) <= now <= (old | new)
        case _:
            return False


def _id(resource: Resource | None) -> str | None:
    return None if resource is None or isinstance(resource, HostnameSettings) else resource.id


def host_at(target: Target) -> str:
    """The hostname of a target, stars included."""
    return host_of(target.url.partition("://")[2])


def applied_by(plan: Plan) -> State:
    """Every thing of the stack as it is once a plan is applied, by the addresses of its file, undeclared fields filled.

    An id is kept where the file pins it. What carries the stack's mark and stays undeclared is there under the
    account's address, and so are the settings of the stack's hostnames. Without what `--target` left out.
    """
    inputs, out = plan.inputs, frozenset(plan.left_out)
    known = homes(inputs.declared, plan.actual, plan.stack)
    found: dict[Address, Resource] = {}
    for address, wanted in inputs.declared.items():
        home = known.get(address, address)
        there = plan.desired.get(home)
        if there is not None and home not in out and not inputs.is_destroy:
            found[address] = _pinned_as(wanted, there)
    declared = frozenset(known.values()) | found.keys()
    for address, there in plan.desired.items():
        is_set = isinstance(there, HostnameSettings) and there.hostname in inputs.hosts
        if (is_set or is_ours(there, plan.stack)) and address not in declared | out:
            found[address] = there
    return State(found)


def _pinned_as(wanted: Resource, there: Resource) -> Resource:
    return replace(there, id=_id(wanted)) if isinstance(there, CaCertificate | AccessApplication) else there


def near_targets(desired: State, targets: Iterable[Target]) -> State:
    """The part of a state that decides at some targets."""
    hosts = {concrete(host_at(target)) for target in targets}
    return State((a, r) for host in sorted(hosts) for a, r in near(desired, host).items())


def _other_steps() -> Diagnostic:
    detail = "What it was made from comes to other steps now: it was changed, or another version wrote it."
    return OTHER_STEPS.found(detail, "Plan again, look at it, and apply that.")


def _stale(saved: Saved, moved: Sequence[Address], now: Mapping[Address, str]) -> Diagnostic:
    words = (f"    {a} {_moved(a, saved.relied_on, now)}" for a in moved)
    detail = "Since the plan was made, in the account:\n" + "\n".join(words)
    return STALE.found(detail, "Plan again, look at it, and apply that.")


def _moved(address: Address, then: Mapping[Address, str], now: Mapping[Address, str]) -> str:
    if address not in now:
        return "is gone"
    return "changed" if address in then else "appeared"
