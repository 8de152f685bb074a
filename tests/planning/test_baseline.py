"""Whose move was it: only what is as it was left, or as the file before said, is the file's own move."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cf_mtls.model.frozen import freeze_object
from cf_mtls.model.plan import Removed
from cf_mtls.model.resources import (
    AccessApplication,
    AccessPolicy,
    Address,
    HostnameSettings,
    Kind,
    Resource,
    Scope,
    public,
)
from cf_mtls.model.state import State
from cf_mtls.planning.baseline import as_applied, as_declared_before, pending
from cf_mtls.planning.check import Known, findings
from cf_mtls.planning.diff import diff
from cf_mtls.planning.ownership import merge
from cf_mtls.planning.planfile import saved_of
from cf_mtls.planning.saved import Saved
from cf_mtls.workflow import Allowed, planned
from tests.planning.things import ANYONE, CERTIFICATE, END, app, app_at, ca, ca_at, policy, rule

SCOPE = Scope("account", "0123456789abcdef0123456789abcdef")
AT = app_at("a.net")
SETTINGS = Address(Kind.SETTINGS, "a.net")
FORWARDING = HostnameSettings("a.net", client_certificate_forwarding=True)
ALLOWED = Allowed(delete=9)
TAGGED, RETAGGED = (app("a.net", fields={"tags": [tag]}, id="1") for tag in "xy")
CA = ca("1" * 32, "a.net", id="c", sha256="1" * 64, pem="PEM")
CA_AT = ca_at("1" * 32)


def applied(actual: State, declared: State) -> Saved:
    """A plan as it was saved and applied."""
    return saved_of(planned("s", SCOPE, declared, actual, ALLOWED))


def pending_of(
    saved: Saved | list[Saved], now: State, wanted: State, *removed: Removed
) -> dict[Address, set[str]]:
    """What is pending in an account after these plans, by a file of today, with the attributes."""
    merged = merge(wanted, now, "s", removed=removed)
    left = as_applied([saved] if isinstance(saved, Saved) else saved, now)
    assert left is not None
    found = pending(left, merged, now, diff(now, merged.desired), "s")
    return {address: set(names) for address, names in found.items()}


WAS = State({AT: TAGGED, CA_AT: CA})


@pytest.mark.parametrize(
    ("there", "waiting"),
    [
        (RETAGGED, {"tags"}),
        (replace(RETAGGED, policies=(ANYONE,)), {"tags"}),
        (TAGGED, set()),
        (replace(RETAGGED, name="renamed"), set()),
        (None, set()),
    ],
)
def test_what_the_plan_changed_must_be_as_it_left_it(there: Resource | None, waiting: set[str]) -> None:
    """Then a difference is the file's; anything else there is the account's, also what was there before."""
    saved = applied(WAS, WAS.put(AT, replace(RETAGGED, id=None)))
    now = WAS.put(AT, there)
    wanted = WAS.put(AT, app("a.net", fields={"tags": ["z"]}))
    assert pending_of(saved, now, wanted).get(AT, set()) == waiting


@pytest.mark.parametrize(("policies", "waiting"), [(TAGGED.policies, {"tags"}), ((ANYONE,), {"tags"})])
def test_what_the_plan_relied_on_must_be_as_it_saw_it(
    policies: tuple[AccessPolicy, ...], waiting: set[str]
) -> None:
    """A thing of ours that it left alone."""
    saved = applied(WAS, WAS.put(SETTINGS, FORWARDING))
    now = WAS.put(SETTINGS, FORWARDING).put(AT, replace(TAGGED, policies=policies))
    wanted = now.put(AT, app("a.net", fields={"tags": ["z"]}))
    assert pending_of(saved, now, wanted).get(AT, set()) == waiting


def test_what_the_plan_never_saw_is_pending_only_while_it_is_not_there() -> None:
    """New in the file: the file's move. Appeared in the account: not."""
    saved = applied(State(), State({SETTINGS: FORWARDING}))
    now = State({SETTINGS: FORWARDING})
    assert set(pending_of(saved, now, now.put(AT, app("a.net")))) == {AT}
    grown = now.put(AT, app("a.net", ANYONE, id="9"))
    assert pending_of(saved, grown, now.put(AT, app("a.net"))) == {}


