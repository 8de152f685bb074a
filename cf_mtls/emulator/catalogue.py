"""What is only read here: tokens, zones, DNS records, the organization, and the look-alikes of Access mTLS.

Rules of this file:
- Nothing here is changed through the API; `POST /_emulator/state` loads it.

Source: facts: cloudflare-api 7.2, 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cf_mtls.emulator import answers
from cf_mtls.emulator.paging import paged
from cf_mtls.emulator.store import Record, each, public
from cf_mtls.emulator.tokens import ZONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from cf_mtls.emulator.http import Answer
    from cf_mtls.emulator.world import Call

_MESSAGE = {"code": 10000, "message": "This API Token is valid and active", "type": None}


def verify(owner: str) -> Callable[[Call], Answer]:
    """GET …/tokens/verify for tokens of a user or of an account; the other kind is refused (facts 7.2)."""

    def handler(call: Call) -> Answer:
        if call.token.owner not in {owner, "both"}:
            raise answers.invalid_token()
        end = {"expires_on": call.token.expires_on} if call.token.expires_on is not None else {}
        result = {"id": call.token.id, "status": call.token.status, **end}
        return answers.reply(result, messages=[_MESSAGE])

    return handler


def zones(call: Call) -> Answer:
    """GET /zones by name, account and status; only those the token is for, and may see."""
    if _sees_no_zones(call):
        return paged([], call, default=20, most=50)
    wanted = {"name": "name", "status": "status"}
    names = call.token.scopes
    records = [
        public(z)
        for z in call.store["zones"].values()
        if all(z[m] == call.query[q] for q, m in wanted.items() if call.query.get(q))
        and call.query.get("account.id", call.store.account["id"]) == call.store.account["id"]
        and (not names or names & {str(call.store.scope), f"zones/{z['id']}"})
    ]
    return paged(records, call, default=20, most=50)


def _sees_no_zones(call: Call) -> bool:
    """Whether zones are left out for want of a permission. Errors: `ApiError` where that is refused instead."""
    group, does = f"{ZONE} Read", call.switches.word("zones-without-permission")
    if call.token.may(group) or does == "listed":
        return False
    if does == "refused":
        raise answers.no_permission(call.switches.number("permission-code"), group)
    return True


def zone(call: Call) -> Answer:
    """GET /zones/{zone}."""
    if _sees_no_zones(call):
        raise answers.no_permission(call.switches.number("permission-code"), f"{ZONE} Read")
    return answers.reply(public(call.store["zones"][call.scope.id]))


def dns_records(call: Call) -> Answer:
    """GET /zones/{zone}/dns_records by name, type and proxied."""
    q = call.query
    name, kind, proxied = q.get("name.exact") or q.get("name"), q.get("type"), q.get("proxied")

    def wanted(r: Record) -> bool:
        return (
            r["_scope"] == str(call.scope)
            and (not name or r["name"] == name)
            and (not kind or r["type"] == kind)
            and (not proxied or r["proxied"] == (proxied == "true"))
        )

    return paged(each(call.store["dns_records"].values(), wanted), call, default=100, most=5000)


def organization(call: Call) -> Answer:
    """GET /access/organizations."""
    return answers.reply(call.store.organization)


def accounts(call: Call) -> Answer:
    """GET /accounts."""
    return paged([_account(call)], call, default=20, most=50)


def account(call: Call) -> Answer:
    """GET /accounts/{account}."""
    return answers.reply(_account(call))


def _account(call: Call) -> Record:
    return {**call.store.account, "type": "enterprise", "settings": {"enforce_twofactor": False}}


def plain_list(table: str, default: int = 50) -> Callable[[Call], Answer]:
    """A handler that lists a table of the scope, in pages."""
    return lambda call: paged(call.shown(table), call, default=default)


def plain_get(table: str) -> Callable[[Call], Answer]:
    """A handler that gets one record of a table of the scope."""

    def handler(call: Call) -> Answer:
        record = call.store[table].get(call.names["id"])
        if record is None or record["_scope"] != str(call.scope):
            raise answers.not_found(call.switches.number("not-found-code"))
        return answers.reply(public(record))

    return handler


def hostname_associations(call: Call) -> Answer:
    """GET /zones/{zone}/certificate_authorities/hostname_associations: of one CA, or of the managed one."""
    ca = call.query.get("mtls_certificate_id")
    records = call.store.within("hostname_associations", call.scope)
    hosts: list[Any] = [h for r in records if r.get("mtls_certificate_id") == ca for h in r["hostnames"]]
    return answers.reply({"hostnames": hosts})
