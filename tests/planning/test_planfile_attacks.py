"""Whoever can edit a saved plan opens nothing by it.

Every member of 50 saved plans is taken out, replaced or added to, and the file is then left as it is, given a new
digest, written anew in both halves, or planned again by the attacker with everything allowed. Without an approved
digest the outcome must be a refusal, or an account in which nobody gets in and nobody is out beyond what the gates
alone allow. Who gets in is judged by the emulator's own reading of the bodies that are sent, which shares no code with
the plan. CF_MTLS_BUDGET=500 tries every path.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import product
from random import Random
from typing import Any

from cf_mtls.diagnostics import Failure, has_errors
from cf_mtls.emulator.policy import Asker, decide, find_app
from cf_mtls.model.plan import NOTHING, Inputs, Plan
from cf_mtls.model.resources import AccessApplication, AccessGroup, CaCertificate
from cf_mtls.model.state import State
from cf_mtls.planning import codec
from cf_mtls.planning.planfile import as_json, sealed, written
from cf_mtls.planning.planfile_reader import _inputs, _saved, load
from cf_mtls.remote.wire import application_body
from cf_mtls.workflow import again, planned
from tests.conftest import Counted
from tests.planning.saved_worlds import (
    NOW,
    SCOPE,
    Everything,
    account,
    declared,
    done,
    free,
    inputs_for,
    made_from,
)
from tests.planning.worlds import BUDGET, a_world, edited

PLANS = 50
PLACES = tuple(product(("a.x.net", "b.x.net", "c.x.net"), ("/", "/x", "/x/y", "/x/z", "/w")))
OTHERS: tuple[dict[str, Any], ...] = ({}, {"email": "a@x.net"}, {"service_token": "t"})
NAMES = ("x", "y", "nobody")

Access = dict[tuple[str, str], dict[tuple[Any, ...], bool]]


# Who gets in, by the emulator


def access(state: State, known: Collection[str]) -> Access:
    """For each place who gets in: by certificate, name and other credentials. known: the CAs that clients may have."""
    apps = [application_body(app) for _, app in state.of(AccessApplication)]
    groups = {group.id: _group(group) for _, group in state.of(AccessGroup)}
    hosts = {known_as: frozenset[str]() for known_as in known} | {
        ca.fingerprints[0]: frozenset(ca.associated_hostnames) for _, ca in state.of(CaCertificate)
    }
    return {(host, path): _inside(apps, groups, hosts, host, path) for host, path in PLACES}


def _group(group: AccessGroup) -> dict[str, Any]:
    parts = ("include", "require", "exclude")
    return {part: [{r.kind: dict(r.value or {})} for r in getattr(group, part)] for part in parts}  # type: ignore[call-overload]


def _inside(
    apps: list[Any], groups: dict[str, Any], cas: dict[str, frozenset[str]], host: str, path: str
) -> dict[tuple[Any, ...], bool]:
    found = find_app(apps, host, path)
    inside = {}
    for number, others in enumerate(OTHERS):
        for ca, name in [(None, ""), *product(sorted(cas), NAMES)]:
            is_valid = ca is not None and host in cas[ca]
            asker = Asker(is_valid, (name,) if is_valid else (), **others)
            kind = "bypass" if found is None else decide(found[0]["policies"], groups, asker).kind
            inside[(ca, name, number)] = kind in {"bypass", "origin"}
    return inside


def reach(inside: dict[tuple[Any, ...], bool]) -> int:
    """How far a place is open: nobody, holders of a certificate, of something else, anyone."""
    if inside[(None, "", 0)]:
        return 3
    if any(let for (ca, _, _), let in inside.items() if ca is None):
        return 2
    return int(any(inside.values()))


def stays(before: State, after: State, place: tuple[str, str]) -> bool:
    """Whether the application that decides at a place is the same, word for word."""
    sides = ([application_body(app) for _, app in state.of(AccessApplication)] for state in (before, after))
    old, new = (find_app(apps, *place) for apps in sides)
    return old is not None and old == new


def judged(before: State, after: State) -> None:
    """Assert that no place is wider open and nobody is out who was in.

    One thing opens without a word for everybody: trust that is put back below an application that stays as it is.
    """
    known = {ca.fingerprints[0] for state in (before, after) for _, ca in state.of(CaCertificate)}
    old, new = access(before, known), access(after, known)
    for place in PLACES:
        is_healed = (reach(old[place]), reach(new[place])) == (0, 1) and stays(before, after, place)
        assert is_healed or reach(new[place]) <= reach(old[place]), f"{place} is wider open"
        for who, was in old[place].items():
            assert new[place][who] or not was, f"{place}: {who} is out"


# What an attacker writes


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every JSON path of a value, but the whole."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from paths(inner, (*path, key))


EVERYONE = {"kind": "everyone", "value": {}}
HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1e9, "", "x", "bypass", "everyone", "b.x.net", "*.x.net", "a.x.net/x", "\u2028",
    [], {}, ["b.x.net"], [EVERYONE], {"type": "public", "uri": "b.x.net"}, "s", "other", "certificate/x", 10**30,
)  # fmt: skip
ADDED = {"id": "pol", "type": "bookmark", "self_hosted_domains": ["b.x.net"], "reusable": True, "extra": 1}


def edits(raw: dict[str, Any], path: tuple[Any, ...], random: Random) -> Iterator[tuple[str, dict[str, Any]]]:
    """A file without a path, with something else there, and with something more there."""
    for kind in ("removed", "replaced", "added"):
        made = copy.deepcopy(raw)
        parent = made
        for step in path[:-1]:
            parent = parent[step]
        value, last = parent[path[-1]], path[-1]
        if kind == "removed":
            del parent[last]
        elif kind == "replaced":
            parent[last] = not value if isinstance(value, bool) else copy.deepcopy(random.choice(HOSTILE))
        elif isinstance(value, list):
            value.append(copy.deepcopy(random.choice([*HOSTILE, *value, EVERYONE, EVERYONE])))
        elif isinstance(value, dict):
            name = random.choice([*ADDED, *value])
            value[name] = ADDED.get(name, EVERYONE)
        else:
            continue
        yield kind, made


def files(raw: dict[str, Any], actual: State) -> Iterator[tuple[str, str]]:
    """An edited file as it is, and with ever more of it made right again."""
    yield "as edited", json.dumps(raw)
    ours = raw.get("cf_mtls")
    if not isinstance(ours, dict):
        return
    content = {k: v for k, v in ours.items() if k not in {"schema", "version", "digest"}}
    yield "new digest", json.dumps({**raw, "cf_mtls": {**ours, "digest": codec.digest(content)}})
    try:
        read = replace(_saved({**ours, "digest": ""}), refused=())
        yield "both halves", json.dumps(written(replace(read, digest=codec.digest(sealed(read)))))
        yield "planned again", json.dumps(as_json(_forged(_inputs(ours), str(ours["stack"]), actual)))
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, Failure):
        return


def _forged(inputs: Inputs, stack: str, actual: State) -> Plan:
    """What the attacker's own program plans from edited inputs, with everything allowed and nobody to be locked out."""
    hosts = {host for host, _ in PLACES} | {"cf-mtls-anything.x.net"}
    allowed = replace(
        inputs.allowed, weaken=Everything(), lockout=frozenset(hosts), unproven=frozenset(hosts), delete=99
    )
    made = planned(stack, SCOPE, inputs.declared, actual, allowed)
    open_ = replace(allowed, weaken=frozenset(way.url for way in made.doors if way.is_weaker))
    return replace(made, inputs=replace(inputs, allowed=open_), diagnostics=())


