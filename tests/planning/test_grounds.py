"""A finding is recognised by the exact content of what decides there: what else is let in is another finding.

The oracle of who gets in is the emulator's own code on the raw JSON, which shares nothing with the program's.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random
from typing import Any

import pytest

from cf_mtls.emulator import policy as emulated
from cf_mtls.model.frozen import freeze_object
from cf_mtls.model.plan import Action, Change
from cf_mtls.model.resources import AccessGroup, Address, CaCertificate, Kind
from cf_mtls.model.state import State
from cf_mtls.planning.check import Known, findings
from cf_mtls.planning.drift import Class
from cf_mtls.planning.grounds import of_change, of_opening, of_thing
from cf_mtls.remote import wire
from tests.conftest import Counted
from tests.planning.things import ANYONE, CERTIFICATE, app, app_at, ca, ca_at, policy, rule
from tests.planning.worlds import BUDGET

Raw = dict[str, Any]
Account = dict[str, list[Raw]]

COUNT = 120 * BUDGET
NOW = datetime(2026, 11, 24, tzinfo=UTC)
HOST = "a.net"
MINE = "a.net/x"
BELOW = ("a.net/x/y", "a.net/x/y/z", "a.net/x/w", "a.net/*/y", "*.net/x/y")
PATHS = ("/x", "/x/", "/x/y", "/x/y/q", "/x/y/z", "/x/y/z/q", "/x/w", "/x/w/y", "/x/q/y", "/x/q", "/xy", "/")
NAMES = ("fleet", "jean", "")
ADDRESSES = ("10.1.2.3", "192.0.2.1", "8.8.8.8")

SELECTORS: tuple[Raw, ...] = (
    {"certificate": {}}, {"common_name": {"common_name": "fleet"}}, {"common_name": {"common_name": "jean"}},
    {"everyone": {}}, {"ip": {"ip": "10.0.0.0/8"}}, {"ip": {"ip": "10.1.2.0/24"}}, {"ip": {"ip": "192.0.2.1/32"}},
    {"service_token": {"token_id": "t"}}, {"any_valid_service_token": {}}, {"group": {"id": "g1"}},
    {"group": {"id": "g2"}},
)  # fmt: skip
PLAIN = SELECTORS[:-2]


# The oracle: every request of an alphabet, decided by the emulator on raw JSON


ASKERS = tuple(product(("", "c1", "c2", "c3"), NAMES, ADDRESSES, (None, "t", "u")))
"""The CA that vouches for the certificate ('' for none), its name, the address, the service token."""


def admitted(account: Account, culprit: str) -> frozenset[tuple[Any, ...]]:
    """Who gets in by a thing: where an application decides below ours, or by a CA where ours does."""
    is_ca = any(raw["id"] == culprit for raw in account["certificates"])
    found = set()
    for path in PATHS:
        deciding = emulated.find_app(account["apps"], HOST, path)
        if deciding is None or not emulated.covers(MINE, HOST, path):
            continue
        raw, uri = deciding
        if raw["id"] not in ({"mine"} if is_ca else {culprit}):
            continue
        public = emulated.overridden(raw, uri, path)
        found |= {(path, *who) for who in ASKERS if (not is_ca or who[0] == culprit)
                  and (public or _gets_in(account, raw, who))}  # fmt: skip
    return frozenset(found)


def _gets_in(account: Account, raw: Raw, who: tuple[str, str, str, str | None]) -> bool:
    issuer, name, address, token = who
    valid = any(c["id"] == issuer and HOST in c["associated_hostnames"] for c in account["certificates"])
    asker = emulated.Asker(valid, (name,) if valid and name else (), address, service_token=token)
    shared = {p["id"]: p for p in account["policies"]}
    listed = [shared.get(p["id"], p) for p in sorted(raw["policies"], key=lambda p: p["precedence"])]
    groups = {g["id"]: g for g in account["groups"]}
    return emulated.decide(listed, groups, asker).kind in {"origin", "bypass"}


# Random accounts


def some(random: Random, least: int, most: int, among: tuple[Raw, ...] = SELECTORS) -> list[Raw]:
    return [copy.deepcopy(random.choice(among)) for _ in range(random.randint(least, most))]


def a_policy(random: Random, identity: str) -> Raw:
    return {
        "id": identity, "name": f"p{random.randrange(99)}", "precedence": 1,
        "decision": random.choice(("non_identity", "non_identity", "bypass", "deny")),
        "include": some(random, 1, 2), "require": some(random, 0, 1), "exclude": some(random, 0, 1),
    }  # fmt: skip


def an_account(random: Random) -> Account:
    """Ours on a.net/x, and somebody else's applications below it, CAs, groups and reusable policies."""
    mine = {"id": "mine", "name": "mine (cf-mtls s)", "type": "self_hosted", "domain": MINE,
            "policies": [{"id": "m", "name": "m", "decision": "non_identity", "include": [{"certificate": {}}],
                          "require": some(random, 0, 1, SELECTORS[1:3]), "precedence": 1}]}  # fmt: skip
    apps = [mine]
    for number, domain in enumerate(random.sample(BELOW, random.randint(0, 3))):
        policies = [
            a_policy(random, f"p{number}{i}") | {"precedence": i} for i in range(random.randint(1, 2))
        ]
        if random.random() < 0.3:
            policies[0] = {"id": "r1", "precedence": 0, "reusable": True}
        apps.append({"id": f"a{number}", "name": "theirs", "type": "self_hosted", "domain": domain,
                     "policies": policies})  # fmt: skip
    certificates = [
        {"id": key, "name": f"{key}{' (cf-mtls s)' if key == 'c1' else ''}", "associated_hostnames": hosts,
         "fingerprint": f"MD5 Fingerprint={digits}", "expires_on": "2030-01-01T00:00:00Z"}
        for key, digits, hosts in (("c1", "11:11", [HOST]), ("c2", "22:22", random.choice(([HOST], ["b.net"]))),
                                   ("c3", "33:33", ["b.net"]))
    ]  # fmt: skip
    groups = [{"id": "g1", "name": "g", "include": some(random, 1, 2, PLAIN), "require": [], "exclude": []},
              {"id": "g2", "name": "g", "include": [*some(random, 0, 1, PLAIN), {"group": {"id": "g1"}}],
               "require": some(random, 0, 1, PLAIN), "exclude": []}]  # fmt: skip
    shared = [a_policy(random, "r1") | {"reusable": True}]
    return {"apps": apps, "certificates": certificates, "groups": groups, "policies": shared}


