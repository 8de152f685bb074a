"""What a drift check finds, by class; which of it is an alarm; the three states; the fingerprint.

Rules of this file:
- An alarm is a fact about the account that nobody declared. What is merely waiting or ending soon informs.
- A finding's digest holds no time, no counter and no id that changes by itself: two runs agree on it.
- What could not be checked is never "no drift", and never "drift" either.

Decision: .github/decisions/0010-drift-classes.md.
"""

from __future__ import annotations

from dataclasses import field, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from cf_mtls.diagnostics import Exit, Place
from cf_mtls.model.coverage import Coverage
from cf_mtls.model.ends import distance
from cf_mtls.model.plan import Action
from cf_mtls.planning.canon import meaning
from cf_mtls.planning.codec import digest
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from datetime import date, datetime

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.coverage import Whole
    from cf_mtls.model.ends import End
    from cf_mtls.model.plan import Change
    from cf_mtls.model.waiver import Waiver
    from cf_mtls.planning.grounds import Grounds


class Class(StrEnum):
    """What kind of finding it is; the value is how reports say it."""

    DRIFT = "drift"
    WEAKENED = "weakened"
    UNENFORCED = "unenforced"
    PENDING = "pending"
    EXPIRING = "expiring"
    UNMANAGED = "unmanaged"
    UNCHECKED = "could-not-check"


ALARMING = frozenset({Class.DRIFT, Class.WEAKENED, Class.UNENFORCED})
"""The classes that are alarms by themselves."""

URGENT = timedelta(days=7)
"""What ends within this is an alarm too: time enough to rotate a CA calmly, too short to wait longer."""


class Status(StrEnum):
    """The three states; a proven difference outranks a part that could not be checked."""

    CLEAN = "clean"
    ERROR = "error"
    DRIFT = "drift"


EXITS = {Status.CLEAN: Exit.OK, Status.ERROR: Exit.ERROR, Status.DRIFT: Exit.DIFFERENCES}

