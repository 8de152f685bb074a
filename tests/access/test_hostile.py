"""What somebody else in the account may write takes no more work than its length: patterns, and groups in circles.

Work is counted in calls, so no clock decides; what the matcher answers is compared with an automaton that tries
every way at once and shares nothing with it.
"""

from __future__ import annotations

import cProfile
import pstats
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random

import pytest

from cf_mtls import workflow
from cf_mtls.access.decide import Asker, Request, decide
from cf_mtls.access.doors import door_at
from cf_mtls.access.explain import explain
from cf_mtls.access.groups import groups_among
from cf_mtls.access.match import covers
from cf_mtls.emulator import policy
from cf_mtls.model.doors import Outcome, Reach
from cf_mtls.model.frozen import freeze
from cf_mtls.model.resources import (
    AccessApplication,
    AccessGroup,
    AccessPolicy,
    Address,
    Kind,
    Resource,
    Rule,
    Scope,
    public,
)
from cf_mtls.model.rules import rule_meaning
from cf_mtls.model.state import State
from cf_mtls.planning.check import Known, findings
from tests.conftest import Counted
from tests.planning.worlds import BUDGET

CERTIFICATE = Rule("certificate")
MAIL = Rule("email", freeze({"email": "a@x.net"}))
SCOPE = Scope("account", "0" * 32)


def calls(act: Callable[[], object]) -> int:
    profiler = cProfile.Profile()
    profiler.runcall(act)
    return int(pstats.Stats(profiler).total_calls)  # type: ignore[attr-defined]


# The matcher


def automaton(pattern: str, text: str, *, host: bool) -> bool:
    """Whether a text is a pattern's, by trying every way at once: a set of places in the pattern."""
    letters: list[tuple[str, bool, bool]] = []
    labels = pattern.split(".") if host else [pattern]
    for number, label in enumerate(labels):
        letters += [(".", False, False)] if number else []
        letters += [(c, c == "*" and not (host and label == "*"), c == "*") for c in label]

    def closed(places: set[int]) -> set[int]:
        for place in range(len(letters)):
            if place in places and letters[place][1]:
                places.add(place + 1)
        return places

    places = closed({0})
    for character in text:
        onward: set[int] = set()
        for place in places:
            if place == len(letters):
                continue
            letter, _, again = letters[place]
            if again and not (host and character == "."):
                onward |= {place, place + 1}
            elif not again and letter == character:
                onward.add(place + 1)
        places = closed(onward)
    return len(letters) in places


def expected(domain: str, host: str, path: str) -> bool:
    """Facts 3.8 read letter by letter."""
    wanted, _, rest = domain.partition("/")
    body = f"/{rest}".rstrip("/")
    ends = [end for end in range(len(path) + 1) if path[end : end + 1] in {"", "/"}]
    return automaton(wanted, host, host=True) and any(automaton(body, path[:end], host=False) for end in ends)


def test_the_matcher_says_what_an_automaton_says(counted: Counted) -> None:
    """Random patterns and places over few letters, so that both answers are frequent."""
    random, seen = Random(14), Counter[bool]()
    for _ in range(20_000 * BUDGET):
        host_pattern = "".join(random.choices("ab*.", (4, 1, 3, 2), k=random.randint(1, 6)))
        path_pattern = "".join(random.choices("ab/*", (3, 1, 2, 4), k=random.randint(0, 8)))
        host = "".join(random.choices("ab.", (5, 1, 2), k=random.randint(1, 6)))
        path = "/" + "".join(random.choices("ab/", (4, 1, 3), k=random.randint(0, 10)))
        domain = host_pattern + (f"/{path_pattern}" if path_pattern else "")
        if random.random() < 0.6:
            host = host_pattern.replace("*", random.choice(("a", "b", "ab", "")))
        wanted = expected(domain, host, path)
        assert covers(domain, host, path) is wanted, (domain, host, path)
        if "//" not in f"/{path_pattern}" and "." not in path_pattern:  # the emulator merges slashes first
            assert policy.covers(domain, host, path) is wanted, (domain, host, path)
        seen[wanted] += 1
    counted(f"patterns compared with an automaton: {seen[True]} cover, {seen[False]} do not")
    assert min(seen.values()) > 2_000 * BUDGET


