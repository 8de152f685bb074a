"""What a drift check says: which finding is an alarm, what a waiver excuses and until when, which state wins."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from cf_mtls.diagnostics import Code, Exit, Fault, Place, Severity
from cf_mtls.model.coverage import seen
from cf_mtls.model.ends import End
from cf_mtls.model.plan import Action, Change
from cf_mtls.model.waiver import Waiver
from cf_mtls.planning.drift import (
    ALARMING,
    EXITS,
    Checked,
    Class,
    Finding,
    Status,
    confirmed,
    ending,
    of_change,
    of_diagnostic,
    waived,
    worst,
)
from cf_mtls.planning.grounds import Grounds
from tests.planning.things import app, app_at

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TODAY = NOW.date()
DAY = timedelta(days=1)
AT = "application/a.net"


def finding(kind: Class = Class.DRIFT, address: str = AT, essence: str = "x", **more: bool) -> Finding:
    return Finding(kind, address, "says", essence, **more)


def waiver(until: date = TODAY, address: str = AT, of: Finding | None = None) -> Waiver:
    return Waiver(address, "known", "us", until, (of or finding()).digest)


def checked(*findings: Finding) -> Checked:
    return Checked("f.yaml", "s", "account:1", findings, coverage=seen(["all"]))


@pytest.mark.parametrize("kind", Class)
def test_what_nobody_declared_is_an_alarm_and_the_rest_informs(kind: Class) -> None:
    """Drift, a weakened URL and one that is not enforced; what waits or ends some day is none, unless it is urgent."""
    alarm = kind in {Class.DRIFT, Class.WEAKENED, Class.UNENFORCED}
    assert checked().is_alarm(finding(kind)) is alarm is (kind in ALARMING)
    assert checked().is_alarm(finding(kind, urgent=True))
    assert not checked().is_alarm(replace(finding(kind, urgent=True), waiver=waiver(of=finding(kind))))


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        ([], Status.CLEAN),
        ([Class.PENDING, Class.EXPIRING, Class.UNMANAGED], Status.CLEAN),
        ([Class.UNCHECKED], Status.ERROR),
        ([Class.UNCHECKED, Class.EXPIRING], Status.ERROR),
        ([Class.UNCHECKED, Class.DRIFT], Status.DRIFT),
        ([Class.WEAKENED], Status.DRIFT),
        ([Class.UNENFORCED], Status.DRIFT),
    ],
)
def test_the_three_states(kinds: list[Class], status: Status) -> None:
    """What could not be checked is never clean, and never hides a difference that was seen."""
    found = checked(*map(finding, kinds))
    assert found.status is status
    assert found.is_whole is (Class.UNCHECKED not in kinds)
    assert bool(found.fingerprint) is (status is Status.DRIFT)


def test_of_several_stacks_the_worst_counts() -> None:
    """Drift before could-not-check before clean; each with its own exit code."""
    clean, error, drift = Status.CLEAN, Status.ERROR, Status.DRIFT
    assert (worst([]), worst([clean]), worst([clean, error])) == (error, clean, error)
    assert worst([error, drift, clean]) is drift
    assert [EXITS[s] for s in (clean, error, drift)] == [Exit.OK, Exit.ERROR, Exit.DIFFERENCES]


@pytest.mark.parametrize(
    ("until", "holds"), [(TODAY + DAY, True), (TODAY, True), (TODAY - DAY, False), (date(2020, 1, 1), False)]
)
def test_a_waiver_holds_through_its_last_day_and_no_longer(until: date, holds: bool) -> None:
    """Afterwards the finding is an alarm again and says whose waiver has run out."""
    (marked,), unused = waived([finding()], [waiver(until)], TODAY)
    assert (marked.waiver, marked.expired) == ((waiver(until), None) if holds else (None, waiver(until)))
    assert checked(marked).status is (Status.CLEAN if holds else Status.DRIFT)
    assert unused == ()


def test_what_could_not_be_checked_cannot_be_waived() -> None:
    """A waiver is for a difference that somebody has seen; the stack stays unchecked."""
    known = waiver(of=finding(Class.UNCHECKED))
    (marked,), unused = waived([finding(Class.UNCHECKED)], [known], TODAY)
    assert marked.waiver is None
    assert checked(marked).status is Status.ERROR
    assert unused == (known,)


def test_a_waiver_covers_the_one_difference_that_it_names() -> None:
    """Another address, or another difference at the same one, is not excused; the waiver is then reported as unused."""
    one, other, elsewhere = finding(), finding(essence="y"), finding(address="application/b.net")
    marked, unused = waived([one, other, elsewhere], [waiver(of=one)], TODAY)
    assert [bool(f.waiver) for f in marked] == [True, False, False]
    stale = waiver(address="application/gone.net")
    assert (unused, waived([one], [stale], TODAY)[1]) == ((), (stale,))
    assert waived([other], [waiver(of=one)], TODAY)[1] == (waiver(of=one),)


@pytest.mark.parametrize("kind", [k for k in Class if k is not Class.UNCHECKED])
def test_a_waiver_that_names_no_difference_covers_nothing_that_opens(kind: Class) -> None:
    """Only what ends, waits or is nobody's; for anything else the finding says what to write, and stays an alarm."""
    broad = replace(waiver(), finding=None)
    (marked,), unused = waived([finding(kind)], [broad], TODAY)
    covers = kind in {Class.PENDING, Class.EXPIRING, Class.UNMANAGED}
    assert (bool(marked.waiver), unused) == (covers, ())
    assert (f"finding: {finding(kind).digest}" in marked.says) is not covers
    assert marked.digest == finding(kind).digest
    (both,), _ = waived([finding(kind)], [broad, waiver(of=finding(kind))], TODAY)
    assert (bool(both.waiver), both.says) == (True, "says")


