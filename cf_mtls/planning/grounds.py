"""What a finding rests on: everything that decides who gets in there, as canonical JSON, and what of it was not read.

Rules of this file:
- A finding is recognised by this, so it holds the exact content: rules, policies in order, the groups and reusable
  policies that they refer to, by whatever way, hostnames, domains, settings, and which CAs count where a certificate
  does. Whatever of it changes makes another finding.
- It holds nothing that changes by itself or decides nothing: names, times, counters, ids that an application's own
  policies have, the order of what has none.
- Where something decides, so does what stands below it and would decide instead: the domains of that are part of it.
- What is not there to be read is *unread*: nobody can say that it is as it was.

Not looked at: what a list, a device posture check or an identity provider holds, which only its id stands for.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TypeAlias

from cf_mtls.access.match import fits, specificity, standing
from cf_mtls.access.reach import concrete
from cf_mtls.model.frozen import canonical, thaw
from cf_mtls.model.resources import (
    AccessApplication,
    AccessGroup,
    AccessPolicy,
    Address,
    CaCertificate,
    HostnameSettings,
    Kind,
    host_of,
    path_of,
)
from cf_mtls.model.rules import is_about_certificates, is_emptied, member, rule_meaning
from cf_mtls.planning.canon import fields_meaning
from cf_mtls.planning.codec import digest, instant
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cf_mtls.access.match import Order
    from cf_mtls.model.frozen import Record
    from cf_mtls.model.plan import Change
    from cf_mtls.model.resources import Resource, Rule
    from cf_mtls.model.state import State

Json: TypeAlias = dict[str, Any]

ORDERS: tuple[Order, ...] = ("path-first", "host-first")

PARTS = ("include", "require", "exclude")

UNREAD = "unread"

IDLE = frozenset({
    "app_launcher_logo_url", "app_launcher_visible", "bg_color", "custom_deny_message", "custom_deny_url",
    "custom_non_identity_deny_url", "custom_pages", "footer_links", "http_only_cookie_attribute",
    "landing_page_design", "logo_url", "same_site_cookie_attribute", "service_auth_401_redirect",
    "skip_app_launcher_login_page", "tags",
})  # fmt: skip
"""Members of an application that decide nothing about who gets in: facts 3.3. Any other one counts."""

BY_THEMSELVES = ("_at", "_count")
"""How the names of members end that the server changes by itself."""

NOTHING = frozenset({None, "[]", "{}", '""', "false"})
"""What equals a member that is not there: facts 3.3, 4.2."""


@dataclass(frozen=True, slots=True)
class Grounds:
    """What decides, and the addresses of what of it was not read."""

    content: str
    """A digest of it."""
    unread: tuple[str, ...] = ()


def of_opening(state: State, address: Address, domain: str) -> Grounds:
    """What decides wherever an application decides below a domain. address: of the application."""
    gathering = _Gathering(state)
    app = state.get(address)
    own = app.domains if isinstance(app, AccessApplication) else ()
    domains = [own_domain for own_domain in own if _meet(own_domain, domain)]
    return gathering.made({
        "thing": gathering.thing(app),
        "instead": [other for other in _rivals(state, address, domains) if _meet(other, domain)],
        "trusted": gathering.trusted(domains, domain),
    })  # fmt: skip


def of_thing(state: State, address: Address, *more: Grounds) -> Grounds:
    """What a thing of the account is, wherever it stands. more: what else a finding about it rests on."""
    gathering = _Gathering(state)
    there = state.get(address)
    domains = there.domains if isinstance(there, AccessApplication) else ()
    mine = gathering.made({
        "address": str(address),
        "thing": gathering.thing(there),
        "trusted": gathering.trusted(domains),
    })  # fmt: skip
    unread = dict.fromkeys((*mine.unread, *(name for one in more for name in one.unread)))
    return Grounds(digest([mine.content, *(one.content for one in more)]), tuple(unread))


def of_change(actual: State, change: Change) -> Grounds:
    """What decides today where a difference between file and account stands."""
    sides = [side for side in (change.before, change.after) if isinstance(side, AccessApplication)]
    if sides and not set(change.attributes) <= IDLE | {"name"}:
        gathering = _Gathering(actual)
        domains = sorted({domain for side in sides for domain in side.domains})
        return gathering.made({
            "there": gathering.thing(change.before),
            "decides": {domain: gathering.deciding(domain) for domain in domains},
            "instead": _rivals(actual, change.address, domains),
            "trusted": gathering.trusted(domains),
        })  # fmt: skip
    gathering = _Gathering(actual)
    is_ca = isinstance(change.before, CaCertificate)
    return gathering.made({"there": gathering.thing(change.before) if is_ca else None})


class _Gathering:
    """Content that is being gathered, with the groups that it refers to."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._groups: dict[str, Any] = {}
        self._referred: list[str] = []
        """Ids of groups that were met and are not gathered yet."""
        self._about_certificates = False
        self._unread: dict[str, None] = {}

    def made(self, content: Json) -> Grounds:
        """The grounds that this content is, with everything that it refers to."""
        self._follow()
        return Grounds(digest([content, self._groups]), tuple(sorted(self._unread)))

    def thing(self, resource: Resource | None) -> Any:
        """What a thing is; None for nothing."""
        match resource:
            case None:
                return None
            case CaCertificate():
                return {**_identity(resource), "hosts": sorted({h.lower() for h in resource.associated_hostnames}),
                        "scope": resource.elsewhere}  # fmt: skip
            case HostnameSettings():
                return [resource.client_certificate_forwarding, resource.china_network]
            case AccessApplication():
                return {
                    "scope": resource.elsewhere,
                    "destinations": sorted((thaw(d) for d in resource.destinations), key=canonical),
                    "policies": [self._policy(p) for p in resource.policies],
                    "fields": _fields(resource.fields),
                }
            case AccessPolicy():
                return self._policy(resource)
            case AccessGroup():
                return self._rules(resource)

    def _policy(self, policy: AccessPolicy) -> Any:
        """A policy without its name; a reusable one as the account has it."""
        known = self._state.get(Address(Kind.POLICY, policy.id or "")) if policy.reusable else None
        said = known if isinstance(known, AccessPolicy) else policy
        if policy.reusable and not said.decision:
            return self._not_read(Address(Kind.POLICY, policy.id or ""))
        return {
            "id": policy.id if policy.reusable else None,
            "decision": said.decision,
            "fields": _fields(said.fields),
            **self._rules(said),
        }

    def _rules(self, rules: AccessPolicy | AccessGroup) -> Json:
        found: Json = {}
        for part in PARTS:
            listed: tuple[Rule, ...] = getattr(rules, part)
            meant = [rule for rule in listed if not is_emptied(rule)]
            for rule in meant:
                self._about_certificates |= is_about_certificates(rule)
                if rule.kind == "group":
                    self._referred.append(member(rule, "id"))
            found[part] = sorted({rule_meaning(rule) for rule in meant})
        return found

    def _follow(self) -> None:
        """Gather the groups that were met and those that they refer to; each once, and none calls itself."""
        while self._referred:
            id_ = self._referred.pop()
            if id_ in self._groups:
                continue
            address = Address(Kind.GROUP, id_)
            group = self._state.get(address)
            found = self._rules(group) if isinstance(group, AccessGroup) else self._not_read(address)
            self._groups[id_] = found

    def _not_read(self, address: Address) -> str:
        self._unread[str(address)] = None
        return UNREAD

    def deciding(self, domain: str) -> Json:
        """What decides at a domain, by address; none where the origin stands open."""
        host, path = concrete(host_of(domain)), concrete(path_of(domain)) or "/"
        places = standing(self._state, host, path)
        found: Json = {}
        for order in ORDERS:
            best = max((specificity(place[2], order) for place in places), default=None)
            found |= {str(a): self.thing(app) for a, app, d in places if specificity(d, order) == best}
        return found

    def trusted(self, domains: Iterable[str], below: str = "") -> Json | None:
        """The CAs whose clients have a valid certificate at domains, and where; None where nobody is asked for one.

        below: the domain within which that matters, '' for anywhere.
        """
        self._follow()
        if not self._about_certificates and not self._unread:
            return None
        patterns = [(host_of(domain), host_of(below or domain)) for domain in domains]
        return {
            str(address): {**_identity(ca), "on": sorted(on)}
            for address, ca in self._state.of(CaCertificate)
            if (on := {h.lower() for h in ca.associated_hostnames for p in patterns if _is_under(h, *p)})
        }


