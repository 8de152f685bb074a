"""What to ask, and what must happen: targets, clients and the declared state become probes.

Rules of this file:
- What must happen comes from `access/`, so that every policy shape can be proven; what the plan file demands of
  a client wins over it.
- A certificate that no CA vouches for is no certificate: that is what the wrong ones are expected to get.
- What cannot be asked (a replay where nobody gets in, a resumed session in a plan of one hostname) is not planned.
"""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING

from cf_mtls.access.decide import world_of
from cf_mtls.access.match import governor
from cf_mtls.access.reach import WORD, concrete
from cf_mtls.model.evidence import Probe
from cf_mtls.model.people import Asker, Expected, Target
from cf_mtls.model.resources import AccessApplication
from cf_mtls.quick import dataclass
from cf_mtls.verify import proofs
from cf_mtls.verify.outlook import Outlook, path_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cf_mtls.model.people import Client
    from cf_mtls.model.resources import Address
    from cf_mtls.model.state import State

WRONG: dict[int, str] = {
    proofs.OTHER_CA: "other CA, same name",
    proofs.EXPIRED: "expired",
    proofs.SELF_SIGNED: "self-signed",
    proofs.WRONG_USAGE: "wrong key usage",
}
"""Proofs that show a certificate made on the spot, and how it is called."""

NAMELESS = "cf-mtls probe"
"""The common name of a certificate that is made on the spot and imitates nobody."""

DENY_URLS = ("custom_deny_url", "custom_non_identity_deny_url")
"""Fields of an application that name the page to which the refused are sent."""

NOBODY = Asker()


def wrong_name(proof: int, host: str, imitates: str | None) -> str:
    """The name of a wrong certificate for a hostname and the client it imitates; no declared client can have it."""
    return f"{WRONG[proof]} as {imitates} at {host}"


def signed_name(signer: Address) -> str:
    """The name of a certificate that a declared CA makes on the spot; no declared client can have it."""
    return f"undeclared name of {signer}"


@dataclass(frozen=True, slots=True)
class Party:
    """A declared client and what is known about its certificate."""

    client: Client
    asker: Asker = field(default_factory=Asker)
    """Under which declared CAs it is valid, and its names; nothing when its file is not here."""


def expect(
    targets: Iterable[Target],
    parties: Sequence[Party],
    state: State,
    chosen: frozenset[int] = proofs.ALL,
    gone: frozenset[str] = frozenset(),
    signers: frozenset[Address] = frozenset(),
) -> tuple[Probe, ...]:
    """The probes of the chosen proofs, by target and then by number.

    gone: the domains of applications that were just removed: none of them may answer any more.
    signers: the CAs whose key is here, so that a client of theirs can be made.
    """
    targets = tuple(targets)
    listed = tuple(replace(t, url=concrete(t.url)) for t in targets)
    hosts = tuple(dict.fromkeys(Probe(t, None, Expected.ALLOWED).host for t in listed))
    views = {host: Outlook(state, host) for host in hosts}
    domains = gone.union(*(app.domains for _, app in state.of(AccessApplication) if not app.elsewhere))
    found: list[Probe] = []
    for declared, target in zip(targets, listed, strict=True):
        base = Probe(target, None, Expected.ALLOWED, declared=domains)
        view = views[base.host]
        base = replace(base, control=view.control(base))
        asking = _Asking(base, view, parties, hosts, declared.url, signers)
        for number in sorted(chosen):
            found += (replace(probe, proof=number) for probe in ROWS[number](asking, number))
    return tuple(found)


def _grounded(probe: Probe, state: State) -> Probe:
    """The probe with what must be known about the application that governs what it asks for."""
    found = governor(state, probe.host, path_of(probe))
    if found is None:
        return probe
    urls = (found.application.fields.get(name) for name in DENY_URLS)
    deny_urls = frozenset(url for url in urls if isinstance(url, str))
    return replace(probe, ours=frozenset(found.application.domains), deny_urls=deny_urls)


@dataclass(frozen=True, slots=True)
class _Asking:
    """One target and everything that its proofs may need."""

    base: Probe
    view: Outlook
    parties: Sequence[Party]
    hosts: Sequence[str]
    declared: str
    """The target's URL as the plan file has it."""
    signers: frozenset[Address] = frozenset()

    def judged(self, probe: Probe, asker: Asker) -> Probe:
        """The probe with what must happen to this asker, who shows no certificate that any CA vouches for."""
        return replace(_grounded(probe, self.view.state), expected=self.view.outcome(probe, asker))

    def by_party(self) -> Iterator[tuple[Party, Probe]]:
        """Each client's own probe."""
        for party in self.parties:
            client = party.client
            probe = replace(self.base, client=client, who=client.name, shows=client.name)
            by_policies, unsure = self.view.for_client(probe, party.asker)
            demanded = _demanded(client.expected_at(self.declared), by_policies)
            probe = replace(_grounded(probe, self.view.state), expected=demanded)
            yield party, replace(probe, unsure=unsure if demanded is Expected.UNFORESEEN else "")

    def welcome(self) -> Client | None:
        """The first client that is here and must get in, None when nobody is."""
        return next(
            (
                p.client
                for p, probe in self.by_party()
                if p.client.is_here and probe.expected is Expected.ALLOWED
            ),
            None,
        )

    def anybody(self) -> Client | None:
        """The first client that is here, None when there is none."""
        return next((p.client for p in self.parties if p.client.is_here), None)


