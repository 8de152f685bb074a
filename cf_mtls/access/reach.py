"""Who can get in: the finite set of requests that stands for all of them, and the doors they find.

Why a finite set suffices. A decision looks at a request only through yes-or-no questions: which domains cover
its host and path, which override patterns match its path, which CAs of the host vouch for its certificate,
which common names and other selectors it meets. Requests with the same answers get the same decision, so one
of each kind is enough:
- Hosts: every host that is named, and for every wildcard one host that only it covers.
- Paths: for every domain and override the path itself, one below, one beside; each star filled with a word that
  occurs nowhere, and with the words that other patterns of the host have in that place.
- Certificates: none, one for each CA of the host, and one valid under each two CAs that come or go (a renewed root
  vouches for the same clients). CAs that stand in the same states are told apart, because people want their names.
- Common names: each that a rule names (those in the same places of the same policies once), and one nobody names.
- Other credentials: those in the same places of the same policies are one class: an OR is met by any of them, an
  AND by all, so an asker holds the class or does not. Tried: none, each class, each with a login, all, all but one.
  That set is not every subset: only a policy that wants two credentials and forbids a third could hide from it.
"""

from __future__ import annotations

from itertools import chain, combinations
from typing import TYPE_CHECKING

from cf_mtls.access.decide import (
    LOGIN,
    decider,
    groups_of,
    world_of,
)
from cf_mtls.access.match import standing
from cf_mtls.model.doors import Door, Reach
from cf_mtls.model.frozen import Record
from cf_mtls.model.people import Asker
from cf_mtls.model.resources import (
    AccessApplication,
    AccessGroup,
    AccessPolicy,
    Address,
    CaCertificate,
    Rule,
    host_of,
    path_of,
)
from cf_mtls.model.rules import is_about_certificates, member, rule_meaning

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from cf_mtls.model.state import State

NOBODY_NAMED = "\x00"
"""A common name that no rule names: it cannot be in a certificate's text."""

WORD = "cf-mtls-anything"
"""A label or path segment that nobody uses."""

MOST_FILLINGS = 64
"""How many ways the stars of one path are filled at most."""

PARTS = ("include", "require", "exclude")

_LOGIN_RULE = Rule(LOGIN)
"""Stands for what every Allow policy asks for beside its rules."""


# Where


def hosts_of(state: State) -> frozenset[str]:
    """Every host of a state's applications and CAs; a wildcard gives one host that it covers."""
    domains = (host_of(d) for _, app in state.of(AccessApplication) for d in app.domains)
    named = (h for _, ca in state.of(CaCertificate) for h in ca.associated_hostnames)
    return frozenset(concrete(host) for host in chain(domains, named))


def concrete(host: str) -> str:
    """A host that a pattern covers: the stars filled with a word that nobody uses."""
    return host.replace("*", WORD)


def paths_at(states: Sequence[State], host: str) -> tuple[str, ...]:
    """The paths of a host that stand for all, sorted."""
    patterns = frozenset(pattern for state in states for pattern in _patterns(state, host))
    words = _words(patterns)
    found = {"/"} | {
        path for pattern in patterns for filled in _filled(pattern, words) for path in _around(filled)
    }
    return tuple(sorted(found))


def _patterns(state: State, host: str) -> Iterator[str]:
    for _, app, domain in standing(state, host):
        yield path_of(domain)
        for destination in app.destinations:
            overrides = destination.get("overrides") if destination.get("uri") == domain else None
            for override in overrides if isinstance(overrides, tuple) else ():
                if isinstance(override, Record):
                    yield str(override.get("path_pattern") or "")


def _words(patterns: Iterable[str]) -> dict[int, frozenset[str]]:
    """The plain segments that patterns have at each depth."""
    words: dict[int, set[str]] = {}
    for pattern in patterns:
        for depth, segment in enumerate(pattern.strip("/").split("/")):
            if segment and "*" not in segment:
                words.setdefault(depth, set()).add(segment)
    return {depth: frozenset(found) for depth, found in words.items()}