def bases() -> Iterator[Plan]:
    """Plans to edit: with what they need allowed, and with nothing, refused or not."""
    for seed in range(PLANS):
        for attempt in range(200):
            random = Random(f"base {seed}/{attempt}")
            world = a_world(random)
            actual, wanted = account(world), declared(edited(random, world, 3))
            made = made_from(actual, inputs_for(wanted, NOTHING if seed % 2 else free(actual, wanted)))
            if not made.is_empty and (seed % 2 or not has_errors(made.diagnostics)):
                yield made
                break


def test_whoever_edits_a_saved_plan_opens_nothing(counted: Counted) -> None:
    """Never more access, never a loss, never anything but a refusal by name."""
    counts: Counter[str] = Counter()
    for number, base in enumerate(bases()):
        raw = as_json(base)
        random = Random(number)
        every = list(paths(raw))
        inputs = [
            p for p in every if p[0] == "cf_mtls" and p[1:] and p[1] not in {"changes", "steps", "desired"}
        ]
        some = (
            every if BUDGET >= 500 else random.sample(every, 3 * BUDGET) + random.sample(inputs, 6 * BUDGET)
        )
        for path in some:
            for kind, made in edits(raw, path, random):
                for how, text in files(made, base.actual):
                    outcome = attempt(text, base.actual, f"{number} {path} {kind} {how}")
                    counts[f"{how}: {outcome}"] += 1
    counted(", ".join(f"{what} {n:,}" for what, n in sorted(counts.items())))
    assert sum(n for what, n in counts.items() if "applied" in what) > 20
    assert sum(counts.values()) > 1500


def attempt(text: str, actual: State, where: str) -> str:
    """What becomes of one file without an approved digest."""
    try:
        made = again(load(text.encode(), "p.json"), actual, NOW, is_approved=False)
    except Failure as failure:
        return failure.diagnostics[0].code.code
    except Exception as error:
        raise AssertionError(f"{where}: {error!r}") from error
    if has_errors(made.diagnostics):
        return "gates"
    try:
        judged(actual, done(actual, made.steps))
    except AssertionError as error:
        raise AssertionError(f"{where}: {error}") from None
    return "applied"
