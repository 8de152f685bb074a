"""Changes become steps: trust first, demand after it, removal last."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from cf_mtls.model.frozen import freeze
from cf_mtls.model.plan import Action, Change, Phase
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
from cf_mtls.planning.moves import Move
from cf_mtls.planning.order import joined, order

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


def an_app(domain: str, *policies: AccessPolicy) -> tuple[Address, AccessApplication]:
    made = AccessApplication(domain, (public(domain),), policies or DEMAND.policies)
    return Address(Kind.APPLICATION, domain), made


def named(name: str) -> AccessPolicy:
    rules = (Rule("common_name", freeze({"common_name": name})),)
    return AccessPolicy("p", "non_identity", (Rule("certificate"),), rules)


def test_where_the_key_would_let_somebody_in_for_a_moment_another_order_is_found() -> None:
    """A second CA joins while the policy asks for a name: tightened first, or the new CA's others get in between."""
    before = State([(CA_AT, replace(CA, id="1")), an_app("a.net")])
    after = State([(CA_AT, replace(CA, id="1")), (NEW_AT, NEW), an_app("a.net", named("x"))])
    made = order(diff(before, after), before, after)
    assert (made.by_key, made.by_search, made.glitches) == (0, 1, ())
    found = [(s.phase, s.address) for s in made.steps]
    assert found == [(Phase.UPLOAD, NEW_AT), (Phase.DEMAND, APP_AT), (Phase.WIDEN, NEW_AT)]
    values = [s.value.associated_hostnames for s in made.steps if isinstance(s.value, CaCertificate)]
    assert values == [(), ("a.net",)]


def test_a_host_that_is_searched_does_not_hold_up_the_others() -> None:
    """Uploads and settings of all come first, then the keyed hosts, then the searched one, and deletions last."""
    forwarding = HostnameSettings("a.net", client_certificate_forwarding=True)
    old_b = Address(Kind.CERTIFICATE, "33")
    new_b = Address(Kind.CERTIFICATE, "44")
    on_b = {at: replace(CA, associated_hostnames=("b.net",), fingerprints=(at.key,)) for at in (old_b, new_b)}
    before = State([(CA_AT, CA), an_app("a.net"), (old_b, on_b[old_b]), an_app("b.net")])
    after = State([
        (CA_AT, CA), (NEW_AT, NEW), an_app("a.net", named("x")), (new_b, on_b[new_b]), an_app("b.net"),
        (Address(Kind.SETTINGS, "a.net"), forwarding),
    ])  # fmt: skip
    made = order(diff(before, after), before, after)
    assert (made.by_key, made.by_search, made.glitches) == (2, 1, ())
    assert [(s.phase, s.address.key) for s in made.steps] == [
        (Phase.UPLOAD, "22"), (Phase.UPLOAD, "44"), (Phase.SETTINGS, "a.net"), (Phase.NARROW, "33"),
        (Phase.DEMAND, "a.net"), (Phase.WIDEN, "22"), (Phase.DELETE, "33"),
    ]  # fmt: skip
    groups = {s.address.key: s.group for s in made.steps}
    assert groups["22"] != groups["44"] == groups["33"]


def test_what_no_order_keeps_is_named_and_ordered_only_when_it_may_be_shut() -> None:
    """A hostname that takes one CA only must leave the old before the new can have it: shut for a moment."""
    before = State([(CA_AT, replace(CA, id="1")), an_app("a.net")])
    after = State([(NEW_AT, NEW), an_app("a.net")])
    refused = order(diff(before, after), before, after, one_ca=True)
    assert [(g.request.host, g.lets_in) for g in refused.glitches] == [("a.net", False)]
    allowed = order(diff(before, after), before, after, {"a.net"}, one_ca=True)
    assert (allowed.glitches, allowed.by_search) == ((), 1)
    found = [(s.phase, s.address.key) for s in allowed.steps]
    assert found == [(Phase.UPLOAD, "22"), (Phase.NARROW, "11"), (Phase.WIDEN, "22"), (Phase.DELETE, "11")]
    elsewhere = order(diff(before, after), before, after, {"b.net"}, one_ca=True)
    assert elsewhere.glitches


def test_what_may_be_shut_is_said_only_where_it_is_shut() -> None:
    """An allowed gap is no kept promise, and what is allowed and not needed is no gap."""
    before = State([(CA_AT, replace(CA, id="1")), an_app("a.net")])
    after = State([(NEW_AT, NEW), an_app("a.net")])
    gap = order(diff(before, after), before, after, {"a.net"}, one_ca=True)
    beside = order(diff(before, after), before, after, {"a.net"})
    assert (gap.shut, beside.shut) == (("a.net",), ())


def test_a_domain_that_changes_hands_is_free_before_it_is_taken() -> None:
    """The API keeps a domain on one application, so the old one goes first; nobody who may not gets in between."""
    wide = (public("a.net/x"), public("a.net/y"))
    first, second = an_app("a.net/x"), an_app("a.net/z")
    before = State([(CA_AT, CA), (first[0], replace(first[1], destinations=wide)), an_app("a.net")])
    after = State([
        (CA_AT, CA), (second[0], replace(second[1], destinations=(public("a.net/z"), public("a.net/y")))),
        an_app("a.net/x"), an_app("a.net"),
    ])  # fmt: skip
    made = order(diff(before, after), before, after)
    assert made.glitches == ()
    assert [s.address.key for s in made.steps] == ["a.net/x", "a.net/z"]


def test_neighbouring_moves_of_one_ca_are_one_call() -> None:
    """In one direction; of another CA, or the other way, they stay apart."""
    on_two = replace(CA, associated_hostnames=("a.net", "b.net"))
    one, other = (Change(at, Action.UPDATE, CA, on_two, ("x",)) for at in (CA_AT, NEW_AT))
    a, b = Move(Phase.WIDEN, one, ("a.net",)), Move(Phase.WIDEN, one, ("b.net",))
    taken, others = Move(Phase.NARROW, one, ("a.net",)), Move(Phase.WIDEN, other, ("a.net",))
    assert joined([b, a]) == (Move(Phase.WIDEN, one, ("a.net", "b.net")),)
    assert joined([a, others, b, taken]) == (a, others, b, taken)
