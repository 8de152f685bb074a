"""Rules that no plan file holds: compared with the applied plan, and with what the file demands of its clients."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cf_mtls.declare.clients import shown_of
from cf_mtls.model.people import Client, Expected, Target
from cf_mtls.model.plan import Allowed
from cf_mtls.model.resources import AccessGroup, AccessPolicy, Address, Kind, Resource, Rule, Scope
from cf_mtls.model.state import State
from cf_mtls.planning.admission import People
from cf_mtls.planning.drift import Class
from cf_mtls.planning.planfile import saved_of
from cf_mtls.planning.saved import Saved
from cf_mtls.planning.watched import let_down, moved, not_recorded, unrecorded
from cf_mtls.workflow import planned
from tests.conftest import Pki
from tests.planning.things import CERTIFICATE, app, app_at, ca, ca_at, policy, rule

NOW = datetime.now(UTC)
SCOPE = Scope("account", "0123456789abcdef0123456789abcdef")
G, H, FAR = (Address(Kind.GROUP, name) for name in ("g", "h", "far"))
P = Address(Kind.POLICY, "p")
MAIL = rule("email", email="a@x.net")
OUTER = AccessGroup("outer", (rule("group", id="h"),), (), (), "g")
INNER = AccessGroup("inner", (MAIL,), (), (), "h")
SHARED = replace(policy("bypass", rule("group", id="g")), id="p", reusable=True)
OURS = replace(app("a.net", SHARED), id="1")
DECLARED = State(
    {
        app_at("a.net"): app("a.net", AccessPolicy("", "", (), id="p", reusable=True)),
        ca_at("1"): ca("1", "a.net"),
    }
)
ACTUAL = State(
    {
        app_at("a.net"): OURS,
        ca_at("1"): replace(ca("1", "a.net"), id="4"),
        G: OUTER,
        H: INNER,
        P: SHARED,
        FAR: replace(INNER, id="far"),
    }
)


def saved() -> Saved:
    """The plan that was applied last; it made the CA, and found the application as it is."""
    made = planned("s", SCOPE, DECLARED, ACTUAL.put(ca_at("1"), None), Allowed())
    return saved_of(made)


WIDER: list[tuple[Address, Resource | None]] = [
    (P, replace(SHARED, include=(Rule("everyone"),))),
    (P, replace(SHARED, decision="allow")),
    (P, replace(SHARED, require=(CERTIFICATE,))),
    (G, replace(OUTER, include=(*OUTER.include, MAIL))),
    (H, replace(INNER, include=(Rule("everyone"),))),
    (H, replace(INNER, exclude=(MAIL,))),
]


@pytest.mark.parametrize(("address", "now"), WIDER)
def test_rules_kept_elsewhere_that_moved_since_the_applied_plan_are_drift(
    address: Address, now: Resource
) -> None:
    """By whatever way: of a reusable policy, of a group, of a group within one; each content its own digest."""
    found = [*moved([OURS], ACTUAL.put(address, now), [saved()], "f")]
    assert [(f.kind, f.address) for f in found] == [(Class.DRIFT, str(address))]
    assert len({f.digest for a, r in WIDER for f in moved([OURS], ACTUAL.put(a, r), [saved()], "f")}) == len(
        WIDER
    )


def test_what_is_referred_to_since_is_drift_and_what_is_far_is_nobodys() -> None:
    """A group that comes in by another one was never approved; one that nothing of ours refers to may move."""
    assert [*moved([OURS], ACTUAL, [saved()], "f")] == []
    assert [*moved([OURS], ACTUAL.put(FAR, replace(INNER, id="far", include=())), [saved()], "f")] == []
    inside = ACTUAL.put(H, replace(INNER, include=(rule("group", id="far"),)))
    assert [f.address for f in moved([OURS], inside, [saved()], "f")] == ["group/h", "group/far"]


def test_without_an_applied_plan_it_is_said_that_nobody_can_tell() -> None:
    """By the addresses; not where there is one, and not where nothing is kept elsewhere."""
    (found,) = not_recorded(unrecorded([OURS], ACTUAL, []))
    assert found.code.code == "access.rules-not-recorded"
    assert all(str(a) in found.detail for a in (P, G, H))
    assert str(FAR) not in found.detail
    assert unrecorded([OURS], ACTUAL, [saved()]) == unrecorded([app("b.net")], ACTUAL, []) == ()
    assert [*not_recorded(())] == []
    assert [*moved([OURS], ACTUAL.put(P, replace(SHARED, include=())), [], "f")] == []


TARGET = Target("https://a.net/", "a.net")
CLIENT = Client("jean", "", "", expect=Expected.ALLOWED)


def people(pki: Pki, expect: Expected | None) -> People:
    shown = {"jean": shown_of(pki.jean.certificate, pki.jean.sent, NOW)}
    return People((replace(CLIENT, expect=expect),), (TARGET,), shown, NOW)


@pytest.mark.parametrize(
    ("expect", "inside", "says"),
    [
        (Expected.ALLOWED, True, ""),
        (Expected.ALLOWED, False, "jean must get in at https://a.net/"),
        (Expected.REFUSED, True, "jean must be refused at https://a.net/"),
        (Expected.REFUSED, False, ""),
        (None, True, ""),
        (None, False, ""),
    ],
)
def test_a_client_that_gets_otherwise_than_the_file_demands_is_found(
    pki: Pki, expect: Expected | None, inside: bool, says: str
) -> None:
    """Where applying the file would not mend it: a group decides; what it would mend is a difference already."""
    chain = pki.clients.chain.pem
    group = AccessGroup("g", (CERTIFICATE if inside else MAIL,), (), (), "g")
    by_group = app("a.net", policy("non_identity", Rule("everyone"), require=(rule("group", id="g"),)))
    desired = State({app_at("a.net"): by_group, ca_at("1"): replace(ca("1", "a.net"), pem=chain), G: group})
    found = [*let_down(people(pki, expect), desired, desired, "f")]
    assert [f.kind for f in found] == ([Class.UNENFORCED] if says else [])
    assert all(f.says.startswith(says) and f.address == "proof/https://a.net/ jean" for f in found)
    broken = desired.put(
        app_at("a.net"), None if expect is Expected.REFUSED else app("a.net", policy("deny", MAIL))
    )
    assert [*let_down(people(pki, expect), broken, desired, "f")] == found
