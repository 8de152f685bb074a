"""How steps go together: what is one call, where phases meet, and what counts as on the way.

Rules of this file:
- Pure: it decides, `apply` does.
"""

from __future__ import annotations

from dataclasses import field
from itertools import takewhile
from typing import TYPE_CHECKING

from cf_mtls.model.plan import Phase
from cf_mtls.model.resources import AccessApplication, CaCertificate, Kind, host_of
from cf_mtls.model.state import State
from cf_mtls.planning.succession import hosts_lost
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.plan import Step
    from cf_mtls.model.resources import Address, Resource


@dataclass(frozen=True, slots=True)
class Boundary:
    """A moment between two phases: what was done, what is left, what should stand by now and in the end."""

    done: tuple[Step, ...]
    left: tuple[Step, ...]
    state: State
    final: State
    start: State = field(default_factory=State)
    """What stood when the run began."""

    @property
    def next(self) -> Phase | None:
        """The phase that comes next, None when everything was done."""
        return self.left[0].phase if self.left else None

    @property
    def is_narrowed(self) -> bool:
        """Whether all hostnames have been taken that this run takes, and no CA has been deleted yet."""
        return self.next in {Phase.DELETE, None} and all(s.phase is not Phase.DELETE for s in self.done)

    @property
    def trusted(self) -> frozenset[str]:
        """Hostnames on which a CA stands that stays."""
        return frozenset(
            host
            for address, ca in self.state.of(CaCertificate)
            for host in set(ca.associated_hostnames) - hosts_lost(ca, self.final.get(address))
        )

    @property
    def demanded(self) -> frozenset[str]:
        """Hostnames of the applications that are still to be made or changed."""
        apps = (
            s.value for s in self.left if s.phase is Phase.DEMAND and isinstance(s.value, AccessApplication)
        )
        return frozenset(host_of(domain) for app in apps for domain in app.domains)

    @property
    def leaving(self) -> frozenset[str]:
        """Hostnames that are about to leave a CA: before any other phase comes."""
        steps = takewhile(lambda step: step.phase is Phase.NARROW, self.left)
        return frozenset(host for s in steps for host in hosts_lost(self.state.get(s.address), s.value))

    @property
    def taken(self) -> Mapping[Address, frozenset[str]]:
        """The hostnames that were taken from each CA until now."""
        lost = {a: hosts_lost(ca, self.state.get(a)) for a, ca in self.start.of(CaCertificate)}
        return {address: hosts for address, hosts in lost.items() if hosts}


@dataclass(frozen=True, slots=True)
class Setback:
    """A declared client is out since hostnames were taken from CAs: on these they must be put back, and why."""

    hosts: frozenset[str]
    why: Diagnostic


def after(actual: State, done: Iterable[Step]) -> State:
    """What should stand once these steps are done."""
    state = dict(actual)
    for step in done:
        if step.value is None:
            state.pop(step.address, None)
        else:
            state[step.address] = step.value
    return State(state)


def in_gap(steps: Sequence[Step], done: Sequence[Step], trying: Sequence[Step] = ()) -> frozenset[Address]:
    """The CAs that lost hostnames, or are gone, while the one that must come after them is not there yet.

    A gap is where a CA of a group is uploaded after another one was deleted: `planning/duplicates`.
    trying: steps under way, of which nobody knows yet whether they were done.
    """
    lost: set[Address] = set()
    begun = (*done, *trying)
    for group in {step.group for step in begun}:
        mine = [s for s in steps if s.group == group and s.address.kind is Kind.CERTIFICATE]
        gone = next((place for place, s in enumerate(mine) if s.phase is Phase.DELETE), len(mine))
        coming = [s for s in mine[gone:] if s.phase in {Phase.UPLOAD, Phase.WIDEN}]
        if any(step not in done for step in coming):
            lost |= {s.address for s in mine if s.phase in {Phase.NARROW, Phase.DELETE} and s in begun}
    return frozenset(lost)


def on_the_way(before: Resource, now: Resource, after: Resource | None) -> bool:
    """Whether a CA has some of the hostnames that it is being given or relieved of: an earlier run's work arriving."""
    match before, now, after:
        case CaCertificate(), CaCertificate(), CaCertificate():
            old, here, new = (set(ca.associated_hostnames) for ca in (before, now, after))
            return now.name in {before.name, after.name} and (old & new) <= here <= (old | new)
        case _:
            return False


def batches(steps: Iterable[Step]) -> Iterator[list[Step]]:
    """The steps as they are done: settings as one call, applications of different groups side by side."""
    batch: list[Step] = []
    for step in steps:
        if batch and not _fits(batch, step):
            yield batch
            batch = []
        batch.append(step)
    if batch:
        yield batch


def _fits(batch: list[Step], step: Step) -> bool:
    last = batch[-1]
    if last.phase is not step.phase:
        return False
    if step.phase is Phase.SETTINGS:
        return True
    apart = step.group not in {other.group for other in batch}
    return step.address.kind is Kind.APPLICATION and last.address.kind is Kind.APPLICATION and apart
