"""Two states become changes: each difference once, in both directions, with the names of what differs."""

from __future__ import annotations

from cf_mtls.model.plan import Action
from cf_mtls.model.state import State
from cf_mtls.planning.diff import diff
from tests.planning.things import ANYONE, app, app_at, ca, ca_at

ONE = State({app_at("a.net"): app("a.net"), ca_at("1"): ca("1", "a.net")})
OTHER = State({app_at("a.net"): app("a.net", ANYONE), ca_at("2"): ca("2", "a.net")})


def test_what_comes_what_goes_and_what_differs() -> None:
    """By address; what is created has no before, what is deleted has no after."""
    found = [(c.address, c.action, c.before, c.after, c.attributes) for c in diff(ONE, OTHER)]
    assert found == [
        (app_at("a.net"), Action.UPDATE, ONE[app_at("a.net")], OTHER[app_at("a.net")], ("policies",)),
        (ca_at("1"), Action.DELETE, ONE[ca_at("1")], None, ("associated_hostnames", "name")),
        (ca_at("2"), Action.CREATE, None, OTHER[ca_at("2")], ("associated_hostnames", "name")),
    ]


def test_the_same_has_no_changes() -> None:
    """Nor has nothing."""
    assert diff(ONE, ONE) == diff(State(), State()) == ()
