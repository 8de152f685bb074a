"""What lives beside a plan's own scope: which zones are asked, what may stay unseen, and that it is foreign always."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from cf_mtls.diagnostics import Failure
from cf_mtls.model.coverage import Part
from cf_mtls.model.resources import AccessApplication, Address, CaCertificate, Kind, Scope
from cf_mtls.remote.snapshot import Snapshot, read
from tests.remote.fakes import ACCOUNT, Fake, FakeTime, Reply, ok, refused

SCOPE, ZONE = Scope("account", ACCOUNT), Scope("zone", "f" * 32)
CA: dict[str, Any] = {
    "id": "c1",
    "name": "ca (cf-mtls s)",
    "associated_hostnames": ["a.net"],
    "fingerprint": "MD5 Fingerprint=" + ":".join(["AA"] * 16),
    "expires_on": "2030-01-01T00:00:00Z",
}
APP: dict[str, Any] = {"id": "a1", "name": "app (cf-mtls s)", "domain": "a.net"}


def seen(scope: Scope, replies: dict[str, Any], hosts: set[str]) -> tuple[Snapshot, list[str]]:
    """What was read, and the paths that were asked for; what is not given is an empty list."""

    def reply(request: httpx.Request, _: int) -> Reply:
        given = replies.get(request.url.path.removeprefix("/client/v4"), [])
        return given if isinstance(given, (httpx.Response, Exception)) else ok(given)

    fake = Fake(reply)
    found = read(fake.writer(), scope, FakeTime().pace(), hosts)
    return found, [path for _, path, _ in fake.seen]


ZONES = [{"id": "z1", "name": "A.net"}, {"id": "z2", "name": "ba.net"}, {"id": "z3", "name": "net"}]


@pytest.mark.parametrize(
    ("host", "zones"),
    [
        ("a.net", {"z1", "z3"}),
        ("www.a.net", {"z1", "z3"}),
        ("ba.net", {"z2", "z3"}),
        ("x.ba.net", {"z2", "z3"}),
        ("xa.net", {"z3"}),
        ("a.net.example", set()),
    ],
)
def test_only_zones_that_a_host_lies_in_are_asked(host: str, zones: set[str]) -> None:
    """The zone's own name and what ends with a dot and it: xa.net is not in a.net. Both kinds of list."""
    _, paths = seen(SCOPE, {"/zones": ZONES}, {host})
    beside = {tuple(path.split("/")[2:]) for path in paths if path.startswith("/zones/")}
    assert beside == {(z, "access", kind) for z in zones for kind in ("certificates", "apps")}


def test_a_zones_account_is_looked_at_beside_it() -> None:
    """The other way about: account-level things count for the hosts of a zone."""
    replies = {
        ZONE.path: {"id": ZONE.id, "name": "a.net", "account": {"id": ACCOUNT}},
        f"{SCOPE.path}/access/apps": [APP],
    }
    found, _ = seen(ZONE, replies, {"a.net"})
    app = found.state[Address(Kind.APPLICATION, "a.net")]
    assert isinstance(app, AccessApplication)
    assert app.elsewhere == f"account:{ACCOUNT}"


def test_without_hosts_nothing_beside_is_asked_for() -> None:
    """Nothing there could matter."""
    _, paths = seen(SCOPE, {"/zones": ZONES}, set())
    assert "/zones" not in paths


def test_a_zone_is_decided_by_groups_of_its_account_too() -> None:
    """Read beside; may they not be, then groups could not be read, and the other scope was."""
    group = {"id": "g", "name": "staff", "include": [{"everyone": {}}]}
    replies: dict[str, Any] = {
        ZONE.path: {"id": ZONE.id, "name": "a.net", "account": {"id": ACCOUNT}},
        f"{SCOPE.path}/access/groups": [group],
    }
    found, _ = seen(ZONE, replies, {"a.net"})
    assert Address(Kind.GROUP, "g") in found.state
    assert (found.coverage.read, found.coverage.not_asked) == (
        frozenset(Part) - {Part.POLICIES},
        {Part.POLICIES},
    )
    refusal = refused(403, 10000, "Authentication error")
    found, _ = seen(ZONE, replies | {f"{SCOPE.path}/access/groups": refusal}, {"a.net"})
    assert (found.coverage.unread.keys(), Part.BESIDE in found.coverage.read) == ({Part.GROUPS}, True)


