"""The checks of the token and the account.

Rules of this file:
- Pure. Each check says something for every account.
- What a GET cannot tell is said to be so, as a warning; nothing is guessed.

Source: facts, cloudflare-api 1.6, 3.7 and 7.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cf_mtls.model.coverage import Part
from cf_mtls.model.ends import distance
from cf_mtls.remote.doctor import ZoneReading
from cf_mtls.remote.findings import Declared, Finding, Grade, count, either, ok, refused
from cf_mtls.remote.gateway import Answer
from cf_mtls.remote.shape import instant

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from cf_mtls.remote.doctor import Outcome, Readings

MOST_CAS, MOST_APPLICATIONS = 50, 500
"""Limits of an account: facts 1.6 and 3.7."""
NEARLY = 0.9
SOON_DAYS = 14
LITTLE_BUDGET = 200
"""Requests of the five minutes' 1200 below which a large apply may be throttled."""
UNTOLD = "cannot be told without writing"


# The token


def _token_kind(r: Readings, _: Declared) -> Iterator[Finding]:
    if r.owned_by == "global key":
        fix = (
            "A Global API Key can do everything everywhere. Make an API token with the two permissions below."
        )
        yield Finding("token.kind", Grade.FAIL, "a Global API Key (cfk_), not a token", fix)
    else:
        known = (
            f"a token owned by the {r.owned_by}" if r.owned_by else "a token that does not say who owns it"
        )
        yield Finding("token.kind", Grade.OK, known)


def _token_status(r: Readings, _: Declared) -> Iterator[Finding]:
    told = _token(r)
    if told is not None:
        status = str(told.get("status"))
        fix = "Enable it in the dashboard, or make a new one."
        yield either("token.status", status == "active", f"it is {status}", fix)
    elif strange := [o for o in r.verified.values() if isinstance(o, Answer) and o.strange]:
        yield refused("token.status", Grade.WARN, strange[0], "/tokens/verify")
    elif any(map(ok, r.access.values())):
        yield Finding(
            "token.status",
            Grade.UNTOLD,
            "it works, but Cloudflare does not verify it for this account or zone",
        )
    else:
        refusal = next((o for o in r.verified.values()), r.account)
        yield refused("token.status", Grade.FAIL, refusal, "/tokens/verify")


def _token_expiry(r: Readings, declared: Declared) -> Iterator[Finding]:
    told = _token(r) or {}
    ends = told.get("expires_on")
    if not isinstance(ends, str):
        grade, said = (
            (Grade.OK, "no end is set") if told else (Grade.UNTOLD, "not known: it was not verified")
        )
        yield Finding("token.expiry", grade, said)
        return
    left = instant(ends) - declared.at
    ended, far = left < timedelta(), distance(instant(ends), declared.at)
    grade = Grade.FAIL if ended else Grade.WARN if left.days < SOON_DAYS else Grade.OK
    said = f"it ended {far}" if ended else f"it ends on {ends[:10]}, {far}"
    yield Finding("token.expiry", grade, said, "" if grade is Grade.OK else "Roll it, or make a new one.")


def _token(r: Readings) -> Mapping[str, Any] | None:
    told = (o.result for o in r.verified.values() if isinstance(o, Answer) and o.ok)
    return next((result for result in told if isinstance(result, dict)), None)


# Permissions

READ: tuple[tuple[str, tuple[str, ...], Grade, str], ...] = (
    ("Access: Mutual TLS Certificates", ("certificates", "settings"), Grade.FAIL, "plan cannot see CAs"),
    ("Access: Apps and Policies", ("applications", "policies"), Grade.FAIL, "plan cannot see applications"),
    (
        "Access: Organizations, Identity Providers, and Groups",
        ("groups", "organization"),
        Grade.UNTOLD,
        "rules that refer to groups count as unknown",
    ),
    ("Zone", ("zones",), Grade.UNTOLD, "hostnames cannot be looked up"),
    ("DNS", ("dns",), Grade.UNTOLD, "whether hostnames are proxied cannot be seen"),
    ("SSL and Certificates", ("look-alikes",), Grade.UNTOLD, "look-alikes cannot be seen"),
)
"""Permission group, the readings that need it, how bad its lack is, and what does not work without it."""