@pytest.mark.parametrize("until", [TODAY, TODAY - DAY])
@pytest.mark.parametrize("named", [True, False])
def test_a_waived_difference_that_rests_on_what_was_not_read_could_not_be_checked(
    until: date, named: bool
) -> None:
    """Whatever the waiver names; without one that still holds it is the alarm that it is."""
    unread = replace(finding(Class.WEAKENED), unread=("group/g",))
    known = replace(waiver(until, of=unread), finding=unread.digest if named else "0" * 12)
    (marked,), unused = waived([unread], [known], TODAY)
    holds = until == TODAY
    assert checked(marked).status is (Status.ERROR if holds else Status.DRIFT)
    assert (marked.waiver, "group/g" in marked.says, unused == ()) == (None, holds, holds or named)


def test_an_expired_waiver_yields_to_one_that_holds() -> None:
    """Whichever stands first."""
    for waivers in ([waiver(TODAY - DAY), waiver()], [waiver(), waiver(TODAY - DAY)]):
        (marked,), _ = waived([finding()], waivers, TODAY)
        assert (marked.waiver, marked.expired) == (waiver(), None)


def test_a_digest_recognises_one_difference() -> None:
    """Class, address and content are in it; what the finding says in words is not."""
    plain = finding()
    others = {finding(Class.PENDING), finding(address="application/b.net"), finding(essence="y")}
    assert len({f.digest for f in (plain, *others)}) == 4
    assert replace(plain, says="other words").digest == plain.digest


def test_the_fingerprint_is_over_the_alarms_alone() -> None:
    """In any order; what merely informs, or is waived, does not change it."""
    one, other = finding(), finding(address="application/b.net")
    print_ = checked(one, other).fingerprint
    assert checked(other, one, finding(Class.EXPIRING)).fingerprint == print_
    assert checked(one).fingerprint not in {print_, ""}
    assert checked(one, replace(other, waiver=waiver())).fingerprint == checked(one).fingerprint


