"""What the words about a stack rest on: named whenever a rule, however far away, decides who gets in near it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cf_mtls.diagnostics import Code, Fault, Severity
from cf_mtls.model.coverage import Coverage, Part
from cf_mtls.model.resources import AccessGroup, AccessPolicy, Address, Kind, Resource
from cf_mtls.model.state import State
from cf_mtls.planning.basis import ALWAYS, resting
from tests.planning.things import CERTIFICATE, app, app_at, ca, ca_at, policy, rule

DECLARED = State(
    {app_at("a.net"): app("a.net"), ca_at("1"): ca("1", "a.net"), app_at("*.w.net"): app("*.w.net")}
)
THERE = State({a: replace(r, id=str(a)) for a, r in DECLARED.items()})  # type: ignore[call-arg]
EVERYTHING = Coverage(frozenset(Part))
WHY = Code("groups.unseen", Severity.WARNING, Fault.INVOCATION, "groups cannot be read").found("no")
NO_GROUPS = replace(EVERYTHING, unread={Part.GROUPS: (WHY,)})
G = rule("group", id="g")
BY_GROUP = policy("non_identity", CERTIFICATE, require=(G,))
SHARED = replace(BY_GROUP, id="r", reusable=True)


def group(id_: str, *include: str) -> tuple[Address, AccessGroup]:
    rules = tuple(rule("group", id=i) for i in include) or (rule("email", email="a@x.net"),)
    return Address(Kind.GROUP, id_), AccessGroup(id_, rules, (), (), id_)


def foreign(domain: str, *policies: AccessPolicy) -> Resource:
    return replace(app(domain, *policies, stack=None), id="9")


NEAR: dict[str, tuple[Address, Resource]] = {
    "ours, required": (app_at("a.net"), app("a.net", BY_GROUP)),
    "ours, included": (app_at("a.net"), app("a.net", policy("bypass", G))),
    "ours, excluded": (app_at("a.net"), app("a.net", policy("bypass", CERTIFICATE, exclude=(G,)))),
    "ours, denied": (app_at("a.net"), app("a.net", policy("deny", G))),
    "ours, by a reusable policy": (app_at("a.net"), app("a.net", SHARED)),
    "foreign, below ours": (app_at("a.net/x"), foreign("a.net/x", BY_GROUP)),
    "foreign, above ours": (app_at("*.net"), foreign("*.net", BY_GROUP)),
    "foreign, on a host that our wildcard covers": (app_at("x.w.net/y"), foreign("x.w.net/y", BY_GROUP)),
    "foreign, on a part of what our wildcard covers": (app_at("x*.w.net"), foreign("x*.w.net", BY_GROUP)),
    "foreign, by a reusable policy": (app_at("a.net/x"), foreign("a.net/x", SHARED)),
    "ours by mark, no longer declared": (app_at("old.net"), replace(app("old.net", BY_GROUP), id="8")),
    "foreign, on a host of ours no longer declared": (app_at("old.net/x"), foreign("old.net/x", BY_GROUP)),
}
OLD = (app_at("old.net"), replace(app("old.net"), id="7"))


@pytest.mark.parametrize("name", NEAR)
def test_a_group_that_decides_near_a_stack_must_have_been_read(name: str) -> None:
    """Whoever refers to it; read, the claim can be made."""
    address, thing = NEAR[name]
    actual = State([*THERE.items(), OLD, (address, thing)])
    assert resting(NO_GROUPS, DECLARED, actual, "s").missing == (Part.GROUPS,)
    assert resting(NO_GROUPS, DECLARED, actual, "s").why() == (WHY,)
    read = State([*actual.items(), group("g")])
    assert resting(EVERYTHING, DECLARED, read, "s").is_complete
    assert resting(EVERYTHING, DECLARED, actual, "s").missing == ("group g",)


def test_a_host_on_which_nothing_stands_yet_counts() -> None:
    """A wildcard of somebody else decides there until the file is applied."""
    actual = State({app_at("*.net"): foreign("*.net", BY_GROUP)})
    assert resting(NO_GROUPS, State({app_at("a.net"): app("a.net")}), actual, "s").missing == (Part.GROUPS,)


FAR = [foreign(domain, BY_GROUP) for domain in ("b.net", "x.y.w.net", "w.net", "a.net.org")]


@pytest.mark.parametrize("there", FAR)
def test_what_decides_elsewhere_does_not_count(there: Resource) -> None:
    """Groups that nobody may read matter only near what is declared: no false *could not check*."""
    actual = THERE.put(app_at("far"), there)
    assert resting(NO_GROUPS, DECLARED, actual, "s").is_complete


def test_groups_are_followed_to_their_end() -> None:
    """Each of a chain and of a circle must have been read, by itself."""
    actual = THERE.put(app_at("a.net"), app("a.net", BY_GROUP)).put_all(
        dict([group("g", "h", "i"), group("h", "g")])
    )
    found = resting(EVERYTHING, DECLARED, actual, "s")
    assert (found.missing, [d.code.code for d in found.why()]) == (("group i",), ["groups.not-listed"])
    assert resting(EVERYTHING, DECLARED, actual.put_all(dict([group("i")])), "s").is_complete


def test_a_group_of_the_file_that_is_not_applied_counts_too() -> None:
    """What the file demands is compared with, so whom it lets in must be known."""
    declared = DECLARED.put(app_at("a.net"), app("a.net", BY_GROUP))
    assert resting(EVERYTHING, declared, THERE, "s").missing == ("group g",)


@pytest.mark.parametrize("part", Part)
def test_each_part_counts_where_something_rests_on_it(part: Part) -> None:
    """The other scope for every host; reusable policies and groups where a rule names one; the lists always."""
    missing = replace(EVERYTHING, unread={part: (WHY,)})
    plain = resting(missing, DECLARED, THERE, "s").is_complete
    assert plain is (part in {Part.POLICIES, Part.GROUPS})
    actual = State([*THERE.put(app_at("a.net"), app("a.net", SHARED)).items(), group("g")])
    assert not resting(missing, DECLARED, actual, "s").is_complete
    nothing = resting(missing, State(), State(), "s").is_complete
    assert nothing is (part not in ALWAYS)


def test_an_emptied_rule_refers_to_nothing() -> None:
    """The server adds such rules by itself."""
    actual = THERE.put(app_at("a.net"), app("a.net", policy("bypass", CERTIFICATE, exclude=(rule("group"),))))
    assert resting(EVERYTHING, DECLARED, actual, "s").is_complete
