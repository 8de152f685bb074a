"""The use case of proof: who must get in and who must not, asked with real requests.

Rules of this file:
- From values to values; it prints nothing and reads no environment.
- Probes go side by side, bounded; what could not be asked is inconclusive, never a pass.
- After an apply only what has not passed is asked again: the edge learns slowly, and not everywhere at once.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import field, replace
from typing import TYPE_CHECKING

from cf_mtls.access.doors import doorways
from cf_mtls.access.reach import concrete
from cf_mtls.model.asked import NOBODY, Asked
from cf_mtls.model.evidence import Dossier, Evidence, Expiry, Extent, Got, Handshake, Outcome
from cf_mtls.model.people import Asker, Target
from cf_mtls.model.resources import AccessApplication, CaCertificate, HostnameSettings
from cf_mtls.model.state import State
from cf_mtls.pki.chain import SSLCLIENT
from cf_mtls.pki.chain import judge as judge_chain
from cf_mtls.pki.pem import read_certificates
from cf_mtls.planning.guard import hosts_touched, known_hosts
from cf_mtls.planning.ownership import homes
from cf_mtls.quick import dataclass
from cf_mtls.verify import proofs
from cf_mtls.verify.expect import Party, expect, left_out
from cf_mtls.verify.handshake import look
from cf_mtls.verify.judge import judge
from cf_mtls.verify.wrong import named, signed, wrong_certificates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from cf_mtls.access.match import Hosts
    from cf_mtls.model.evidence import Probe, Verdict
    from cf_mtls.model.plan import Change, Plan
    from cf_mtls.model.resources import Address
    from cf_mtls.pki.authority import Authority
    from cf_mtls.pki.identity import Identity
    from cf_mtls.pki.pem import Certificate
    from cf_mtls.remote.pace import Clock
    from cf_mtls.verify.connect import ConnectTo
    from cf_mtls.verify.wallet import Wallet
    from cf_mtls.verify.witness import Witness

FREE = nullcontext()

HANDSHAKES = 8
"""Side by side."""

PAUSES_S = (0.25, 0.5, 1.0, 2.0, 4.0, 5.0)
"""Between two rounds of asking; the last one repeats."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be proven: probes, and what they show."""

    probes: tuple[Probe, ...] = ()
    identities: Mapping[str, Identity] = field(default_factory=dict, repr=False)
    expiries: tuple[Expiry, ...] = ()
    notes: tuple[str, ...] = ()
    extent: Extent = Extent.FILE

    def only(self, keep: Callable[[Probe], bool]) -> Subject:
        """The same with some of the probes."""
        return replace(self, probes=tuple(filter(keep, self.probes)))


def subject(
    targets: Sequence[Target],
    wallet: Wallet,
    state: State,
    now: datetime,
    chosen: frozenset[int] = proofs.ALL,
    gone: frozenset[str] = frozenset(),
    authorities: Sequence[Authority] = (),
) -> Subject:
    """What a state promises at these URLs, as probes with everything they need.

    now: an aware moment. gone: the domains of applications that were just removed. authorities: CAs whose key is here.
    """
    if not targets:
        return Subject()
    cas = {address: _ders(ca) for address, ca in state.of(CaCertificate) if ca.pem}
    parties = [Party(c, _asker(wallet.identities.get(c.name), cas, now)) for c in wallet.clients]
    signers = signed(state, authorities, now)
    probes = expect(targets, parties, state, chosen, gone, frozenset(signers))
    wrong = {**wrong_certificates(probes, state, wallet.identities, now), **named(signers)}
    probes = tuple(p for p in probes if p.client or not p.shows or p.shows in wrong)
    notes = (*left_out(probes, chosen), *_not_chosen(chosen))
    return Subject(probes, {**wallet.identities, **wrong}, tuple(_expiries(wallet, state)), notes)


def _not_chosen(chosen: frozenset[int]) -> Iterator[str]:
    """Which proofs nobody asked for, in a sentence."""
    if left := sorted(proofs.ALL - chosen):
        yield f"Not asked for: proof {', '.join(map(str, left))}."


