"""One stack against the account: every difference, opening and end is a finding of its own class."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cf_mtls.diagnostics import Code, Fault, Place, Severity
from cf_mtls.model.coverage import Part, seen
from cf_mtls.model.ends import End
from cf_mtls.model.plan import NOTHING
from cf_mtls.model.resources import Address, HostnameSettings, Kind, Resource, Scope
from cf_mtls.model.state import State
from cf_mtls.planning.check import Known, findings, unread
from cf_mtls.planning.drift import Class
from cf_mtls.planning.planfile import saved_of
from cf_mtls.planning.saved import Saved
from cf_mtls.workflow import planned
from tests.planning.things import ANYONE, CERTIFICATE, END, app, app_at, ca, ca_at, policy

DECLARED = State({app_at("a.net"): app("a.net"), ca_at("1"): ca("1", "a.net")})
THERE = State({a: replace(r, id=str(a)) for a, r in DECLARED.items()})  # type: ignore[call-arg]
EARLY = END - timedelta(days=365)
MONTH = timedelta(days=30)


def found(actual: State, declared: State = DECLARED, **more: object) -> dict[Class, list[str]]:
    """The addresses of what is found, by class."""
    known = Known("f.yaml", "s", declared, **more)  # type: ignore[arg-type]
    seen: dict[Class, list[str]] = {}
    for finding in findings(known, actual, EARLY, MONTH):
        seen.setdefault(finding.kind, []).append(finding.address)
    return seen


def put(address: str, thing: Resource | None) -> State:
    at = app_at(address) if "." in address else ca_at(address)
    return THERE.put(at, thing)


@pytest.mark.parametrize(
    ("actual", "kinds"),
    [
        (THERE, {}),
        (put("a.net", None), {Class.DRIFT: ["application/a.net"]}),
        (
            put("a.net", replace(app("a.net", policy("deny", CERTIFICATE)), id="1")),
            {Class.DRIFT: ["application/a.net"]},
        ),
        (put("late.net", replace(app("late.net"), id="9")), {Class.DRIFT: ["application/late.net"]}),
        (put("a.net", replace(app("a.net", stack=None), id="1")), {Class.DRIFT: ["application/a.net"]}),
        (
            put("a.net/x", replace(app("a.net/x", ANYONE, stack=None), id="9")),
            {Class.WEAKENED: ["application/a.net/x"]},
        ),
        (put("2", replace(ca("2", "a.net", stack=None), id="9")), {Class.WEAKENED: ["certificate/2"]}),
        (put("2", replace(ca("2", "b.net", stack=None), id="9")), {Class.UNMANAGED: ["certificate/2"]}),
        (put("2", replace(ca("2", "b.net", stack="other"), id="9")), {}),
        (put("b.net", replace(app("b.net", ANYONE, stack=None), id="9")), {}),
    ],
)
def test_each_thing_is_found_once_in_its_class(actual: State, kinds: dict[Class, list[str]]) -> None:
    """What is ours and differs or is too many, what opens a door, what no stack declares; others' things are theirs."""
    assert found(actual) == kinds


LEFT = (
    ("certificate/2", put("2", replace(ca("2", "b.net", stack="gone"), id="9"))),
    ("application/b.net", put("b.net", replace(app("b.net", stack="gone"), id="9"))),
)


@pytest.mark.parametrize(("address", "actual"), LEFT, ids=["CA", "application"])
@pytest.mark.parametrize(
    ("stacks", "is_told"),
    [(None, False), (frozenset({"s"}), True), (frozenset({"s", "gone"}), False)],
    ids=["not every file", "none declares it", "one declares it"],
)
def test_what_a_stack_left_behind_is_unmanaged_where_every_file_was_read(
    address: str, actual: State, stacks: frozenset[str] | None, is_told: bool
) -> None:
    """In a run of one file the things of other stacks are nothing to be told, nor those of another scope."""
    assert found(actual, stacks=stacks) == ({Class.UNMANAGED: [address]} if is_told else {})
    at, thing = next((a, r) for a, r in actual.items() if str(a) == address)
    elsewhere = actual.put(at, replace(thing, elsewhere="zone:1"))  # type: ignore[call-arg]
    assert found(elsewhere, stacks=stacks) == {}
    if is_told:
        (seen,) = findings(Known("f.yaml", "s", DECLARED, stacks=stacks), actual, EARLY, MONTH)
        assert "the mark of stack gone" in seen.says


def test_what_another_stack_of_the_same_run_declares_is_not_unmanaged() -> None:
    """It knows its own."""
    actual = put("2", replace(ca("2", "b.net", stack=None), id="9"))
    assert found(actual, managed=frozenset({ca_at("2")})) == {}