def _is_under(host: str, *patterns: str) -> bool:
    return all(_hosts_meet(pattern, host) for pattern in patterns)


def _identity(ca: CaCertificate) -> Json:
    return {"fingerprints": sorted(ca.fingerprints), "ends": sorted(map(instant, ca.expirations))}


def _fields(fields: Record) -> Json:
    """The members that count and say something."""
    return {
        name: text
        for name, text in fields_meaning({n: v for n, v in fields.items() if n not in IDLE}).items()
        if text not in NOTHING and not name.endswith(BY_THEMSELVES)
    }


# Where


def _rivals(state: State, address: Address, domains: Sequence[str]) -> list[str]:
    """The domains of other applications that decide, or may decide, instead of one somewhere below its own."""
    return sorted({
        other
        for at, app in state.of(AccessApplication)
        for other in app.domains
        if at != address and any(_may_take(other, domain) for domain in domains)
    })  # fmt: skip


def _may_take(other: str, domain: str) -> bool:
    """Whether a domain may be the more specific one somewhere below another; ties included."""
    return _meet(other, domain) and any(
        specificity(other, order) >= specificity(domain, order) for order in ORDERS
    )


def _meet(one: str, two: str) -> bool:
    """Whether some host and path may be below both."""
    return _hosts_meet(host_of(one), host_of(two)) and _paths_meet(path_of(one), path_of(two))


def _hosts_meet(one: str, two: str) -> bool:
    """Whether some host may be under both; label by label, and where two labels have stars it is taken for so."""
    labels = zip_longest(one.lower().split("."), two.lower().split("."), fillvalue="")
    return all(a == b or fits(a, b) or fits(b, a) or ("*" in a and "*" in b) for a, b in labels)


def _paths_meet(one: str, two: str) -> bool:
    """Whether some path may be below both; up to the first star, behind which anything may follow."""
    plain, other = one.partition("*")[0].rstrip("/"), two.partition("*")[0].rstrip("/")
    if "*" in one or "*" in two:
        return plain.startswith(other) or other.startswith(plain)
    return f"{plain}/".startswith(f"{other}/") or f"{other}/".startswith(f"{plain}/")