def test_a_differences_digest_tells_both_sides() -> None:
    """From what and to what: a value that moved on is another difference."""
    sides = [app("a.net", fields={"session_duration": f"{hours}h"}) for hours in (1, 2, 3)]
    changes = [
        Change(app_at("a.net"), Action.UPDATE, sides[one], sides[two], ("session_duration",))
        for one, two in ((0, 2), (1, 2), (0, 1))
    ]
    assert len({of_change(change, Class.DRIFT, None, Grounds("")).digest for change in changes}) == 3
    assert len({of_change(changes[0], Class.DRIFT, None, Grounds(g)).digest for g in ("one", "other")}) == 2


def test_what_nobody_looked_at_is_not_whole() -> None:
    """Without a finding, too."""
    assert checked().is_whole
    assert not Checked("f.yaml", "s", "account:1").is_whole


SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
ENDS = [
    (31 * DAY, None, False),
    (30 * DAY + SECOND, None, False),
    (30 * DAY, "ends, in 30 days", False),
    (8 * DAY, "ends, in 8 days", False),
    (7 * DAY + SECOND, "ends, in 7 days", False),
    (7 * DAY, "ends, in 7 days", True),
    (7 * DAY - SECOND, "ends, in 6 days", True),
    (2 * DAY, "ends, in 2 days", True),
    (2 * DAY - SECOND, "ends, in 1 day", True),
    (DAY, "ends, in 1 day", True),
    (DAY - SECOND, "ends, in 23 hours", True),
    (HOUR, "ends, in 1 hour", True),
    (HOUR - SECOND, "ends, in 59 minutes", True),
    (60 * SECOND, "ends, in 1 minute", True),
    (SECOND, "ends, in less than a minute", True),
    (0 * DAY, "ends, in less than a minute", True),
    (-SECOND, "ended, less than a minute ago", True),
    (-60 * SECOND, "ended, 1 minute ago", True),
    (-HOUR, "ended, 1 hour ago", True),
    (-(DAY - SECOND), "ended, 23 hours ago", True),
    (-DAY, "ended, 1 day ago", True),
    (-(2 * DAY - SECOND), "ended, 1 day ago", True),
    (-2 * DAY, "ended, 2 days ago", True),
    (-900 * DAY, "ended, 900 days ago", True),
]
"""How much is left, what is said with a window of thirty days, and whether it is urgent."""


@pytest.mark.parametrize(("left", "said", "urgent"), ENDS)
def test_what_ends_is_said_to_the_second(left: timedelta, said: str | None, urgent: bool) -> None:
    """At the end of the window and at the very moment it counts; never more than is left or has passed."""
    seen = ending(End("client/jean", NOW + left), NOW, 30 * DAY, None)
    assert [f.urgent for f in seen] == ([urgent] if said else [])
    if said:
        word, far = said.split(", ")
        assert seen[0].says == f"{word} on {NOW + left:%Y-%m-%d}, {far}"


@pytest.mark.parametrize("within", [0, 3, 6, 7, 8, 30, 36500])
@pytest.mark.parametrize(("left", "said", "urgent"), ENDS)
def test_no_window_hides_what_is_urgent(left: timedelta, said: str | None, urgent: bool, within: int) -> None:
    """What alarms is found whatever is asked for; the rest as it was asked."""
    seen = ending(End("client/jean", NOW + left), NOW, within * DAY, None)
    assert bool(seen) is (urgent or left <= within * DAY)


def test_each_end_at_an_address_is_a_finding_of_its_own() -> None:
    """Another certificate, or another moment, is another digest."""
    ends = [End("a", NOW), End("a", NOW, "CN=x"), End("a", NOW + SECOND), End("b", NOW)]
    found = [f for end in ends for f in ending(end, NOW, DAY, None)]
    assert len({f.digest for f in found}) == 4
    assert found[1].says.startswith("CN=x ends on ")


