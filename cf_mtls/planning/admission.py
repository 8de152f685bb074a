"""What declared clients get before a plan and after it, judged by their own files: decided, or not.

Rules of this file:
- What is not known is tried both ways: whether the edge uses what a client sends, and whether a CA whose contents
  nobody here has would accept it. A CA that nobody knows is the same CA before and after.
- Only a client's certificate is looked at; other credentials are nobody's here.

Not checked: what the edge does with a bundle (see `verify`).
"""

from __future__ import annotations

from dataclasses import field, replace
from itertools import chain, combinations
from typing import TYPE_CHECKING

from cf_mtls.access.decide import decider
from cf_mtls.access.reach import concrete
from cf_mtls.model.marks import DIGITS, digits_of
from cf_mtls.model.people import Asker
from cf_mtls.model.resources import CaCertificate, Contents
from cf_mtls.model.state import State
from cf_mtls.pki.pem import read_chain
from cf_mtls.pki.vouching import vouches
from cf_mtls.planning.contents import agreement
from cf_mtls.planning.ownership import is_ours
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from cf_mtls.diagnostics import Place
    from cf_mtls.model.doors import Decision
    from cf_mtls.model.people import Client, Expected, Shown, Target
    from cf_mtls.model.resources import Address, Resource

NOBODY = Asker()


@dataclass(frozen=True, slots=True)
class People:
    """The declared clients, where they go, and what their files show at a moment.

    at: None where nobody is to be judged, as in a plan that ends a stack.
    """

    clients: tuple[Client, ...] = ()
    targets: tuple[Target, ...] = ()
    shown: Mapping[str, Shown] = field(default_factory=dict)
    """By the client's name; absent where its certificate cannot be read here."""
    at: datetime | None = None
    places: Mapping[str, Place] = field(default_factory=dict)
    """Where the file demands something of a client, by its name."""
    beside: tuple[str, ...] = ()
    """The PEM of CA bundles that the file does not declare and that lie beside it: perhaps of CAs that left it."""


NO_PEOPLE = People()


@dataclass(frozen=True, slots=True)
class Standing:
    """What a client gets at a URL before and after, in each case that is possible."""

    client: Client
    url: str
    cases: tuple[tuple[Decision, Decision], ...]
    fault: str = ""
    """As of what its file shows."""

    @property
    def expected(self) -> Expected | None:
        """What the file demands there."""
        return self.client.expected_at(self.url)

    @property
    def may_lose(self) -> bool:
        """Whether it gets in before and not after, in some case."""
        return any(old.outcome.lets_in and not new.outcome.lets_in for old, new in self.cases)

    @property
    def is_out_after(self) -> bool:
        """Whether it does not get in afterwards in any case."""
        return not any(new.outcome.lets_in for _, new in self.cases)

    @property
    def is_decided(self) -> bool:
        """Whether what it gets afterwards is the same in every case."""
        return len({new.outcome.lets_in for _, new in self.cases}) == 1


def host_and_path(url: str) -> tuple[str, str]:
    """The hostname and path that a target's URL asks for, stars filled."""
    host, _, path = concrete(url).removeprefix("https://").partition("/")
    return host.lower(), f"/{path}".partition("?")[0]


def standings(people: People, actual: State, desired: State) -> Iterator[Standing]:
    """Every declared client at every URL, by client; none of those whose certificate cannot be read here."""
    places = [(t.url, *host_and_path(t.url)) for t in people.targets]
    ways = {url: (decider(actual, host, path), decider(desired, host, path)) for url, host, path in places}
    trust = {host: Trust.on(host, actual, desired) for _, host, _ in places}
    for client in people.clients:
        shown = people.shown.get(client.name)
        if shown is None or people.at is None:
            continue
        judged = {host: trust[host].askers(shown, people.at) for host in trust}
        for url, host, _ in places:
            before, after = ways[url]
            cases = dict.fromkeys((before(asker), after(asker)) for asker in judged[host])
            yield Standing(client, url, tuple(cases), shown.fault)


@dataclass(frozen=True, slots=True)
class Trust:
    """The CAs on a hostname before and after: the PEM of those that are known, and the others by their comings."""

    pems: tuple[tuple[Address, str], ...]
    dark: tuple[frozenset[Address], ...]
    """Those of unknown contents, together where they are there before, after, or both: they count alike."""

    @staticmethod
    def on(host: str, actual: State, desired: State) -> Trust:
        """What is known of a hostname."""
        before, after = cas_on(actual, host), cas_on(desired, host)
        pems = {a: ca.pem or (before.get(a) or ca).pem for a, ca in {**before, **after}.items()}
        kinds: dict[tuple[bool, bool], set[Address]] = {}
        for address in (a for a, pem in pems.items() if pem is None):
            kinds.setdefault((address in before, address in after), set()).add(address)
        return Trust(
            tuple((a, pem) for a, pem in pems.items() if pem is not None),
            tuple(map(frozenset, kinds.values())),
        )

    def askers(self, shown: Shown, at: datetime) -> tuple[Asker, ...]:
        """A client as the edge there may judge it, once for each case that is possible."""
        found: dict[Asker, None] = {}
        for with_sent in (True, False) if shown.sent else (True,):
            known = {a for a, pem in self.pems if vouches(pem, shown, at, with_sent=with_sent)}
            for chosen in _subsets(self.dark):
                found[Asker(frozenset(known.union(*chosen)), shown.common_names)] = None
        return tuple(found)


def cas_on(state: State, host: str) -> dict[Address, CaCertificate]:
    """The CAs of a state that stand on a hostname."""
    return {a: ca for a, ca in state.of(CaCertificate) if host in ca.associated_hostnames}


def departed(actual: State, declared: State, stack: str) -> frozenset[str]:
    """The digits in the names of the account's CAs of a stack that its file does not declare any more."""
    known = {ca.sha256[:DIGITS] for _, ca in declared.of(CaCertificate) if ca.sha256}
    named = {digits_of(ca.name) for _, ca in actual.of(CaCertificate) if is_ours(ca, stack)}
    return frozenset(digits for digits in named if digits and digits not in known)


def with_bundles(actual: State, bundles: Iterable[str], stack: str) -> State:
    """The account's state with the contents of each CA of a stack that is known to be one of these PEM bundles."""
    chains = [chain for pem in bundles if (chain := read_chain(pem.encode("ascii"))[0])]
    found: dict[Address, Resource] = {}
    for address, ca in actual.of(CaCertificate):
        for chain in chains if is_ours(ca, stack) and digits_of(ca.name) else ():
            bundle = CaCertificate(
                ca.name, (), chain.md5s, chain.expirations, chain.sha256, chain.pem, contents=Contents.KNOWN
            )
            if agreement(bundle, ca):
                found[address] = bundle
    return with_contents(actual, State(found))


def with_contents(state: State, known: State) -> State:
    """A state whose CAs have the contents that another state has at the same address, as far as the two agree."""
    found: dict[Address, Resource] = {}
    for address, ca in state.of(CaCertificate):
        other = known.get(address)
        if ca.pem is None and isinstance(other, CaCertificate) and other.contents is not Contents.UNKNOWN:
            contents = agreement(other, ca)
            if contents in {Contents.KNOWN, Contents.RECORDED}:
                found[address] = replace(ca, pem=other.pem, sha256=other.sha256, contents=contents)
    return state.put_all(found) if found else state


def _subsets(kinds: tuple[frozenset[Address], ...]) -> Iterator[tuple[frozenset[Address], ...]]:
    return chain.from_iterable(combinations(kinds, n) for n in range(len(kinds) + 1))
