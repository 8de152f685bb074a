"""What verbs that take many files share: done side by side, a verdict line each, one exit code.

Rules of this file:
- A file that fails, even by a bug of ours, is a `Failure` in its own place; it hides no other.
- The worst code wins, by the order that the verb says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from cf_mtls.cli import console
from cf_mtls.diagnostics import Exit, Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from cf_mtls.declare.search import Found
    from cf_mtls.diagnostics import Diagnostic

AT_ONCE = 4
"""Files side by side."""

Item = TypeVar("Item")
Made = TypeVar("Made")


def side_by_side(items: Sequence[Item], work: Callable[[Item], Made]) -> list[Made | Failure]:
    """What the work made of each item, or why it could not, in their order."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda item: attempted(work, item), items))


def attempted(work: Callable[[Item], Made], item: Item) -> Made | Failure:
    """What the work made of one item, or why it could not."""
    try:
        return work(item)
    except Failure as failure:
        return failure
    except Exception as error:  # noqa: BLE001 - one broken file hides no other
        return Failure([console.bug(error)])


def refused(found: Found) -> dict[Path, Failure]:
    """The files of one call that nothing is done with, and why.

    A file that a folder has and that could not be read, and in one account or zone each whose stack another declares
    too, and each that declares other settings for a hostname than another one.
    """
    from cf_mtls.declare import fleet, search

    scope = console.environment("CLOUDFLARE_ACCOUNT_ID") or console.environment("CLOUDFLARE_ZONE_ID") or ""
    paths = [path for path in found.paths if path not in found.unread]
    outlines = [search.outline_of(path) for path in paths] if len(paths) > 1 else []
    named = [(path, o.stack, o.scope_id or scope) for path, o in zip(paths, outlines, strict=False)]
    alone = {path: (why,) for path, why in {**found.unread, **fleet.twice(named)}.items()}
    differing = _differing([(path, where) for path, _, where in named if path not in alone])
    return {path: Failure(why) for path, why in {**differing, **alone}.items()}


def _differing(paths: Sequence[tuple[Path, str]]) -> dict[Path, tuple[Diagnostic, ...]]:
    """The refusals of files, each given with its scope, that declare other settings for one hostname.

    Nothing is read for a single file; what is wrong with one is said elsewhere.
    """
    from cf_mtls.declare import files, resolve
    from cf_mtls.planning.host_settings import Declaring, differing

    declaring = []
    for path, scope in paths if len(paths) > 1 else ():
        try:
            declared = resolve.settings_of(files.alone(path))
        except Failure:
            continue
        settings = {address: found for address, (found, _) in declared.items()}
        places = {address: place for address, (_, place) in declared.items()}
        declaring.append(Declaring(str(path), scope, settings, places))
    refused = differing(declaring)
    return {path: refused[str(path)] for path, _ in paths if str(path) in refused}


def only_one(found: Found) -> None:
    """Raise Failure when the only file of a call could not be read."""
    if found.unread:
        raise Failure(list(found.unread.values()))


def account_for(found: Found, *, aside: bool = False) -> None:
    """Say last what the folders of the call hold: how many plan files, others, and such as could not be read.

    aside: among the messages, because stdout is JSON.
    """
    from cf_mtls.report.terminal import harmless

    if found.line:
        (console.say if aside else console.out)(harmless(found.line))


def worst(codes: Iterable[Exit], order: Sequence[Exit]) -> Exit:
    """The first code of the order that is among these; an error for a code that it does not name."""
    found = set(codes)
    return next((code for code in order if code in found), Exit.OK if not found else Exit.ERROR)
