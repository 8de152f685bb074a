"""Secrets that can only be written: no update that may clear one without its word, wherever the secret stands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cf_mtls.model.frozen import freeze_object
from cf_mtls.model.plan import NOTHING, Allowed
from cf_mtls.model.resources import AccessApplication, Scope
from cf_mtls.model.rules import is_secret
from cf_mtls.model.state import State
from cf_mtls.planning.write_only import emptied
from cf_mtls.workflow import planned
from tests.planning.things import HOLDERS, app, app_at, ca, ca_at

SCOPE = Scope("account", "0" * 32)
AT = app_at("a.net")
SCIM = {"enabled": True, "authentication": {"scheme": "httpbasic", "user": "u", "password": ""}}
HELD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "in an object": ({"scim_config": SCIM}, ["scim_config.authentication.password"]),
    "in a list": ({"scim_config": {"authentication": [{}, {"client_secret": None}]}},
                  ["scim_config.authentication.1.client_secret"]),
    "at the top": ({"token": ""}, ["token"]),
    "none": ({"custom_deny_message": "", "read_service_tokens_from_header": "", "token_url": ""}, []),
    "one that can be read": ({"scim_config": {"authentication": {"password": "seen"}}}, []),
}  # fmt: skip


def there(held: dict[str, Any]) -> AccessApplication:
    """Our application in the account, with what somebody set there beside what the file declares."""
    fields = freeze_object({"session_duration": "24h", **held})
    return replace(app("a.net", HOLDERS), fields=fields, id="1")


def codes(held: dict[str, Any], session: str, allowed: Allowed = NOTHING) -> list[tuple[str, str]]:
    """What is refused of a plan that makes the session of our application so long."""
    actual = State({AT: there(held), ca_at("1"): replace(ca("1", "a.net"), name="1 (cf-mtls s)", id="2")})
    wanted = replace(app("a.net", HOLDERS), fields=freeze_object({"session_duration": session}))
    declared = State({AT: wanted, ca_at("1"): ca("1", "a.net")})
    made = planned("s", SCOPE, declared, actual, allowed)
    return [(d.code.code, d.detail) for d in made.diagnostics if d.code.code == "plan.may-clear-secret"]


@pytest.mark.parametrize("where", HELD)
def test_an_update_that_may_clear_a_secret_is_refused_until_it_is_typed_out(where: str) -> None:
    """Named by its path; without an update, or with the word for this very thing, nothing is in the way."""
    held, paths = HELD[where]
    assert list(emptied(there(held))) == paths
    refused = codes(held, "1h")
    assert len(refused) == bool(paths)
    assert all(path in detail for path in paths for _, detail in refused)
    assert codes(held, "24h") == []
    assert codes(held, "1h", Allowed(cleared=frozenset({AT}))) == []
    assert len(codes(held, "1h", Allowed(cleared=frozenset({app_at("b.net")})))) == bool(paths)


def test_a_secret_of_a_policy_counts_where_the_update_writes_the_policy() -> None:
    """A reusable one is only referred to."""
    own = replace(HOLDERS, fields=freeze_object({"connection": {"private_key": ""}}))
    found = replace(there({}), policies=(HOLDERS, own))
    assert list(emptied(found)) == ["policies.1.connection.private_key"]
    assert list(emptied(replace(found, policies=(replace(own, reusable=True, id="p"),)))) == []


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("password", True),
        ("client_secret", True),
        ("token", True),
        ("private_key", True),
        ("token_url", False),
        ("access_token_lifetime", False),
        ("read_service_tokens_from_header", False),
        ("user", False),
    ],
)
def test_a_secret_is_known_by_its_name(name: str, secret: bool) -> None:
    """And what only speaks of one is none."""
    assert is_secret(name) is secret
