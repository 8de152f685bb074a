"""Perform the steps of a plan, one after another, and stop at the first that fails.

Rules of this file:
- A step says what the resource is afterwards; how to get there is one of a few calls.
- After an upload the returned fingerprint is compared with ours.
- Absence is success when removing. A POST whose fate is unknown is settled by looking, never by repeating.
- A wait names its condition and its deadline; when time is out the run stops and never goes on regardless.
- Resume means plan again; nothing is remembered between runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from cf_mtls.diagnostics import Code, Failure, Fault, Severity
from cf_mtls.model.plan import Phase, Step
from cf_mtls.model.resources import AccessApplication, Address, CaCertificate, HostnameSettings, Kind
from cf_mtls.remote import snapshot, wire
from cf_mtls.remote.errors import failure
from cf_mtls.remote.gateway import Answer, NoAnswer, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cf_mtls.model.plan import Plan
    from cf_mtls.remote.gateway import Method
    from cf_mtls.remote.pace import Pace

WRONG_CONTENT = Code(
    "apply.wrong-fingerprint", Severity.ERROR, Fault.CLOUDFLARE, "what was uploaded is not ours"
)
NOT_SETTLED = Code(
    "apply.not-settled", Severity.ERROR, Fault.CLOUDFLARE, "a change did not take effect in time"
)

WAIT_S = 120.0
"""How long a condition is waited for; the longest real wait on record is about a minute: facts 1.8."""

PATHS = {Kind.CERTIFICATE: snapshot.CERTIFICATES, Kind.APPLICATION: snapshot.APPLICATIONS}


@dataclass(slots=True)
class Applier:
    """Performs plans against one account or zone."""

    writer: Writer
    pace: Pace
    said: Callable[[Step], None] = lambda _: None
    """Called after each step that was done."""
    ids: dict[Address, str] = field(default_factory=dict)

    def apply(self, plan: Plan) -> int:
        """Do every step; the number of steps done. Raises Failure at the first that could not be."""
        self.ids = {a: r.id for a, r in plan.actual.items() if not isinstance(r, HostnameSettings) and r.id}
        done = 0
        for batch in batches(plan.steps):
            if batch[0].phase is Phase.SETTINGS:
                self._settings(plan, batch)
            else:
                self._one(plan, batch[0])
            for step in batch:
                self.said(step)
                done += 1
        return done

    def _one(self, plan: Plan, step: Step) -> None:
        base = plan.scope.path + PATHS[step.address.kind]
        known = self.ids.get(step.address)
        match step.value:
            case None:
                self._remove(base, step.address, known)
            case CaCertificate() as ca if known is None:
                self._upload(base, step.address, ca)
            case CaCertificate() as ca:
                self._done("PUT", f"{base}/{known}", wire.certificate_update(ca), f"updating {step.address}")
                self._detached(f"{base}/{known}", step)
            case AccessApplication() as app if known is None:
                made = self._create(
                    base, wire.application_body(app), step.address, lambda raw: _same_app(raw, app)
                )
                self.ids[step.address] = made["id"]
            case AccessApplication() as app:
                self._done("PUT", f"{base}/{known}", wire.application_body(app), f"updating {step.address}")
            case HostnameSettings():
                message = "settings are written in batches"
                raise TypeError(message)

    def _remove(self, base: str, address: Address, known: str | None) -> None:
        if known is None:
            return
        path = f"{base}/{known}"
        outcome = self.pace.persist("DELETE", lambda: self.writer.delete(path))
        gone = isinstance(outcome, Answer) and (outcome.ok or outcome.status == 404)
        if not gone:
            raise failure(outcome, f"removing {address}", path)
        self.ids.pop(address, None)

    def _upload(self, base: str, address: Address, ca: CaCertificate) -> None:
        made = self._create(base, wire.certificate_create(ca), address, lambda raw: _same_ca(raw, ca))
        self.ids[address] = made["id"]
        if not _same_ca(made, ca):
            detail = (
                f"{address} came back with {made.get('fingerprint')}; none of the chain's blocks has that."
            )
            raise Failure([WRONG_CONTENT.found(detail, "Look at it in the dashboard before anything else.")])

    def _create(self, base: str, body: Any, address: Address, is_it: Callable[[Any], bool]) -> Any:
        doing = f"creating {address}"
        outcome = self.pace.persist("POST", lambda: self.writer.post(base, body))
        if isinstance(outcome, Answer) and outcome.ok:
            return outcome.result
        if isinstance(outcome, NoAnswer) or outcome.status >= 500:
            landed = next((raw for raw in snapshot.pages(self.writer, base, self.pace) if is_it(raw)), None)
            if landed:
                return landed
        raise failure(outcome, doing, base)

    def _done(self, method: Method, path: str, body: Any, doing: str) -> Any:
        outcome = self.pace.persist(method, lambda: self.writer.put(path, body))
        if isinstance(outcome, Answer) and outcome.ok:
            return outcome.result
        raise failure(outcome, doing, path)

    def _detached(self, path: str, step: Step) -> None:
        if step.wait != "detached":
            return

        def bare() -> bool:
            outcome = self.pace.persist("GET", lambda: self.writer.get(path))
            return isinstance(outcome, Answer) and outcome.ok and not wire.hostnames(outcome.result)

        self._await(f"hostnames to leave {step.address}", bare)

    def _settings(self, plan: Plan, batch: list[Step]) -> None:
        path = plan.scope.path + snapshot.SETTINGS
        wanted = [
            s.value if isinstance(s.value, HostnameSettings) else HostnameSettings(s.address.key)
            for s in batch
        ]
        # Whether the PUT merges or replaces is not known (facts 2), so it repeats what must stay.
        staying = [
            s for a, s in plan.actual.of(HostnameSettings) if a not in {step.address for step in batch}
        ]
        entries = [wire.settings_entry(s) for s in sorted((*wanted, *staying), key=lambda s: s.hostname)]
        self._done("PUT", path, {"settings": entries}, "updating hostname settings")

        def settled() -> bool:
            there = dict(map(wire.settings, snapshot.pages(self.writer, path, self.pace)))
            return all(
                there.get(Address(Kind.SETTINGS, s.hostname), HostnameSettings(s.hostname)) == s
                for s in wanted
            )

        self._await("hostname settings to be as written", settled)

    def _await(self, what: str, holds: Callable[[], bool]) -> None:
        if not self.pace.until(what, WAIT_S, holds):
            detail = (
                f"Waited {WAIT_S:.0f} s for {what}. What was done until here stays; the rest was not tried."
            )
            raise Failure(
                [NOT_SETTLED.found(detail, "Run the same command again: it continues from what is there.")]
            )


def batches(steps: Iterable[Step]) -> Iterator[list[Step]]:
    """The steps as calls: hostname settings side by side are one PUT, everything else is one each."""
    for is_settings, run in groupby(steps, key=lambda s: s.phase is Phase.SETTINGS):
        together = list(run)
        yield from [together] if is_settings else ([step] for step in together)


def _same_ca(raw: Any, ca: CaCertificate) -> bool:
    return wire.certificate(raw)[1].fingerprints[0] in ca.fingerprints and raw["name"] == ca.name


def _same_app(raw: Any, app: AccessApplication) -> bool:
    return wire.application(raw)[1].domain == app.domain and raw.get("name") == app.name
