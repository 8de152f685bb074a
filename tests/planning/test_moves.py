"""A change as moves: which, in which phase, on which hostnames, with which value afterwards and which wait."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cf_mtls.model.plan import Action, Change, Phase
from cf_mtls.model.resources import Address, HostnameSettings, Kind, Resource
from cf_mtls.planning.moves import in_key_order, merged, moves, split, steps, value_after
from tests.planning.things import ANYONE, app, app_at, ca, ca_at

BARE, ONE, TWO, OTHER = (ca("1", *hosts) for hosts in ((), ("a.net",), ("a.net", "b.net"), ("b.net",)))
U, W, S, D, R, N, X = Phase
AT = ca_at("1")


def change(before: Resource | None, after: Resource | None, at: Address = AT) -> Change:
    actions = {(True, False): Action.CREATE, (False, True): Action.DELETE}
    return Change(at, actions.get((before is None, after is None), Action.UPDATE), before, after, ("x",))


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (None, BARE, [(U, ())]),
        (None, TWO, [(U, ()), (W, ("a.net", "b.net"))]),
        (ONE, TWO, [(W, ("b.net",))]),
        (TWO, ONE, [(N, ("b.net",))]),
        (ONE, OTHER, [(W, ("b.net",)), (N, ("a.net",))]),
        (ONE, replace(ONE, name="new (cf-mtls s)"), [(W, ())]),
        (TWO, None, [(N, ("a.net", "b.net")), (X, ())]),
        (BARE, None, [(X, ())]),
    ],
)
def test_a_ca_goes_up_gets_hosts_loses_hosts_goes(
    before: Resource | None, after: Resource | None, found: list[tuple[Phase, tuple[str, ...]]]
) -> None:
    """Only the hostnames that come or go are moved; a CA that has some is never deleted with them."""
    assert [(move.phase, move.hosts) for move in moves(change(before, after))] == found


def test_a_new_ca_may_go_up_with_its_hostnames() -> None:
    """One call; everything else is as without that."""
    (move,) = merged(change(None, TWO))
    assert (move.phase, move.hosts) == (U, ("a.net", "b.net"))
    assert [*merged(change(ONE, OTHER))] == [*moves(change(ONE, OTHER))]


@pytest.mark.parametrize(
    ("before", "after", "phase"),
    [
        (None, app("a.net"), D),
        (None, app("a.net", ANYONE), D),
        (app("a.net", ANYONE), app("a.net"), D),
        (app("a.net"), app("a.net", fields={"tags": ["x"]}), D),
        (app("a.net"), app("a.net", ANYONE), R),
        (app("a.net"), None, R),
        (app("a.net", ANYONE), None, R),
    ],
)
def test_what_stops_asking_comes_after_what_begins_to(
    before: Resource | None, after: Resource | None, phase: Phase
) -> None:
    """An application that goes, or no longer asks for a certificate, is a release; every other change a demand."""
    assert [move.phase for move in moves(change(before, after, app_at("a.net")))] == [phase]


def test_moves_come_one_hostname_at_a_time_when_split() -> None:
    """Only giving and taking of several can be split."""
    (up, widen), (narrow, delete) = moves(change(None, TWO)), moves(change(TWO, None))
    for move in (widen, narrow):
        assert [m.hosts for m in split(move)] == [("a.net",), ("b.net",)]
    assert [*split(up), *split(delete)] == [up, delete]


def test_each_step_carries_the_value_after_it() -> None:
    """Hostnames are added to what stands and taken from it; after a deletion nothing is left."""
    change_ = change(ONE, OTHER)
    widen, narrow = moves(change_)
    made = steps({AT: ONE}, (widen, narrow))
    assert [step.value for step in made] == [TWO, OTHER]
    first, last = moves(change(TWO, None))
    made = steps({AT: TWO}, (first, last), {AT: 3})
    assert [(s.value, s.wait, s.group) for s in made] == [(BARE, "detached", 3), (None, None, 3)]
    assert value_after({AT: BARE}, last) is None


def test_only_what_takes_its_time_is_waited_for() -> None:
    """A CA that lost its last hostname, and settings; not one that keeps some, nor one that never had any."""
    settings = Address(Kind.SETTINGS, "a.net")
    forwarding = HostnameSettings("a.net", client_certificate_forwarding=True)
    waits = {
        "detached": (change(TWO, BARE), {AT: TWO}),
        "settled": (change(None, forwarding, settings), {}),
        None: (change(TWO, ONE), {AT: TWO}),
    }
    for wait, (change_, start) in waits.items():
        assert [s.wait for s in steps(start, tuple(moves(change_)))] == [wait]
    assert [s.wait for s in steps({}, tuple(moves(change(None, BARE))))] == [None]


def test_the_key_is_phase_then_address() -> None:
    """Whatever order they come in."""
    found = [move for before, after, at in ((None, ONE, ca_at("2")), (TWO, None, AT)) for move in
             moves(change(before, after, at))]  # fmt: skip
    listed = [(m.phase, m.change.address.key) for m in in_key_order(reversed(found))]
    assert listed == [(U, "2"), (W, "2"), (N, "1"), (X, "1")]
