"""Who gets in by neither of two states: decided as `alphabet` decides it, and not decided where that is too much."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from cf_mtls.access.beyond import beyond_both
from cf_mtls.access.match import disputed
from cf_mtls.model.resources import AccessApplication, CaCertificate
from cf_mtls.model.state import State
from tests.conftest import Counted
from tests.planning.alphabet import PLACES, Account
from tests.planning.things import ANYONE, CERTIFICATE, HOLDERS, app, app_at, ca, ca_at, policy, rule
from tests.planning.worlds import BUDGET, GROUP, a_world, edited


def a_third(random: Random, one: State, other: State) -> State:
    """A state with a part of either, and now and then something else."""
    mixed = State((a, r) for s in (one, other) for a, r in s.items() if random.random() < 0.6)
    return edited(random, mixed.put(GROUP, one[GROUP]), random.randint(0, 1))


def test_it_agrees_with_the_alphabet_on_every_host(counted: Counted) -> None:
    """Somebody treated otherwise than either says: found at a path; nobody: none. Groups are the same in all three."""
    hosts, beyond = 0, 0
    for seed in range(120 * BUDGET):
        random = Random(f"beyond {seed}")
        one = a_world(random)
        other = edited(random, one, 2) if seed % 2 else a_world(random).put(GROUP, one[GROUP])
        between = a_third(random, one, other)
        first, here, last = map(Account, (one, between, other))
        for host in ("a.net", "b.net", "c.net"):
            if any(disputed(s, host, path) for s in (one, between, other) for h, path in PLACES if h == host):
                continue
            seen = [(first.inside(*p), here.inside(*p), last.inside(*p)) for p in PLACES if p[0] == host]
            expected = any(n & ~(a | f) or a & f & ~n for a, n, f in seen)
            assert bool(beyond_both(one, between, other, host)) is expected, (seed, host)
            hosts, beyond = hosts + 1, beyond + expected
    counted(f"{hosts} hosts in three states: beyond both in {beyond}, all as the alphabet says")


SHUT, OPEN = app("a.net"), app("a.net", ANYONE)
MANY = app("a.net", policy("allow", *(rule("email", email=f"{n}@x.net") for n in range(3))))
SEVEN = tuple(replace(policy("allow", rule("email", email=f"{n}@x.net")), name=f"p{n}") for n in range(7))


@pytest.mark.parametrize(
    ("states", "found"),
    [
        ((SHUT, OPEN, SHUT), True),
        ((SHUT, OPEN, OPEN), False),
        ((OPEN, SHUT, OPEN), True),
        ((OPEN, None, SHUT), False),
        ((SHUT, None, SHUT), True),
        ((MANY, MANY, SHUT), False),
        ((app("a.net", *SEVEN), app("a.net", *SEVEN), SHUT), True),
    ],
)
def test_one_application_in_three_states(states: tuple[AccessApplication | None, ...], found: bool) -> None:
    """The last: too many kinds of credentials to try each subset, so it is not taken for agreed."""
    at = app_at("a.net")
    one, between, other = (State({at: s} if s else {}) for s in states)
    assert bool(beyond_both(one, between, other, "a.net")) is found


def test_a_client_of_two_cas_counts_and_one_of_three_too() -> None:
    """Each state trusts another CA; whoever has a certificate of all gets in everywhere, so that nobody may be out."""
    cas: list[CaCertificate] = [ca(key, "a.net") for key in "123"]
    shut = app("a.net", policy("deny", CERTIFICATE))
    one, other = (State({app_at("a.net"): SHUT, ca_at(key): cas[n]}) for n, key in ((0, "1"), (1, "2")))
    assert beyond_both(one, State({app_at("a.net"): shut, ca_at("3"): cas[2]}), other, "a.net")
    no_trust = State({app_at("a.net"): SHUT})
    assert beyond_both(one, no_trust, other, "a.net")
    assert not beyond_both(one, no_trust, no_trust, "a.net")


def test_both_orders_of_specificity_count() -> None:
    """Which of `*.net/x/y` and `a.net/x` decides at /x/y is not known: opened by either, it is beyond both."""
    deep, here = app("*.net/x/y", HOLDERS), app("a.net/x", HOLDERS)
    shut = State({app_at("*.net/x/y"): deep, app_at("a.net/x"): here})
    for at, opened in (
        (app_at("*.net/x/y"), app("*.net/x/y", ANYONE)),
        (app_at("a.net/x"), app("a.net/x", ANYONE)),
    ):
        bad = beyond_both(shut, shut.put(at, opened), shut, "a.net")
        assert bad is not None
        assert "/x/y" in bad


def test_paths_of_which_none_stands_for_all_are_not_decided() -> None:
    """Stars inside of several segments, or too many whole ones to fill each with every word; one or few are."""
    few, many = ("/".join(["a.net", *"*" * n]) for n in (2, 7))
    for domains, decided in (
        (("a.net/a*", "a.net/*/b"), True),
        (("a.net/a*", "a.net/*c"), False),
        ((few, "a.net/a/b/c/d/e/f/g"), True),
        ((many, "a.net/a/b/c/d/e/f/g"), False),
    ):
        state = State({app_at(d): app(d) for d in domains})
        assert (beyond_both(state, state, state, "a.net") is not None) is decided