def test_settings_that_say_nothing_are_as_good_as_none() -> None:
    """A plan that reset them left nothing there."""
    was = State({AT: TAGGED, SETTINGS: FORWARDING})
    saved = applied(was, State({AT: TAGGED, SETTINGS: HostnameSettings("a.net")}))
    now = State({AT: TAGGED})
    assert set(pending_of(saved, now, now.put(SETTINGS, FORWARDING))) == {SETTINGS}
    set_ = now.put(SETTINGS, FORWARDING)
    assert pending_of(saved, set_, now.put(SETTINGS, HostnameSettings("a.net"))) == {}


def test_a_ca_that_is_gone_is_not_as_it_was_left() -> None:
    """Deleting what a plan made is the account's move."""
    bare = replace(CA, associated_hostnames=())
    saved = applied(State({CA_AT: bare}), State({CA_AT: CA}))
    now = State()
    wanted = State({CA_AT: replace(CA, id=None)})
    assert pending_of(saved, now, wanted) == {}


def test_by_the_previous_file_a_difference_is_only_likely_to_be_pending() -> None:
    """Named where the account is as that said; not where it moved since."""
    was, wanted = (State({AT: app("a.net", fields={"tags": [tag]})}) for tag in "xz")
    for tag, likely in (("x", {AT}), ("q", set())):
        now = State({AT: app("a.net", id="1", fields={"tags": [tag]})})
        changes = diff(now, merge(wanted, now, "s").desired)
        assert as_declared_before("s", was, now, changes) == likely


def test_what_targets_leave_out_is_no_part_of_what_is_applied() -> None:
    """Whether it was ever applied is not known: neither a thing that is to be made, nor one that is to change or go."""
    one, other = app_at("a.net"), app_at("b.net")
    wanted = State({one: app("a.net"), other: app("b.net")})
    for there in (State(), State({other: app("b.net", ANYONE, id="1")})):
        made = planned("s", SCOPE, wanted, there, Allowed(targets=frozenset({one})))
        assert list(saved_of(made).applied) == [one]
    gone = State({one: app("a.net"), other: app("b.net", id="1")})
    made = planned("s", SCOPE, State({one: app("a.net")}), gone, Allowed(targets=frozenset({one})))
    assert list(saved_of(made).applied) == [one]


def test_what_is_destroyed_is_not_there_once_it_is_applied() -> None:
    """Nothing that the file declares, and what somebody else has at its place is none of ours."""
    one, other = app_at("a.net"), app_at("b.net")
    wanted = State({one: app("a.net"), other: app("b.net")})
    there = State({one: app("a.net", id="1"), other: app("b.net", stack=None, id="2")})
    assert dict(saved_of(planned("s", SCOPE, wanted, there, ALLOWED, destroy=True)).applied) == {}


B_AT, HOLE = app_at("b.net"), {"options_preflight_bypass": True}
NAMED = app("a.net", policy("non_identity", CERTIFICATE, require=(rule("common_name", common_name="x"),)))
OURS = State({AT: app("a.net", id="1"), B_AT: app("b.net", id="2")})


def left_by(actual: State, wanted: State, **more: object) -> Saved:
    """The plan that was applied, with more of what can be said to a plan."""
    given = {"allowed": ALLOWED, **more}
    return saved_of(planned("s", SCOPE, wanted, actual, **given))  # type: ignore[arg-type]


def of_file(state: State) -> State:
    """As a file declares it: without ids."""
    return State((a, replace(r, id=None)) for a, r in state.items())  # type: ignore[call-arg]


FILE = of_file(OURS)


def test_a_thing_that_was_rebuilt_by_somebody_else_is_not_as_it_was_left() -> None:
    """Deleted and made again at its place without the mark, then pinned by the file: what it was is not known."""
    saved = applied(State(), FILE)
    theirs = OURS.put(AT, app("a.net", ANYONE, stack=None, id="9"))
    wanted = FILE.put(AT, replace(app("a.net"), id="9"))
    assert pending_of(saved, theirs, wanted) == {}
    assert pending_of(saved, theirs, wanted.put(CA_AT, replace(CA, id=None))) == {}
    assert set(pending_of(saved, OURS, FILE.put(CA_AT, replace(CA, id=None)))) == {CA_AT}


def test_what_the_file_takes_in_now_was_never_applied() -> None:
    """Somebody's application that stood there all the time or came since, pinned by the file and not as that says."""
    saved = applied(State(), FILE)
    at, theirs = app_at("c.net"), app("c.net", ANYONE, stack=None, id="9")
    assert pending_of(saved, OURS.put(at, theirs), FILE.put(at, app("c.net", id="9"))) == {}


