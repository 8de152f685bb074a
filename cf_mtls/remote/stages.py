"""How steps go together: what is one call, where phases meet, and what counts as on the way.

Rules of this file:
- Pure: it decides, `apply` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.model.plan import Phase
from cf_mtls.model.resources import AccessApplication, CaCertificate, Kind, host_of
from cf_mtls.model.state import State
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cf_mtls.model.plan import Step
    from cf_mtls.model.resources import Resource


@dataclass(frozen=True, slots=True)
class Boundary:
    """A moment between two phases: what was done, what is left, what should stand by now and in the end."""

    done: tuple[Step, ...]
    left: tuple[Step, ...]
    state: State
    final: State

    @property
    def next(self) -> Phase:
        """The phase that comes next."""
        return self.left[0].phase

    @property
    def trusted(self) -> frozenset[str]:
        """Hostnames on which a CA stands that stays."""
        return self._hosts(staying=True)

    @property
    def demanded(self) -> frozenset[str]:
        """Hostnames of the applications that are still to be made or changed."""
        apps = (
            s.value for s in self.left if s.phase is Phase.DEMAND and isinstance(s.value, AccessApplication)
        )
        return frozenset(host_of(domain) for app in apps for domain in app.domains)

    @property
    def is_retiring(self) -> bool:
        """Whether old trust is about to be taken where new trust stands beside it: the middle of a rotation."""
        given = any(s.phase in {Phase.UPLOAD, Phase.WIDEN} for s in self.done)
        return (
            given
            and self.next is Phase.NARROW
            and bool(self._hosts(staying=True) & self._hosts(staying=False))
        )

    def _hosts(self, *, staying: bool) -> frozenset[str]:
        """Hostnames that some CA has now and keeps, or has now and loses."""
        found: set[str] = set()
        for address, ca in self.state.of(CaCertificate):
            end = self.final.get(address)
            kept = set(end.associated_hostnames) if isinstance(end, CaCertificate) else set()
            now = set(ca.associated_hostnames)
            found |= now & kept if staying else now - kept
        return frozenset(found)


def after(actual: State, done: Iterable[Step]) -> State:
    """What should stand once these steps are done."""
    state = dict(actual)
    for step in done:
        if step.value is None:
            state.pop(step.address, None)
        else:
            state[step.address] = step.value
    return State(state)


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
