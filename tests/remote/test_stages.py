"""How steps go together: what is one call, when hostnames leave a CA, what counts as on the way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cf_mtls.model.plan import Phase, Step
from cf_mtls.model.resources import Address, HostnameSettings, Kind, Resource
from cf_mtls.model.state import State
from cf_mtls.remote.stages import Boundary, after, batches, on_the_way
from tests.planning.things import ANYONE, app, app_at, ca, ca_at

OLD, NEW = ca("1", "a.net"), ca("2", "a.net")
BARE = replace(OLD, associated_hostnames=())
SETTINGS = HostnameSettings("a.net", client_certificate_forwarding=True)


def step(phase: Phase, address: Address, value: Resource | None = None, group: int = 0) -> Step:
    return Step(phase, address, value, address, group=group)


UP = step(Phase.UPLOAD, ca_at("2"), NEW)
WIDE = step(Phase.WIDEN, ca_at("2"), NEW)
NARROW = step(Phase.NARROW, ca_at("1"), BARE)
DELETE = step(Phase.DELETE, ca_at("1"))


def boundary(start: State, done: tuple[Step, ...], left: tuple[Step, ...]) -> Boundary:
    """The moment after some steps."""
    return Boundary(done, left, after(start, done), after(start, (*done, *left)), start)


def test_what_is_about_to_leave_and_what_was_taken() -> None:
    """Hostnames of the narrowing that comes next; and of each CA those that it had when the run began."""
    start = State(
        {ca_at("1"): ca("1", "a.net", "b.net"), ca_at("2"): ca("2", "c.net"), app_at("a.net"): app("a.net")}
    )
    first = step(Phase.NARROW, ca_at("1"), ca("1", "b.net"))
    second = step(Phase.NARROW, ca_at("2"), ca("2"))
    late = step(Phase.NARROW, ca_at("1"), ca("1"))
    moment = boundary(start, (), (first, second, UP, late))
    assert (moment.leaving, moment.taken) == ({"a.net", "c.net"}, {})
    moment = boundary(start, (first, second), (UP, late))
    assert (moment.leaving, moment.taken) == (set(), {ca_at("1"): {"a.net"}, ca_at("2"): {"c.net"}})


def test_everything_is_taken_once_a_deletion_or_nothing_comes_next() -> None:
    """Then it is looked at, once: not again after a CA was deleted."""
    start = State({ca_at("1"): OLD})
    for done, left, narrowed in (
        ((UP,), (NARROW, DELETE), False),
        ((UP, NARROW), (DELETE,), True),
        ((UP, NARROW, DELETE), (), False),
        ((UP, NARROW), (), True),
        ((UP,), (), True),
    ):
        assert boundary(start, done, left).is_narrowed is narrowed
    assert boundary(start, (), ()).next is None


def test_a_hostname_is_trusted_where_a_ca_stands_and_stays() -> None:
    """Not where one is only about to leave, nor where one is still to come."""
    start = State({ca_at("1"): ca("1", "a.net", "b.net")})
    leaves = step(Phase.NARROW, ca_at("1"), ca("1", "b.net"))
    assert boundary(start, (), (leaves,)).trusted == {"b.net"}
    assert boundary(start, (), (UP, leaves)).trusted == {"b.net"}
    assert boundary(start, (UP,), (leaves,)).trusted == {"a.net", "b.net"}


def test_a_hostname_is_demanded_by_the_applications_that_are_still_to_come() -> None:
    """Those that are loosened or removed later demand nothing."""
    left = (
        step(Phase.DEMAND, app_at("a.net"), app("a.net/x")),
        step(Phase.RELEASE, app_at("b.net"), app("b.net", ANYONE)),
        step(Phase.RELEASE, app_at("c.net")),
    )
    moment = boundary(State(), (), left)
    assert (moment.demanded, moment.next) == ({"a.net"}, Phase.DEMAND)


def test_after_some_steps_stands_what_they_leave() -> None:
    """Values replace, None removes, and what no step names stays."""
    start = State({ca_at("1"): OLD, app_at("a.net"): app("a.net")})
    assert after(start, (UP, NARROW, DELETE)) == State({ca_at("2"): NEW, app_at("a.net"): app("a.net")})


@pytest.mark.parametrize(
    ("now", "arriving"),
    [
        (("a.net", "b.net"), True),
        (("b.net",), True),
        (("b.net", "c.net"), True),
        (("c.net",), False),
        (("a.net", "b.net", "d.net"), False),
        ((), False),
    ],
)
def test_hostnames_on_their_way_are_no_other_persons_work(now: tuple[str, ...], arriving: bool) -> None:
    """From a and b to b and c: any part of what comes and goes; what stays must be there, and nothing else may be."""
    before, wanted = ca("1", "a.net", "b.net"), ca("1", "b.net", "c.net")
    assert on_the_way(before, ca("1", *now), wanted) is arriving
    assert not on_the_way(before, replace(ca("1", *now), name="theirs"), wanted)
    assert not on_the_way(app("a.net"), app("a.net", ANYONE), app("a.net"))


def test_what_is_done_in_one_go() -> None:
    """All settings; applications of different groups in one phase; of CAs each by itself."""
    settings = [step(Phase.SETTINGS, Address(Kind.SETTINGS, f"{h}.net"), SETTINGS) for h in "ab"]
    apps = [
        step(Phase.DEMAND, app_at(f"{h}.net"), app(f"{h}.net"), group)
        for h, group in (("a", 1), ("b", 2), ("c", 2))
    ]
    release = step(Phase.RELEASE, app_at("d.net"), group=9)
    cas = [step(Phase.UPLOAD, ca_at(key), ca(key), number) for number, key in enumerate("12")]
    widened = step(Phase.DEMAND, ca_at("3"), ca("3"), 7)  # no such step is made; it would still go alone
    found = [*batches((*cas, *settings, *apps, widened, release))]
    assert found == [[cas[0]], [cas[1]], settings, apps[:2], [apps[2]], [widened], [release]]