WORST_FIRST = (Status.DRIFT, Status.ERROR, Status.CLEAN)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found, so that a person can act on it and a machine can recognise it tomorrow."""

    kind: Class
    address: str
    says: str
    essence: str
    """What it is, in canonical text: the same as long as all of it is the same."""
    change: Change | None = None
    place: Place | None = None
    urgent: bool = False
    waiver: Waiver | None = None
    expired: Waiver | None = None
    """A waiver that held until its day passed."""
    unread: tuple[str, ...] = ()
    """What it rests on and was not read: whether it is what it was, nobody can say."""

    @property
    def digest(self) -> str:
        """Twelve hex digits that recognise it."""
        return digest([self.kind.value, self.address, self.essence])[:12]


def alarms(finding: Finding, alarming: frozenset[Class]) -> bool:
    """Whether somebody should be called; a waived finding is none."""
    return finding.waiver is None and (finding.kind in alarming or finding.urgent)


@dataclass(frozen=True, slots=True)
class Clean:
    """The claim that nothing of a stack is an alarm, and that this was decided.

    whole: that everything was read which it rests on. Raises ValueError where a finding alarms or is undecided.
    """

    findings: tuple[Finding, ...]
    alarming: frozenset[Class]
    whole: Whole

    def __post_init__(self) -> None:
        """Whatever makes one."""
        against = [f for f in self.findings if f.kind is Class.UNCHECKED or alarms(f, self.alarming)]
        if against:
            message = f"not clean: {against[0].kind} {against[0].address}"
            raise ValueError(message)

    @property
    def status(self) -> Status:
        """The only place that says it."""
        return Status.CLEAN


@dataclass(frozen=True, slots=True)
class Checked:
    """One stack as checked: what was found, which classes alarm, which waivers covered nothing."""

    file: str
    stack: str
    scope: str
    findings: tuple[Finding, ...] = ()
    alarming: frozenset[Class] = ALARMING
    unused: tuple[Waiver, ...] = ()
    notes: tuple[Diagnostic, ...] = ()
    turned: frozenset[str] = frozenset()
    """The hosts that are open or shut otherwise than declared: `open HOST`, `shut HOST`."""
    coverage: Coverage = field(default_factory=Coverage)
    """What was looked at; nothing unless somebody says so."""

    def is_alarm(self, finding: Finding) -> bool:
        """Whether somebody should be called; a waived finding is none."""
        return alarms(finding, self.alarming)

    @property
    def status(self) -> Status:
        """Of the three states, the one that this is: the one place that decides it."""
        if any(map(self.is_alarm, self.findings)):
            return Status.DRIFT
        if any(f.kind is Class.UNCHECKED for f in self.findings) or not (whole := self.coverage.whole()):
            return Status.ERROR
        return Clean(self.findings, self.alarming, whole).status

    @property
    def is_whole(self) -> bool:
        """Whether everything could be checked."""
        return self.coverage.is_complete and not any(f.kind is Class.UNCHECKED for f in self.findings)

    @property
    def fingerprint(self) -> str:
        """64 hex digits over the alarms in any order, '' when there are none."""
        alarms = sorted(f.digest for f in self.findings if self.is_alarm(f))
        return digest(alarms) if alarms else ""


def confirmed(first: Checked, again: Checked) -> Checked:
    """The second of two reads, in which an alarm of one of them alone is a change under way: could not be told.

    An alarm stands when both have one of its class at its address; and all of the second do where a host is open, or
    shut, against what is declared in both, whatever else moved. What could not be read again confirms nothing away.
    """
    if not again.is_whole and first.status is Status.DRIFT and again.status is not Status.DRIFT:
        return first
    before, after = ({(f.kind, f.address): f for f in c.findings if c.is_alarm(f)} for c in (first, again))
    stands = bool(first.turned & again.turned)
    passing = [f for key, f in before.items() if key not in after]
    passing += [f for key, f in after.items() if key not in before and not stands]
    rest = (f for f in again.findings if f not in passing)
    return replace(again, findings=(*rest, *map(_under_way, passing)))


def _under_way(finding: Finding) -> Finding:
    says = f"a change under way, found by one of two reads alone: {finding.kind}: {finding.says}"
    return replace(finding, kind=Class.UNCHECKED, says=says, urgent=False)


def worst(statuses: Iterable[Status]) -> Status:
    """The state of several stacks together; of none could-not-check, for nothing was looked at."""
    found = set(statuses)
    return next((status for status in WORST_FIRST if status in found), Status.ERROR)


WORDS = {
    Action.CREATE: "is declared and not there",
    Action.UPDATE: "is not as declared",
    Action.DELETE: "carries this stack's mark and is not declared",
}


def of_change(change: Change, kind: Class, place: Place | None, grounds: Grounds) -> Finding:
    """A difference between file and account. grounds: what decides there today."""
    names = f": {', '.join(change.attributes)}" if change.action is Action.UPDATE else ""
    says, essence = WORDS[change.action] + names, _essence(change, grounds)
    return Finding(kind, str(change.address), says, essence, change, place, unread=grounds.unread)


def _essence(change: Change, grounds: Grounds) -> str:
    before = meaning(change.before) if change.before else {}
    after = meaning(change.after) if change.after else {}
    differing = {name: [before.get(name), after.get(name)] for name in change.attributes}
    return digest([change.action.value, differing, grounds.content])


def of_diagnostic(
    found: Diagnostic,
    kind: Class,
    addresses: Collection[str],
    place: Place,
    grounds: Callable[[str], Grounds] | None = None,
) -> Finding:
    """A diagnostic as a finding at whichever of these addresses it speaks of, else at its code.

    grounds: what it rests on at such an address.
    """
    named = [a for a in addresses if found.detail.startswith((f"{a} ", f"{a}:"))]
    address = max(named, key=len, default=found.code.code)
    says = f"{found.code.summary}: {found.detail}"
    there = grounds(address) if grounds and named else None
    essence, unread = (f"{found.code.code} {there.content}", there.unread) if there else (found.code.code, ())
    return Finding(kind, address, says, essence, place=found.place or place, unread=unread)


def ending(end: End, now: datetime, within: timedelta, place: Place | None) -> list[Finding]:
    """What ends within a time, or has ended; nothing for what lasts longer. now: aware.

    What is urgent is found whatever the time. The very moment of the end is still valid: RFC 5280, 4.1.2.5.
    """
    left = end.at - now
    if left > max(within, URGENT):
        return []
    word = "ends" if left >= timedelta(0) else "ended"
    what = f"{end.what} " if end.what else ""
    says = f"{what}{word} on {end.at:%Y-%m-%d}, {distance(end.at, now)}"
    essence = f"{what}ends {end.at.isoformat()}"
    return [Finding(Class.EXPIRING, end.address, says, essence, place=place, urgent=left <= URGENT)]


NO_OPENINGS = frozenset({Class.PENDING, Class.EXPIRING, Class.UNMANAGED})
"""The classes in which nobody gets in who should not: what a waiver covers that names no difference."""


def waived(
    findings: Sequence[Finding], waivers: Sequence[Waiver], today: date
) -> tuple[tuple[Finding, ...], tuple[Waiver, ...]]:
    """The findings with the waiver that holds for each, and the waivers at whose address nothing of theirs was found.

    today: in UTC. An expired waiver excuses nothing; what could not be checked cannot be waived, and a waived one that
    rests on what was not read could not be checked.
    """
    met: set[Waiver] = set()
    marked = []
    for finding in findings:
        named = [w for w in waivers if w.address == finding.address and finding.kind is not Class.UNCHECKED]
        if finding.unread and any(w.until >= today for w in named):
            met |= set(named)
            marked.append(_cannot_tell(finding))
            continue
        fitting = [w for w in named if _fits(w, finding)]
        broad = [w for w in named if w.finding is None and w not in fitting]
        met |= {*fitting, *broad}
        valid = next((w for w in fitting if w.until >= today), None)
        expired = None if valid else next(iter(fitting), None)
        says = finding.says if valid or not broad else f"{finding.says}\n{_too_broad(finding)}"
        marked.append(replace(finding, waiver=valid, expired=expired, says=says))
    return tuple(marked), tuple(w for w in waivers if w not in met)


def _fits(waiver: Waiver, finding: Finding) -> bool:
    """Whether a waiver at the address of a finding is for it."""
    return waiver.finding == finding.digest or (waiver.finding is None and finding.kind in NO_OPENINGS)


def _too_broad(finding: Finding) -> str:
    return (
        f"Its waiver names no difference, and {finding.kind} is waived one by one: finding: {finding.digest}"
    )


def _cannot_tell(finding: Finding) -> Finding:
    says = (
        f"whether its waiver still covers it cannot be told, for {', '.join(finding.unread)} was not read: "
        f"{finding.kind}: {finding.says}"
    )
    return replace(finding, kind=Class.UNCHECKED, says=says, urgent=False)