def state_of(account: Account) -> State:
    """The account as the program reads it: reusable policies come back expanded."""
    shared = {p["id"]: p for p in account["policies"]}
    apps = [{**raw, "policies": [{**shared.get(p["id"], p), "precedence": p["precedence"]} for p in raw["policies"]]}
            for raw in account["apps"]]  # fmt: skip
    return State([
        *map(wire.certificate, account["certificates"]), *map(wire.application, apps),
        *map(wire.reusable_policy, account["policies"]), *map(wire.group, account["groups"]),
    ])  # fmt: skip


def digests(account: Account) -> dict[str, frozenset[str]]:
    """Of what weakens ours, by the id of the culprit."""
    state = state_of(account)
    mine = state[app_at(MINE)]
    assert mine.policies  # type: ignore[union-attr]
    declared = State({app_at(MINE): replace(mine, id=None, fields=freeze_object({})),  # type: ignore[call-arg]
                      ca_at("c1"): replace(state[ca_at("c1")], id="c1")})  # type: ignore[call-arg] # fmt: skip
    seen = findings(Known("f.yaml", "s", declared), state, NOW, timedelta(days=30))
    ids = {str(a): getattr(r, "id", "") for a, r in state.items()}
    found: dict[str, set[str]] = {}
    for finding in seen:
        if finding.kind is Class.WEAKENED:
            found.setdefault(ids[finding.address], set()).add(finding.digest)
    return {culprit: frozenset(of) for culprit, of in found.items()}


# Two accounts


