"""A plan that was saved, and whether the account still is as it relied on.

Rules of this file:
- A saved plan says what it relied on; whoever applies it looks again and refuses when that moved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.access.reach import hosts_of
from cf_mtls.diagnostics import Code, Exit, Failure, Fault, Severity
from cf_mtls.model.plan import Plan
from cf_mtls.model.state import State
from cf_mtls.planning import codec
from cf_mtls.planning.admission import with_contents
from cf_mtls.planning.reliance import relied_on
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.people import Client, Target
    from cf_mtls.model.plan import Change, Promise, Step
    from cf_mtls.model.resources import Address, Scope

STALE = Code("plan.stale", Severity.ERROR, Fault.ACCOUNT, "the plan is stale")


@dataclass(frozen=True, slots=True)
class Saved:
    """A plan as it was saved: what to do, what it relied on, what to verify afterwards."""

    stack: str
    scope: Scope
    changes: tuple[Change, ...]
    steps: tuple[Step, ...]
    relied_on: dict[Address, str]
    promise: Promise
    targets: tuple[Target, ...]
    clients: tuple[Client, ...]
    digest: str
    desired: State
    """What was declared near the targets' hostnames: what the proof afterwards expects."""

    @property
    def hosts(self) -> frozenset[str]:
        """The hostnames that the plan reads for, as when it was made."""
        sides = State((c.address, r) for c in self.changes for r in (c.before, c.after) if r is not None)
        targets = (target.url.removeprefix("https://").partition("/")[0] for target in self.targets)
        return frozenset((*hosts_of(sides), *targets))

    def on(self, actual: State) -> Plan:
        """The plan on the account as it is now. Raises Failure (refused) naming what moved since it was made."""
        sides = [(c.address, r) for c in self.changes for r in (c.after, c.before) if r is not None]
        actual = with_contents(actual, State([*self.desired.items(), *sides]))
        now = {a: codec.standing(r) for a, r in relied_on(self.changes, actual, self.stack).items()}
        moved = sorted({a for a in now.keys() | self.relied_on.keys() if now.get(a) != self.relied_on.get(a)})
        if moved:
            raise Failure([_stale(self, moved, now)], Exit.REFUSED)
        desired = actual.put_all({change.address: change.after for change in self.changes})
        return Plan(self.stack, self.scope, actual, desired, self.changes, self.steps, (), self.promise)


def _stale(saved: Saved, moved: Sequence[Address], now: dict[Address, str]) -> Diagnostic:
    words = (f"    {a} {_moved(a, saved.relied_on, now)}" for a in moved)
    detail = "Since the plan was made, in the account:\n" + "\n".join(words)
    return STALE.found(detail, "Plan again, look at it, and apply that.")


def _moved(address: Address, then: dict[Address, str], now: dict[Address, str]) -> str:
    if address not in now:
        return "is gone"
    return "changed" if address in then else "appeared"
