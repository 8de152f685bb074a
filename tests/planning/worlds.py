"""Random accounts: nested paths on a few hosts, CAs, policies with OR, AND, NOT, common names and other selectors."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

from cf_mtls.model.frozen import freeze
from cf_mtls.model.resources import (
    AccessApplication,
    AccessGroup,
    AccessPolicy,
    Address,
    CaCertificate,
    Contents,
    HostnameSettings,
    Kind,
    Resource,
    Rule,
    public,
)
from cf_mtls.model.state import State

BUDGET = int(os.environ.get("CF_MTLS_BUDGET", "1"))
"""How many times longer the random tests run."""

END = (datetime(2030, 1, 1, tzinfo=UTC),)
HOSTS = ("a.net", "b.net")
DOMAINS = ("a.net", "a.net/x", "a.net/x/y", "b.net", "b.net/x", "*.net")
CAS = ("11", "22", "33")
GROUP = Address(Kind.GROUP, "g")


def named(name: str) -> Rule:
    return Rule("common_name", freeze({"common_name": name}))


CERTIFICATE = Rule("certificate")
SELECTORS = (
    CERTIFICATE,
    CERTIFICATE,
    named("x"),
    named("y"),
    Rule("everyone"),
    Rule("email", freeze({"email": "a@x.net"})),
    Rule("service_token", freeze({"token_id": "t"})),
    Rule("group", freeze({"id": "g"})),
)


def some(random: Random, least: int, most: int) -> tuple[Rule, ...]:
    return tuple(random.choice(SELECTORS) for _ in range(random.randint(least, most)))


def a_policy(random: Random, name: str) -> AccessPolicy:
    decision = random.choice(("non_identity", "non_identity", "non_identity", "allow", "deny", "bypass"))
    require = some(random, 0, 1) if random.random() < 0.4 else ()
    exclude = some(random, 1, 1) if random.random() < 0.1 else ()
    return AccessPolicy(name, decision, some(random, 1, 2), require, exclude)


def an_app(random: Random, domain: str) -> AccessApplication:
    policies = tuple(a_policy(random, f"p{i}") for i in range(random.choice((1, 1, 1, 2))))
    return AccessApplication(f"{domain} (cf-mtls s)", (public(domain),), policies)


def a_ca(random: Random, key: str) -> CaCertificate:
    hosts = tuple(host for host in HOSTS if random.random() < 0.6)
    return CaCertificate(f"{key} (cf-mtls s)", hosts, (key,), END, key, "PEM", contents=Contents.RECORDED)


def a_world(random: Random) -> State:
    """A state with anything from nothing to everything in it."""
    found: dict[Address, Resource] = {
        GROUP: AccessGroup("g", some(random, 1, 2)[:1] or (), (), (), "g"),
    }
    # A group that refers to itself says nothing; keep it to plain selectors.
    found[GROUP] = AccessGroup("g", (random.choice((CERTIFICATE, named("y"), SELECTORS[5])),), (), (), "g")
    for key in CAS:
        if random.random() < 0.5:
            found[Address(Kind.CERTIFICATE, key)] = a_ca(random, key)
    for domain in DOMAINS:
        if random.random() < 0.4:
            found[Address(Kind.APPLICATION, domain)] = an_app(random, domain)
    if random.random() < 0.3:
        found[Address(Kind.SETTINGS, "a.net")] = HostnameSettings("a.net", client_certificate_forwarding=True)
    return State(found)


def a_plain_world(random: Random) -> State:
    """A state in which every application asks for any valid certificate and nothing else."""
    plain = (AccessPolicy("valid certificate", "non_identity", (CERTIFICATE,)),)
    state = a_world(random).put(GROUP, None)
    return State(
        (a, replace(r, policies=plain) if isinstance(r, AccessApplication) else r) for a, r in state.items()
    )


def edited(random: Random, state: State, edits: int) -> State:
    """The state after a few random edits, each of one thing."""
    for _ in range(edits):
        state = random.choice((_edit_ca, _edit_app))(random, state)
    return state


def _edit_ca(random: Random, state: State) -> State:
    """A CA made or removed, or one hostname given or taken."""
    address = Address(Kind.CERTIFICATE, random.choice(CAS))
    there = state.get(address)
    if not isinstance(there, CaCertificate):
        return state.put(
            address, replace(a_ca(random, address.key), associated_hostnames=(random.choice(HOSTS),))
        )
    if random.random() < 0.25:
        return state.put(address, None)
    hosts = set(there.associated_hostnames) ^ {random.choice(HOSTS)}
    return state.put(address, replace(there, associated_hostnames=tuple(sorted(hosts))))


def _edit_app(random: Random, state: State) -> State:
    """An application made or removed, or one part of one of its policies changed."""
    address = Address(Kind.APPLICATION, random.choice(DOMAINS))
    there = state.get(address)
    if not isinstance(there, AccessApplication):
        return state.put(address, an_app(random, address.key))
    if random.random() < 0.25:
        return state.put(address, None)
    index = random.randrange(len(there.policies))
    fresh = a_policy(random, there.policies[index].name)
    part = random.choice(("decision", "include", "require", "exclude"))
    changed = replace(there.policies[index], **{part: getattr(fresh, part)})
    return state.put(
        address, replace(there, policies=(*there.policies[:index], changed, *there.policies[index + 1 :]))
    )
