"""The matrix: tokens, times openings and losses, times the ways of looking: the worst is said everywhere, or that it
could not be checked is.

Rules of this file:
- What was opened or lost is decided by the emulator's own edge: the same requests before and after an edit.
- A cell is one edit seen with one token in one way; it is silent when any form of the report says that all is well.
- The quick run draws edits and cells; CF_MTLS_BUDGET above 1 takes all edits, from 12 on all cells.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cf_mtls.checking import Asked, check
from cf_mtls.emulator.server import Options, Ready, running
from cf_mtls.emulator.tokens import FAMILIES
from cf_mtls.model.resources import CaCertificate, Scope
from cf_mtls.pki.authority import root
from cf_mtls.planning.ownership import homes
from cf_mtls.planning.planfile_reader import load
from cf_mtls.planning.saved import Saved
from cf_mtls.remote.pace import Pace
from cf_mtls.remote.snapshot import read
from cf_mtls.report.drift_data import drift_data
from cf_mtls.report.drift_text import drift_text
from cf_mtls.report.junit_drift import drift_junit
from cf_mtls.report.markdown import drift_markdown
from cf_mtls.report.terminal import Paint
from cf_mtls.workflow import Account, validate
from tests.conftest import Counted, Pki
from tests.drift import openings
from tests.drift.inside import run
from tests.drift.openings import CERTIFICATE, EVERYONE, Edit, State
from tests.drift.outputs import ALARM, GOOD, UNTOLD, said
from tests.drift.world import Visitor, World
from tests.emulated.edge import lever
from tests.planning.worlds import BUDGET

HOST, SUB = "jeann.net", "sub.jeann.net"
PLAN = "plans/georgetown.yaml"
NOW = datetime.now(UTC)
OTHER = root("Somebody's CA", now=NOW)
SHARED = "aaaaaaaa-0000-4000-8000-000000000001"
GROUP, INNER = "bbbbbbbb-0000-4000-8000-000000000002", "cccccccc-0000-4000-8000-000000000003"
OPEN, TEAM = "dddddddd-0000-4000-8000-000000000004", "eeeeeeee-0000-4000-8000-000000000005"

PLAN_TEXT = f"""version: 1
stack: georgetown
account_id: ACCOUNT
certificates:
  penang-clients: {{chain: certs/certchain.pem, associated_hostnames: [{HOST}, {SUB}]}}
hostname_settings:
  {HOST}: {{client_certificate_forwarding: true}}
applications:
  plain: {{domain: {HOST}/plain}}
  twice: {{domains: [{HOST}/one, {SUB}/two]}}
  named:
    domain: {SUB}/named
    policies: [{{name: jean, include: [{{certificate: {{}}}}], require: [{{common_name: jean}}]}}]
  without:
    domain: {SUB}/without
    policies: [{{name: all but one, include: [{{certificate: {{}}}}], exclude: [{{common_name: mallory}}]}}]
  shared: {{domain: {HOST}/shared, policies: [{{id: {SHARED}}}]}}
  grouped:
    domain: {HOST}/grouped
    policies: [{{name: g, include: [{{everyone: {{}}}}], require: [{{group: {GROUP}}}]}}]
  office:
    domain: {SUB}/office
    policies:
      - {{name: office, decision: bypass, include: [{{ip: 10.0.0.0/8}}]}}
      - {{name: rest, include: [{{certificate: {{}}}}]}}
clients:
  jean: {{certificate: certs/clientcert.pem, key: certs/clientcert.key, expect: allowed}}
