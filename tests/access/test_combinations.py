"""Every row of the fact sheet's table (4.6): which combinations enforce a client certificate."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cf_mtls.access.doors import door_at
from cf_mtls.model.doors import Reach
from cf_mtls.model.frozen import freeze
from cf_mtls.model.resources import (
    AccessApplication,
    AccessGroup,
    AccessPolicy,
    Address,
    CaCertificate,
    Kind,
    Record,
    Rule,
    public,
)
from cf_mtls.model.state import State

CA = CaCertificate("ca", ("a.net",), ("11",), (datetime(2030, 1, 1, tzinfo=UTC),), id="1")
CA_AT, APP_AT = Address(Kind.CERTIFICATE, "11"), Address(Kind.APPLICATION, "a.net/x")
ANY = Rule("certificate")
EVERYONE = Rule("everyone")
DOMAIN = Rule("email_domain", freeze({"domain": "a.net"}))
TOKEN = Rule("service_token", freeze({"token_id": "t"}))
PINNED = Rule("common_name", freeze({"common_name": "fleet"}))
GROUP = Rule("group", freeze({"id": "g"}))


def policy(
    decision: str,
    include: list[Rule],
    require: tuple[Rule, ...] | list[Rule] = (),
    exclude: tuple[Rule, ...] | list[Rule] = (),
) -> AccessPolicy:
    return AccessPolicy("p", decision, tuple(include), tuple(require), tuple(exclude))


def state(*policies: AccessPolicy, ca: bool = True, **more: Any) -> State:
    app = AccessApplication("app", (public("a.net/x"),), policies)
    found: dict[Address, Any] = {APP_AT: app, **({CA_AT: CA} if ca else {})}
    return State({**found, **more.get("others", {})})


def group(*include: Rule) -> dict[Address, AccessGroup]:
    return {Address(Kind.GROUP, "g"): AccessGroup("g", include, (), (), "g")}


WEAK = AccessApplication("weak", (public("a.net/x/y"),), (policy("non_identity", [EVERYONE]),))
PUBLIC = public("a.net/x").merged({"overrides": (Record((("behavior", "public"), ("path_pattern", "/x"))),)})

ROWS: list[tuple[str, State, str, Reach]] = [
    ("a CA without an application enforces nothing", State({CA_AT: CA}), "/x", Reach.ANYONE),
    ("service auth, certificate only", state(policy("non_identity", [ANY])), "/x", Reach.HOLDERS),
    ("service auth, common name only", state(policy("non_identity", [PINNED])), "/x", Reach.HOLDERS),
    ("certificate or common name", state(policy("non_identity", [ANY, PINNED])), "/x", Reach.HOLDERS),
    ("certificate, require common name", state(policy("non_identity", [ANY], [PINNED])), "/x", Reach.HOLDERS),
    ("certificate or service token", state(policy("non_identity", [ANY, TOKEN])), "/x", Reach.OTHERS),
    ("certificate or everyone", state(policy("non_identity", [ANY, EVERYONE])), "/x", Reach.ANYONE),
    ("everyone, require certificate", state(policy("non_identity", [EVERYONE], [ANY])), "/x", Reach.HOLDERS),
    ("allow, identity, require certificate", state(policy("allow", [DOMAIN], [ANY])), "/x", Reach.HOLDERS),
    ("allow, identity or certificate", state(policy("allow", [DOMAIN, ANY])), "/x", Reach.OTHERS),
    ("allow, certificate only", state(policy("allow", [ANY])), "/x", Reach.HOLDERS),
    (
        "a bypass that matches",
        state(policy("non_identity", [ANY]), policy("bypass", [EVERYONE])),
        "/x",
        Reach.ANYONE,
    ),
    ("certificate only in exclude", state(policy("non_identity", [EVERYONE], [], [ANY])), "/x", Reach.ANYONE),
    (
        "a second policy without a certificate",
        state(policy("non_identity", [ANY]), policy("non_identity", [TOKEN])),
        "/x",
        Reach.OTHERS,
    ),
    ("rules in a group", state(policy("non_identity", [GROUP]), others=group(ANY)), "/x", Reach.HOLDERS),
    (
        "a hole in a group",
        state(policy("non_identity", [GROUP]), others=group(ANY, EVERYONE)),
        "/x",
        Reach.ANYONE,
    ),
    ("a group that cannot be seen", state(policy("non_identity", [GROUP])), "/x", Reach.OTHERS),
    (
        "a more specific application with a weaker policy",
        state(policy("non_identity", [ANY]), others={Address(Kind.APPLICATION, "a.net/x/y"): WEAK}),
        "/x/y",
        Reach.ANYONE,
    ),
    (
        "and the parent stays as it was",
        state(policy("non_identity", [ANY]), others={Address(Kind.APPLICATION, "a.net/x/y"): WEAK}),
        "/x/z",
        Reach.HOLDERS,
    ),
    ("the host on no CA", state(policy("non_identity", [ANY]), ca=False), "/x", Reach.NOBODY),
    ("a path beside the application", state(policy("non_identity", [ANY])), "/xy", Reach.ANYONE),
    (
        "an emptied common name selects nobody",
        state(policy("non_identity", [Rule("common_name", freeze({"common_name": None}))])),
        "/x",
        Reach.NOBODY,
    ),
    (
        "a selector that nobody knows",
        state(policy("non_identity", [Rule("brand_new", freeze({"x": 1}))])),
        "/x",
        Reach.OTHERS,
    ),
    ("deny everyone", state(policy("deny", [EVERYONE])), "/x", Reach.NOBODY),
    ("no policies at all", state(), "/x", Reach.NOBODY),
]


@pytest.mark.parametrize(("row", "seen", "path", "reach"), ROWS, ids=[r[0] for r in ROWS])
def test_a_row_of_the_table(row: str, seen: State, path: str, reach: Reach) -> None:
    """Who can get in, by the lattice nobody, certificate holders, other credentials too, anyone."""
    assert door_at(seen, "a.net", path).reach is reach


def test_a_public_override_opens_its_path_alone() -> None:
    """Unlike a domain, an override does not cover what is below."""
    app = AccessApplication("app", (PUBLIC,), (policy("non_identity", [ANY]),))
    seen = State({CA_AT: CA, APP_AT: app})
    assert door_at(seen, "a.net", "/x").reach is Reach.ANYONE
    assert door_at(seen, "a.net", "/x/below").reach is Reach.HOLDERS


def test_a_pinned_name_is_told_and_beside_any_certificate_it_pins_nothing() -> None:
    """OR makes the common name void; require makes it count."""
    pinned = door_at(state(policy("non_identity", [ANY], [PINNED])), "a.net", "/x")
    void = door_at(state(policy("non_identity", [ANY, PINNED])), "a.net", "/x")
    assert pinned.common_names == frozenset({"fleet"})
    assert void.common_names is None


def test_any_ca_of_the_hostname_counts() -> None:
    """A foreign CA on the hostname lets its clients in too."""
    foreign = Address(Kind.CERTIFICATE, "99")
    seen = state(
        policy("non_identity", [ANY]), others={foreign: replace(CA, name="foreign", fingerprints=("99",))}
    )
    assert door_at(seen, "a.net", "/x").certificates == {CA_AT, foreign}


def test_allow_with_a_certificate_asks_for_a_login_too() -> None:
    """The certificate is a second factor then."""
    assert door_at(state(policy("allow", [ANY])), "a.net", "/x").needs_login
    assert not door_at(state(policy("non_identity", [ANY])), "a.net", "/x").needs_login
