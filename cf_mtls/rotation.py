"""The use case of a rotation while it is applied: new trust is proven before old trust goes, and again once it has.

Rules of this file:
- Before a hostname leaves a CA: each successor is shown by the request of a client that it alone accepts there, at a
  URL where nobody gets in without a certificate; and every declared client that must get in does.
- A client that is refused stops the run, 3; what cannot be asked stops it, 1, unless the hostname was typed.
- Afterwards, before any CA is deleted: the same requests again. They count once the edge has shown that the hostname
  left: a client that the old CA alone accepted is refused; where there is none, after the longest stated lag.
- Whoever was let in and now is refused without having been given up has the hostnames put back.

Not checked: other places of the edge than the one that answers here.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

from cf_mtls.access.reach import concrete
from cf_mtls.declare.clients import shown_by
from cf_mtls.diagnostics import Code, Exit, Failure, Fault, Severity
from cf_mtls.model.evidence import Got, Outcome
from cf_mtls.model.people import Expected
from cf_mtls.model.plan import Phase
from cf_mtls.model.resources import CaCertificate
from cf_mtls.model.state import State
from cf_mtls.planning.admission import People, cas_on, host_and_path
from cf_mtls.planning.gates import ca_name, unproven
from cf_mtls.planning.succession import alone, deciding, handovers, hosts_of_entry, proofs
from cf_mtls.proving import PAUSES_S, Subject, ask, subject, verify_until
from cf_mtls.quick import dataclass
from cf_mtls.remote.stages import Setback
from cf_mtls.verify.judge import judge
from cf_mtls.verify.proofs import CLIENT, NO_CERTIFICATE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from cf_mtls.model.evidence import Probe, Verdict
    from cf_mtls.model.people import Target
    from cf_mtls.model.resources import Address
    from cf_mtls.planning.succession import Handover
    from cf_mtls.proving import Patience
    from cf_mtls.remote.stages import Boundary
    from cf_mtls.verify.wallet import Wallet
    from cf_mtls.verify.witness import Witness

NOT_PROVEN = Code("apply.not-proven", Severity.ERROR, Fault.FILE, "the new trust does not let everybody in")
NOT_SHOWN = Code(
    "apply.successor-not-shown", Severity.ERROR, Fault.NETWORK, "new trust could not be proven from here"
)
NOT_LEFT = Code(
    "apply.still-trusted", Severity.ERROR, Fault.CLOUDFLARE, "the edge still accepts what was taken from it"
)
LOST = Code("apply.client-lost", Severity.ERROR, Fault.CLOUDFLARE, "a declared client lost its access")

UNSEEN = frozenset({Got.UNREACHABLE, Got.TIMEOUT, Got.UNTRIED})

LAG_S = 62.0
"""The longest that any client of Cloudflare's own waits for a hostname to leave a CA: facts 1.8, 11.5."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """Asks at the two moments that matter. Clock and pauses are the patience's."""

    stack: str
    targets: tuple[Target, ...]
    wallet: Wallet
    witness: Witness
    patience: Patience
    now: Callable[[], datetime]
    say: Callable[[str], None]
    unproven: frozenset[str] = frozenset()
    """Hostnames whose new trust may go unproven."""
    given_up: frozenset[str] = frozenset()
    """`CLIENT@URL` of those that may lose their access."""

    # Before anything is written

    def begin(self, boundary: Boundary) -> None:
        """Raise Failure (refused) for what cannot be proven by the clients that could be opened: keys may be elsewhere.

        A plan was judged where it was made; a saved one may be applied where its clients' keys are not.
        """
        found = handovers(boundary.left, boundary.state, boundary.final, self.stack, boundary.start)
        names = State({**boundary.state, **boundary.final})
        if refused := tuple(unproven(found, self._people(), names, self.unproven)):
            raise Failure(refused, Exit.REFUSED)

    # Before hostnames leave

    def before(self, boundary: Boundary) -> None:
        """Prove what takes over. Raises Failure when that fails (3) or cannot be told (1); nothing was taken then."""
        steps = takewhile(lambda step: step.phase is Phase.NARROW, boundary.left)
        found = handovers(steps, boundary.state, boundary.final, self.stack, boundary.start)
        welcome = self._welcome(boundary, boundary.leaving)
        if not found and not welcome.probes:
            return
        self.say("Proving that the new trust works before the old is taken away.")
        people = self._people()
        shows = [(h, self._shows(h, people, boundary.state)) for h in found]
        wanted = frozenset(probe for _, probes in shows for probe in probes)
        bare = self._bare(boundary.state, boundary.leaving, {probe.target.url for probe in wanted})
        everything = replace(welcome, probes=(*dict.fromkeys((*wanted, *bare, *welcome.probes)),))
        verdicts = {v.probe: v for v in verify_until(everything, self.witness, self.patience)}
        self._nobody_is_refused(v for p, v in verdicts.items() if p not in bare)
        for handover, probes in shows:
            self._is_shown(handover, probes, bare, verdicts, boundary.state)

    def _shows(self, handover: Handover, people: People, state: State) -> tuple[Probe, ...]:
        """The requests that can show a successor, of clients that are here."""
        pairs = {
            (proof.client.name, concrete(proof.target.url))
            for proof in proofs(handover, people, self.now())
            if proof.client.is_here
        }
        return tuple(
            replace(probe, expected=Expected.ALLOWED)
            for probe in self._subject(state, CLIENT, {handover.host}).probes
            if (probe.who, probe.target.url) in pairs
        )

    def _bare(self, state: State, hosts: Collection[str], urls: Collection[str]) -> frozenset[Probe]:
        """The same URLs without a certificate: they must be shut, or getting in shows nothing."""
        return frozenset(
            replace(probe, expected=Expected.REFUSED)
            for probe in self._subject(state, NO_CERTIFICATE, hosts).probes
            if probe.target.url in urls
        )

    def _nobody_is_refused(self, verdicts: Iterable[Verdict]) -> None:
        failed = [v for v in verdicts if v.outcome is Outcome.FAIL]
        if failed and not self.patience.stopping():
            detail = f"The new trust stands beside the old, but not everybody gets in:\n{_listed(failed)}"
            fix = "Nothing was taken away. Mend the clients or their chain, then run the same command again."
            raise Failure([NOT_PROVEN.found(detail, fix)], Exit.VERIFY_FAILED)

    def _is_shown(
        self,
        handover: Handover,
        probes: Sequence[Probe],
        bare: Collection[Probe],
        verdicts: Mapping[Probe, Verdict],
        state: State,
    ) -> None:
        """Say who showed a successor. Raises Failure (1) when nobody could, unless that was allowed."""
        shut = {p.target.url for p in bare if verdicts[p].outcome is Outcome.PASS}
        shown = [p for p in probes if verdicts[p].outcome is Outcome.PASS and p.target.url in shut]
        new = ca_name(state, handover.new)
        if shown:
            probe = shown[0]
            self.say(
                f"Shown: {probe.who} gets in at {probe.url}, and only {new} accepts its certificate there."
            )
            return
        tried = [verdicts[p] for p in (*probes, *bare) if p.target.url not in shut or p in probes]
        why = _listed(tried) or "    no client that it alone accepts could be sent from here"
        if handover.host in self.unproven or self.patience.stopping():
            self.say(f"Not shown: {new} on {handover.host}, which --allow-unproven accepts.\n{why}")
            return
        detail = f"{new} is to serve {handover.host} alone; whether it does could not be told:\n{why}"
        fix = (
            "Nothing was taken away. Run the same command again where the edge can be reached; or accept it:\n"
            f"    --allow-unproven {handover.host}"
        )
        raise Failure([NOT_SHOWN.found(detail, fix)])

    # Once they have left

    def after(self, boundary: Boundary) -> Setback | None:
        """Prove again what must still work. Raises Failure (1) when the edge does not show that it has followed.

        What must be put back, None when everybody gets in.
        """
        left = _left(boundary, self.stack)
        asked = self._welcome(boundary, left)
        if not asked.probes:
            return None
        hosts = {probe.host for probe in asked.probes}
        gone = self._gone(boundary, {h: olds for h, olds in left.items() if h in hosts})
        blind = frozenset(h for h in hosts if not any(p.host == h for p in gone))
        return _Watch(self, asked, gone, blind).until_told()

    def _gone(self, boundary: Boundary, left: Mapping[str, frozenset[Address]]) -> tuple[Probe, ...]:
        """The requests whose refusal shows that a hostname has left every one of its old CAs; all of a host or none."""
        found: list[Probe] = []
        probes = self._subject(boundary.state, CLIENT, left).probes
        for host, olds in left.items():
            pairs = [self._only_old(boundary, host, old) for old in sorted(olds)]
            if all(pairs):
                wanted = {pair for some in pairs for pair in some}
                found += (
                    replace(p, expected=Expected.REFUSED)
                    for p in probes
                    if p.host == host and (p.who, p.target.url) in wanted
                )
        return tuple(found)

    def _only_old(self, boundary: Boundary, host: str, old: Address) -> frozenset[tuple[str, str]]:
        """The clients and URLs that a CA alone let in on a host before it was taken from there."""
        ca = boundary.start.get(old)
        if not isinstance(ca, CaCertificate):
            return frozenset()
        before = boundary.state.put(old, replace(ca, associated_hostnames=(host,)))
        cas = {**cas_on(boundary.start, host), **cas_on(before, host)}
        if any(other.pem is None for other in cas.values()):
            return frozenset()
        people, at = self._people(), self.now()
        return frozenset(
            (client.name, concrete(target.url))
            for client in people.clients
            if client.is_here and (shown := people.shown.get(client.name)) and alone(shown, old, cas, at)
            for target in deciding(before, host, old, shown, people.targets)
        )

    # What both ask

    def _subject(
        self, state: State, proof: int, hosts: Collection[str], wallet: Wallet | None = None
    ) -> Subject:
        targets = [t for t in self.targets if host_and_path(t.url)[0] in hosts]
        return subject(targets, wallet or self.wallet, state, self.now(), frozenset({proof}))

    def _welcome(self, boundary: Boundary, hosts: Collection[str]) -> Subject:
        """The requests on some hosts of the clients that get in by their certificate, now and in the end.

        Left out: who was given up, and URLs at which nobody needs a certificate: no CA matters there.
        """
        now, end = (self._by_certificate(state, hosts) for state in (boundary.state, boundary.final))
        both = {(probe.who, probe.url) for probe in now.probes} - self._out
        return end.only(lambda probe: (probe.who, probe.url) in both)

    def _by_certificate(self, state: State, hosts: Collection[str]) -> Subject:
        """By the policies alone: a file that demands more, of an expired client for instance, blocks nothing here."""
        bare = self._subject(state, NO_CERTIFICATE, hosts).probes
        shut = {p.url for p in bare if p.expected not in {Expected.ALLOWED, Expected.UNDECLARED}}
        clients = tuple(replace(client, expect=None) for client in self.wallet.clients)
        free = replace(self.wallet, clients=clients)
        return self._subject(state, CLIENT, hosts, free).only(
            lambda p: p.expected is Expected.ALLOWED and p.url in shut
        )

    @property
    def _out(self) -> frozenset[tuple[str, str]]:
        """The clients that may be out, and the URLs: given up by a flag, or refused by the file."""
        typed = (tuple(one.split("@", 1)) for one in self.given_up if "@" in one)
        refused = (
            (client.name, target.url)
            for client in self.wallet.clients
            for target in self.targets
            if client.expected_at(target.url) is Expected.REFUSED
        )
        return frozenset((name, concrete(url)) for name, url in (*typed, *refused))

    def _people(self) -> People:
        now = self.now()
        shown = {name: shown_by(identity, now) for name, identity in self.wallet.identities.items()}
        return People(self.wallet.clients, self.targets, shown, now)


@dataclass(frozen=True, slots=True)
class _Watch:
    """Asks again and again until the edge has shown that hostnames left, or somebody lost access."""

    run: Rotation
    asked: Subject
    gone: tuple[Probe, ...]
    blind: frozenset[str]
    """Hosts of which nobody can show that they left."""

    def until_told(self) -> Setback | None:
        """As `Rotation.after`."""
        patience = self.run.patience
        begun = patience.clock.now()
        lag = LAG_S if self.blind else 0.0
        end = begun + max(lag, patience.deadline_s)
        self._announce()
        refused: frozenset[Probe] = frozenset()
        for round_ in range(10**9):
            verdicts = self._ask((*self.gone, *self.asked.probes))
            still = [v for v in verdicts if self._is_still_in(v)]
            waited = patience.clock.now() - begun >= lag
            if waited and not still:  # only what is asked from now on counts
                verdicts = self._ask(self.asked.probes)
            out = frozenset(v.probe for v in verdicts if self._is_lost(v))
            late = patience.clock.now() >= end
            if out & refused or (out and late):
                return self._setback([v for v in verdicts if v.probe in out])
            if waited and not still and not out:
                self._tell(verdicts)
                return None
            if patience.stopping():
                return None
            pause = PAUSES_S[min(round_, len(PAUSES_S) - 1)]
            if late and still:
                raise self._not_left(still)
            refused = out
            patience.tell("waiting for the edge to show that the hostnames have left their old CA")
            patience.clock.sleep(pause)
        return None

    def _ask(self, probes: Sequence[Probe]) -> tuple[Verdict, ...]:
        return judge(ask(replace(self.asked, probes=tuple(dict.fromkeys(probes))), self.run.witness))

    def _is_still_in(self, verdict: Verdict) -> bool:
        """Whether a client of an old CA is not seen refused; seeing nothing may have been allowed."""
        is_allowed = verdict.got in UNSEEN and verdict.probe.host in self.run.unproven
        return verdict.probe in self.gone and verdict.outcome is not Outcome.PASS and not is_allowed

    def _is_lost(self, verdict: Verdict) -> bool:
        return verdict.probe in self.asked.probes and verdict.outcome is Outcome.FAIL

    def _announce(self) -> None:
        self.run.say("Proving again, now that hostnames have left their old CA.")
        if self.blind:
            self.run.say(
                f"On {', '.join(sorted(self.blind))} no declared client can show that: none that only the old CA "
                f"accepts is here. Asked for {LAG_S:g} s, the longest lag on record."
            )

    def _tell(self, verdicts: Sequence[Verdict]) -> None:
        """Say what was seen. Raises Failure (1) for a host at which nobody could be asked, unless that was allowed."""
        for probe in self.gone:
            self.run.say(f"Shown: {probe.who} is refused at {probe.url}; only the old CA accepted it.")
        hosts = {p.host for p in self.asked.probes}
        passed = {v.probe.host for v in verdicts if v.outcome is Outcome.PASS}
        if silent := sorted(hosts - passed - self.run.unproven):
            tried = [v for v in verdicts if v.probe.host in silent]
            detail = f"Whether anybody still gets in could not be told:\n{_listed(tried)}"
            fix = "No CA was deleted. Run the same command again where the edge can be reached."
            raise Failure([NOT_SHOWN.found(detail, fix)])

    def _not_left(self, still: Sequence[Verdict]) -> Failure:
        detail = f"A client that only the old CA accepts is not refused yet:\n{_listed(still)}"
        return Failure(
            [
                NOT_LEFT.found(
                    detail, "No CA was deleted. Run the same command again: it continues from there."
                )
            ]
        )

    def _setback(self, lost: Sequence[Verdict]) -> Setback:
        detail = f"Since hostnames were taken from their old CA:\n{_listed(lost)}"
        fix = "Mend the client or its chain, then run the same command again; or give its access up as plan says."
        return Setback(frozenset(v.probe.host for v in lost), LOST.found(detail, fix))


def _left(boundary: Boundary, stack: str) -> dict[str, frozenset[Address]]:
    """The hosts that were taken from CAs, and from which. Of a CA that is to be deleted: its entry's hosts too."""
    found: dict[str, set[Address]] = {}
    for address, hosts in boundary.taken.items():
        for host in hosts:
            found.setdefault(host, set()).add(address)
    for step in boundary.left:
        if step.phase is Phase.DELETE:  # an earlier run may have taken some
            for host in hosts_of_entry(step.address, boundary.start, boundary.final, stack):
                found.setdefault(host, set()).add(step.address)
    return {host: frozenset(olds) for host, olds in sorted(found.items())}


def _listed(verdicts: Iterable[Verdict]) -> str:
    return "\n".join(f"    {v.probe.url}, {v.probe.who}: {v.why}" for v in verdicts)