def test_a_diagnostic_stands_at_the_address_it_speaks_of() -> None:
    """The longest that fits as a whole word: a.net/x is not a.net; without one, at its code."""
    code = Code("some.code", Severity.ERROR, Fault.ACCOUNT, "it happened")
    addresses = {"application/a.net", "application/a.net/x"}
    for detail, address in {
        "application/a.net is there.": "application/a.net",
        "application/a.net/x: is there.": "application/a.net/x",
        "application/a.network is there.": "some.code",
        "Something else.": "some.code",
    }.items():
        assert of_diagnostic(code.found(detail), Class.DRIFT, addresses, Place("f")).address == address


# Confirmed by a second read

BESIDE = "application/b.net"
HERE, THERE, UNREAD = finding(), finding(address=BESIDE), finding(Class.UNCHECKED, "permission.missing")
WEAK, WAITING = finding(Class.WEAKENED), finding(Class.PENDING)
PASSING = "could-not-check"


@pytest.mark.parametrize(
    ("first", "again", "kinds"),
    [
        ([HERE], [HERE], {(AT, "drift")}),
        ([HERE], [finding(essence="another difference")], {(AT, "drift")}),
        ([HERE], [], {(AT, PASSING)}),
        ([], [HERE], {(AT, PASSING)}),
        ([HERE], [THERE], {(AT, PASSING), (BESIDE, PASSING)}),
        ([HERE], [HERE, THERE], {(AT, "drift"), (BESIDE, PASSING)}),
        ([HERE, THERE], [HERE], {(AT, "drift"), (BESIDE, PASSING)}),
        ([HERE], [WAITING], {(AT, "pending"), (AT, PASSING)}),
        ([WAITING], [], set()),
        ([finding(Class.EXPIRING, urgent=True)], [], {(AT, PASSING)}),
        ([HERE], [UNREAD], {(AT, "drift")}),
        ([HERE], [THERE, UNREAD], {(AT, PASSING), (BESIDE, PASSING), (UNREAD.address, PASSING)}),
        ([UNREAD], [UNREAD], {(UNREAD.address, PASSING)}),
    ],
)
def test_an_alarm_stands_when_both_reads_have_it(
    first: list[Finding], again: list[Finding], kinds: set[tuple[str, str]]
) -> None:
    """One of its class at its address; what one read alone has is a change under way, which is no verdict."""
    found = confirmed(checked(*first), checked(*again))
    assert {(f.address, f.kind.value) for f in found.findings} == kinds
    assert not any(f.urgent for f in found.findings if f.kind is Class.UNCHECKED)


def test_two_alarms_at_one_address_are_two() -> None:
    """A weakened URL in one read does not confirm a difference in the other."""
    found = confirmed(checked(HERE), checked(WEAK))
    assert [f.kind for f in found.findings] == [Class.UNCHECKED, Class.UNCHECKED]
    assert found.status is Status.ERROR
    assert all("one of two reads" in f.says for f in found.findings)


@pytest.mark.parametrize(
    ("before", "after", "stands"),
    [
        ({"open a.net"}, {"open a.net"}, True),
        ({"open a.net", "shut b.net"}, {"open a.net"}, True),
        ({"open a.net"}, {"shut a.net"}, False),
        ({"open a.net"}, set(), False),
        (set(), {"open a.net"}, False),
    ],
)
def test_an_open_host_stands_whatever_else_moved(before: set[str], after: set[str], stands: bool) -> None:
    """Open in both reads, by another difference in each: all alarms of the second are alarms."""
    one, two = (replace(checked(f), turned=frozenset(t)) for f, t in ((HERE, before), (THERE, after)))
    found = confirmed(one, two)
    assert [(f.address, f.kind) for f in found.findings] == (
        [(BESIDE, Class.DRIFT), (AT, Class.UNCHECKED)]
        if stands
        else [(AT, Class.UNCHECKED), (BESIDE, Class.UNCHECKED)]
    )
