"""Every way in which somebody can change who gets in where a stack declares something: made from the kinds of things,
and of each the members that decide.

Rules of this file:
- An edit changes the raw JSON of an account; its name says what and where. Whether anything is open then, or shut, is
  not decided here.
- Nothing is picked by hand: every own thing, every foreign place, every member, every value.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

State = dict[str, Any]
Edit = Callable[[State], None]

EVERYONE: dict[str, Any] = {"everyone": {}}
CERTIFICATE: dict[str, Any] = {"certificate": {}}
NOBODY: dict[str, Any] = {"common_name": {"common_name": "nobody-has-it"}}
ANYWHERE: dict[str, Any] = {"ip": {"ip": "0.0.0.0/0"}}
WIDER: dict[str, Any] = {"ip": {"ip": "198.51.100.0/24"}}

PARTS: dict[str, dict[str, list[dict[str, Any]] | None]] = {
    "include": {"everyone": [EVERYONE], "a certificate": [CERTIFICATE], "an address": [WIDER], "anywhere": [ANYWHERE],
                "nobody": [NOBODY]},
    "require": {"nothing": None, "nobody": [NOBODY]},
    "exclude": {"nothing": None, "certificates": [CERTIFICATE], "everyone": [EVERYONE]},
}  # fmt: skip
"""What is put into a part of rules: in place of what is there for None, else beside it."""

DECISIONS = ("bypass", "non_identity", "allow", "deny")


def of_rules(table: str, identity: str, name: str) -> Iterator[tuple[str, Edit]]:
    """Every edit of a policy or a group."""
    for part, values in PARTS.items():
        for what, rules in values.items():
            yield f"{name}: {part} {what}", _rules(table, identity, part, rules)
    yield f"{name}: include only nobody", _rules(table, identity, "include", None, [NOBODY])
    if table == "policies":
        for decision in DECISIONS:
            yield f"{name}: {decision}", _members(table, identity, decision=decision)
            everyone = {"decision": decision, "include": [EVERYONE], "require": [], "exclude": []}
            yield f"{name}: {decision} for everyone", _members(table, identity, **everyone)


def _rules(table: str, identity: str, part: str, more: Any, instead: Any = ()) -> Edit:
    def edit(state: State) -> None:
        row = _row(state, table, identity)
        row[part] = [*(row.get(part) or []), *more] if more else [*instead]

    return edit


def _members(table: str, identity: str, **members: Any) -> Edit:
    return lambda state: _row(state, table, identity).update(copy.deepcopy(members))


def _row(state: State, table: str, identity: str) -> dict[str, Any]:
    found: dict[str, Any] = next(r for r in state[table] if r["id"] == identity)
    return found


def of_application(app: dict[str, Any], open_policy: str) -> Iterator[tuple[str, Edit]]:
    """Every edit of an application's own members. open_policy: the id of a policy that lets everyone in."""
    identity, name = app["id"], f"application {app['domain']}"
    yield f"{name}: gone", lambda state: state["apps"].remove(_row(state, "apps", identity))
    for what, value in (("options_preflight_bypass", True), ("type", "bookmark"), ("session_duration", "5m")):
        yield f"{name}: {what}", _members("apps", identity, **{what: value})
    yield f"{name}: without policies", _members("apps", identity, _policies=[])
    yield f"{name}: an open policy first", _link(identity, open_policy, 0)
    yield f"{name}: an open policy last", _link(identity, open_policy, 99)
    for number in range(len(app["_policies"])):
        yield f"{name}: without policy {number}", _unlink(identity, number)
    yield f"{name}: policies the other way about", _reversed(identity)
    for number, destination in enumerate(app["destinations"]):
        yield f"{name}: moved from {number}", _destination(identity, number, aside)
        yield (
            f"{name}: deeper at {number}",
            _destination(identity, number, lambda d: {**d, "uri": d["uri"] + "/deep"}),
        )
        path = "/" + destination["uri"].partition("/")[2]
        yield f"{name}: a public path at {number}", _destination(identity, number, _public(path))
    uri = {"type": "public", "uri": f"{app['domain']}-more"}
    yield f"{name}: one more place", lambda state: _row(state, "apps", identity)["destinations"].append(uri)


def aside(destination: dict[str, Any]) -> dict[str, Any]:
    host = destination["uri"].partition("/")[0]
    return {**destination, "uri": f"{host}/aside"}


