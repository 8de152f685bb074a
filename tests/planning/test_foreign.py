"""Foreign things that open our doors: found as data, whatever they are called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cf_mtls.model.doors import Reach
from cf_mtls.model.frozen import freeze
from cf_mtls.model.resources import (
    AccessApplication,
    AccessGroup,
    AccessPolicy,
    Address,
    CaCertificate,
    Kind,
    Resource,
    Rule,
    public,
)
from cf_mtls.model.state import State
from cf_mtls.planning.foreign import weakenings

HOLDERS = AccessPolicy("p", "non_identity", (Rule("certificate"),))
OURS = Address(Kind.APPLICATION, "a.net/x")
MINE = Address(Kind.CERTIFICATE, "aa" * 16)
APP = AccessApplication("ours", (public("a.net/x"),), (HOLDERS,))
CA = CaCertificate("ours", ("a.net",), ("aa" * 16,), ())


def state(**foreign: Resource) -> State:
    """Ours, and what somebody else has there: `ca` and `app`."""
    found: dict[Address, Resource] = {OURS: APP, MINE: CA}
    if "ca" in foreign:
        found[Address(Kind.CERTIFICATE, "bb" * 16)] = foreign["ca"]
    if "app" in foreign:
        found[Address(Kind.APPLICATION, "a.net/x/y")] = foreign["app"]
    return State(found)


OTHER = CaCertificate("theirs", ("a.net",), ("bb" * 16,), (), id="c-1")
HOLE = AccessApplication(
    "hole", (public("a.net/x/y"),), (AccessPolicy("q", "bypass", (Rule("everyone"),)),), id="a-1"
)


@pytest.mark.parametrize(
    "name", ["theirs", f"{OURS}, named ours (id 1)", f"certificate/{'aa' * 16}", "", "x\ny"]
)
def test_the_culprit_is_the_thing_itself_whatever_its_name_says(name: str) -> None:
    """A name that reads like another thing's mention points nowhere else, and changes nothing that is recognised."""
    plain, named = (
        sorted((w.culprit.key, w.domain, w.reach, w.essence) for w in weakenings(there, {OURS, MINE}))
        for there in (
            state(ca=OTHER, app=HOLE),
            state(ca=replace(OTHER, name=name, id="c-2"), app=replace(HOLE, name=name, id="a-2")),
        )
    )
    assert plain == named
    assert [row[:3] for row in plain] == [
        ("a.net/x/y", "a.net/x", Reach.ANYONE),
        ("bb" * 16, "a.net/x", Reach.HOLDERS),
    ]


def test_what_opens_nothing_is_no_weakening() -> None:
    """A foreign application that asks for a certificate too, a CA on another host, and what is ours."""
    shut = replace(HOLE, policies=(HOLDERS,))
    elsewhere = replace(OTHER, associated_hostnames=("b.net",))
    assert [*weakenings(state(app=shut, ca=elsewhere), {OURS, MINE})] == []
    everything = state(app=HOLE, ca=OTHER)
    assert [*weakenings(everything, set(everything))] == []


EVERYONE = (Rule("everyone"),)
GROUP_AT = Address(Kind.GROUP, "g-1")
BY_GROUP = AccessPolicy("q", "non_identity", (Rule("group", freeze({"id": "g-1"})),))


@pytest.mark.parametrize(
    ("policy", "group", "culprits"),
    [
        (AccessPolicy("q", "bypass", EVERYONE, id="p-1", reusable=True), None, ["policy/p-1"]),
        (AccessPolicy("q", "non_identity", EVERYONE, id="p-1", reusable=True), None, ["policy/p-1"]),
        (AccessPolicy("q", "allow", EVERYONE, id="p-1", reusable=True), None, []),  # a login is asked for
        (replace(HOLDERS, id="p-1", reusable=True), None, []),
        (AccessPolicy("q", "bypass", EVERYONE), None, []),  # the file says so itself
        (BY_GROUP, EVERYONE, ["group/g-1"]),
        (BY_GROUP, (Rule("certificate"),), []),
    ],
)
def test_rules_kept_elsewhere_that_let_anyone_in_are_a_weakening(
    policy: AccessPolicy, group: tuple[Rule, ...] | None, culprits: list[str]
) -> None:
    """A reusable policy or a group may be opened by whoever owns it; what the file says itself is meant."""
    found: dict[Address, Resource] = {OURS: replace(APP, policies=(policy,)), MINE: CA}
    if group:
        found[GROUP_AT] = AccessGroup("theirs", group, (), (), "g-1")
    seen = [*weakenings(State(found), {OURS, MINE})]
    assert [str(w.culprit) for w in seen] == culprits
    assert all(w.reach is Reach.ANYONE and w.domain == "a.net/x" for w in seen)
    assert {w.warning.code.code for w in seen} <= {"access.foreign-rules"}