def test_a_list_that_may_not_be_read_hides_no_other() -> None:
    """One of two zones is refused: it is said, once, and what the other one has is seen."""
    refusal = refused(403, 10000, "Authentication error")
    replies = {"/zones": ZONES, "/zones/z1/access/apps": [APP], "/zones/z3/access/apps": refusal,
               "/zones/z3/access/certificates": refusal}  # fmt: skip
    found, _ = seen(SCOPE, replies, {"a.net"})
    assert Address(Kind.APPLICATION, "a.net") in found.state
    assert (found.coverage.unread.keys(), len(found.diagnostics)) == ({Part.BESIDE}, 1)


def test_what_lives_elsewhere_says_so_and_keeps_its_own_address() -> None:
    """Applications and CAs; where an address is taken the id goes into it, so nothing is lost."""
    theirs = {"/zones": ZONES[:1], "/zones/z1/access/apps": [{**APP, "id": "a2"}],
              "/zones/z1/access/certificates": [{**CA, "id": "c2"}]}  # fmt: skip
    own = {f"{SCOPE.path}/access/apps": [APP], f"{SCOPE.path}/access/certificates": [CA]}
    state = seen(SCOPE, {**theirs, **own}, {"a.net"})[0].state
    found = {
        str(a): (r.id, r.elsewhere)
        for a, r in state.items()
        if isinstance(r, AccessApplication | CaCertificate)
    }
    assert found == {
        "application/a.net": ("a1", None),
        "application/a.net#a2": ("a2", "zone:z1"),
        "certificate/c1": ("c1", None),
        "certificate/c2": ("c2", "zone:z1"),
    }
    alone = seen(SCOPE, theirs, {"a.net"})[0].state
    assert {str(a) for a in alone} == {"application/a.net", "certificate/c2"}


def test_what_the_accounts_list_shows_too_lives_elsewhere_all_the_same() -> None:
    """One thing, listed twice, is taken once, and as what the zone says it is."""
    replies = {"/zones": ZONES[:1], "/zones/z1/access/apps": [APP], f"{SCOPE.path}/access/apps": [APP]}
    state = seen(SCOPE, replies, {"a.net"})[0].state
    (app,) = (r for _, r in state.of(AccessApplication))
    assert app.elsewhere == "zone:z1"


REFUSALS = [
    (refused(403, 10000, "Authentication error"), True),
    (refused(401, 1000, "Invalid API Token"), True),
    (refused(404, 7003, "Could not route"), True),
    (refused(500, 0, "oops"), False),
    (refused(429, 971, "Please wait"), False),
    (httpx.ConnectError("refused"), False),
    (httpx.ReadError("lost"), False),
    (ok({"not": "a list"}), False),
    (ok([{"id": "z"}]), False),
]


@pytest.mark.parametrize(("reply", "only_a_note"), REFUSALS)
def test_only_a_missing_permission_may_hide_the_other_scope(reply: Reply, only_a_note: bool) -> None:
    """Then it is said; every other trouble is an error: what could not be read is not taken for empty."""
    replies = {"/zones": reply, "/zones/z/access/apps": reply, "/zones/z/access/certificates": reply}
    if only_a_note:
        found, _ = seen(SCOPE, replies, {"a.net"})
        assert [d.code.code for d in found.diagnostics] == ["scope.other-unseen"]
        assert not any(d.is_error for d in found.diagnostics)
        return
    with pytest.raises(Failure):
        seen(SCOPE, replies, {"a.net"})


@pytest.mark.parametrize(
    ("reply", "only_a_warning"), [(reply, number == 0) for number, (reply, _) in enumerate(REFUSALS[:-1])]
)
def test_only_a_missing_permission_may_hide_groups(reply: Reply, only_a_warning: bool) -> None:
    """A permission of its own; any other trouble with groups stops, or rules would count that nobody has read."""
    replies = {f"{SCOPE.path}/access/groups": reply}
    if only_a_warning:
        found, _ = seen(SCOPE, replies, set())
        assert [d.code.code for d in found.diagnostics] == ["groups.unseen"]
        return
    with pytest.raises(Failure):
        seen(SCOPE, replies, set())
