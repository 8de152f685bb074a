"""A small server's habits: a declared state as raw JSON of an account, and the same account read another way.

Rules of this file:
- `reread` changes only what the facts say means nothing: order, case, defaults, nulls, `/32`, times, new members.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from cf_mtls.model.frozen import freeze, freeze_object
from cf_mtls.model.resources import (
    AccessApplication,
    AccessPolicy,
    Address,
    CaCertificate,
    HostnameSettings,
    Resource,
    Rule,
)  # fmt: skip
from cf_mtls.model.state import State
from cf_mtls.planning.canon import DEFAULTS, FALSE_IS_ABSENT
from cf_mtls.remote import wire
from tests.planning.worlds import GROUP, a_world

Raw = dict[str, Any]
Account = dict[str, list[Raw]]
"""certificates, settings, apps, policies: what the API would list."""

MORE_RULES = (
    Rule("ip", freeze({"ip": "192.0.2.7"})), Rule("ip", freeze({"ip": "2001:db8::7"})),
    Rule("geo", freeze({"country_code": "MY"})), Rule("email", freeze({"email": "ana@example.com"})),
)  # fmt: skip
SHARED: dict[str, Raw] = {
    "r-1": {
        "id": "r-1",
        "name": "fleet",
        "decision": "non_identity",
        "include": [{"certificate": {}}],
        "reusable": True,
    },
    "r-2": {
        "id": "r-2",
        "name": "staff",
        "decision": "allow",
        "include": [{"everyone": {}}],
        "reusable": True,
    },
}
"""The account's reusable policies: a file names them by id alone; of their rules only that anyone gets in alarms."""

FIELDS: tuple[Callable[[Random], Raw], ...] = (
    lambda random: {"session_duration": random.choice(("24h", "6h", "30m"))},
    lambda random: {"tags": random.sample(["a", "b", "c"], random.randint(0, 3))},
    lambda random: {random.choice(FALSE_IS_ABSENT): random.random() < 0.5},
    lambda random: {"http_only_cookie_attribute": random.random() < 0.5},
    lambda random: {"allowed_idps": random.sample(["i1", "i2", "i3"], random.randint(0, 3))},
)


def a_declaration(random: Random) -> State:
    """What a file could declare: nested applications, CAs, settings, all kinds of rules and fields."""
    found: dict[Address, Resource] = {}
    for address, thing in a_world(random).put(GROUP, None).items():
        if isinstance(thing, AccessApplication):
            fields = {k: v for make in FIELDS if random.random() < 0.4 for k, v in make(random).items()}
            policies = tuple(
                replace(p, include=(*p.include, *random.sample(MORE_RULES, random.randint(0, 2))))
                for p in thing.policies
            )
            if random.random() < 0.2:
                ids = random.sample(sorted(SHARED), random.randint(1, 2))
                policies = tuple(AccessPolicy("", "", (), id=i, reusable=True) for i in ids)
            found[address] = replace(thing, fields=freeze_object(fields), policies=policies)
        else:
            found[address] = thing
    return State(found)


def as_account(random: Random, declared: State) -> Account:
    """The account after an apply, with somebody else's things on other hosts."""
    certificates = [_certificate(random, ca) for _, ca in declared.of(CaCertificate)]
    stranger = {"name": "a stranger's", "associated_hostnames": ["c.org"], "fingerprint": "MD5 Fingerprint=AA:BB",
                "expires_on": "2031-01-01T00:00:00Z", "id": "c-foreign"}  # fmt: skip
    if random.random() < 0.5:
        certificates.append(stranger)
    apps = [_application(random, app) for _, app in declared.of(AccessApplication)]
    if random.random() < 0.5:
        apps.append(open_to_all("a-foreign", "c.org"))
    settings = [wire.settings_entry(s) for _, s in declared.of(HostnameSettings)]
    shared = [copy.deepcopy(policy) for policy in SHARED.values()]
    return {"certificates": certificates, "settings": settings, "apps": apps, "policies": shared}


def open_to_all(identity: str, domain: str) -> Raw:
    everyone = {
        "id": f"p-{identity}",
        "name": "all",
        "decision": "bypass",
        "include": [{"everyone": {}}],
        "precedence": 1,
    }
    return {"id": identity, "name": identity, "domain": domain, "policies": [everyone]}


def _certificate(random: Random, ca: CaCertificate) -> Raw:
    body = wire.certificate_create(ca)
    del body["certificate"]
    digits = ":".join([ca.fingerprints[0]])
    return {**body, "id": f"c-{random.getrandbits(40):x}", "fingerprint": f"MD5 Fingerprint={digits}",
            "expires_on": "2030-01-01T00:00:00Z"}  # fmt: skip


def _application(random: Random, app: AccessApplication) -> Raw:
    body = wire.application_body(app)
    for policy in body["policies"]:
        if policy.get("id") in SHARED:
            policy.update(copy.deepcopy(SHARED[policy["id"]]))  # a link comes back expanded: facts 3.4
        else:
            policy["id"] = f"p-{random.getrandbits(40):x}"
    return {**body, "id": f"a-{random.getrandbits(40):x}"}