"""
FOREIGN = [
    {"type": "self_hosted", "name": "known", "domain": f"{HOST}/plain/known", "policies": [
        {"name": "team", "decision": "bypass", "include": [{"group": {"id": TEAM}}]}]},
]  # fmt: skip
GROUPS = [
    {"id": INNER, "name": "inner", "include": [CERTIFICATE]},
    {"id": GROUP, "name": "outer", "include": [{"group": {"id": INNER}}]},
    {"id": TEAM, "name": "team", "include": [{"ip": {"ip": "10.9.0.0/16"}}]},
]
POLICIES = [
    {"id": SHARED, "name": "shared", "decision": "non_identity", "include": [CERTIFICATE]},
    {"id": OPEN, "name": "open", "decision": "bypass", "include": [EVERYONE]},
]
WAYS = ("plain", "applied", "git")
SAMPLE = 90
"""Edits of the quick run; a longer one takes all."""

CELLS = 3
"""Cells of an edit, drawn for each unit of budget; from 12 units on it is all of them."""


@dataclass(frozen=True)
class Base:
    """The account as applied, the file, and who asks where."""

    path: Path
    account: Account
    world: World
    state: State
    saved: Saved
    visitors: tuple[Visitor, ...]
    urls: tuple[tuple[str, str], ...]
    targets: frozenset[tuple[str, str]]
    declared: dict[tuple[str, str, str], bool]
    """Who gets in where by what the file declares alone, filled in once."""

    def admitted(self) -> dict[tuple[str, str, str], bool]:
        """Who gets in where, as the account is now."""
        return {(v.name, *url): self.world.lets_in(v, *url) for v in self.visitors for url in self.urls}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, pki: Pki) -> Iterator[Base]:
    """A real apply on a running emulator, its state taken into this process."""
    folder = tmp_path_factory.mktemp("matrix")
    certs = folder / "plans/certs"
    certs.mkdir(parents=True)
    (certs / "certchain.pem").write_text(pki.clients.chain.pem, "ascii")
    (certs / "clientcert.pem").write_text(pki.jean.certificate_pem, "ascii")
    (certs / "clientcert.key").write_text(pki.jean.key_pem, "ascii")
    switches = {"settings-delay": 0, "association-delay": 0}
    with running(Options(switches=switches)) as emulator:
        applied = _applied(folder, emulator.ready)
    world = World(applied["account"]["id"])
    account = Account(world.machine.token, "http://127.0.0.1:9", None, None, Pace(stopping=lambda: True))
    world.load(applied)
    saved = load((folder / "applied.json").read_bytes(), "applied.json", to_apply=False)
    domains = [d["uri"] for app in applied["apps"] if "cf-mtls" in app["name"] for d in app["destinations"]]
    targets = frozenset((h, f"/{p}") for h, _, p in (d.partition("/") for d in domains))
    deeper = {(h, p + more) for h, p in targets for more in ("/open", "/open/deep", "-more")}
    found = Base(
        folder / PLAN, account, world, applied, saved, _visitors(pki),
        tuple(sorted(targets | deeper | {(HOST, "/plain/known"), (f"else.{HOST}", "/x")})), targets, {},
    )  # fmt: skip
    alone = copy.deepcopy(applied)
    alone["apps"] = [app for app in alone["apps"] if "cf-mtls" in app["name"]]
    world.load(alone)
    found.declared.update(found.admitted())
    _waive(found)
    yield found
    world.close()


def _applied(folder: Path, ready: Ready) -> State:
    (folder / PLAN).write_text(PLAN_TEXT.replace("ACCOUNT", ready.account_id), "utf-8")
    state = lever(ready, "state")
    state["groups"] += GROUPS
    state["policies"] += POLICIES
    state["apps"] += FOREIGN
    lever(ready, "state", state)
    assert run(folder, ready, "plan", PLAN, "--out", "applied.json").returncode == 0
    digest = json.loads((folder / "applied.json").read_bytes())["cf_mtls"]["digest"]
    ran = run(folder, ready, "apply", "applied.json", "--no-verify", "--expect", digest)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    applied: State = lever(ready, "state")
    return applied


def _visitors(pki: Pki) -> tuple[Visitor, ...]:
    return (
        Visitor("nobody"),
        Visitor("a neighbour", address="198.51.100.7"),
        Visitor("the office", address="10.1.2.3"),
        Visitor("a preflight", method="OPTIONS"),
        Visitor("jean", pki.jean),
        Visitor("mallory", pki.clients.issue("mallory", now=NOW)),
        Visitor("a stranger", OTHER.issue("jean", now=NOW)),
    )


def _waive(base: Base) -> None:
    """The foreign application that is known is waived, by the one difference that it is."""
    (stack,) = looked(base, "plain", enter(base, None, "full") or "")["stacks"]
    lines = [
        f"  - {{address: {f['address']}, finding: {f['digest']}, reason: r, owner: o, until: 2099-01-01}}\n"
        for f in stack["findings"]
    ]
    assert [f["class"] for f in stack["findings"]] == ["weakened"], stack
    base.path.write_text(base.path.read_text("utf-8") + "waivers:\n" + "".join(lines), "utf-8")


# Tokens

ALL = tuple(f"{family} Read" for family in FAMILIES)
TOKENS: dict[str, dict[str, Any]] = {
    "full": {"permissions": ALL},
    **{f"without {p}": {"permissions": [q for q in ALL if q != p]} for p in ALL},
    "of two permissions": {"permissions": ALL[:2]},
    "for the account alone": {"permissions": ALL, "scopes": ["accounts/ACCOUNT"]},
    "without Zone Read, zones refused": {
        "permissions": [p for p in ALL if p != "Zone Read"],
        "zones": "refused",
    },
    "without Zone Read, no zones listed": {
        "permissions": [p for p in ALL if p != "Zone Read"],
        "zones": "none",
    },
}
MORE_THAN_ENOUGH = {"full", *(f"without {p}" for p in ("DNS Read", "SSL and Certificates Read",
                                                     "Access: Service Tokens Read", "Zone Read"))}  # fmt: skip
"""With these nothing may be left open: what is missing decides about nobody, or (zones) is listed all the same."""


# Edits

RULES = {
    "open": [{"name": "o", "decision": "bypass", "include": [EVERYONE]}],
    "any certificate": [{"name": "c", "decision": "non_identity", "include": [CERTIFICATE]}],
    "a reusable policy": [OPEN],
    "a group": [{"name": "g", "decision": "bypass", "include": [{"group": {"id": TEAM}}]}],
    "for nobody": [{"name": "d", "decision": "deny", "include": [EVERYONE]}],
}


def edits(state: State) -> dict[str, Edit]:
    """All of them, by name."""
    ours = [app for app in state["apps"] if "(cf-mtls georgetown)" in app["name"]]
    known = [app for app in state["apps"] if app["name"] == "known"]
    (ca,) = state["certificates"]
    places = [f"{HOST}/plain", f"{HOST}/plain/open", f"{HOST}/*/open", f"*.{HOST}/two/open", f"s*.{HOST}/named/open",
              f"{SUB}/named/open", f"{HOST}/grouped/open"]  # fmt: skip
    own_policies = {link["id"] for app in (*ours, *known) for link in app["_policies"]} | {SHARED}
    found: list[tuple[str, Edit]] = []
    for identity in sorted(own_policies):
        name = next(p["name"] for p in state["policies"] if p["id"] == identity)
        found += openings.of_rules("policies", identity, f"policy {name}")
    for identity, name in ((GROUP, "outer"), (INNER, "inner"), (TEAM, "team")):
        found += openings.of_rules("groups", identity, f"group {name}")
    for app in (*ours, *known):
        found += openings.of_application(app, OPEN)
    found += openings.foreign_applications([p for p in places if p != f"{HOST}/plain"], RULES, HOST)
    found += openings.foreign_cas([HOST, SUB, f"*.{HOST}"], OTHER.chain.pem, HOST, ca["name"])
    found += openings.of_ca(ca, [f"else.{HOST}", f"*.{HOST}"], OTHER.chain.pem)
    for setting in state["settings"]:
        found += openings.of_settings(setting)
    return dict(found)


# Looking


def looked(base: Base, way: str, token: str) -> dict[str, Any]:
    """What a check reports."""
    account = Account(token, base.account.base_url, None, None, base.account.pace)
    saved = (base.saved,) if way == "applied" else ()

    def before(path: Path) -> Any:
        """The worst history there can be: the file said before its last commit what the account is like now."""
        stack = validate(path, NOW)
        with base.world.reading(base.account) as reader:
            there = read(
                reader, Scope("account", base.state["account"]["id"]), account.pace, stack.hosts
            ).state
        where = homes(stack.state, there, stack.name)
        now = {a: there.get(where.get(a, a)) for a in stack.state}
        kept = {a: _declared(stack.state[a], r) for a, r in now.items() if r is not None}
        return type(there)(kept)

    asked = Asked(
        NOW, applied=saved, reading=base.world.reading, **({"before": before} if way == "git" else {})
    )
    return drift_data(check([base.path], account, asked), NOW, ())


def _declared(declared: Any, there: Any) -> Any:
    """A thing of the account as a file would declare it: of a CA the file has the chain."""
    import dataclasses

    if isinstance(there, CaCertificate):
        return dataclasses.replace(declared, associated_hostnames=there.associated_hostnames)
    return dataclasses.replace(there, id=None) if hasattr(there, "id") else there


def enter(base: Base, edit: Edit | None, name: str) -> str | None:
    """The account after an edit, with a token; its text, None where the account cannot be so."""
    held = {k: v for k, v in TOKENS[name].items() if k != "zones"}
    held["scopes"] = [s.replace("ACCOUNT", base.state["account"]["id"]) for s in held.get("scopes", [])]
    state = copy.deepcopy(base.state)
    if edit:
        edit(state)
    try:
        base.world.load(state, **{"zones-without-permission": TOKENS[name].get("zones", "listed")})
    except ValueError:
        return None
    return base.world.token(**held)


@dataclass(frozen=True)
class Effect:
    """What an edit did, by the emulator's edge."""

    opened: frozenset[tuple[str, str, str]]
    lost: frozenset[tuple[str, str, str]]
    """Of a declared client at a URL that the file declares."""

    @property
    def matters(self) -> bool:
        return bool(self.opened or self.lost)