def placed(app: AccessApplication, domain: str) -> AccessApplication:
    """The application on another domain, in another scope."""
    return replace(app, destinations=(public(domain),), elsewhere="zone:1")


def beside(domain: str) -> Address:
    """Where a second application on a domain stands."""
    return Address(Kind.APPLICATION, f"{domain}#a-9")


WITH_TOKEN = AccessPolicy("t", "non_identity", (Rule("service_token", freeze({"token_id": "t"})),))


@pytest.mark.parametrize(
    ("policy", "reach"),
    [
        (HOLDERS, None),
        (WITH_TOKEN, Reach.OTHERS),
        (AccessPolicy("q", "allow", (Rule("everyone"),)), Reach.OTHERS),
        (AccessPolicy("q", "bypass", (Rule("everyone"),)), Reach.ANYONE),
        (AccessPolicy("q", "deny", (Rule("everyone"),)), None),
    ],
)
def test_whoever_gets_in_below_without_a_certificate_is_told(
    policy: AccessPolicy, reach: Reach | None
) -> None:
    """Anyone, and also holders of other credentials: a narrower application decides and inherits nothing."""
    seen = [*weakenings(state(app=replace(HOLE, policies=(policy,))), {OURS, MINE})]
    assert [w.reach for w in seen] == ([reach] if reach else [])


def test_a_foreign_application_is_blamed_only_where_it_decides() -> None:
    """Below ours, once for the nearest of ours above it; not above ours, nor where a narrower one of ours decides."""
    above = State({OURS: APP, MINE: CA, Address(Kind.APPLICATION, "a.net"): placed(HOLE, "a.net")})
    assert [*weakenings(above, {OURS, MINE})] == []
    inner, mine = Address(Kind.APPLICATION, "a.net/x/y"), beside("a.net/x/y")
    open_ = replace(HOLE, policies=(AccessPolicy("all", "bypass", EVERYONE),))
    ours_decides = State({OURS: APP, MINE: CA, inner: placed(HOLE, "a.net/x/y"), mine: open_})
    assert [*weakenings(ours_decides, {OURS, MINE, mine})] == []


def test_another_application_on_our_own_domain_is_not_taken_for_ours() -> None:
    """In another scope: what is below is told once, and its rules are not held against ours."""
    twin = placed(
        replace(APP, policies=(AccessPolicy("q", "bypass", EVERYONE, id="p", reusable=True),)), "a.net/x"
    )
    below = Address(Kind.APPLICATION, "a.net/x/y")
    for first in (beside("a.net/x"), Address(Kind.APPLICATION, "a.net/w")):
        there = State({OURS: APP, MINE: CA, first: twin, below: HOLE})
        culprits = [str(w.culprit) for w in weakenings(there, {OURS, MINE})]
        assert culprits.count("application/a.net/x/y") == 1
        assert "policy/p" not in culprits


def test_rules_kept_elsewhere_are_blamed_only_where_ours_decides() -> None:
    """A group beside *everyone* adds nobody; and where another application decides, ours is not what opens."""
    both = AccessPolicy("q", "bypass", (Rule("everyone"), Rule("group", freeze({"id": "g-1"}))))
    group = AccessGroup("theirs", EVERYONE, (), (), "g-1")
    there = State({OURS: replace(APP, policies=(both,)), MINE: CA, GROUP_AT: group})
    assert [*weakenings(there, {OURS, MINE})] == []