def reread(random: Random, account: Account) -> Account:
    """The same account in other words: order, repetition, names, times, counters, ids of policies of their own."""
    found = copy.deepcopy(account)
    for raw in found["apps"]:
        raw |= {"updated_at": str(random.random()), "logo_url": f"https://{random.random()}", "uid": "u",
                "last_seen_at": str(random.random()), "login_count": random.randrange(99)}  # fmt: skip
        raw["name"] = raw["name"] if raw["id"] == "mine" else f"renamed {random.random()}"
        raw["policies"] = [
            p if p.get("reusable") else {**_shuffled(random, p), "id": f"q{random.getrandbits(40):x}"}
            for p in raw["policies"]
        ]
        random.shuffle(raw["policies"])
    for raw in found["certificates"]:
        raw["name"] = raw["name"] if raw["id"] == "c1" else f"renamed {random.random()}"
    found["groups"] = [{**_shuffled(random, g), "name": f"n{random.random()}"} for g in found["groups"]]
    found["policies"] = [
        {**_shuffled(random, p), "app_count": random.randrange(9)} for p in found["policies"]
    ]
    for rows in found.values():
        random.shuffle(rows)
    return found


def _shuffled(random: Random, rules: Raw) -> Raw:
    found = {**rules, "updated_at": str(random.random())}
    for part in ("include", "require", "exclude"):
        rows = [*rules.get(part, []), *(rules.get(part, [])[:1] if random.random() < 0.3 else [])]
        random.shuffle(rows)
        found[part] = [_reworded(random, row) for row in rows]
    return found


def _reworded(random: Random, row: Raw) -> Raw:
    if row.get("ip") == {"ip": "192.0.2.1/32"}:
        return random.choice((row, {"ip": {"ip": "192.0.2.1"}}))
    return random.choice((row, {"certificate": {"id": None}})) if "certificate" in row else row


def edited(random: Random, account: Account) -> Account:
    """The account after one or two random edits by somebody, of things that are not ours."""
    found = copy.deepcopy(account)
    for _ in range(random.randint(1, 2)):
        random.choice((_edit_rules, _edit_rules, _edit_rules, _edit_apps, _edit_cas, _edit_path))(
            random, found
        )
    return found


def _edit_rules(random: Random, account: Account) -> None:
    own = [p for raw in account["apps"] for p in raw["policies"] if raw["id"] != "mine" and "decision" in p]
    rules = random.choice([*own, *account["groups"], *account["policies"]])
    part = random.choice(("include", "require", "exclude"))
    rows = rules.setdefault(part, [])
    among = PLAIN if rules in account["groups"] else SELECTORS
    if rows and (random.random() < 0.5) and (part != "include" or len(rows) > 1):
        rows.pop(random.randrange(len(rows)))
    else:
        rows.append(copy.deepcopy(random.choice(among)))


def _edit_apps(random: Random, account: Account) -> None:
    foreign = [raw for raw in account["apps"] if raw["id"] != "mine"]
    taken = {raw["domain"] for raw in account["apps"]}
    free = [domain for domain in BELOW if domain not in taken]
    if foreign and random.random() < 0.5:
        account["apps"].remove(random.choice(foreign))
    elif free:
        account["apps"].append({"id": f"n{random.randrange(10**6)}", "name": "new", "type": "self_hosted",
                                "domain": random.choice(free), "policies": [a_policy(random, "n")]})  # fmt: skip


def _edit_cas(random: Random, account: Account) -> None:
    raw = random.choice([raw for raw in account["certificates"] if raw["id"] != "c1"])
    raw["associated_hostnames"] = sorted(set(raw["associated_hostnames"]) ^ {random.choice((HOST, "b.net"))})


def _edit_path(random: Random, account: Account) -> None:
    """A path of an application becomes public, or one more domain its own."""
    foreign = [raw for raw in account["apps"] if raw["id"] != "mine"]
    if foreign:
        raw = random.choice(foreign)
        raw["destinations"] = raw.get("destinations") or [{"type": "public", "uri": raw["domain"]}]
        if random.random() < 0.5:
            raw["destinations"][0]["overrides"] = [
                {"behavior": "public", "path_pattern": random.choice(("/x/y", "/x/y/z", "/x/w"))}
            ]
        else:
            taken = {d["uri"] for app in account["apps"] for d in app.get("destinations", [])}
            uri = random.choice(("a.net/x/v", "a.net/x/q"))
            if uri not in taken:
                raw["destinations"].append({"type": "public", "uri": uri})