def after(
    made: Plan,
    declared: State,
    targets: Sequence[Target],
    wallet: Wallet,
    now: datetime,
    *,
    binds: bool,
    authorities: Sequence[Authority] = (),
) -> Subject:
    """What a run must show: at every URL that it could affect, what Access promises there now.

    declared, targets: the file's. binds: whether what the file demands of its clients holds already; it does not in a
    partial run, nor in one that destroys.
    """
    urls = affected(made, targets)
    if not binds:
        wallet = replace(wallet, clients=tuple(replace(c, expect=None) for c in wallet.clients))
    state = _with_contents(made.desired, declared, made.stack)
    gone = _domains(made.actual) - _domains(made.desired)
    extent = Extent.FILE if binds and set(urls) == set(targets) else Extent.RUN
    asked = subject(urls, wallet, state, now, gone=gone, authorities=authorities)
    return replace(asked, extent=extent)


def _with_contents(state: State, declared: State, stack: str) -> State:
    """The state with what the file knows of the CAs that it declares: the account never shows a PEM."""
    cas = State(declared.of(CaCertificate))
    found = {
        home: replace(ca, pem=known.pem, sha256=known.sha256, contents=known.contents)
        for address, home in homes(cas, state, stack).items()
        if isinstance(ca := state[home], CaCertificate)
        and isinstance(known := cas[address], CaCertificate)
        and not ca.pem
    }
    return state.put_all(found)


def affected(made: Plan, targets: Sequence[Target]) -> tuple[Target, ...]:
    """The URLs that a run could affect, the file's first; all of the file's where there is nothing to change.

    Those of the file on a hostname that changes, and others there at which other people get in than before.
    """
    known = known_hosts(made.actual, made.changes)
    hosts = {host for change in made.changes for host in _hosts(change, known)}
    ours = tuple(t for t in targets if concrete(_host(t.url)) in hosts)
    named = {concrete(t.url).rstrip("/") for t in ours}
    ways = (w for w in doorways(made.actual, made.desired, hosts) if not w.is_same and "*" not in w.url)
    others = tuple(Target(way.url, "") for way in ways if way.url.rstrip("/") not in named)
    return (*ours, *others) or tuple(targets)


def _hosts(change: Change, known: Hosts) -> frozenset[str]:
    """The hosts that a change can affect; settings change what the origin is told there."""
    sides = (change.before, change.after)
    settings = {side.hostname for side in sides if isinstance(side, HostnameSettings)}
    return hosts_touched(change, known) | settings


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].lower()


def _domains(state: State) -> frozenset[str]:
    return frozenset(domain for _, app in state.of(AccessApplication) for domain in app.domains)


def _ders(ca: CaCertificate) -> tuple[bytes, ...]:
    return tuple(certificate.der for certificate in _certificates(ca))


def _certificates(ca: CaCertificate) -> tuple[Certificate, ...]:
    """A CA's certificates; none for one that the account holds and does not show."""
    return read_certificates(ca.pem.encode("ascii"))[0] if ca.pem else ()


def _asker(identity: Identity | None, cas: Mapping[Address, tuple[bytes, ...]], now: datetime) -> Asker:
    """Under which CAs a client is valid, as the edge would judge it."""
    if identity is None:
        return Asker()
    leaf, sent = identity.certificate, [c.der for c in identity.sent]
    valid = (a for a, ders in cas.items() if judge_chain(ders, leaf.der, sent, now, SSLCLIENT).ok)
    return Asker(frozenset(valid), frozenset(leaf.common_names))


def _expiries(wallet: Wallet, state: State) -> Iterator[Expiry]:
    for name, identity in wallet.identities.items():
        leaf = identity.certificate
        yield Expiry("client", name, leaf.not_before, leaf.not_after)
    for _, ca in state.of(CaCertificate):
        for certificate in _certificates(ca):
            yield Expiry("CA", certificate.subject, certificate.not_before, certificate.not_after)


# Asking


