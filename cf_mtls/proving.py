"""The use case of proof: who must get in and who must not, asked with real requests.

Rules of this file:
- From values to values; it prints nothing and reads no environment.
- Probes go side by side, bounded; what could not be asked is inconclusive, never a pass.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cf_mtls.diagnostics import Code, Exit, Failure, Fault, Severity
from cf_mtls.model.evidence import Evidence, Expected, Got, Outcome
from cf_mtls.verify.expect import expect
from cf_mtls.verify.judge import judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cf_mtls.model.evidence import Client, Probe, Target, Verdict
    from cf_mtls.remote.pace import Pace

NOT_PROVEN = Code("apply.not-proven", Severity.ERROR, Fault.FILE, "the new trust does not let everybody in")

AT_ONCE = 8
"""Probes side by side."""


class Witness(Protocol):
    """Whoever can ask a probe's question."""

    name: str

    def ask(self, probe: Probe) -> Evidence:
        """What one request saw."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be proven: the URLs, and who asks."""

    targets: tuple[Target, ...]
    clients: tuple[Client, ...]

    def only_allowed(self) -> tuple[Probe, ...]:
        """The probes of clients that must get in."""
        return tuple(probe for probe in self.probes() if probe.expected is Expected.ALLOWED)

    def probes(self) -> tuple[Probe, ...]:
        """Every probe."""
        return expect(self.targets, self.clients)


def prove_new_trust(subject: Subject, witness: Witness, pace: Pace, deadline_s: float) -> tuple[Verdict, ...]:
    """Verdicts on everybody who must get in. Raises Failure (nothing more is done) when somebody does not."""
    verdicts = verify_until(subject.only_allowed(), witness, pace, deadline_s)
    failed = [v for v in verdicts if v.outcome is Outcome.FAIL]
    if failed:
        listed = "\n".join(f"    {v.probe.target.url}, {v.probe.who}: {v.why}" for v in failed)
        detail = f"The new trust stands beside the old, but not everybody gets in:\n{listed}"
        fix = "Nothing was taken away. Mend the clients or their chain, then run the same command again."
        raise Failure([NOT_PROVEN.found(detail, fix)], Exit.VERIFY_FAILED)
    return verdicts


def verify(probes: Sequence[Probe], witness: Witness) -> tuple[Verdict, ...]:
    """A verdict for every probe, asked side by side; a client who is not here is not sent."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return judge(zip(probes, pool.map(lambda probe: _ask(witness, probe), probes), strict=True))


def _ask(witness: Witness, probe: Probe) -> Evidence:
    if probe.client and not probe.client.is_here:
        return Evidence(failure=Got.UNTRIED, detail="its certificate or key is not here")
    return witness.ask(probe)


def verify_until(
    probes: Sequence[Probe], witness: Witness, pace: Pace, deadline_s: float
) -> tuple[Verdict, ...]:
    """As `verify`, again and again until nothing fails or the deadline passes: the edge learns slowly."""
    seen: list[tuple[Verdict, ...]] = []

    def none_fails() -> bool:
        seen.append(verify(probes, witness))
        return not any(verdict.outcome is Outcome.FAIL for verdict in seen[-1])

    pace.until("the edge to do what was applied", deadline_s, none_fails)
    return seen[-1]