NEEDED_FOR: Mapping[str, str] = {
    Part.CERTIFICATES: "Access: Mutual TLS Certificates",
    Part.SETTINGS: "Access: Mutual TLS Certificates",
    Part.APPLICATIONS: "Access: Apps and Policies",
    Part.POLICIES: "Access: Apps and Policies",
    Part.GROUPS: "Access: Organizations, Identity Providers, and Groups",
    Part.BESIDE: "Zone",
}
"""The permission group with which each part is read: facts 7.1. Zones are read with those of their CAs and apps too."""


def needed(rests_on: Collection[str]) -> tuple[str, ...]:
    """The permissions that a token needs to read what a claim rests on, by name, in the order of the parts."""
    return tuple(dict.fromkeys(f"{group} Read" for part, group in NEEDED_FOR.items() if part in rests_on))


WRITE = ("Access: Mutual TLS Certificates Write", "Access: Apps and Policies Write")
"""What apply needs: facts 7.1."""


def _permission_needed(_: Readings, declared: Declared) -> Iterator[Finding]:
    if found := needed(declared.coverage.rests_on):
        yield Finding("permission.needed", Grade.OK, f"plan and drift of this file need {', '.join(found)}")


def _permission_read(r: Readings, declared: Declared) -> Iterator[Finding]:
    for group, names, usual, without in READ:
        is_needed = f"{group} Read" in needed(declared.coverage.rests_on)
        grade = Grade.FAIL if is_needed else usual
        outcomes = [o for name in names for o in _readings(r, name)]
        bad = next((o for o in outcomes if not ok(o)), None)
        if bad is None and outcomes:
            yield Finding("permission.read", Grade.OK, f"{group} Read")
        elif isinstance(bad, Answer) and bad.status == 403 and not bad.has(9999):
            fix = f'Give the token "{group} Read".'
            why = "; this file rests on it, so plan and drift cannot decide" if is_needed else ""
            yield Finding("permission.read", grade, f"{group} Read is missing: {without}{why}", fix)
        elif bad is not None:
            yield refused("permission.read", grade, bad, "/access/" + names[0])


def _readings(r: Readings, name: str) -> list[Outcome]:
    zones = [z for z in r.hosts.values() if isinstance(z, ZoneReading)]
    more: dict[str, list[Outcome]] = {
        "zones": list(r.zones),
        "dns": [o for found in r.dns.values() for o in found],
        "look-alikes": [*([r.byo] if r.byo else []), *(o for z in zones for o in z.look_alikes.values())],
    }
    return more.get(name, [r.access[name]] if name in r.access else [])


def _permission_write(r: Readings, _: Declared) -> Iterator[Finding]:
    policies = (
        r.own.result.get("policies") if isinstance(r.own, Answer) and isinstance(r.own.result, dict) else None
    )
    if not isinstance(policies, list):
        why = "The token cannot read its own permissions; that takes API Tokens Read."
        yield Finding("permission.write", Grade.UNTOLD, UNTOLD, f"{why} apply needs {' and '.join(WRITE)}.")
        return
    held = {name for policy in policies for name in _granted(policy, r.scope.id)}
    for group in WRITE:
        said = group if group in held else f"{group} is missing: plan works, apply does not"
        fix = "" if group in held else f'To apply, give the token "{group}".'
        yield Finding("permission.write", Grade.OK if group in held else Grade.WARN, said, fix)


def _granted(policy: Any, scope_id: str) -> set[str]:
    """The permission groups that one policy of a token grants on this account or zone."""
    if not isinstance(policy, dict) or policy.get("effect") != "allow":
        return set()
    covered = any(scope_id in key or key.endswith(".*") for key in policy.get("resources") or {})
    groups = policy.get("permission_groups") or []
    return {str(g.get("name")) for g in groups if isinstance(g, dict)} if covered else set()


