"""Foreign things that open our doors: found as data, whatever they are called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cf_mtls.model.doors import Reach
from cf_mtls.model.frozen import EMPTY, freeze, freeze_object
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
        sorted(
            (w.culprit.key, w.domain, w.reach, w.recognised().content) for w in weakenings(there, DECLARED)
        )
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
    seen = [*weakenings(state(app=replace(HOLE, policies=(policy,))), DECLARED)]
    assert [w.reach for w in seen] == ([reach] if reach else [])


def test_a_foreign_application_is_blamed_only_where_it_decides() -> None:
    """Below ours, once for the nearest of ours above it; not above ours, nor where a narrower one of ours decides."""
    above = State({OURS: APP, MINE: CA, Address(Kind.APPLICATION, "a.net"): placed(HOLE, "a.net")})
    assert [*weakenings(above, DECLARED)] == []
    inner, mine = Address(Kind.APPLICATION, "a.net/x/y"), beside("a.net/x/y")
    open_ = replace(HOLE, policies=(AccessPolicy("all", "bypass", EVERYONE),))
    ours_decides = State({OURS: APP, MINE: CA, inner: placed(HOLE, "a.net/x/y"), mine: open_})
    assert [*weakenings(ours_decides, {**DECLARED, mine: open_})] == []


def test_another_application_on_our_own_domain_is_not_taken_for_ours() -> None:
    """In another scope: what is below is told once, and its rules are not held against ours."""
    twin = placed(
        replace(APP, policies=(AccessPolicy("q", "bypass", EVERYONE, id="p", reusable=True),)), "a.net/x"
    )
    below = Address(Kind.APPLICATION, "a.net/x/y")
    for first in (beside("a.net/x"), Address(Kind.APPLICATION, "a.net/w")):
        there = State({OURS: APP, MINE: CA, first: twin, below: HOLE})
        culprits = [str(w.culprit) for w in weakenings(there, DECLARED)]
        assert culprits.count("application/a.net/x/y") == 1
        assert "policy/p" not in culprits


def test_rules_kept_elsewhere_are_blamed_only_where_ours_decides() -> None:
    """A group beside *everyone* adds nobody; and where another application decides, ours is not what opens."""
    both = AccessPolicy("q", "bypass", (Rule("everyone"), Rule("group", freeze({"id": "g-1"}))))
    group = AccessGroup("theirs", EVERYONE, (), (), "g-1")
    there = State({OURS: replace(APP, policies=(both,)), MINE: CA, GROUP_AT: group})
    assert [*weakenings(there, DECLARED)] == []


NAMED = AccessPolicy("n", "non_identity", (Rule("common_name", freeze({"common_name": "fleet"})),))


@pytest.mark.parametrize(
    ("ours", "theirs", "is_told"),
    [
        (HOLDERS, HOLDERS, False),
        (NAMED, HOLDERS, True),
        (NAMED, NAMED, False),
        (NAMED, replace(NAMED, include=(Rule("common_name", freeze({"common_name": "x"})),)), True),
        (HOLDERS, NAMED, False),
        (replace(HOLDERS, decision="allow"), HOLDERS, True),
        (WITH_TOKEN, HOLDERS, True),
        (replace(WITH_TOKEN, exclude=(Rule("certificate"),)), HOLDERS, True),
        (WITH_TOKEN, WITH_TOKEN, False),
        (WITH_TOKEN, replace(WITH_TOKEN, include=(Rule("ip", freeze({"ip": "192.0.2.1/32"})),)), True),
        (replace(HOLDERS, decision="bypass", include=EVERYONE), replace(HOLDERS, include=EVERYONE), False),
        (replace(HOLDERS, decision="deny", include=EVERYONE), NAMED, True),
    ],
)
def test_an_application_below_is_told_where_it_lets_in_more_than_ours(
    ours: AccessPolicy, theirs: AccessPolicy, is_told: bool
) -> None:
    """Compared with who gets in by ours: other CAs, names, credentials, with or without a login."""
    there = state(app=replace(HOLE, policies=(theirs,))).put(OURS, replace(APP, policies=(ours,)))
    assert bool([*weakenings(there, DECLARED)]) is is_told


@pytest.mark.parametrize(
    ("ours", "theirs", "is_told"),
    [
        ("a.net/x", "a.net/*/y", True),
        ("a.net/x", "*.net/x/y", True),
        ("b.a.net/x", "*.a.net/x/y", True),
        ("b.a.net/x", "*.a.net/x", False),
        ("b.a.net/x", "*.a.net", False),
        ("*.a.net/x/y", "b.a.net/x", True),
        ("*.a.net", "b.a.net", True),
        ("*.a.net", "b*.a.net", True),
        ("a.net/x", "a.net/xy", False),
        ("a.net/x", "b.net/x/y", False),
        ("a.net/x*", "a.net/x1/y", True),
    ],
)
def test_an_application_that_may_decide_in_place_of_ours_is_told(
    ours: str, theirs: str, is_told: bool
) -> None:
    """Wildcards and stars included, by either order of specificity; never one that covers nothing of ours."""
    mine, hole = Address(Kind.APPLICATION, ours), Address(Kind.APPLICATION, theirs)
    there = State(
        {
            mine: replace(APP, destinations=(public(ours),)),
            hole: replace(HOLE, destinations=(public(theirs),)),
            MINE: replace(CA, associated_hostnames=("a.net", "b.a.net")),
        }
    )
    assert [w.culprit for w in weakenings(there, {mine: APP, MINE: CA})] == ([hole] if is_told else [])


@pytest.mark.parametrize(("pattern", "is_told"), [("*.a.net", True), ("*.net", False), ("b*.a.net", True)])
def test_a_ca_on_a_wildcard_of_our_hostname_may_count(pattern: str, is_told: bool) -> None:
    """Whether Access honours it is not known, so it is told; a wildcard stands for one label."""
    mine = Address(Kind.APPLICATION, "b.a.net")
    other = Address(Kind.CERTIFICATE, "bb" * 16)
    there = State(
        {mine: replace(APP, destinations=(public("b.a.net"),)),
         other: replace(OTHER, associated_hostnames=(pattern,))}
    )  # fmt: skip
    assert [w.culprit for w in weakenings(there, {mine: APP})] == ([other] if is_told else [])


def test_a_setting_that_lets_requests_through_is_told_unless_the_file_says_it() -> None:
    """options_preflight_bypass: on and undeclared; not where it is off, nor where the file declares it."""
    on = freeze_object({"options_preflight_bypass": True})
    there = state().put(OURS, replace(APP, fields=on))
    (found,) = weakenings(there, DECLARED)
    assert (found.culprit, found.warning.code.code) == (OURS, "access.undeclared-opening")
    assert [*weakenings(there, {**DECLARED, OURS: replace(APP, fields=on)})] == []
    off = there.put(OURS, replace(APP, fields=freeze_object({"options_preflight_bypass": False})))
    assert [*weakenings(off, DECLARED)] == []


def test_groups_are_blamed_for_what_they_open() -> None:
    """In include or require; one by itself, or several that open only together; never one that changes nothing."""
    shut, idle = (AccessGroup(n, (Rule("certificate"),), (), (), n) for n in ("g-2", "g-3"))
    opened = AccessGroup("theirs", EVERYONE, (), (), "g-1")

    def rule(name: str) -> Rule:
        return Rule("group", freeze({"id": name}))

    def culprits(policy: AccessPolicy, *groups: AccessGroup) -> list[str]:
        found: dict[Address, Resource] = {Address(Kind.GROUP, g.id): g for g in groups}
        there = State({OURS: replace(APP, policies=(policy,)), MINE: CA, **found})
        return [w.culprit.key for w in weakenings(there, DECLARED)]

    required = AccessPolicy("q", "non_identity", EVERYONE, (rule("g-1"),))
    assert culprits(required, opened) == ["g-1"]
    either = AccessPolicy("q", "non_identity", (rule("g-1"), rule("g-2"), rule("g-3")))
    assert culprits(either, opened, shut, idle) == ["g-1"]
    assert culprits(either, opened, replace(opened, id="g-2"), idle) == ["g-1", "g-2", "g-3"]


def test_a_foreign_application_that_lets_preflights_through_opens_ours() -> None:
    """Though its policies are ours: OPTIONS passes them by. Not where ours is declared to do the same."""
    through = freeze_object({"options_preflight_bypass": True})
    same = AccessApplication("theirs", (public("a.net/x/y"),), (HOLDERS,), through, id="a-1")
    (found,) = weakenings(state(app=same), DECLARED)
    assert (found.culprit.key, found.domain, found.reach) == ("a.net/x/y", "a.net/x", Reach.ANYONE)
    ours = replace(APP, fields=through)
    assert [*weakenings(state(app=same).put(OURS, ours), {**DECLARED, OURS: ours})] == []
    assert [*weakenings(state(app=replace(same, fields=EMPTY)), DECLARED)] == []
