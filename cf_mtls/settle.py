"""The use case between two phases of an apply: nothing new begins before the edge does what was written.

Rules of this file:
- Before a demand: the handshake of every hostname with a CA that stays asks for a certificate.
- Before trust is taken: requests get what the state by now promises, and `rotation` proves what takes over; once it
  was taken, `rotation` proves it again.
- A wait ends at its deadline, and then the run stops: it never goes on regardless. Only where the edge cannot be
  reached from here, a fixed pause stands in, said aloud.
- Also at the beginning of a run, because an earlier one may have been killed a moment ago.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from cf_mtls.diagnostics import Code, Failure, Fault, Severity
from cf_mtls.model.evidence import Got, Outcome
from cf_mtls.model.people import Expected
from cf_mtls.model.plan import Phase
from cf_mtls.proving import subject, verify_until
from cf_mtls.quick import dataclass
from cf_mtls.verify.handshake import look
from cf_mtls.verify.proofs import NO_CERTIFICATE

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from cf_mtls.model.evidence import Handshake, Probe
    from cf_mtls.model.people import Target
    from cf_mtls.proving import Patience
    from cf_mtls.remote.stages import Boundary, Setback
    from cf_mtls.rotation import Rotation
    from cf_mtls.verify.connect import ConnectTo
    from cf_mtls.verify.wallet import Wallet
    from cf_mtls.verify.witness import Witness

NOT_ASKED = Code(
    "apply.edge-does-not-ask", Severity.ERROR, Fault.CLOUDFLARE, "the edge does not ask for certificates"
)
NOT_FOLLOWED = Code("apply.edge-behind", Severity.ERROR, Fault.CLOUDFLARE, "the edge does not follow")

BLIND_S = 5.0
"""How long to pause where the edge cannot be seen: Cloudflare's own clients sleep 2 s and more (facts 1.8)."""

PAUSES_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0)

UNSEEN = frozenset({Got.UNREACHABLE, Got.TIMEOUT, Got.UNTRIED})


@dataclass(frozen=True, slots=True)
class Settler:
    """Waits at the boundaries of one apply."""

    targets: tuple[Target, ...]
    wallet: Wallet
    witness: Witness
    connect_to: tuple[ConnectTo, ...]
    patience: Patience
    now: Callable[[], datetime]
    say: Callable[[str], None]

    rotation: Rotation

    def between(self, boundary: Boundary) -> Setback | None:
        """Wait until the edge does what stands. Raises Failure when it does not in time.

        What must be put back because a declared client lost its access, None when nothing must.
        """
        if not boundary.done:
            self.rotation.begin(boundary)
        if boundary.next is Phase.DEMAND:
            self._asks(boundary)
        if boundary.next is Phase.NARROW:
            self._follows(boundary)
            self.rotation.before(boundary)
        return self.rotation.after(boundary) if boundary.is_narrowed else None

    def _asks(self, boundary: Boundary) -> None:
        hosts = sorted(boundary.demanded & boundary.trusted)
        end = self.patience.clock.now() + self.patience.deadline_s
        for round_ in range(10**9):
            with ThreadPoolExecutor(8) as pool:
                seen = list(pool.map(lambda host: look(host, self.connect_to), hosts))
            silent = [s for s in seen if not s.asked and not s.failure]
            blind = [s for s in seen if not s.asked and s.failure]
            pause = PAUSES_S[min(round_, len(PAUSES_S) - 1)]
            if not silent or self.patience.stopping():
                self._pause_for(blind)
                return
            if self.patience.clock.now() + pause > end:
                named = ", ".join(s.host for s in silent)
                detail = f"{named}: a CA stands there, but the handshake asks for no certificate yet."
                raise Failure(
                    [NOT_ASKED.found(detail, "Nothing is demanded yet. Run the same command again later.")]
                )
            self.patience.tell(
                f"waiting for the edge to ask for certificates: {', '.join(s.host for s in silent)}"
            )
            self.patience.clock.sleep(pause)

    def _pause_for(self, blind: list[Handshake]) -> None:
        if blind:
            named = ", ".join(s.host for s in blind)
            self.say(f"cannot see the edge of {named} from here ({blind[0].failure}); pausing {BLIND_S:g} s")
            self.patience.clock.sleep(BLIND_S)

    def _follows(self, boundary: Boundary) -> None:
        # Only without a certificate: a client of an old CA, whose PEM nobody has here, cannot be predicted.
        asked = subject(self.targets, self.wallet, boundary.state, self.now(), frozenset({NO_CERTIFICATE}))
        if not asked.probes:
            return
        asked = replace(asked, probes=tuple(map(_plainly, asked.probes)))
        verdicts = verify_until(asked, self.witness, self.patience)
        failed = [v for v in verdicts if v.outcome is Outcome.FAIL]
        if failed and not self.patience.stopping():
            listed = "\n".join(f"    {v.probe.url}, {v.probe.who}: {v.why}" for v in failed)
            detail = f"Trust is about to be taken, but the edge does not yet do what stands:\n{listed}"
            raise Failure(
                [NOT_FOLLOWED.found(detail, "Nothing was taken away. Run the same command again later.")]
            )
        if all(v.got in UNSEEN for v in verdicts):
            self.say(f"cannot see the edge from here ({verdicts[0].why}); pausing {BLIND_S:g} s")
            self.patience.clock.sleep(BLIND_S)


def _plainly(probe: Probe) -> Probe:
    """A probe that expects the origin where no application stands any more: Access must have let go."""
    return replace(probe, expected=Expected.ALLOWED) if probe.expected is Expected.UNDECLARED else probe
