"""Whose move was it: only what is as it was left, or as the file before said, is the file's own move."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cf_mtls.model.plan import Change
from cf_mtls.model.resources import Address, HostnameSettings, Kind, Resource, Scope
from cf_mtls.model.state import State
from cf_mtls.planning.baseline import as_applied, as_declared_before
from cf_mtls.planning.diff import diff
from cf_mtls.planning.ownership import merge
from cf_mtls.planning.planfile import saved_of
from cf_mtls.planning.saved import Saved
from cf_mtls.workflow import Allowed, planned
from tests.planning.things import ANYONE, app, app_at, ca, ca_at

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


def changes(actual: State, declared: State) -> tuple[Change, ...]:
    return diff(actual, merge(declared, actual, "s").desired)


WAS = State({AT: TAGGED, CA_AT: CA})


@pytest.mark.parametrize(
    ("there", "pending"),
    [
        (RETAGGED, True),
        (replace(RETAGGED, policies=(ANYONE,)), False),
        (TAGGED, False),
        (None, False),
    ],
)
def test_what_the_plan_changed_must_be_as_it_left_it(there: Resource | None, pending: bool) -> None:
    """Then a difference is the file's; anything else there is the account's, also what was there before."""
    saved = applied(WAS, WAS.put(AT, replace(RETAGGED, id=None)))
    now = WAS.put(AT, there)
    wanted = WAS.put(AT, app("a.net", fields={"tags": ["z"]}))
    assert (AT in as_applied(saved, now, changes(now, wanted))) is pending


@pytest.mark.parametrize(("policies", "pending"), [(TAGGED.policies, True), ((ANYONE,), False)])
def test_what_the_plan_relied_on_must_be_as_it_saw_it(policies: tuple[object, ...], pending: bool) -> None:
    """A thing of ours that it left alone."""
    saved = applied(WAS, WAS.put(SETTINGS, FORWARDING))
    now = WAS.put(SETTINGS, FORWARDING).put(AT, replace(TAGGED, policies=policies))
    wanted = now.put(AT, app("a.net", fields={"tags": ["z"]}))
    assert (AT in as_applied(saved, now, changes(now, wanted))) is pending


def test_what_the_plan_never_saw_is_pending_only_while_it_is_not_there() -> None:
    """New in the file: the file's move. Appeared in the account: not."""
    saved = applied(State(), State({SETTINGS: FORWARDING}))
    now = State({SETTINGS: FORWARDING})
    assert as_applied(saved, now, changes(now, now.put(AT, app("a.net")))) == {AT}
    grown = now.put(AT, app("a.net", ANYONE, id="9"))
    assert as_applied(saved, grown, changes(grown, now.put(AT, app("a.net")))) == frozenset()


def test_settings_that_say_nothing_are_as_good_as_none() -> None:
    """A plan that reset them left nothing there."""
    was = State({AT: TAGGED, SETTINGS: FORWARDING})
    saved = applied(was, State({AT: TAGGED, SETTINGS: HostnameSettings("a.net")}))
    now = State({AT: TAGGED})
    assert as_applied(saved, now, changes(now, now.put(SETTINGS, FORWARDING))) == {SETTINGS}
    set_ = now.put(SETTINGS, FORWARDING)
    assert as_applied(saved, set_, changes(set_, now.put(SETTINGS, HostnameSettings("a.net")))) == frozenset()


def test_a_ca_that_is_gone_is_not_as_it_was_left() -> None:
    """Deleting what a plan made is the account's move."""
    bare = replace(CA, associated_hostnames=())
    saved = applied(State({CA_AT: bare}), State({CA_AT: CA}))
    now = State()
    wanted = State({CA_AT: replace(CA, id=None)})
    assert as_applied(saved, now, changes(now, wanted)) == frozenset()


def before(was: State, now: State, wanted: State) -> frozenset[Address]:
    """What counts as pending by the file's previous version."""
    desired = merge(wanted, now, "s").desired
    return as_declared_before("s", was, desired, now, diff(now, desired))


def test_by_the_previous_file_a_difference_is_pending_where_the_account_is_as_that_said() -> None:
    """Moved since: the account's."""
    was, wanted = (State({AT: app("a.net", fields={"tags": [tag]})}) for tag in "xz")
    for tag, pending in (("x", {AT}), ("q", set())):
        assert before(was, State({AT: app("a.net", id="1", fields={"tags": [tag]})}), wanted) == pending


def test_a_guess_never_excuses_what_stands_wider_open_than_declared() -> None:
    """The file before said anyone, the account has it, the file now asks for a certificate: an alarm, not pending."""
    was, wanted = State({AT: app("a.net", ANYONE)}), State({AT: app("a.net")})
    there = State({AT: app("a.net", ANYONE, id="1")})
    assert before(was, there, wanted) == frozenset()
    assert before(wanted, State({AT: app("a.net", id="1")}), was) == {AT}


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