def state_of(account: Account) -> State:
    """The account as the program reads it."""
    found = [wire.certificate(raw) for raw in account["certificates"]]
    settings = [
        (a, s) for a, s in map(wire.settings, account["settings"]) if s != HostnameSettings(s.hostname)
    ]
    shared = map(wire.reusable_policy, account["policies"])
    group = wire.group(
        {"id": GROUP.key, "name": "staff", "include": [{"email": {"email": "ana@example.com"}}]}
    )
    return State([*found, *settings, *shared, group, *map(wire.application, account["apps"])])


def reread(random: Random, account: Account) -> Account:
    """The same account in other words."""
    found = copy.deepcopy(account)
    for raw in found["certificates"]:
        _shuffled(random, raw, "associated_hostnames")
        raw["associated_hostnames"] = [random.choice((h, h.upper())) for h in raw["associated_hostnames"]]
        raw["fingerprint"] = random.choice((raw["fingerprint"], raw["fingerprint"].upper()))
        raw |= {"updated_at": str(random.random()), "new_member": random.random()}
    for raw in found["settings"]:
        raw |= {k: None for k, v in raw.items() if v is False and random.random() < 0.5}
    if random.random() < 0.5:
        found["settings"].append(
            {"hostname": "d.net", "client_certificate_forwarding": False, "china_network": None}
        )
    for raw in found["apps"]:
        _app_reread(random, raw)
    for policy in found["policies"]:
        _policy_reread(random, policy)
    for rows in found.values():
        random.shuffle(rows)
    return found


def _app_reread(random: Random, raw: Raw) -> None:
    for name, default in DEFAULTS.items():
        if raw.get(name) in (None, default) and random.random() < 0.5:
            raw[name] = random.choice((None, default))
    for name in ("tags", "allowed_idps"):
        _shuffled(random, raw, name)
    raw |= {"updated_at": str(random.random()), "aud": "x", "uid": raw["id"]}
    shape = random.choice(("destinations", "self_hosted_domains", "domain"))
    uris = [d["uri"] for d in raw.get("destinations", [])] or [raw["domain"]]
    if shape == "self_hosted_domains":
        raw |= {"destinations": None, "self_hosted_domains": [u + random.choice(("", "/")) for u in uris]}
    elif shape == "destinations" and random.random() < 0.3:
        raw["destinations"] = [{"uri": u.replace("net", "NET", 1), "l4_protocol": None} for u in uris]
    for policy in raw["policies"]:
        _policy_reread(random, policy)
    random.shuffle(raw["policies"])


def _policy_reread(random: Random, policy: Raw) -> None:
    for part in ("include", "require", "exclude"):
        rules = [_rule_reread(random, rule) for rule in policy.get(part) or []]
        rules += random.sample(EMPTIED, random.randint(1, 2)) if random.random() < 0.3 else []
        if rules and random.random() < 0.2:
            rules.append(rules[0])
        random.shuffle(rules)
        policy[part] = rules or random.choice(([], None))
    for name in random.sample(sorted(UNSET), random.randint(0, 3)):
        policy[name] = random.choice(UNSET[name])
    policy |= {"updated_at": str(random.random()), "app_count": random.randint(1, 9)}
    if not policy.get("reusable"):
        policy["reusable"] = random.choice((None, False))


def _rule_reread(random: Random, rule: Raw) -> Raw:
    ((kind, value),) = rule.items()
    if value is None or (value and not any(value.values())):
        return rule  # an edit has emptied it, and that means something
    if kind == "certificate":
        return {kind: random.choice(({}, {"certifcate": "CA root certificate"}, {"id": None, "name": None}))}
    if kind == "ip" and "/" not in value["ip"]:
        return {kind: {"ip": value["ip"] + random.choice(("", "/128" if ":" in value["ip"] else "/32"))}}
    if kind == "email":
        return {kind: {"email": random.choice((value["email"], value["email"].upper()))}}
    return random.choice(
        (rule, rule, {kind: {**value, "extra": None}}, {**rule, "okta": None, "certificate": None})
    )


UNSET: dict[str, tuple[Any, ...]] = {
    "session_duration": ("24h", None), "approval_required": (False, None), "approval_groups": ([], None),
    "purpose_justification_required": (False, None), "purpose_justification_prompt": ("", None),
    "isolation_required": (False, None), "connection_rules": ({}, None), "mfa_config": ({}, None),
}  # fmt: skip
"""What the server says of a policy's members that nobody set: facts 3.6, 4.2."""

EMPTIED: tuple[Raw, ...] = (
    {"common_name": {"common_name": None}}, {"common_name": {}}, {"common_name": None}, {"email": {"email": ""}},
    {"ip": {"ip": None}}, {"geo": {"country_code": None}}, {"email_domain": {"domain": " "}}, {"group": {"id": None}},
)  # fmt: skip
"""What the server adds to a list of rules by itself: facts 4.4."""


def _shuffled(random: Random, raw: Raw, name: str) -> None:
    if raw.get(name):
        raw[name] = random.sample(raw[name], len(raw[name]))
