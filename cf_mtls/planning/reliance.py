"""What a plan relies on: the part of the account that must be as it was for the plan to be right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.access.scene import near
from cf_mtls.model.state import State
from cf_mtls.planning.guard import hosts_touched, known_hosts
from cf_mtls.planning.ownership import is_ours

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cf_mtls.model.plan import Change


def relied_on(changes: Iterable[Change], actual: State, stack: str) -> State:
    """The part of the account that a plan depends on: what it changes, ours, and all that touches the same hosts."""
    listed = tuple(changes)
    hosts = known_hosts(actual, listed)
    touched = {host for change in listed for host in hosts_touched(change, hosts)}
    close = {a for host in touched for a in near(actual, host)}
    changed = {change.address for change in listed}
    return State((a, r) for a, r in actual.items() if a in close or a in changed or is_ours(r, stack))