def test_two_states_have_one_digest_exactly_when_the_same_get_in_and_the_same_is_said(
    counted: Counted,
) -> None:
    """Reread, nothing is another finding; whoever else gets in, by whatever edit, it is another finding."""
    done: Counter[str] = Counter()
    for seed in range(COUNT):
        random = Random(seed)
        before = an_account(random)
        old = digests(before)
        assert digests(reread(random, before)) == old, seed
        after = edited(random, before)
        new = digests(reread(random, after))
        for culprit in {raw["id"] for table in ("apps", "certificates") for raw in before[table]} - {
            "mine",
            "c1",
        }:
            was, now = admitted(before, culprit), admitted(after, culprit)
            if not (old.get(culprit) and new.get(culprit)):
                continue
            same = old[culprit] == new[culprit]
            done["compared"] += 1
            done["others get in"] += was != now
            done["more get in"] += bool(now - was)
            done["one digest"] += same
            assert not (same and was != now), (seed, culprit, sorted(now ^ was)[:3])
    counted(f"{COUNT} accounts reread: 0 other digests; " + ", ".join(f"{n} {k}" for k, n in done.items()))
    assert min(done.values()) > COUNT // 15


# Rules


G1, G2 = (Address(Kind.GROUP, f"g-{n}") for n in (1, 2))
BY_GROUP = policy("bypass", rule("group", id="g-1"))
THERE = State({
    app_at("a.net/x"): app("a.net/x", BY_GROUP, stack=None), ca_at("1"): ca("1", "a.net"),
    G1: AccessGroup("g", (rule("group", id="g-2"), rule("ip", ip="192.0.2.1/32")), (), (), "g-1"),
    G2: AccessGroup("g", (rule("group", id="g-1"), CERTIFICATE), (), (), "g-2"),
})  # fmt: skip