def account(domain: str) -> State:
    """Our application on a host, and somebody else's with any domain."""
    ours = AccessPolicy("any", "non_identity", (CERTIFICATE,))
    found: dict[Address, Resource] = {
        Address(Kind.APPLICATION, "a.zone.test/x"): AccessApplication(
            "x (cf-mtls s)", (public("a.zone.test/x"),), (ours,), id="1"
        ),
        Address(Kind.APPLICATION, domain): AccessApplication("theirs", (public(domain),), (ours,), id="2"),
    }
    return State(found)


DECLARED = State(
    {
        Address(Kind.APPLICATION, "a.zone.test/y"): AccessApplication(
            "y (cf-mtls s)",
            (public("a.zone.test/y"),),
            (AccessPolicy("any", "non_identity", (CERTIFICATE,)),),
        )
    }
)
VERBS: dict[str, Callable[[State], object]] = {
    "plan": lambda s: workflow.planned("s", SCOPE, DECLARED, s, workflow.NOTHING),
    "drift": lambda s: findings(Known("f", "s", DECLARED), s, datetime.now(UTC), timedelta(30)),
    "explain": lambda s: explain(s, "a.zone.test", "/" + "a/" * 200),
    "door": lambda s: door_at(s, "a.zone.test", "/" * 200 + "b"),
}


