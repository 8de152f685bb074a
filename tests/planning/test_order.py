"""Changes become steps: trust first, demand after it, removal last."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from cf_mtls.model.plan import Phase
from cf_mtls.model.resources import (
    AccessApplication,
    AccessPolicy,
    Address,
    CaCertificate,
    HostnameSettings,
    Kind,
    Rule,
    public,
)
from cf_mtls.model.state import State
from cf_mtls.planning.diff import diff
from cf_mtls.planning.order import order

END = (datetime(2030, 1, 1, tzinfo=UTC),)
CA = CaCertificate("ca", ("a.net",), ("11",), END, "ab", "PEM")
NEW = CaCertificate("new", ("a.net",), ("22",), END, "cd", "PEM")
CA_AT, NEW_AT = Address(Kind.CERTIFICATE, "11"), Address(Kind.CERTIFICATE, "22")
DEMAND = AccessApplication(
    "app", (public("a.net"),), (AccessPolicy("p", "non_identity", (Rule("certificate"),)),)
)
APP_AT = Address(Kind.APPLICATION, "a.net")


def phases(actual: State, desired: State) -> list[tuple[Phase, Address]]:
    return [(s.phase, s.address) for s in order(diff(actual, desired), actual, desired).steps]


def test_a_plain_new_stack_costs_two_writes() -> None:
    """Nothing is served by the hostname yet, so the CA goes up with it in one call."""
    expected = [(Phase.UPLOAD, CA_AT), (Phase.DEMAND, APP_AT)]
    assert expected == phases(State(), State({CA_AT: CA, APP_AT: DEMAND}))


def test_a_rotation_creates_beside_and_retires_after() -> None:
    """The new CA stands on the hostname before the old one leaves it: three writes, never without a trusted CA."""
    before = State({CA_AT: replace(CA, id="1"), APP_AT: DEMAND})
    after = State({NEW_AT: NEW, APP_AT: DEMAND})
    expected = [(Phase.UPLOAD, NEW_AT), (Phase.NARROW, CA_AT), (Phase.DELETE, CA_AT)]
    assert expected == phases(before, after)


def test_everything_removed_releases_before_trust_goes() -> None:
    """The application stops demanding before its CA is taken away."""
    before = State({CA_AT: CA, APP_AT: DEMAND})
    assert phases(before, State()) == [(Phase.RELEASE, APP_AT), (Phase.NARROW, CA_AT), (Phase.DELETE, CA_AT)]


def test_a_moved_hostname_is_widened_before_it_is_narrowed() -> None:
    """The value after the first step holds old and new hostnames, after the last only the new."""
    moved = replace(CA, associated_hostnames=("b.net",))
    before, after = State({CA_AT: CA}), State({CA_AT: moved})
    steps = order(diff(before, after), before, after).steps
    hosts = [s.value.associated_hostnames for s in steps if isinstance(s.value, CaCertificate)]
    assert hosts == [("a.net", "b.net"), ("b.net",)]


def test_an_emptied_ca_is_waited_for_before_it_is_deleted() -> None:
    """The API refuses to delete a CA that still has hostnames."""
    steps = order(diff(State({CA_AT: CA}), State()), State({CA_AT: CA}), State()).steps
    assert [(s.phase, s.wait) for s in steps] == [(Phase.NARROW, "detached"), (Phase.DELETE, None)]


def test_a_policy_that_stops_demanding_is_a_release() -> None:
    """Loosening comes after everything that widens."""
    open_house = replace(DEMAND, policies=(AccessPolicy("p", "bypass", (Rule("everyone"),)),))
    assert phases(State({APP_AT: DEMAND}), State({APP_AT: open_house})) == [(Phase.RELEASE, APP_AT)]


def test_settings_are_one_step_each_and_come_before_the_demand() -> None:
    """Forwarding stands before policies rely on it."""
    at = Address(Kind.SETTINGS, "a.net")
    desired = State(
        {at: HostnameSettings("a.net", client_certificate_forwarding=True), APP_AT: DEMAND, CA_AT: CA}
    )
    assert [p for p, _ in phases(State(), desired)] == [Phase.UPLOAD, Phase.SETTINGS, Phase.DEMAND]