def test_a_thing_that_moved_in_the_file_and_is_gone_in_the_account_is_not_pending() -> None:
    """The file gave it another first domain; somebody deleted it: it is not new, also where anyone got in anyway."""
    for rules in ((), (ANYONE,)):
        two = replace(app("a.net/x", *rules), destinations=(public("a.net/x"), public("a.net/y")))
        saved = applied(State(), State({app_at("a.net/x"): two}))
        other = replace(two, destinations=(public("a.net/y"), public("a.net/z")))
        assert pending_of(saved, State(), State({app_at("a.net/y"): other})) == {}
    fresh = app("a.net/z")
    assert set(pending_of(saved, State(), State({app_at("a.net/z"): fresh}))) == {app_at("a.net/z")}


@pytest.mark.parametrize(
    ("was", "waiting"),
    [
        (app("a.net", id="1"), set()),
        (app("a.net", fields=HOLE, id="1"), set()),
        (NAMED, {"options_preflight_bypass"}),
    ],
)
def test_what_lets_requests_through_was_applied_only_where_the_file_said_so(
    was: AccessApplication, waiting: set[str]
) -> None:
    """Somebody's OPTIONS bypass that a plan left as it was, the file says false now: drift. NAMED: it was declared."""
    said = was is NAMED
    before = State({AT: replace(was, id="1")})
    declared = State({AT: app("a.net", fields=HOLE if said else {})})
    saved = applied(before, declared)
    now = State({AT: app("a.net", fields=HOLE, id="1")})
    found = pending_of(saved, now, State({AT: app("a.net", fields={"options_preflight_bypass": False})}))
    assert found.get(AT, set()) == waiting


def test_what_was_never_set_had_the_servers_default() -> None:
    """The file says now what it left out: pending where the account has the default, drift where it does not."""
    saved = applied(State(), FILE)
    wanted = FILE.put(AT, app("a.net", fields={"session_duration": "8h"}))
    for there, waiting in (("24h", {AT: {"session_duration"}}), ("1h", {})):
        now = OURS.put(AT, app("a.net", fields={"session_duration": there}, id="1"))
        assert pending_of(saved, now, wanted) == waiting


def test_an_application_that_is_half_as_applied_and_half_as_the_file_is_nobodys_plan() -> None:
    """One request writes all of it. What no file says is not looked at."""
    saved = applied(State(), FILE)
    new = {"session_duration": "8h", "allow_iframe": True}
    wanted = FILE.put(AT, app("a.net", fields=new))
    for there, waiting in (
        ({}, {AT: set(new)}),
        ({"allow_iframe": True}, {}),
        ({"logo_url": "https://x"}, {AT: set(new)}),
    ):
        assert pending_of(saved, OURS.put(AT, app("a.net", fields=there, id="1")), wanted) == waiting


def test_a_member_counts_where_the_file_says_it_or_the_applied_one_did() -> None:
    """Somebody changed it: with nobody's member the file's own edit is pending; else the two are not one request."""
    for before, now, waiting in (
        ({}, {}, {AT: {"policies"}}),
        ({"logo_url": "a"}, {}, {}),
        ({}, {"logo_url": "b"}, {}),
    ):
        was = OURS.put(AT, app("a.net", fields={"logo_url": "a"}, id="1"))
        saved = applied(was, FILE.put(AT, app("a.net", fields=before)))
        there = OURS.put(AT, app("a.net", fields={"logo_url": "b"}, id="1"))
        assert pending_of(saved, there, FILE.put(AT, replace(NAMED, fields=freeze_object(now)))) == waiting


def test_what_the_file_drops_is_pending_only_as_it_was_left() -> None:
    """Whole or not at all."""
    saved = applied(State(), FILE)
    wanted = FILE.put(B_AT, None)
    assert set(pending_of(saved, OURS, wanted)) == {B_AT}
    assert pending_of(saved, OURS.put(B_AT, app("b.net", ANYONE, id="2")), wanted) == {}
    assert pending_of(saved, OURS.put(B_AT, app("b.net", fields={"tags": ["x"]}, id="2")), wanted) == {}