@pytest.mark.parametrize("tail", ["*/", "*a/", "a*b*", "/*"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_foreign_pattern_costs_what_its_length_costs(verb: str, tail: str) -> None:
    """Four times the stars, about four times the calls; a pattern tried again and again would never end."""
    act = VERBS[verb]
    few, many = (calls(partial(act, account(f"a.zone.test/{tail * stars}x"))) for stars in (10, 40))
    assert many < 6 * few


# Groups


def refers(*ids: str) -> tuple[Rule, ...]:
    return tuple(Rule("group", freeze({"id": id_})) for id_ in ids)


def a_group(id_: str, include: tuple[Rule, ...], exclude: tuple[Rule, ...] = ()) -> AccessGroup:
    return AccessGroup(id_, include, (), exclude, id_)


def guarded(groups: Iterable[AccessGroup], first: str) -> State:
    """An account whose only application asks for a group."""
    asking = AccessPolicy("p", "non_identity", refers(first))
    app = AccessApplication("a", (public("a.zone.test"),), (asking,), id="1")
    found: dict[Address, Resource] = {Address(Kind.GROUP, group.id): group for group in groups}
    return State(found | {Address(Kind.APPLICATION, "a.zone.test"): app})


def everybody_refers_to_everybody(size: int) -> list[AccessGroup]:
    ids = [f"g{n:04}" for n in range(size)]
    return [a_group(id_, (MAIL, *refers(*ids)), refers(*ids[:1])) for id_ in ids]


def layers(size: int) -> list[AccessGroup]:
    """Two groups a layer, each referring to both of the next: as many ways down as 2 to the power of the layers."""
    below = [(MAIL,), *(refers(f"a{n}", f"b{n}") for n in range(size))]
    return [a_group(f"{letter}{n}", rules) for n, rules in enumerate(below) for letter in "ab"]


def a_line(size: int) -> list[AccessGroup]:
    return [a_group(f"g{n}", refers(f"g{n + 1}") if n + 1 < size else (MAIL,)) for n in range(size)]


SHAPES: dict[str, tuple[Callable[[int], list[AccessGroup]], str, int, float]] = {
    "each refers to all": (everybody_refers_to_everybody, "g0000", 8, 4 * 1.5),
    "layers": (layers, "a10", 10, 2 * 1.5),
    "a line": (a_line, "g0", 400, 2 * 1.5),
}
"""Groups, the one that is asked for, how many of them, and what twice as many may cost: references count."""


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("shape", SHAPES)
def test_groups_cost_what_their_references_cost(shape: str, verb: str) -> None:
    """Circles and many ways to one group: each reference is followed once, never each way."""
    make, first, size, most = SHAPES[shape]
    act = VERBS[verb]
    once, twice = (calls(partial(act, guarded(make(n), first))) for n in (size, 2 * size))
    assert twice < most * once


def test_a_circle_of_groups_is_unknown_and_not_nobody() -> None:
    """What it means is documented nowhere: somebody may be in it, and nobody is said to be out."""
    circle = [a_group("one", refers("two")), a_group("two", refers("one"))]
    state = guarded(circle, "one")
    closing = frozenset({rule_meaning(refers("two")[0])})
    assert door_at(state, "a.zone.test", "/").reach is Reach.OTHERS
    outcomes = [
        decide(state, Request("a.zone.test", "/", Asker(holds=held))).outcome
        for held in (closing, frozenset())
    ]
    assert outcomes == [Outcome.ADMITTED, Outcome.REFUSED]


def plainly(groups: Mapping[str, AccessGroup], rules: AccessGroup, held: frozenset[str]) -> bool:
    """Whether somebody is in a group, read recursively; for groups without circles."""

    def meets(rule: Rule) -> bool:
        inner = groups.get(rule.value["id"]) if rule.kind == "group" else None  # type: ignore[index,call-overload,arg-type]
        return plainly(groups, inner, held) if inner else rule_meaning(rule) in held

    included, excluded = any(map(meets, rules.include)), any(map(meets, rules.exclude))
    return included and all(map(meets, rules.require)) and not excluded


def test_groups_without_circles_mean_what_they_say(counted: Counted) -> None:
    """Random groups that refer to later ones, unknown ones among them, against a recursive reading."""
    random, seen = Random(15), Counter[bool]()
    for _ in range(400 * BUDGET):
        ids = [f"g{n}" for n in range(6)]
        groups = {}
        for number, id_ in enumerate(ids):
            below = [*refers(*ids[number + 1 :], "unread"), MAIL, Rule("geo", freeze({"country_code": "PT"}))]
            include, require, exclude = (
                tuple(random.choices(below, k=k)) for k in (2, random.randint(0, 1), 1)
            )
            groups[id_] = AccessGroup(id_, include, require, exclude if random.random() < 0.3 else (), id_)
        state = guarded(groups.values(), "g0")
        kinds = [*refers("unread"), MAIL, Rule("geo", freeze({"country_code": "PT"}))]
        held = frozenset(rule_meaning(rule) for rule in kinds if random.random() < 0.6)
        wanted = plainly(groups, groups["g0"], held)
        got = decide(state, Request("a.zone.test", "/", Asker(holds=held))).outcome
        assert got is (Outcome.ADMITTED if wanted else Outcome.REFUSED)
        seen[wanted] += 1
    counted(f"memberships in nested groups compared: {seen[True]} in, {seen[False]} out")
    assert min(seen.values()) > 50


def test_circles_are_found_as_a_search_from_everywhere_finds_them() -> None:
    """Random references among eight groups: a reference stays exactly when there is no way back."""
    random = Random(16)
    for _ in range(300 * BUDGET):
        ids = [str(n) for n in range(8)]
        to = {id_: set(random.sample(ids, random.choice((0, 1, 1, 2, 3)))) for id_ in ids}
        reached = {id_: set(found) for id_, found in to.items()}
        for _ in ids:
            reached = {id_: found.union(*(to[other] for other in found)) for id_, found in reached.items()}
        found = groups_among(a_group(id_, refers(*sorted(to[id_]))) for id_ in ids)
        assert found.below == {id_: {g for g in to[id_] if id_ not in reached[g] and g != id_} for id_ in ids}


def test_each_group_stands_behind_those_it_refers_to() -> None:
    """Whatever order the ids have."""
    random = Random(17)
    for _ in range(200 * BUDGET):
        ids = random.sample([str(n) for n in range(8)], 8)
        groups = [
            a_group(id_, refers(*random.sample(ids[n + 1 :], min(2, 7 - n)))) for n, id_ in enumerate(ids)
        ]
        found, order = groups_among(groups), list[str]()
        for group in found.upwards(ids[0], order.__contains__):
            assert found.below[group] <= set(order)
            order.append(group)
        assert len(order) == len(set(order))
        assert order[-1] == ids[0]
