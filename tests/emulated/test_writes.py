"""The writes of an apply are the fewest: counted by the emulator, against a table made by hand from design section 7.

Each row says what stood before, what is declared now, the writes that must be enough, and why fewer would not do.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cf_mtls import workflow
from cf_mtls.emulator.server import Options, Running, running
from cf_mtls.model.plan import NOTHING, Allowed
from cf_mtls.model.resources import Address, Kind
from cf_mtls.pki.authority import root
from cf_mtls.workflow import Account, Hooks
from tests.emulated.edge import edge_trusts

NOW = datetime.now(UTC)
AT_ONCE = {"association-delay": 0.0, "detach-delay": 0.0, "settings-delay": 0.0}

Declared = dict[str, Any]


def ca(chain: str, *hosts: str) -> Declared:
    return {"chain": f"{chain}.pem", "associated_hostnames": list(hosts)}


def app(domain: str, *policies: Declared) -> Declared:
    return {"domain": domain, **({"policies": list(policies)} if policies else {})}


def stack(
    certificates: Declared | None = None,
    applications: Declared | None = None,
    settings: Declared | None = None,
) -> Declared:
    """A plan file; empty parts are left out."""
    parts = {"certificates": certificates, "applications": applications, "hostname_settings": settings}
    return {"version": 1, "stack": "s", **{name: part for name, part in parts.items() if part}}


ONLY_FLEET = {"name": "fleet", "include": [{"certificate": {}}], "require": [{"common_name": "fleet"}]}
FORWARD = {"client_certificate_forwarding": True}
A, B, C = "a.jeann.net", "b.jeann.net", "c.jeann.net"
TRUST = {"one": ca("one", A)}
DOOR = {"door": app(f"{A}/x")}

POST_CA, PUT_CA, DELETE_CA = "POST certificates", "PUT certificates", "DELETE certificates"
POST_APP, PUT_APP, DELETE_APP = "POST apps", "PUT apps", "DELETE apps"
PUT_SETTINGS = "PUT settings"


@dataclass(frozen=True)
class Case:
    """A row: the plan file before (None: an empty account), the plan file now, the writes, the reason."""

    before: Declared | None
    now: Declared
    writes: tuple[str, ...]
    because: str
    allowed: Allowed = NOTHING


GENEROUS = Allowed(
    weaken=frozenset({f"https://{h}/{p}" for h in (A, B, C) for p in ("", "x", "y")}),
    delete=9,
    unproven=frozenset({A, B, C}),
)
"""No client is declared here, so nobody could prove anything."""

CASES: dict[str, Case] = {
    "create from nothing": Case(
        None,
        stack(TRUST, DOOR, {A: FORWARD}),
        (POST_CA, PUT_SETTINGS, POST_APP),
        "three things; nothing is trusted on the host yet, so the upload carries it",
    ),
    "nothing changed": Case(
        stack(TRUST, DOOR, {A: FORWARD}),
        stack(TRUST, DOOR, {A: FORWARD}),
        (),
        "a plan after an apply is empty",
    ),
    "a host joins a CA": Case(
        stack(TRUST, DOOR), stack({"one": ca("one", A, B)}, DOOR), (PUT_CA,), "one object differs"
    ),
    "a host moves between CAs": Case(
        stack({"one": ca("one", A, B), "two": ca("two", C)}),
        stack({"one": ca("one", A), "two": ca("two", B, C)}),
        (PUT_CA, PUT_CA),
        "two objects differ; widened first, narrowed after",
        GENEROUS,
    ),
    "two CAs swap hosts": Case(
        stack({"one": ca("one", A), "two": ca("two", B)}, {"a": app(f"{A}/x"), "b": app(f"{B}/x")}),
        stack({"one": ca("one", B), "two": ca("two", A)}, {"a": app(f"{A}/x"), "b": app(f"{B}/x")}),
        (PUT_CA,) * 4,
        "both must be wide before either is narrow, or a host would trust nobody for a moment",
        GENEROUS,
    ),
    "a CA is rotated": Case(
        stack(TRUST, DOOR),
        stack({"one": ca("two", A)}, DOOR),
        (POST_CA, PUT_CA, DELETE_CA),
        "the new one comes with its hosts beside the old one, which must be bare before it can go",
        GENEROUS,
    ),
    "a new application": Case(
        stack(TRUST, DOOR),
        stack(TRUST, DOOR | {"two": app(f"{A}/y")}),
        (POST_APP,),
        "one thing, policies inside",
    ),
    "an application is renamed": Case(
        stack(TRUST, DOOR), stack(TRUST, {"gate": DOOR["door"]}), (PUT_APP,), "its domain is its address"
    ),
    "an application moves to another path": Case(
        stack(TRUST, DOOR),
        stack(TRUST, {"door": app(f"{A}/y")}),
        (POST_APP, DELETE_APP),
        "another domain is another application",
        GENEROUS,
    ),
    "a policy changes": Case(
        stack(TRUST, DOOR),
        stack(TRUST, {"door": app(f"{A}/x", ONLY_FLEET)}),
        (PUT_APP,),
        "policies travel inside their application",
    ),
    "settings of three hosts change": Case(
        stack(TRUST, DOOR, {A: FORWARD}),
        stack(TRUST, DOOR, {A: {"client_certificate_forwarding": False}, B: FORWARD, C: FORWARD}),
        (PUT_SETTINGS,),
        "one PUT for all of them: it conflicts with itself",
    ),
    "an application is removed": Case(
        stack(TRUST, DOOR), stack(TRUST), (DELETE_APP,), "its own policies go with it", GENEROUS
    ),
    "a CA with hosts is removed": Case(
        stack(TRUST | {"two": ca("two", B)}, DOOR),
        stack(TRUST, DOOR),
        (PUT_CA, DELETE_CA),
        "a CA with hostnames cannot be deleted",
        GENEROUS,
    ),
    "everything changes a little": Case(
        stack(TRUST, DOOR, {A: FORWARD}),
        stack({"one": ca("one", A, B)}, DOOR | {"two": app(f"{B}/x")}, {A: FORWARD, B: FORWARD}),
        (PUT_CA, PUT_SETTINGS, POST_APP),
        "one call for each thing that differs",
    ),
    "a whole stack of three hosts": Case(
        None,
        stack(
            {"one": ca("one", A, B, C)}, {h[0]: app(f"{h}/x") for h in (A, B, C)}, {A: FORWARD, B: FORWARD}
        ),
        (POST_CA, PUT_SETTINGS, POST_APP, POST_APP, POST_APP),
        "hosts come with the CA, settings together, applications each",
    ),
}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Running]:
    with running(Options(switches=AT_ONCE)) as started:
        yield started


@pytest.fixture(scope="module")
def chains() -> dict[str, str]:
    return {name: root(f"CA {name}", now=NOW).chain.pem for name in ("one", "two")}


@pytest.fixture
def account(emulator: Running) -> Account:
    emulator.do(lambda e: e.restart())
    return Account(emulator.ready.token, emulator.ready.api_base_url, emulator.ready.account_id)


def applied(
    folder: Path, declared: Declared, emulator: Running, account: Account, allowed: Allowed
) -> list[str]:
    """The writes, in their order, that make an account what a plan file declares."""
    (folder / "plan.yaml").write_text(json.dumps(declared), "utf-8")
    emulator.do(lambda e: e.world.log.clear())
    made = workflow.plan(workflow.validate(folder / "plan.yaml", NOW), account, allowed)
    assert [str(d) for d in made.diagnostics if d.is_error] == []
    workflow.apply(made, account, Hooks(between=lambda b: edge_trusts(emulator.ready, b)))
    writes = [r for r in emulator.do(lambda e: list(e.world.log)) if r["method"] != "GET"]
    assert {r["status"] // 100 for r in writes} <= {2}
    return [f"{r['method']} {_kind(r['path'])}" for r in writes]


def _kind(path: str) -> str:
    parts = path.rpartition("/access/")[2].split("/")
    return "settings" if parts[-1] == "settings" else parts[0]


@pytest.mark.parametrize("name", CASES)
def test_the_writes_are_the_fewest(
    name: str, tmp_path: Path, emulator: Running, account: Account, chains: dict[str, str]
) -> None:
    """Exactly those of the table: not one more, not one less; and applied again, none at all."""
    case = CASES[name]
    for chain, pem in chains.items():
        (tmp_path / f"{chain}.pem").write_text(pem, "ascii")
    if case.before:
        applied(tmp_path, case.before, emulator, account, GENEROUS)
    assert Counter(applied(tmp_path, case.now, emulator, account, case.allowed)) == Counter(case.writes)
    assert applied(tmp_path, case.now, emulator, account, case.allowed) == []


def test_taking_over_an_application_is_one_write(
    tmp_path: Path, emulator: Running, account: Account, chains: dict[str, str]
) -> None:
    """Adopted, it is marked in place: one PUT of the same object."""
    (tmp_path / "one.pem").write_text(chains["one"], "ascii")
    applied(tmp_path, stack(TRUST, DOOR), emulator, account, NOTHING)

    def unmarked(started: Any) -> None:
        for record in started.world.store["apps"].values():
            record["name"] = "by hand"

    emulator.do(unmarked)
    adopting = Allowed(adopt=frozenset({Address(Kind.APPLICATION, f"{A}/x")}))
    assert applied(tmp_path, stack(TRUST, DOOR), emulator, account, adopting) == [PUT_APP]