def test_a_mixture_of_both_is_no_excuse_where_it_lets_in_more_than_either() -> None:
    """Applied: two CAs and a name. File: one CA and any certificate. There: two CAs, any certificate."""
    one, two = (ca(key, "a.net", sha256=key * 64, pem="PEM", id=key) for key in "12")
    at_one, at_two = ca_at("1"), ca_at("2")
    saved = applied(State(), of_file(State({at_one: one, at_two: two, AT: NAMED})))
    wanted = of_file(State({at_one: one, AT: app("a.net")}))
    as_left = State({at_one: one, at_two: two, AT: replace(NAMED, id="1")})
    assert set(pending_of(saved, as_left, wanted)) == {AT, at_two}
    assert pending_of(saved, as_left.put(AT, app("a.net", id="1")), wanted) == {}


def test_a_targeted_plan_is_evidence_of_what_it_left_out_only_with_the_plan_before() -> None:
    """Else whether somebody had changed that before nobody knows. The whole host it stands on counts."""
    wide = OURS.put(B_AT, app("b.net", ANYONE, id="2"))
    wanted = FILE.put(AT, app("a.net", fields={"tags": ["x"]}))
    part = left_by(wide, wanted, allowed=Allowed(delete=9, targets=frozenset({AT})))
    assert part.left_out == (B_AT,)
    now = wide.put(AT, app("a.net", fields={"tags": ["x"]}, id="1"))
    assert pending_of(part, now, wanted) == {}
    assert pending_of([applied(State(), FILE), part], now, wanted) == {}
    file_too = wanted.put(B_AT, app("b.net", fields={"tags": ["y"]})).put(
        AT, app("a.net", fields={"tags": ["z"]})
    )
    back = now.put(B_AT, OURS[B_AT])
    assert pending_of(part, back, file_too) == {AT: {"tags"}}
    assert pending_of([applied(State(), FILE), part], back, file_too) == {AT: {"tags"}, B_AT: {"tags"}}
    new = wanted.put(app_at("c.net"), app("c.net"))
    parts = [left_by(wide, new, allowed=Allowed(delete=9, targets=frozenset({AT})))] * 2
    assert pending_of(parts, now, new) == pending_of(parts[:1], now, new) == {}
    set_ = wanted.put(SETTINGS, FORWARDING)
    assert (
        pending_of(left_by(wide, set_, allowed=Allowed(delete=9, targets=frozenset({AT}))), now, set_) == {}
    )
    below = app_at("b.net/x")
    assert set(pending_of(part, back, file_too.put(below, app("b.net/x")))) == {AT}


def test_the_last_plan_counts() -> None:
    """Of two whole plans the later one alone; in the other order what it says is what somebody undid."""
    first = applied(State(), FILE)
    second = applied(OURS, FILE.put(AT, NAMED))
    narrowed = OURS.put(AT, replace(NAMED, id="1"))
    for plans, waiting in (([first, second], {AT: {"policies"}}), ([second, first], {})):
        assert pending_of(plans, narrowed, FILE) == waiting


def test_plans_that_retire_forget_adopt_pin_and_destroy_are_evidence() -> None:
    """What each left is known: gone, ours by mark, ours by id; and what the file says now against that is pending."""
    theirs = State({AT: app("a.net", stack=None, id="1")})
    changed = app("a.net", fields={"tags": ["x"]})
    adopted = left_by(theirs, State({AT: app("a.net")}), allowed=Allowed(adopt=frozenset({AT})))
    assert pending_of(adopted, OURS.put(B_AT, None), State({AT: changed})) == {AT: {"tags"}}
    pinned = left_by(theirs, State({AT: replace(app("a.net"), id="1")}))
    assert pending_of(pinned, theirs, State({AT: replace(changed, id="1")})) == {AT: {"tags"}}
    destroyed = left_by(OURS, FILE, destroy=True)
    assert set(pending_of(destroyed, State(), FILE)) == {AT, B_AT}
    assert pending_of(destroyed, OURS, FILE.put(AT, changed)) == {}
    forgotten = left_by(OURS, FILE.put(B_AT, None), removed=(Removed("2", destroy=False),))
    assert set(pending_of(forgotten, OURS, FILE.put(B_AT, None))) == {B_AT}
    opened = OURS.put(B_AT, app("b.net", ANYONE, id="2"))
    assert pending_of(forgotten, opened, FILE.put(B_AT, None)) == {}
    retired = left_by(theirs, State(), removed=(Removed("1", destroy=True),))
    assert set(pending_of(retired, State(), State({AT: app("a.net")}))) == {AT}


