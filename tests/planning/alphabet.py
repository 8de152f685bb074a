"""Every request that the worlds of these tests can tell apart, and who of them gets in: written without `access/`.

Rules of this file:
- Its own reading of the facts (cloudflare-api 3.8, 4.4 to 4.6), for the selectors and domains of `worlds` alone.
- The askers are all there are: any of the CAs that may vouch for a certificate, any name, any of the credentials.
  Who gets in at a place is a set of them as bits of one number, so no request is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, combinations, pairwise

from cf_mtls.model.resources import AccessApplication, AccessGroup, AccessPolicy, CaCertificate, Rule
from cf_mtls.model.state import State
from tests.planning.worlds import CAS

PLACES = tuple((host, path) for host in ("a.net", "b.net", "c.net", "x.a.net")
               for path in ("/", "/x", "/x/", "/x/y", "/x/y/z", "/xy", "/z"))  # fmt: skip
"""c.net is under *.net alone; x.a.net is under nothing, because a star stands for one label."""


def subsets(items: tuple[str, ...]) -> list[frozenset[str]]:
    """All of them, the empty one first."""
    sizes = range(len(items) + 1)
    return [frozenset(c) for c in chain.from_iterable(combinations(items, n) for n in sizes)]


@dataclass(frozen=True)
class Who:
    """An asker: the CAs that vouch for the certificate, its name, and what else is held."""

    issuers: frozenset[str]
    name: str
    holds: frozenset[str]


WHO = tuple(
    Who(issuers, name, holds)
    for issuers in subsets(CAS)
    for name in (("x", "y", "somebody") if issuers else ("",))
    for holds in subsets(("login", "email", "token"))
)
EVERYBODY = (1 << len(WHO)) - 1


def bits(wanted: Mapping[int, bool]) -> int:
    """The askers for whom something holds, as a number."""
    return sum(1 << place for place, holds in wanted.items() if holds)


HOLDERS = {
    held: bits({n: held in who.holds for n, who in enumerate(WHO)}) for held in ("login", "email", "token")
}
ISSUED = {ca: bits({n: ca in who.issuers for n, who in enumerate(WHO)}) for ca in CAS}
NAMED = {name: bits({n: name == who.name for n, who in enumerate(WHO)}) for name in ("x", "y")}


class Account:
    """Who gets in where, in one state."""

    def __init__(self, state: State) -> None:
        self._applications = [(d, app) for _, app in state.of(AccessApplication) for d in app.domains]
        self._cas = [(address.key, ca) for address, ca in state.of(CaCertificate)]
        self._groups = {group.id: group for _, group in state.of(AccessGroup)}

    def inside(self, host: str, path: str) -> int:
        """Those whom the origin answers at a place."""
        fitting = [(rank(d), app) for d, app in self._applications if covers(d, host, path)]
        if not fitting:
            return EVERYBODY
        _, app = max(fitting, key=lambda found: found[0])
        valid = 0
        for key, ca in self._cas:
            if host in ca.associated_hostnames:
                valid |= ISSUED[key]
        return self._admitted(app.policies, valid)

    def _admitted(self, policies: tuple[AccessPolicy, ...], valid: int) -> int:
        """Service Auth and Bypass first, then the others; the first that matches decides, none refuses."""
        early = [p for p in policies if p.decision in {"bypass", "non_identity"}]
        waiting, inside = EVERYBODY, 0
        for policy in (*early, *(p for p in policies if p not in early)):
            if policy.decision == "allow":
                waiting &= HOLDERS["login"]  # everybody else is at the login page now, and not in
            met = waiting & self._met(policy, valid)
            waiting &= ~met
            inside |= 0 if policy.decision == "deny" else met
        return inside

    def _met(self, rules: AccessPolicy | AccessGroup, valid: int) -> int:
        """Include is OR, require is AND, exclude is NOT."""
        met = 0
        for rule in rules.include:
            met |= self._selected(rule, valid)
        for rule in rules.require:
            met &= self._selected(rule, valid)
        for rule in rules.exclude:
            met &= ~self._selected(rule, valid)
        return met & EVERYBODY

    def _selected(self, rule: Rule, valid: int) -> int:
        match rule.kind:
            case "everyone":
                return EVERYBODY
            case "certificate":
                return valid
            case "common_name":
                return valid & NAMED[_member(rule, "common_name")]
            case "email":
                return HOLDERS["email"]
            case "service_token":
                return HOLDERS["token"]
            case "group":
                return self._met(self._groups[_member(rule, "id")], valid)
        raise ValueError(rule.kind)


def _member(rule: Rule, name: str) -> str:
    assert isinstance(rule.value, Mapping)
    return str(rule.value[name])


def covers(domain: str, host: str, path: str) -> bool:
    """The host itself, or with a star one more label; the path itself and what is below it."""
    name, _, below = domain.partition("/")
    wild = name.startswith("*.") and host.split(".", 1)[1] == name[2:]
    bare = f"/{below}" if below else ""
    return (name == host or wild) and (path.rstrip("/") == bare or path.startswith(f"{bare}/"))


def rank(domain: str) -> tuple[int, bool]:
    """A deeper path first, then a host without a star."""
    return domain.count("/"), "*" not in domain


def flickers(states: list[State]) -> Iterator[tuple[str, str, Who]]:
    """The requests whose outcome changes more than once along some states."""
    accounts = [Account(state) for state in states]
    for host, path in PLACES:
        seen = [account.inside(host, path) for account in accounts]
        changed = again = 0
        for before, after in pairwise(seen):
            again |= changed & (before ^ after)
            changed |= before ^ after
        yield from ((host, path, who) for n, who in enumerate(WHO) if again >> n & 1)
