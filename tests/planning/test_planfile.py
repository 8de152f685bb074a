"""A saved plan: the same bytes for the same plan, refused when it was changed or the account moved."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from cf_mtls.diagnostics import Exit, Failure
from cf_mtls.model.people import Client, Expected, Target
from cf_mtls.model.plan import Allowed, Plan
from cf_mtls.model.resources import AccessApplication, Address, CaCertificate, Kind, Scope
from cf_mtls.model.state import State
from cf_mtls.planning import codec
from cf_mtls.planning.planfile import as_json, digest_of, text
from cf_mtls.planning.planfile_reader import load
from cf_mtls.workflow import planned
from tests.planning.worlds import BUDGET, GROUP, a_world, edited

SCOPE = Scope("account", "0123456789abcdef0123456789abcdef")


class Everything(frozenset[str]):
    """Every URL was typed."""

    def __contains__(self, _: object) -> bool:
        return True


FREE = Allowed(lockout=frozenset({"a.net", "b.net", "cf-mtls-anything.net"}), weaken=Everything(), delete=99)
TARGETS = (Target("https://a.net/", "a"),)
CLIENTS = (
    Client("jean", "c.pem", "c.key"),
    Client("mary", "m.pem", expect=Expected.REFUSED, passphrase_env="P"),
    Client(
        "left", "l.pem", expect=(("https://a.net/", Expected.ALLOWED), ("https://b.net/", Expected.REFUSED))
    ),
)


def a_plan(seed: int) -> Plan:
    """A plan between random states that may be applied and changes something."""
    for attempt in range(50):
        random = Random(f"{seed}/{attempt}")
        actual = State((a, _known(r, a)) for a, r in a_world(random).items())
        desired = edited(random, actual, 3).put(GROUP, None)
        made = planned("s", SCOPE, State((a, r) for a, r in desired.items()), actual, FREE)
        if not made.is_empty and not any(d.is_error for d in made.diagnostics):
            return made
    raise AssertionError("no plan to save")


def _known(resource: Any, address: Address) -> Any:
    return (
        replace(resource, id=str(address))
        if isinstance(resource, CaCertificate | AccessApplication)
        else resource
    )


def saved(made: Plan) -> bytes:
    return text(as_json(made, TARGETS, CLIENTS)).encode()


def test_a_plan_survives_being_saved_byte_for_byte() -> None:
    """Written, read, laid on the same account and written again: the same bytes and the same digest."""
    for seed in range(60 * BUDGET):
        made = a_plan(seed)
        again = load(saved(made), "p.json")
        back = again.on(made.actual)
        assert saved(back) == saved(made), f"seed {seed}"
        assert (back.steps, back.changes) == (made.steps, made.changes)
        assert digest_of(back) == again.digest == digest_of(made)
        assert (again.targets, again.clients) == (TARGETS, CLIENTS)


def test_a_plan_on_an_account_that_moved_is_refused_by_name() -> None:
    """Anything that the plan relied on and that changed, went or appeared is named; exit 4."""
    moved = 0
    for seed in range(40 * BUDGET):
        made = a_plan(seed)
        plan = load(saved(made), "p.json")
        for address in plan.relied_on:
            resource = made.actual[address]
            if not isinstance(resource, CaCertificate | AccessApplication):
                continue
            for other in (None, replace(resource, name="somebody else's"), replace(resource, id="another")):
                with pytest.raises(Failure) as caught:
                    plan.on(made.actual.put(address, other))
                assert caught.value.exit_code is Exit.REFUSED
                assert str(address) in str(caught.value)
                moved += 1
    assert moved > 100


def test_what_the_plan_did_not_rely_on_may_move() -> None:
    """An application on a host that the plan does not touch changes nothing about it."""
    made = a_plan(1)
    plan = load(saved(made), "p.json")
    elsewhere = AccessApplication(
        "foreign", (codec.freeze_object({"type": "public", "uri": "else.where"}),), ()
    )
    plan.on(made.actual.put(Address(Kind.APPLICATION, "else.where"), elsewhere))


def test_an_order_or_a_default_that_the_server_chooses_does_not_make_a_plan_stale() -> None:
    """What is compared is the meaning."""
    made = a_plan(2)
    plan = load(saved(made), "p.json")
    shuffled: dict[Address, Any] = {}
    for address, resource in made.actual.items():
        shuffled[address] = resource
        if isinstance(resource, AccessApplication):
            shuffled[address] = replace(
                resource, fields=codec.freeze_object({"session_duration": "24h", "tags": []})
            )
    plan.on(State(shuffled))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda raw: raw["cf_mtls"]["steps"].pop(), "planfile.changed"),
        (lambda raw: raw["cf_mtls"]["relied_on"].clear(), "planfile.changed"),
        (lambda raw: raw["cf_mtls"].update(stack="other"), "planfile.changed"),
        (lambda raw: raw["cf_mtls"].update(digest="0" * 64), "planfile.changed"),
        (lambda raw: raw["cf_mtls"].update(schema=99), "planfile.malformed"),
        (lambda raw: raw["cf_mtls"].update(extra=1), "planfile.malformed"),
        (lambda raw: raw.pop("cf_mtls"), "planfile.malformed"),
        (lambda raw: raw["cf_mtls"]["steps"][0].update(address="nonsense/x"), "planfile.malformed"),
        (lambda raw: raw["cf_mtls"]["steps"][0].update(value={"name": 1}), "planfile.malformed"),
        (lambda raw: raw.update(applyable=False), "planfile.refused"),
    ],
)
def test_a_changed_file_is_not_believed(change: Any, code: str) -> None:
    """Steps taken out, an account forgotten, another stack: the digest no longer fits."""
    raw = json.loads(saved(a_plan(3)))
    change(raw)
    with pytest.raises(Failure) as caught:
        load(json.dumps(raw).encode(), "p.json")
    assert [d.code.code for d in caught.value.diagnostics] == [code]


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff{", b'{"format_version": 1}'])
def test_what_is_no_plan_is_said(raw: bytes) -> None:
    """Whatever the bytes: a message, no traceback."""
    with pytest.raises(Failure, match="not a saved plan"):
        load(raw, "p.json")


def test_policy_tools_find_terraforms_shape() -> None:
    """format_version, and resource_changes with the provider's types and actions."""
    made = a_plan(4)
    raw = as_json(made)
    assert raw["format_version"].startswith("1.")
    for change in raw["resource_changes"]:
        assert change["type"].startswith("cloudflare_zero_trust_access_")
        assert change["change"]["actions"][0] in {"create", "update", "delete"}
        assert (change["change"]["before"] is None) == (change["change"]["actions"] == ["create"])
        assert (change["change"]["after"] is None) == (change["change"]["actions"] == ["delete"])
