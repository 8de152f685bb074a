"""The doors of a host, before and after: every path that stands for others, told together where nothing differs.

Rules of this file:
- A weakening is a step up in `Reach`; tightening is a step down; everything else that differs is a change.
- A URL here can be typed: stars stand for what nobody has named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.access.reach import WORD, askers_at, concrete, door, paths_at
from cf_mtls.model.doors import Doorway, who

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cf_mtls.model.doors import Door
    from cf_mtls.model.state import State


def doorways(before: State, after: State, hosts: Iterable[str]) -> tuple[Doorway, ...]:
    """The doors of some hosts, by host and then by path; of paths alike the plainest is shown."""
    return tuple(
        way for host in sorted({concrete(h) for h in hosts}) for way in _of_host(before, after, host)
    )


def _of_host(before: State, after: State, host: str) -> list[Doorway]:
    found: dict[tuple[object, ...], Doorway] = {}
    for path in sorted(paths_at((before, after), host), key=_plainness):
        askers = askers_at((before, after), host, path)
        old, new = door(before, host, path, askers), door(after, host, path, askers)
        key = (who(old), who(new), old.decided.application, new.decided.application)
        found.setdefault(key, Doorway(url(host, path), old, new))
    return sorted(found.values(), key=lambda way: way.url)


def _plainness(path: str) -> tuple[bool, bool, int, str]:
    """Paths that somebody has named come first, then short ones."""
    return (WORD in path, path != "/" and path.endswith("/"), len(path), path)


def url(host: str, path: str) -> str:
    """The URL of a representative host and path, stars for what nobody has named."""
    return f"https://{host.replace(WORD, '*')}{path.replace(WORD, '*')}"


def door_at(state: State, host: str, path: str) -> Door:
    """Who can get in at one host and path of a state."""
    return door(state, host, path, askers_at((state,), host, path))