def _filled(pattern: str, words: dict[int, frozenset[str]]) -> list[str]:
    """The pattern with its stars filled in, in at most `MOST_FILLINGS` ways."""
    filled = [""]
    for depth, segment in enumerate(pattern.strip("/").split("/")):
        options = [segment.replace("*", WORD), *sorted(words.get(depth, ()))] if "*" in segment else [segment]
        filled = [f"{before}/{option}" for before in filled for option in options][:MOST_FILLINGS]
    return filled


def _around(path: str) -> tuple[str, ...]:
    """A path, the same with a slash, one below and one beside."""
    bare = path.rstrip("/")
    return (bare or "/", f"{bare}/", f"{bare}/{WORD}", f"{bare}{WORD}" if bare else f"/{WORD}")


# Who


def askers_at(states: Sequence[State], host: str, path: str | None = None) -> tuple[Asker, ...]:
    """The askers that stand for all at a host, the one with nothing at all first.

    path: where only those count whom the applications there tell apart; None for the whole host.
    """
    rules = tuple(_placed_rules(states, host, path))
    held = tuple(_holdings(rules))
    names = (NOBODY_NAMED, *_representative_names(rules))
    without = [Asker(holds=h) for h in held]
    within = [
        Asker(cas, frozenset({name}), h) for cas in _vouchers(states, host) for name in names for h in held
    ]
    return tuple(without + within)


def _vouchers(states: Sequence[State], host: str) -> Iterator[frozenset[Address]]:
    """Each CA of the host, and each pair of those that come or go: a client may be valid under old and new."""
    trusted = [world_of(state, host).trusted for state in states]
    ever = sorted(frozenset().union(*trusted))
    changing = sorted(set(ever).difference(trusted[0].intersection(*trusted[1:])))
    yield from (frozenset({ca}) for ca in ever)
    yield from (frozenset(pair) for pair in combinations(changing, 2))


MOST_CREDENTIALS = 6
"""Kinds of other credentials of which every subset is tried; with more it is not decided."""


def everybody_at(states: Sequence[State], host: str, path: str) -> tuple[Asker, ...] | None:
    """Every asker whom these states can tell apart at a host and path; None when they are too many to try each.

    Unlike `askers_at` with every subset of the other credentials, and one certificate for each set of states in which
    a client can be valid at the same time: its CAs are of no interest, only where they are trusted.
    """
    rules = tuple(_placed_rules(states, host, path))
    classes = _credential_classes(rules)
    if len(classes) > MOST_CREDENTIALS:
        return None
    sizes = range(len(classes) + 1)
    held = [frozenset[str]().union(*some) for size in sizes for some in combinations(classes, size)]
    names = (NOBODY_NAMED, *_representative_names(rules))
    valid = [(cas, name) for cas in _validities(states, host) for name in names]
    return tuple(
        [Asker(holds=h) for h in held]
        + [Asker(cas, frozenset({name}), h) for cas, name in valid for h in held]
    )


def _validities(states: Sequence[State], host: str) -> list[frozenset[Address]]:
    """CAs that together are trusted in as many sets of these states as there can be, one choice each."""
    trusted = [world_of(state, host).trusted for state in states]
    found: dict[tuple[bool, ...], frozenset[Address]] = {}
    for ca in sorted(frozenset().union(*trusted)):
        here = tuple(ca in cas for cas in trusted)
        for where, cas in [(here, frozenset[Address]()), *found.items()]:
            found.setdefault(tuple(map(any, zip(here, where, strict=True))), cas | {ca})
    return list(found.values())


def all_paths_at(states: Sequence[State], host: str) -> tuple[str, ...] | None:
    """As `paths_at`; None where these do not stand for all: too many fillings, or stars inside of several segments."""
    patterns = frozenset(pattern for state in states for pattern in _patterns(state, host))
    words = _words(patterns)
    inside = {s for pattern in patterns for s in pattern.split("/") if "*" in s and s != "*"}
    if len(inside) > 1 or any(len(_filled(pattern, words)) >= MOST_FILLINGS for pattern in patterns):
        return None
    return paths_at(states, host)


