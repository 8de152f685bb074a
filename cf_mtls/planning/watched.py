"""What our applications rest on and no plan file holds: reusable policies and groups, and how they let clients down.

Rules of this file:
- A file names a reusable policy or a group and says nothing of its rules. What those were is known from the plan that
  was applied last; without it nobody can tell whether they moved, and that is said.
- What the file demands of its clients is decided by what is there, whoever moved it, where applying the file would not
  mend it; what it would is a difference already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.diagnostics import Code, Fault, Place, Severity
from cf_mtls.model.people import Expected
from cf_mtls.model.resources import Kind
from cf_mtls.planning import codec
from cf_mtls.planning.admission import standings
from cf_mtls.planning.drift import Class, Finding
from cf_mtls.planning.reliance import referred

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.resources import Address, Resource
    from cf_mtls.model.state import State
    from cf_mtls.planning.admission import People
    from cf_mtls.planning.saved import Saved

NOT_RECORDED = Code(
    "access.rules-not-recorded",
    Severity.NOTE,
    Fault.INVOCATION,
    "rules kept elsewhere are compared with nothing",
)


WANTED: Mapping[Expected | None, bool] = {Expected.ALLOWED: True, Expected.REFUSED: False}
"""Whether a client must get in, by what the file demands; it demands nothing else."""


def moved(ours: Iterable[Resource], actual: State, applied: Sequence[Saved], file: str) -> Iterator[Finding]:
    """What of these the last applied plan relied on and is otherwise now, or gone.

    ours: what the account has of what the file declares.
    """
    relied = applied[-1].relied_on if applied else {}
    there = referred(ours, actual)
    for address, then in relied.items():
        if address.kind not in {Kind.POLICY, Kind.GROUP}:
            continue
        if address in there and codec.standing(there[address]) != then:
            says = "is not as it was when the last plan was applied, and applications of this file rest on it"
            yield Finding(Class.DRIFT, str(address), says, codec.standing(there[address]), place=Place(file))
    for address in there:
        if applied and address not in relied:
            says = "is new since the last plan was applied, and applications of this file rest on it"
            yield Finding(Class.DRIFT, str(address), says, codec.standing(there[address]), place=Place(file))


def unrecorded(ours: Iterable[Resource], actual: State, applied: Sequence[Saved]) -> tuple[Address, ...]:
    """What these refer to of which nobody can tell whether it moved: all of it, where there is no applied plan."""
    return () if applied else tuple(sorted(referred(ours, actual)))


def not_recorded(there: Sequence[Address]) -> Iterator[Diagnostic]:
    """That nobody can tell whether these moved. there: as of `unrecorded`."""
    if there:
        listed = ", ".join(map(str, there))
        detail = (
            f"{listed}: the file says nothing of their rules, so only that they let anyone in, or a declared client"
            " down, is an alarm."
        )
        yield NOT_RECORDED.found(detail, "Name the plan that was applied last:\n    --applied PLANFILE")


def let_down(people: People, actual: State, desired: State, file: str) -> Iterator[Finding]:
    """Each declared client that is treated otherwise than the file demands, though the file were applied.

    An expired certificate is another finding. Not told of: clients whose files are not here.
    """
    for standing in standings(people, actual, desired):
        new = {case.outcome for _, case in standing.cases}
        inside = {outcome.lets_in for outcome in new}
        wanted = WANTED.get(standing.expected)
        if wanted is None or standing.fault or wanted in inside:
            continue
        name, word = standing.client.name, "get in" if wanted else "be refused"
        outcomes = " or ".join(sorted(outcome.value for outcome in new))
        says = f"{name} must {word} at {standing.url}, and applying the file would not mend it: {outcomes}"
        place = people.places.get(name, Place(file))
        yield Finding(Class.UNENFORCED, f"proof/{standing.url} {name}", says, outcomes, place=place)