def _demanded(by_file: Expected | None, by_policies: Expected) -> Expected:
    """What the file demands of a client, else what the policies say; a login page refuses well enough."""
    if by_file is None or (by_file, by_policies) == (Expected.REFUSED, Expected.LOGIN):
        return by_policies
    return by_file


def _bare(asking: _Asking, _: int) -> Iterator[Probe]:
    yield asking.judged(asking.base, NOBODY)


def _clients(asking: _Asking, _: int) -> Iterator[Probe]:
    return (probe for _, probe in asking.by_party())


def _wrong(asking: _Asking, number: int) -> Iterator[Probe]:
    """Only where a CA is declared: without one there is nothing to look alike."""
    host = asking.base.host
    if world_of(asking.view.state, host).trusted:
        client = asking.welcome() or asking.anybody()
        imitates = client.name if client else None
        shows = wrong_name(number, host, imitates)
        yield asking.judged(replace(asking.base, who=WRONG[number], shows=shows, imitates=imitates), NOBODY)


def _replay(asking: _Asking, _: int) -> Iterator[Probe]:
    """Only where somebody gets in and nobody else does: an open door hands out no cookie worth stealing."""
    client = asking.welcome()
    probe = asking.judged(asking.base, NOBODY)
    if client and probe.expected is not Expected.ALLOWED:
        who = f"cookie of {client.name} alone"
        yield replace(probe, client=client, who=who, shows=client.name, is_replay=True)


def _paths(asking: _Asking, _: int) -> Iterator[Probe]:
    """Where nobody knows what a POST would do, GET is sent."""
    bare = path_of(asking.base).rstrip("/")
    alike = {f"{bare}/": "no certificate, with a slash", f"{bare}{WORD}": "no certificate, path begins alike"}
    if not bare:
        alike = {f"/{WORD}": "no certificate, path below"}
    target = asking.base.target
    harmless = replace(target, method="GET") if target.method == "POST" else target
    for path, who in alike.items():
        if path != path_of(asking.base):
            yield asking.judged(replace(asking.base, target=harmless, path=path, who=who), NOBODY)


def _resumed(asking: _Asking, _: int) -> Iterator[Probe]:
    """A session of another hostname of the plan, opened with a client that is here."""
    other = next((host for host in asking.hosts if host != asking.base.host), None)
    client = asking.anybody()
    if other:
        probe = asking.judged(asking.base, NOBODY)
        shows, who = (client.name if client else None), f"session of {other}"
        yield replace(probe, client=client, who=who, shows=shows, other_host=other)


def _other_name(asking: _Asking, _: int) -> Iterator[Probe]:
    """Only where a name is asked for: elsewhere every client of the CA gets in, whatever it is called."""
    host = asking.base.host
    for signer in sorted(asking.signers & world_of(asking.view.state, host).trusted)[:1]:
        asker = Asker(frozenset({signer}), frozenset({NAMELESS}))
        probe = asking.judged(replace(asking.base, who="undeclared name", shows=signed_name(signer)), asker)
        if probe.expected in {Expected.REFUSED, Expected.LOGIN}:
            yield probe


ROWS = {
    proofs.NO_CERTIFICATE: _bare,
    proofs.CLIENT: _clients,
    **dict.fromkeys(WRONG, _wrong),
    proofs.REPLAY: _replay,
    proofs.PATHS: _paths,
    proofs.RESUMPTION: _resumed,
    proofs.OTHER_NAME: _other_name,
}
"""Proof number to what yields its probes."""


def left_out(probes: Sequence[Probe], chosen: frozenset[int]) -> tuple[str, ...]:
    """Which chosen proofs have no probe at some URL, in sentences."""
    asked: dict[int, set[str]] = {number: set() for number in chosen}
    for probe in probes:
        asked[probe.proof].add(probe.target.url)
    urls = {probe.target.url for probe in probes}
    return tuple(
        f"Proof {n}, {proofs.BY_NUMBER[n].name}, was left out at {len(urls - asked[n])} of {len(urls)} URLs: {WHY[n]}."
        for n in sorted(chosen)
        if urls - asked[n]
    )


WHY = {
    proofs.NO_CERTIFICATE: "nothing was to be asked",
    proofs.CLIENT: "the plan declares no clients",
    **dict.fromkeys(WRONG, "no CA is declared there"),
    proofs.REPLAY: "no declared client that is here gets in by its certificate",
    proofs.PATHS: "nothing was to be asked",
    proofs.RESUMPTION: "it needs a second hostname in the plan",
    proofs.OTHER_NAME: "any name gets in there, or no CA's key is here",
}
