"""What leaves the account because the file says so by id: entries of `removed`, and pinned things when all of it goes.

Rules of this file:
- An imported thing carries no mark, so that it leaves the file cannot be seen: `removed` says it, as Terraform's block.
- Only CAs and applications of the plan's own scope; never what carries another stack's mark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.diagnostics import Code, Fault, Severity
from cf_mtls.model.marks import stack_of
from cf_mtls.model.resources import AccessApplication, CaCertificate
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.plan import Removed
    from cf_mtls.model.resources import Address
    from cf_mtls.model.state import State

ABSENT = Code("removed.absent", Severity.WARNING, Fault.FILE, "a removed id is not in the account")
ELSEWHERE = Code("removed.elsewhere", Severity.ERROR, Fault.FILE, "a removed id lives in another scope")
OTHER_STACK = Code("removed.other-stack", Severity.ERROR, Fault.FILE, "a removed id is of another stack")


@dataclass(frozen=True, slots=True)
class Leaving:
    """What becomes of the ids that a file lists as removed."""

    gone: frozenset[Address]
    """They are deleted."""
    kept: frozenset[Address]
    """They stay as they are, whatever mark they carry."""
    diagnostics: tuple[Diagnostic, ...]


def leaving(removed: Sequence[Removed], actual: State, stack: str) -> Leaving:
    """What the entries of `removed` mean for an account, and which of them cannot be done."""
    found: dict[str | None, tuple[Address, CaCertificate | AccessApplication]] = {}
    for address, there in actual.items():
        if isinstance(there, CaCertificate | AccessApplication):
            found[there.id] = (address, there)
    wrong = {entry.id: list(_wrong(entry, found.get(entry.id), stack)) for entry in removed}
    fit = [(entry, found[entry.id][0]) for entry in removed if entry.id in found and not wrong[entry.id]]
    return Leaving(
        frozenset(address for entry, address in fit if entry.destroy),
        frozenset(address for entry, address in fit if not entry.destroy),
        tuple(diagnostic for found_wrong in wrong.values() for diagnostic in found_wrong),
    )


def _wrong(
    entry: Removed, found: tuple[Address, CaCertificate | AccessApplication] | None, stack: str
) -> Iterator[Diagnostic]:
    """Why an entry cannot be done; nothing when it can."""
    if found is None:
        if entry.destroy:
            detail = (
                f"{entry.id} is no CA and no application of this account: it is gone already, or never was."
            )
            yield _at(entry, ABSENT.found(detail, "Take the entry out of removed."))
        return
    address, there = found
    owner = stack_of(there.name)
    if there.elsewhere:
        detail = f"{address}, named {there.name} (id {entry.id}), lives in {there.elsewhere}."
        yield _at(entry, ELSEWHERE.found(detail, "Remove it with a file of that scope."))
    elif owner not in {None, stack}:
        detail = f"{address}, named {there.name} (id {entry.id}), carries the mark of the stack {owner}."
        yield _at(entry, OTHER_STACK.found(detail, "Take it out of that stack's own file."))


def _at(entry: Removed, diagnostic: Diagnostic) -> Diagnostic:
    return diagnostic.at(entry.place) if entry.place else diagnostic