def effect(base: Base, before: dict[tuple[str, str, str], bool]) -> Effect:
    """What became of the requests since."""
    after = base.admitted()
    opened = frozenset(k for k in after if after[k] and not before[k] and not base.declared[k])
    lost = frozenset(
        k for k in after if before[k] and not after[k] and k[0] == "jean" and k[1:] in base.targets
    )
    return Effect(opened, lost)


def test_an_account_as_applied_is_clean_in_every_way(base: Base) -> None:
    """With every token that may read what the verdict rests on; with no other one, in no form."""
    for name in TOKENS:
        for way in WAYS:
            token = enter(base, None, name)
            kinds = set(said(looked(base, way, token or "")).values())
            assert len(kinds) == 1, (name, way, kinds)
            assert (kinds == {GOOD}) is (name in MORE_THAN_ENOUGH), (name, way, kinds)


def _is_unrecorded(name: str, data: dict[str, Any]) -> bool:
    """Whether rules that no file holds were widened, for less than everyone, with no applied plan to compare with.

    Nobody can know that; the verdict itself says of them by their address that it is not decided, in every form.
    """
    rules = {
        "policy shared": f"policy/{SHARED}",
        "group outer": f"group/{GROUP}",
        "group inner": f"group/{INNER}",
    }
    address = rules.get(name.partition(":")[0])
    verdict = drift_text(data, Paint()).splitlines()[-1]
    forms = (verdict, drift_markdown(data["stacks"]), drift_junit(data))
    return address is not None and all(f"whether the rules of {address} moved" in form for form in forms)


