"""Which requests a change can touch, which changes belong together, and which move would spoil a request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cf_mtls.access.match import Hosts
from cf_mtls.model.plan import Action, Change
from cf_mtls.model.resources import Address, HostnameSettings, Kind, Resource, public
from cf_mtls.model.state import State
from cf_mtls.planning.diff import diff
from cf_mtls.planning.guard import Glitch, Watch, groups, hosts_touched, known_hosts
from cf_mtls.planning.moves import Move, moves
from tests.planning.things import ANYONE, app, app_at, ca, ca_at

KNOWN = Hosts(frozenset({"a.net", "b.net", "c.net", "x.a.net"}))
SETTINGS = Address(Kind.SETTINGS, "a.net")


def change(before: Resource | None, after: Resource | None, at: Address) -> Change:
    return Change(at, Action.UPDATE, before, after, ("x",))


@pytest.mark.parametrize(
    ("before", "after", "touched"),
    [
        (None, ca("1", "a.net"), {"a.net"}),
        (ca("1", "a.net"), None, {"a.net"}),
        (ca("1", "a.net", "b.net"), ca("1", "b.net", "c.net"), {"a.net", "c.net"}),
        (ca("1", "a.net"), replace(ca("1", "a.net"), name="new"), set()),
        (app("a.net/x"), app("a.net/x", ANYONE), {"a.net"}),
        (app("a.net"), None, {"a.net"}),
        (app("a.net"), replace(app("a.net"), destinations=(public("b.net"),)), {"a.net", "b.net"}),
        (app("*.a.net"), None, {"x.a.net"}),
        (None, HostnameSettings("a.net", client_certificate_forwarding=True), set()),
    ],
)
def test_a_change_touches_the_hosts_that_it_gives_or_takes(
    before: Resource | None, after: Resource | None, touched: set[str]
) -> None:
    """A CA: those that come or go; an application: those of both sides; a name or settings: none."""
    assert hosts_touched(change(before, after, ca_at("1")), KNOWN) == touched


def test_hosts_are_known_from_the_account_and_from_what_changes() -> None:
    """So that a wildcard that goes or comes covers them all."""
    actual = State({ca_at("1"): ca("1", "a.net"), app_at("*.net"): app("*.net")})
    (gone, new) = diff(actual, State({ca_at("1"): ca("1", "a.net"), app_at("b.net"): app("b.net")}))
    known = known_hosts(actual, (gone, new))
    assert hosts_touched(gone, known) >= {"a.net", "b.net"}


def test_changes_on_connected_hosts_are_ordered_together() -> None:
    """Two that share a host are one group, over a third that shares one with each; others are apart."""
    actual = State()
    desired = State(
        {
            app_at("a.net"): app("a.net"),
            app_at("b.net"): app("b.net"),
            app_at("c.net"): app("c.net"),
            ca_at("1"): ca("1", "a.net", "b.net"),
            SETTINGS: HostnameSettings("a.net", client_certificate_forwarding=True),
        }
    )
    found = {
        frozenset(g.hosts): {c.address for c in g.changes} for g in groups(diff(actual, desired), actual)
    }
    assert found == {
        frozenset({"a.net", "b.net"}): {app_at("a.net"), app_at("b.net"), ca_at("1")},
        frozenset({"c.net"}): {app_at("c.net")},
        frozenset(): {SETTINGS},
    }


def watched(actual: State, desired: State, may_shut: tuple[str, ...] = ()) -> tuple[Watch, dict[str, Move]]:
    """A watch over the one group, and its moves by `phase key`."""
    changes = diff(actual, desired)
    (group,) = groups(changes, actual)
    listed = {f"{m.phase.name} {c.address.key}": m for c in changes for m in moves(c)}
    return Watch(group, actual, desired, may_shut), listed


def spoils(watch: Watch, move: Move) -> Glitch | None:
    found = watch.spoiled(watch.board(), move, watch.touched(move))
    return found.glitch if found else None


ROTATION = (
    State({ca_at("1"): ca("1", "a.net"), app_at("a.net"): app("a.net")}),
    State({ca_at("2"): ca("2", "a.net"), app_at("a.net"): app("a.net")}),
)


def test_what_shuts_out_for_a_moment_is_a_glitch_unless_the_host_may_be_shut() -> None:
    """Trust that comes after the demand: clients of the CA get in before and after, and not between."""
    actual = State({app_at("a.net"): app("a.net", ANYONE)})
    desired = State({ca_at("1"): ca("1", "a.net"), app_at("a.net"): app("a.net")})
    watch, found = watched(actual, desired)
    glitch = spoils(watch, found["DEMAND a.net"])
    assert glitch is not None
    assert (glitch.lets_in, glitch.request.asker.trusted_by) == (False, {ca_at("1")})
    assert spoils(watch, found["WIDEN 1"]) is None
    allowed, found = watched(actual, desired, ("a.net",))
    assert spoils(allowed, found["DEMAND a.net"]) is None
    other, found = watched(actual, desired, ("b.net",))
    assert spoils(other, found["DEMAND a.net"]) is not None


def test_what_lets_in_for_a_moment_is_a_glitch_that_no_host_may_have() -> None:
    """An application that goes before the one that takes its place on a wider domain: open in between."""
    actual = State({app_at("a.net/x"): app("a.net/x")})
    desired = State({app_at("a.net"): app("a.net")})
    for may_shut in ((), ("a.net",)):
        watch, found = watched(actual, desired, may_shut)
        glitch = spoils(watch, found["RELEASE a.net/x"])
        assert glitch is not None
        assert glitch.lets_in
        assert spoils(watch, found["DEMAND a.net"]) is None


def test_what_moves_a_request_to_its_end_is_no_glitch() -> None:
    """The clients of the old CA are out in the end, those of the new one in: taking and giving them is the plan."""
    watch, found = watched(*ROTATION)
    up, widen, narrow = (found[name] for name in ("UPLOAD 2", "WIDEN 2", "NARROW 1"))
    assert [*watch.glitches((up, widen, narrow), watch.board())] == []
    early = [*watch.glitches((up, narrow, widen), watch.board())]  # a client of both is out in between
    assert [(g.move, g.request.asker.trusted_by) for g in early] == [(narrow, {ca_at("1"), ca_at("2")})]


def test_every_move_of_a_sequence_is_judged_where_it_stands() -> None:
    """The demand alone spoils; after the trust it does not: moves are made as they are walked."""
    actual = State({app_at("a.net"): app("a.net", ANYONE)})
    desired = State({ca_at("1"): ca("1", "a.net"), app_at("a.net"): app("a.net")})
    watch, found = watched(actual, desired)
    up, widen, demand = (found[name] for name in ("UPLOAD 1", "WIDEN 1", "DEMAND a.net"))
    assert [*watch.glitches((up, widen, demand), watch.board())] == []
    assert [g.move for g in watch.glitches((up, demand, widen), watch.board())] == [demand]


def test_where_to_look_first_changes_no_verdict() -> None:
    """From whichever spot it starts, all are looked at: a client of both CAs is out at /b, and not beside it."""
    start, end = (State({ca_at(k): ca(k, "a.net"), app_at("a.net/b"): app("a.net/b")}) for k in "12")
    watch, found = watched(start, end)
    spots = watch.touched(found["NARROW 1"])
    seen = [watch.spoiled(watch.board(), found["NARROW 1"], spots, at) for at in range(len(spots))]
    assert all(seen)
    assert not {s.place for s in seen if s} & {0, len(spots) - 1}