@pytest.mark.parametrize(("days", "expires"), [(31, False), (30, True), (0, True), (-1, True)])
def test_what_ends_soon_is_found(days: int, expires: bool) -> None:
    """A CA that the file declares, and whatever else it knows the end of."""
    soon = EARLY + timedelta(days=days)
    ending = State({**DECLARED, ca_at("1"): ca("1", "a.net", expirations=(soon,))})
    actual = State({a: replace(r, id=str(a)) for a, r in ending.items()})  # type: ignore[call-arg]
    assert found(actual, ending) == ({Class.EXPIRING: ["certificate/1"]} if expires else {})
    assert found(THERE, ends=(End("token", soon),)) == ({Class.EXPIRING: ["token"]} if expires else {})


def test_without_an_applied_plan_nothing_is_pending() -> None:
    """Where the account is as the file said before its last commit, that is said beside the drift, and no more."""
    before = State({**DECLARED, app_at("a.net"): app("a.net", fields={"tags": ["x"]})})
    actual = put("a.net", replace(app("a.net", fields={"tags": ["x"]}), id="1"))
    wanted = State({**DECLARED, app_at("a.net"): app("a.net", fields={"tags": ["y"]})})
    for known, hinted in ((None, False), (before, True), (wanted, False)):
        assert found(actual, wanted, before=known) == {Class.DRIFT: ["application/a.net"]}
        (finding,) = findings(Known("p.yaml", "s", wanted, before=known), actual, EARLY, timedelta(0))
        assert ("if that was not applied yet" in finding.says) is hinted


@pytest.mark.parametrize(
    ("actual", "absent"),
    [
        (State(), True),
        (State({app_at("a.net"): app("a.net", stack=None, id="1")}), True),
        (State({app_at("a.net"): app("a.net", id="1")}), False),
        (State({app_at("b.net"): app("b.net", id="1")}), False),
        (State({app_at("b.net"): app("b.net", stack="other", id="1")}), True),
    ],
)
def test_a_stack_of_which_nothing_is_there(actual: State, absent: bool) -> None:
    """Never applied, or all removed: an alarm besides each difference; not with an applied plan, which tells."""
    wanted = State({app_at("a.net"): app("a.net")})
    for known, said in (
        (Known("p.yaml", "s", wanted), absent),
        (Known("p.yaml", "s", State()), False),
        (Known("p.yaml", "s", wanted, applied=(nothing_applied(),)), False),
    ):
        seen = findings(known, actual, EARLY, timedelta(0))
        assert ("stack/s" in {f.address for f in seen if f.kind is Class.DRIFT}) is said


def test_settings_alone_are_a_stack_too() -> None:
    """There as declared, also where the default is declared; not there; pinned things."""
    at, set_ = Address(Kind.SETTINGS, "a.net"), HostnameSettings("a.net", client_certificate_forwarding=True)
    assert found(State(), State({at: HostnameSettings("a.net")})) == {}
    assert found(State({at: set_}), State({at: set_})) == {}
    assert found(State(), State({at: set_})) == {Class.DRIFT: ["settings/a.net", "stack/s"]}
    with_app = State({at: set_, app_at("a.net"): app("a.net")})
    assert found(State({at: set_}), with_app) == {Class.DRIFT: ["application/a.net"]}
    pinned = State({app_at("a.net"): app("a.net", ANYONE, stack=None, id="1")})
    assert "stack/s" not in found(pinned, State({app_at("a.net"): app("a.net", id="1")}))[Class.DRIFT]


def nothing_applied() -> Saved:
    """The plan of a stack of which nothing was left."""
    return saved_of(planned("s", Scope("account", "0" * 32), State(), State(), NOTHING))


@pytest.mark.parametrize("part", Part)
def test_what_was_not_read_is_a_finding_with_its_reason(part: Part) -> None:
    """Each reason, once; a part that nobody looked at has none, and is named all the same."""
    why = GROUPS.found("no")
    refused = replace(ALL, unread={part: (why,)})
    (finding,) = unread(refused, Place("f"))
    assert (finding.kind, finding.address, "no" in finding.says) == (Class.UNCHECKED, "groups.unseen", True)
    (finding,) = unread(replace(ALL, read=ALL.read - {part}), Place("f"))
    assert (finding.kind, finding.address) == (Class.UNCHECKED, part)
    assert [*unread(ALL, Place("f"))] == []


ALL = seen(Part)
GROUPS = Code("groups.unseen", Severity.WARNING, Fault.INVOCATION, "groups cannot be read")
