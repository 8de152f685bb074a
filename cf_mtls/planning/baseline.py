"""Whose move was it: did the account change, or the file?

Rules of this file:
- A difference is pending when the account is still as it was last applied, so that only the file has moved.
- With a saved plan that is exact. With the file's previous version it is a guess, and a guess never excuses
  a door that stands wider open than declared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.access.doors import doorways
from cf_mtls.model.resources import CaCertificate, Contents, HostnameSettings
from cf_mtls.planning import codec
from cf_mtls.planning.canon import differing
from cf_mtls.planning.contents import agreement
from cf_mtls.planning.diff import diff
from cf_mtls.planning.guard import hosts_touched, known_hosts
from cf_mtls.planning.ownership import complete, merge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cf_mtls.model.plan import Change
    from cf_mtls.model.resources import Address, Resource
    from cf_mtls.model.state import State
    from cf_mtls.planning.saved import Saved


def as_applied(saved: Saved, actual: State, changes: Sequence[Change]) -> frozenset[Address]:
    """The addresses of these changes at which the account is as a saved plan left it."""
    return frozenset(c.address for c in changes if _as_left(saved, actual.get(c.address), c.address))


def _as_left(saved: Saved, there: Resource | None, address: Address) -> bool:
    for change in saved.changes:
        if change.address == address or _made(change, there):
            return _means(change.after, there)
    if address in saved.relied_on:
        return there is not None and codec.standing(there) == saved.relied_on[address]
    return there is None  # neither made nor seen then, and still not there: new in the file


def _made(change: Change, there: Resource | None) -> bool:
    """Whether a plan uploaded this CA, which the account addresses by its id: decision 0002."""
    if isinstance(change.after, CaCertificate) and isinstance(there, CaCertificate):
        return agreement(change.after, there) is Contents.KNOWN
    return False


def _means(wanted: Resource | None, there: Resource | None) -> bool:
    if isinstance(wanted, HostnameSettings) and wanted == HostnameSettings(wanted.hostname):
        wanted = None  # both false equals absent: facts 2
    if wanted is None or there is None:
        return wanted is there
    return not differing(there, complete(wanted, there))


def as_declared_before(
    stack: str, before: State, desired: State, actual: State, changes: Sequence[Change]
) -> frozenset[Address]:
    """The addresses of these changes at which the account is as the previous file said, and no wider open.

    before: what the file declared before its last commit. desired: what the account should hold now.
    """
    moved = {change.address for change in diff(actual, merge(before, actual, stack).desired)}
    still = [change for change in changes if change.address not in moved]
    hosts = known_hosts(actual, changes)
    touched = {change.address: hosts_touched(change, hosts) for change in still}
    ways = doorways(actual, desired, frozenset[str]().union(*touched.values()))
    opened = {way.before.host for way in ways if way.before.reach > way.after.reach}
    return frozenset(address for address, there in touched.items() if not there & opened)