EDITS: dict[str, tuple[Callable[[State], State], bool]] = {
    "nothing": (lambda s: s, True),
    "the name": (lambda s: s.put(app_at("a.net/x"), app("a.net/x", BY_GROUP, name="other")), True),
    "the name of its policy": (
        lambda s: s.put(app_at("a.net/x"), app("a.net/x", replace(BY_GROUP, name="n"), stack=None)), True
    ),
    "a tag": (lambda s: s.put(app_at("a.net/x"), app("a.net/x", BY_GROUP, fields={"tags": ["t"]})), True),
    "a default": (
        lambda s: s.put(app_at("a.net/x"), app("a.net/x", BY_GROUP, fields={"session_duration": "24h"})), True
    ),
    "a count": (lambda s: s.put(app_at("a.net/x"), app("a.net/x", BY_GROUP, fields={"x_count": 3})), True),
    "an emptied selector": (
        lambda s: s.put(app_at("a.net/x"), app("a.net/x", replace(BY_GROUP, exclude=(rule("email"),)))), True
    ),
    "the decision": (
        lambda s: s.put(app_at("a.net/x"), app("a.net/x", replace(BY_GROUP, decision="allow"))), False
    ),
    "the scope": (lambda s: s.put(app_at("a.net/x"), app("a.net/x", BY_GROUP, elsewhere="zone:1")), False),
    "a setting": (
        lambda s: s.put(app_at("a.net/x"), app("a.net/x", BY_GROUP, fields={"unknown_setting": True})), False
    ),
    "a group within its group": (
        lambda s: s.put(G2, AccessGroup("g", (CERTIFICATE,), (), (), "g-2")), False
    ),
    "a group that is gone": (lambda s: s.put(G2, None), False),
    "a CA on the host": (lambda s: s.put(ca_at("2"), ca("2", "a.net")), False),
    "a CA on a wildcard of the host": (lambda s: s.put(ca_at("2"), ca("2", "*.net")), False),
    "a CA elsewhere": (lambda s: s.put(ca_at("2"), ca("2", "b.net")), True),
    "what stands below": (lambda s: s.put(app_at("a.net/x/y"), app("a.net/x/y")), False),
    "what may decide instead": (lambda s: s.put(app_at("a.net/*/y"), app("a.net/*/y")), False),
    "what stands above": (lambda s: s.put(app_at("a.net"), app("a.net")), True),
    "what stands beside": (lambda s: s.put(app_at("a.net/xy"), app("a.net/xy")), True),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_an_opening_is_what_decides_there(name: str) -> None:
    """Everything that decides, by whatever way it refers to it; nothing else."""
    edit, is_same = EDITS[name]
    before, after = (of_opening(state, app_at("a.net/x"), "a.net") for state in (THERE, edit(THERE)))
    assert (before.content == after.content) is is_same
    assert after.unread == (("group/g-2",) if name == "a group that is gone" else ())


def test_where_nobody_is_asked_for_a_certificate_no_ca_counts() -> None:
    """A CA more or less is no other finding there; where a group was not read it may be one."""
    for at, there, counts in (
        ("a.net", app("a.net", ANYONE), False),
        ("a.net", app("a.net", policy("bypass", rule("group", id="g"))), True),
    ):
        one, two = (of_opening(State({app_at(at): there, **more}), app_at(at), at).content
                    for more in ({}, {ca_at("2"): ca("2", "a.net")}))  # fmt: skip
        assert (one != two) is counts


def test_a_ca_counts_where_an_application_of_many_hosts_is_below_ours() -> None:
    """One that moves from another host of a wildcard to ours is another finding."""
    at = app_at("*.net/x")
    wild = State({at: app("*.net/x", policy("non_identity", CERTIFICATE), stack=None)})
    hosts = [("b.net",), ("c.net",), ("a.net",)]
    found = [of_opening(wild.put(ca_at("2"), ca("2", *on)), at, "a.net").content for on in hosts]
    assert found[0] == found[1] != found[2]
    everywhere = [of_opening(wild.put(ca_at("2"), ca("2", *on)), at, "*.net").content for on in hosts]
    assert len(set(everywhere)) == 3  # below all of its hosts it matters on which of them the CA is


def test_a_reusable_policy_is_what_the_account_says() -> None:
    """Not what an application repeated of it; one that nobody shows is unread."""
    at, of = app_at("a.net"), Address(Kind.POLICY, "p")
    link = policy("", id="p", reusable=True)
    opened = State({at: app("a.net", link), of: replace(ANYONE, id="p", reusable=True)})
    shut = opened.put(of, policy("deny", CERTIFICATE, id="p", reusable=True))
    unread = opened.put(of, None)
    found = [of_opening(state, at, "a.net") for state in (opened, shut, unread)]
    assert len({g.content for g in found}) == 3
    assert [g.unread for g in found] == [(), (), ("policy/p",)]


def test_a_ca_is_its_content_and_its_hosts() -> None:
    """Not its name; what else a finding rests on is part of it."""
    at, there = ca_at("1"), ca("1", "a.net")

    def content(found: CaCertificate, state: State = THERE) -> str:
        return of_thing(state.put(at, found), at, of_opening(state, app_at("a.net/x"), "a.net")).content

    plain = content(there)
    assert content(replace(there, name="n", associated_hostnames=("A.net",))) == plain
    grown = THERE.put(app_at("a.net/x"), app("a.net/x", ANYONE))
    others = [
        content(ca("1", "a.net", "b.net")),
        content(replace(there, fingerprints=("ff",))),
        content(there, grown),
    ]
    assert len({plain, *others}) == 4
    assert of_thing(THERE.put(G2, None), app_at("a.net/x")).unread == ("group/g-2",)


def test_a_difference_rests_on_what_decides_today() -> None:
    """Where ours is not there, what stands above; where only its name differs, nothing else is looked at."""
    ours, above = app("a.net/x"), app("a.net", policy("bypass", rule("ip", ip="192.0.2.1/32")), stack=None)
    missing = Change(app_at("a.net/x"), Action.CREATE, None, ours, ("name", "policies"))
    there = State({app_at("a.net"): above})
    states = (there, there.put(app_at("a.net"), app("a.net", ANYONE)), State())
    assert len({of_change(state, missing).content for state in states}) == 3
    renamed = Change(app_at("a.net/x"), Action.UPDATE, ours, replace(ours, name="n"), ("name",))
    assert len({of_change(state, renamed).content for state in states}) == 1
    late = Change(app_at("a.net/x"), Action.DELETE, app("a.net/x", BY_GROUP), None, ("policies",))
    groups = (THERE, THERE.put(G2, AccessGroup("g", (rule("everyone"),), (), (), "g-2")))
    assert len({of_change(state, late).content for state in groups}) == 2
    taken = [
        Change(ca_at("1"), Action.DELETE, one, None, ("name",))
        for one in (ca("1", "a.net"), ca("1", "b.net"))
    ]
    assert len({of_change(THERE, change).content for change in taken}) == 2
