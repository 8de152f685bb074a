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
DECLARED: dict[Address, Resource] = {OURS: APP, MINE: CA}


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
        sorted((w.culprit.key, w.domain, w.reach, w.essence) for w in weakenings(there, DECLARED))
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
    assert [*weakenings(state(app=shut, ca=elsewhere), DECLARED)] == []
    everything = state(app=HOLE, ca=OTHER)
    assert [*weakenings(everything, everything)] == []


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
    seen = [*weakenings(State(found), DECLARED)]
    assert [str(w.culprit) for w in seen] == culprits
    assert all(w.reach is Reach.ANYONE and w.domain == "a.net/x" for w in seen)