def ask(asked: Subject, witness: Witness) -> tuple[tuple[Probe, Evidence], ...]:
    """What each probe saw, side by side; without the cookies that were needed on the way."""
    with ThreadPoolExecutor(witness.at_once) as pool:
        seen = pool.map(lambda probe: _ask(asked, witness, probe), asked.probes)
        return tuple(zip(asked.probes, seen, strict=True))


def _ask(asked: Subject, witness: Witness, probe: Probe) -> Evidence:
    identity = asked.identities.get(probe.shows) if probe.shows else None
    if probe.shows and identity is None:
        why = "its certificate or key is not here"
        return Evidence(failure=Got.UNTRIED, detail=why, witness=witness.name)
    return replace(witness.ask(probe, identity), cookies=())


def verify(asked: Subject, witness: Witness) -> tuple[Verdict, ...]:
    """A verdict for every probe of the proofs that the witness can ask for."""
    return judge(ask(asked.only(lambda probe: probe.proof in witness.can), witness))


def verify_all(
    asked: Subject,
    witnesses: Sequence[Witness],
    connect_to: tuple[ConnectTo, ...] = (),
    gate: AbstractContextManager[object] = FREE,
    whom: Asked = NOBODY,
) -> Dossier:
    """Everything that the witnesses saw, and what the handshakes of the hostnames said.

    gate: entered for each handshake, by whoever does many of these side by side.
    """
    found = tuple(verdict for witness in witnesses for verdict in verify(asked, witness))
    notes = list(asked.notes)
    planned = {probe.proof for probe in asked.probes}
    notes += [
        f"{witness.name} cannot ask for proof {', '.join(map(str, sorted(planned - witness.can)))}."
        for witness in witnesses
        if planned - witness.can
    ]
    said = handshakes(asked, connect_to, gate)
    return Dossier(found, said, asked.expiries, tuple(notes), asked.extent, whom)


def handshakes(
    asked: Subject, connect_to: tuple[ConnectTo, ...] = (), gate: AbstractContextManager[object] = FREE
) -> tuple[Handshake, ...]:
    """What each hostname's handshake said, in order."""

    def seen(host: str) -> Handshake:
        with gate:
            return look(host, connect_to)

    hosts = tuple(dict.fromkeys(probe.host for probe in asked.probes))
    with ThreadPoolExecutor(HANDSHAKES) as pool:
        return tuple(pool.map(seen, hosts))


# Waiting for the edge


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for the edge, by which clock, and whom to tell."""

    clock: Clock
    deadline_s: float
    tell: Callable[[str], None] = lambda _: None
    stopping: Callable[[], bool] = lambda: False


def verify_until(asked: Subject, witness: Witness, patience: Patience) -> tuple[Verdict, ...]:
    """As `verify`, what has not passed again and again until nothing fails or the deadline passes."""
    asked = asked.only(lambda probe: probe.proof in witness.can)
    end = patience.clock.now() + patience.deadline_s
    evidence = dict(ask(asked, witness))
    for round_ in range(10**9):
        verdicts = judge(evidence.items())
        failed = [v for v in verdicts if v.outcome is Outcome.FAIL]
        pause = PAUSES_S[min(round_, len(PAUSES_S) - 1)]
        if not failed or patience.clock.now() + pause > end or patience.stopping():
            break
        patience.tell(waiting(failed, len(verdicts)))
        patience.clock.sleep(pause)
        open_ = {v.probe for v in verdicts if v.outcome is not Outcome.PASS}
        evidence.update(ask(asked.only(open_.__contains__), witness))
    return verdicts


def waiting(failed: Sequence[Verdict], total: int) -> str:
    """`waiting for the edge: 2 of 7 still answer 200`."""
    counted = Counter(str(v.evidence.status) if v.evidence.status else f"“{v.got.value}”" for v in failed)
    said = (f"{n} of {total} still answer{'s' if n == 1 else ''} {what}" for what, n in counted.most_common())
    return f"waiting for the edge: {', '.join(said)}"