def _placed_rules(
    states: Sequence[State], host: str, path: str | None
) -> Iterator[tuple[Rule, tuple[object, ...]]]:
    """Every rule that can count at a host or path, with the place it stands in.

    A group is a place of its own, once, however many rules lead to it.
    """
    for number, state in enumerate(states):
        groups, referred = groups_of(state), dict[str, None]()
        for address, app in {a: app for a, app, _ in standing(state, host, path)}.items():
            for index, policy in enumerate(app.policies):
                if policy.decision == "allow":
                    yield _LOGIN_RULE, (LOGIN,)
                yield from _rules_of(policy, groups.by_id, referred, (number, address, index))
        done = set[str]()
        for group in (g for start in referred for g in groups.upwards(start, done.__contains__)):
            done.add(group)
            yield from _rules_of(groups.by_id[group], groups.below[group], {}, (number, group))


def _rules_of(
    rules: AccessPolicy | AccessGroup,
    known: Container[str],
    referred: dict[str, None],
    place: tuple[object, ...],
) -> Iterator[tuple[Rule, tuple[object, ...]]]:
    """The rules that stand there themselves. known: groups to follow; those found are added to `referred`."""
    for part in PARTS:
        for rule in getattr(rules, part):
            if rule.kind == "group" and member(rule, "id") in known:
                referred[member(rule, "id")] = None
            else:
                yield rule, (*place, part)


def _classes(rules: Iterable[tuple[str, tuple[object, ...]]]) -> list[frozenset[str]]:
    """Texts that stand in the same places, together, in a fixed order."""
    places: dict[str, set[tuple[object, ...]]] = {}
    for text, place in rules:
        places.setdefault(text, set()).add(place)
    classes: dict[frozenset[tuple[object, ...]], set[str]] = {}
    for text, where in places.items():
        classes.setdefault(frozenset(where), set()).add(text)
    return sorted((frozenset(found) for found in classes.values()), key=min)


def _credential_classes(rules: Sequence[tuple[Rule, tuple[object, ...]]]) -> list[frozenset[str]]:
    """The credentials besides certificates that rules ask for, those in the same places together."""
    others = ((_credential(r), p) for r, p in rules if not is_about_certificates(r) and r.kind != "everyone")
    return _classes(others)


def _holdings(rules: Sequence[tuple[Rule, tuple[object, ...]]]) -> Iterator[frozenset[str]]:
    classes = _credential_classes(rules)
    everything = frozenset(chain.from_iterable(classes))
    login = frozenset({LOGIN}) & everything
    tried = [
        frozenset[str](),
        *classes,
        *(c | login for c in classes),
        everything,
        *(everything - c for c in classes),
    ]
    yield from dict.fromkeys(tried)


def _credential(rule: Rule) -> str:
    return LOGIN if rule is _LOGIN_RULE else rule_meaning(rule)


def _representative_names(rules: Iterable[tuple[Rule, tuple[object, ...]]]) -> list[str]:
    named = ((member(r, "common_name"), p) for r, p in rules if r.kind == "common_name")
    return [min(c) for c in _classes((name, place) for name, place in named if name)]


# The door


def door(state: State, host: str, path: str, askers: Sequence[Asker]) -> Door:
    """Who can get in at a host and path. askers: as `askers_at` gives them."""
    decided = decider(state, host, path)
    inside = [a for a in askers if decided(a).outcome.lets_in]
    bare = [a for a in inside if not a.trusted_by]
    holders = [a for a in inside if a.trusted_by]
    names = frozenset(name for a in holders for name in a.common_names)
    single = frozenset(c for a in bare for c in a.holds)
    return Door(
        host,
        path,
        _reach(bare, holders),
        frozenset(ca for a in holders for ca in a.trusted_by),
        None if NOBODY_NAMED in names or not holders else names,
        single,
        bool(holders) and all(a.holds for a in holders),
        decided(Asker()),
    )


def _reach(bare: Sequence[Asker], holders: Sequence[Asker]) -> Reach:
    if any(not a.holds for a in bare):
        return Reach.ANYONE
    if bare:
        return Reach.OTHERS
    return Reach.HOLDERS if holders else Reach.NOBODY