# The account


def _account(r: Readings, _: Declared) -> Iterator[Finding]:
    if isinstance(r.account, Answer) and r.account.ok and isinstance(r.account.result, dict):
        yield Finding(
            "account.reachable", Grade.OK, f"{r.scope.kind} {r.scope.id}, {r.account.result.get('name')}"
        )
    elif any(map(ok, r.access.values())):
        yield Finding("account.reachable", Grade.OK, f"{r.scope.kind} {r.scope.id}; its name may not be read")
    else:
        yield refused("account.reachable", Grade.FAIL, r.account, "")


def _access(r: Readings, _: Declared) -> Iterator[Finding]:
    organization = r.access["organization"]
    if any(isinstance(o, Answer) and o.has(9999) for o in r.access.values()):
        fix = "Open Zero Trust in the dashboard once; it asks for a team name and enables Access."
        yield Finding("access.enabled", Grade.FAIL, "Access is not enabled", fix)
    elif isinstance(organization, Answer) and organization.ok and isinstance(organization.result, dict):
        yield Finding("access.enabled", Grade.OK, f"team domain {organization.result.get('auth_domain')}")
    elif ok(r.access["certificates"]) or ok(r.access["applications"]):
        yield Finding("access.enabled", Grade.OK, "Access answers")
    else:
        yield Finding("access.enabled", Grade.UNTOLD, "cannot be told: nothing of Access could be read")


def _certificates(r: Readings, _: Declared) -> Iterator[Finding]:
    number = count(r.access["certificates"])
    if number == 0:
        fix = (
            "An account whose plan does not include Access mutual TLS lists none either; a GET cannot tell the two "
            "apart. If the first upload answers 12130, maximum number of certificates, the plan has none: ask your "
            "account team for Access mTLS."
        )
        yield Finding(
            "certificates.room", Grade.UNTOLD, "no CA yet; whether one may be added is not known", fix
        )
    elif number is not None:
        yield _room(
            "certificates.room", number, MOST_CAS, "CAs", "Ask Cloudflare for more, or remove unused ones."
        )


def _applications(r: Readings, _: Declared) -> Iterator[Finding]:
    number = count(r.access["applications"])
    if number is not None:
        fix = "Put several paths into one application, up to five domains each."
        yield _room("applications.room", number, MOST_APPLICATIONS, "applications", fix)


def _room(check: str, count: int, most: int, what: str, fix: str) -> Finding:
    grade = Grade.FAIL if count >= most else Grade.WARN if count >= most * NEARLY else Grade.OK
    return Finding(check, grade, f"{count} of {most} {what}", "" if grade is Grade.OK else fix)


def _rate(r: Readings, _: Declared) -> Iterator[Finding]:
    answers = [o for o in (*r.access.values(), r.account, *r.verified.values()) if isinstance(o, Answer)]
    left = [a.remaining for a in answers if a.remaining is not None]
    wait = "Cloudflare blocks every call for five minutes once the budget is spent. Wait, then run it again."
    if any(a.status == 429 for a in answers):
        yield Finding("rate.left", Grade.FAIL, "too many requests: Cloudflare is refusing them now", wait)
    elif left:
        grade = Grade.OK if min(left) >= LITTLE_BUDGET else Grade.WARN
        said = f"{min(left)} requests left in this five minutes' budget"
        yield Finding("rate.left", grade, said, "" if grade is Grade.OK else wait)
    else:
        yield Finding("rate.left", Grade.UNTOLD, "Cloudflare does not say")


CHECKS: Mapping[str, Callable[[Readings, Declared], Iterator[Finding]]] = {
    "token.kind": _token_kind,
    "token.status": _token_status,
    "token.expiry": _token_expiry,
    "permission.needed": _permission_needed,
    "permission.read": _permission_read,
    "permission.write": _permission_write,
    "account.reachable": _account,
    "access.enabled": _access,
    "certificates.room": _certificates,
    "applications.room": _applications,
    "rate.left": _rate,
}
"""By name, in the order in which they are shown."""