def _public(path: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    override = {"behavior": "public", "path_pattern": f"{path}/open"}
    return lambda destination: {**destination, "overrides": [override]}


def _destination(identity: str, number: int, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Edit:
    def edit(state: State) -> None:
        app = _row(state, "apps", identity)
        app["destinations"][number] = change(app["destinations"][number])
        app["domain"] = app["destinations"][0]["uri"]

    return edit


def _link(identity: str, policy: str, place: int) -> Edit:
    def edit(state: State) -> None:
        links = _row(state, "apps", identity)["_policies"]
        links.insert(place, {"id": policy, "precedence": 0})
        _numbered(links)

    return edit


def _unlink(identity: str, number: int) -> Edit:
    return lambda state: _row(state, "apps", identity)["_policies"].pop(number) and None


def _reversed(identity: str) -> Edit:
    def edit(state: State) -> None:
        links = _row(state, "apps", identity)["_policies"]
        links.reverse()
        _numbered(links)

    return edit


def _numbered(links: list[dict[str, Any]]) -> None:
    for number, link in enumerate(links, 1):
        if "precedence" in link:
            link["precedence"] = number


def foreign_applications(
    places: list[str], policies: dict[str, list[Any]], zone: str
) -> Iterator[tuple[str, Edit]]:
    """An application of somebody else, at every place, with every kind of rule, in the account and in the zone."""
    for place, (what, rules), scope in product(places, policies.items(), ({}, {"zone": zone})):
        host = place.partition("/")[0]
        shapes = {"": {}, " as a second place": {"destinations": [{"type": "public", "uri": f"else.{host}/x"},
                                                                 {"type": "public", "uri": place}]}}  # fmt: skip
        for shape, members in shapes.items():
            if "*" in host and members:
                continue
            raw = {
                "type": "self_hosted",
                "name": "theirs",
                "domain": place,
                "policies": rules,
                **scope,
                **members,
            }
            if members:
                raw["domain"] = f"else.{host}/x"
            where = "zone" if scope else "account"
            yield f"foreign application {place}{shape}, {what}, {where}", _append("apps", raw)


def _append(table: str, raw: dict[str, Any]) -> Edit:
    return lambda state: state[table].append(copy.deepcopy(raw))


def foreign_cas(hosts: list[str], chain: str, zone: str, name: str) -> Iterator[tuple[str, Edit]]:
    """A CA of somebody else on every host of ours and on wildcards, in every name, in the account and in the zone."""
    names = {
        "theirs": "theirs",
        "in the name of another stack": "x 1234 (cf-mtls other)",
        "in our name": name,
    }
    for host, (what, called), scope in product(hosts, names.items(), ({}, {"zone": zone})):
        raw = {"name": called, "certificate": chain, "associated_hostnames": [host], **scope}
        yield f"foreign CA on {host}, {what}, {'zone' if scope else 'account'}", _append("certificates", raw)


def of_ca(ca: dict[str, Any], beyond: list[str], chain: str) -> Iterator[tuple[str, Edit]]:
    """Every edit of a CA of ours: its hostnames, its name, itself, and what stands in its place."""
    identity = ca["id"]
    yield "our CA: gone", lambda state: state["certificates"].remove(_row(state, "certificates", identity))
    yield "our CA: renamed", _members("certificates", identity, name="mine now")
    for host in ca["associated_hostnames"]:
        rest = [h for h in ca["associated_hostnames"] if h != host]
        yield f"our CA: off {host}", _members("certificates", identity, associated_hostnames=rest)
    for host in beyond:
        more = [*ca["associated_hostnames"], host]
        yield f"our CA: also on {host}", _members("certificates", identity, associated_hostnames=more)

    def replaced(state: State) -> None:
        old = _row(state, "certificates", identity)
        state["certificates"].remove(old)
        state["certificates"].append({"name": old["name"], "certificate": chain,
                                      "associated_hostnames": old["associated_hostnames"]})  # fmt: skip

    yield "our CA: another one in its place", replaced


def of_settings(setting: dict[str, Any]) -> Iterator[tuple[str, Edit]]:
    """A hostname's settings, each member the other way, and gone."""
    host = setting["hostname"]

    def row(state: State) -> dict[str, Any]:
        found: dict[str, Any] = next(s for s in state["settings"] if s["hostname"] == host)
        return found

    yield f"settings {host}: gone", lambda state: state["settings"].remove(row(state))
    yield (
        f"settings {host}: forwarding",
        lambda state: row(state).update(
            client_certificate_forwarding=not setting["client_certificate_forwarding"]
        ),
    )