def test_what_was_opened_or_lost_is_said_everywhere_or_that_it_could_not_be_checked(
    base: Base, counted: Counted
) -> None:
    """No form is silent in any cell; with a token that may read everything it is an alarm in all of them."""
    enter(base, None, "full")
    before = base.admitted()
    found = edits(base.state)
    random = Random(1)
    if BUDGET == 1:
        found = dict(random.sample(sorted(found.items(), key=itemgetter(0)), SAMPLE))
    silent: list[tuple[str, ...]] = []
    count: Counter[str] = Counter()
    for name, edit in found.items():
        if enter(base, edit, "full") is None:
            count["impossible"] += 1
            continue
        done = effect(base, before)
        count["openings" if done.opened else "losses" if done.lost else "without effect"] += 1
        if not done.matters:
            continue
        cells = [(token, way) for token in TOKENS for way in WAYS]
        more = random.sample(cells, min(len(cells), 1 if BUDGET == 1 else CELLS * BUDGET))
        chosen = more if len(more) == len(cells) else [("full", random.choice(WAYS)), *more]
        for token, way in chosen:
            data = looked(base, way, enter(base, edit, token) or "")
            kinds = said(data)
            count["cells"] += 1
            if done.opened and way != "applied" and _is_unrecorded(name, data):
                count["not recorded"] += 1
                continue
            count["forms"] += len(kinds)
            worst = {ALARM} if token in MORE_THAN_ENOUGH else {ALARM, UNTOLD}
            if len(set(kinds.values())) > 1 or not set(kinds.values()) <= worst:
                silent.append((name, token, way, *sorted(set(kinds.values()))))
    counted(
        f"{count['openings']} openings and {count['losses']} losses of {len(found)} edits"
        f" ({count['without effect']} without effect, {count['impossible']} impossible) × {len(TOKENS)} tokens ×"
        f" {len(WAYS)} ways: {count['cells']:,} cells, {count['forms']:,} forms: {len(silent)} silent;"
        f" {count['not recorded']} cells of rules that no file and no applied plan holds, said to be so"
    )
    assert silent == [], "\n".join(map(str, silent))
    assert count["openings"] + count["losses"] > 40
    assert count["openings"] > 20 < count["losses"] or BUDGET == 1