def test_settings_that_nobody_declared_are_as_they_were_seen() -> None:
    """On a host of the file: pending where the account still has them; drift where they came since."""
    plan = planned("s", SCOPE, FILE, OURS.put(SETTINGS, FORWARDING), ALLOWED)
    seen = saved_of(replace(plan, inputs=replace(plan.inputs, hosts=frozenset({"a.net"}))))
    wanted = FILE.put(SETTINGS, replace(FORWARDING, china_network=True))
    assert pending_of(seen, OURS.put(SETTINGS, FORWARDING), wanted) == {SETTINGS: {"china_network"}}
    never = applied(State(), FILE)
    off = FILE.put(SETTINGS, HostnameSettings("a.net", china_network=True))
    assert pending_of(never, OURS.put(SETTINGS, FORWARDING), off) == {SETTINGS: {"china_network"}}
    assert pending_of(never, OURS, off) == {SETTINGS: {"china_network", "client_certificate_forwarding"}}


def test_an_apply_that_was_cut_excuses_nothing() -> None:
    """What is still as before the plan is drift, for somebody who undoes it leaves the same; that is said beside it.

    What only the file changed since is pending all the same.
    """
    wanted = FILE.put(AT, NAMED).put(B_AT, app("b.net", NAMED.policies[0]))
    saved = applied(OURS, wanted)
    cut = OURS.put(AT, replace(NAMED, id="1"))
    since = wanted.put(app_at("a.net/new"), app("a.net/new")).put(
        AT, replace(NAMED, fields=freeze_object({"tags": ["x"]}))
    )
    assert pending_of(saved, cut, wanted) == {}
    assert {a: "tags" in names for a, names in pending_of(saved, cut, since).items()} == {
        AT: True,
        app_at("a.net/new"): False,
    }
    tagged = since.put(B_AT, app("b.net", NAMED.policies[0], fields={"tags": ["y"]}))
    assert hinted(saved, cut, tagged) == {
        ("pending", AT): False,
        ("pending", B_AT): False,
        ("drift", B_AT): True,
        ("pending", app_at("a.net/new")): False,
    }
    neither = cut.put(B_AT, app("b.net", ANYONE, id="2"))
    assert hinted(saved, neither, wanted) == {("drift", B_AT): False}


def hinted(saved: Saved, now: State, wanted: State) -> dict[tuple[str, Address], bool]:
    """The differences that a check finds, and of which it says that they are as before the plan."""
    found = findings(Known("p.yaml", "s", wanted, applied=(saved,)), now, END, timedelta(0))
    return {(f.kind, f.change.address): "its apply did not end" in f.says for f in found if f.change}


def test_a_wildcard_of_a_ca_counts_as_if_access_honoured_it() -> None:
    """Whether it does is not known (facts 1.7): by it the client of a CA gets in where neither state says so."""
    wild = ca("1", "*.a.net", sha256="1" * 64, pem="PEM", id="c")
    other = ca("2", "x.a.net", sha256="2" * 64, pem="PEM", id="d")
    shut = app("x.a.net", NAMED.policies[0])
    at = app_at("x.a.net")
    saved = applied(State(), of_file(State({ca_at("1"): wild, ca_at("2"): other, at: shut})))
    wanted = of_file(State({ca_at("2"): other, at: app("x.a.net")}))
    left = State({ca_at("1"): wild, ca_at("2"): other, at: replace(shut, id="1")})
    assert set(pending_of(saved, left, wanted)) == {at, ca_at("1")}
    assert pending_of(saved, left.put(at, app("x.a.net", id="1")), wanted) == {}


def test_where_it_cannot_be_decided_it_is_drift_once_the_account_moved_there() -> None:
    """Stars inside of several paths: no path stands for all. Until somebody moves the host, nothing is to decide."""
    stars = {app_at(d): app(d, id=d) for d in ("a.net/p*", "a.net/*q")}
    there = State({**OURS, **stars})
    saved = applied(State(), of_file(there))
    wanted = of_file(there).put(AT, NAMED)
    assert pending_of(saved, there, wanted) == {AT: {"policies"}}
    moved = there.put(app_at("a.net/p*"), app("a.net/p*", fields={"tags": ["x"]}, id="a.net/p*"))
    assert pending_of(saved, moved, wanted) == {}
