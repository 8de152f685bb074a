"""Perform the steps of a plan, and stop at the first that fails.

Rules of this file:
- A step says what the resource is afterwards; how to get there is one of a few calls.
- What is changed is looked at once more before it is written: if somebody else changed it since, the run stops.
- After an upload the returned fingerprint is compared with ours.
- Absence is success when removing. A POST whose fate is unknown is settled by looking, never by repeating.
- Writes below /access/certificates go one after another; applications of different groups go side by side.
- Where an old CA must be gone before the new one can come, it is put back when that fails, and nobody can stop between.
- A wait names its condition and its deadline; when time is out the run stops and never goes on regardless.
- Resume means plan again; nothing is remembered between runs.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cf_mtls.diagnostics import Code, Diagnostic, Exit, Failure, Fault, Severity
from cf_mtls.model.plan import Phase, Step
from cf_mtls.model.resources import AccessApplication, Address, CaCertificate, HostnameSettings, Kind
from cf_mtls.planning.canon import differing
from cf_mtls.planning.contents import may_hold
from cf_mtls.remote import pages as listing
from cf_mtls.remote import wire
from cf_mtls.remote.bounds import too_long
from cf_mtls.remote.errors import decoded, failure
from cf_mtls.remote.gateway import Answer, NoAnswer, Writer
from cf_mtls.remote.shape import identifier, needed
from cf_mtls.remote.stages import Boundary, after, batches, in_gap, on_the_way

if TYPE_CHECKING:
    from collections.abc import Callable

    from cf_mtls.model.plan import Plan
    from cf_mtls.model.resources import Resource, Scope
    from cf_mtls.remote.gateway import Method
    from cf_mtls.remote.pace import Pace
    from cf_mtls.remote.stages import Setback

WRONG_CONTENT = Code(
    "apply.wrong-fingerprint", Severity.ERROR, Fault.CLOUDFLARE, "what was uploaded is not ours"
)
NOT_SETTLED = Code(
    "apply.not-settled", Severity.ERROR, Fault.CLOUDFLARE, "a change did not take effect in time"
)
MOVED = Code(
    "apply.changed-meanwhile", Severity.ERROR, Fault.ACCOUNT, "somebody else is changing the account"
)
PUT_BACK = Code("apply.put-back", Severity.ERROR, Fault.ACCOUNT, "the old CA was put back")
NOT_PUT_BACK = Code(
    "apply.not-put-back", Severity.ERROR, Fault.ACCOUNT, "the old CA is gone and its successor is not there"
)
AT_ONCE = "No certificate of it is valid there. Run the same command again at once, or upload it by hand."
STOPPED = Code("apply.stopped", Severity.ERROR, Fault.INVOCATION, "stopped before the end")
TOO_LONG = Code("apply.too-long", Severity.ERROR, Fault.CLOUDFLARE, "writing takes too long")

WAIT_S = 120.0
"""How long a condition is waited for; the longest real wait on record is about a minute: facts 1.8."""

SIDE_BY_SIDE = 8
"""Applications written at once."""

READERS: dict[Kind, Callable[[Any], tuple[Address, Resource]]] = {
    Kind.CERTIFICATE: wire.certificate,
    Kind.APPLICATION: wire.application,
}
PATHS = {Kind.CERTIFICATE: listing.CERTIFICATES, Kind.APPLICATION: listing.APPLICATIONS}


@dataclass(slots=True)
class Applier:
    """Performs plans against one account or zone."""

    writer: Writer
    pace: Pace
    said: Callable[[Step], None] = lambda _: None
    """Called after each step that was done."""
    between: Callable[[Boundary], Setback | None] = lambda _: None
    """Called before the first phase of writes (an earlier run may just have written), wherever one gives way to
    another, and at the end; may wait for the edge, raise Failure to stop, or say what must be put back."""
    doing: Callable[[Step], None] = lambda _: None
    """Called before the call of each step: what it makes may be there although its step was never done."""
    ids: dict[Address, str] = field(default_factory=dict)
    values: dict[Address, list[Resource]] = field(default_factory=dict)
    """What each address held when the run began and after each of its steps: Cloudflare may show any of them."""

    def apply(self, plan: Plan) -> int:
        """Do every step; the number of steps done. Raises Failure at the first that could not be."""
        self.values = {a: [r] for a, r in plan.actual.items()}
        self.ids = {a: r.id for a, r in plan.actual.items() if not isinstance(r, HostnameSettings) and r.id}
        done: list[Step] = []
        for batch in batches(plan.steps):
            if not in_gap(plan.steps, done):
                self._may_go_on(plan, done)
            if not done or done[-1].phase is not batch[0].phase:
                self._look(plan, done)
            for step in batch:
                self.doing(step)
            try:
                if batch[0].phase is Phase.SETTINGS:
                    self._settings(plan, batch)
                else:
                    self._together(plan, batch)
            except Failure as failed:
                raise self._restored(plan, done, batch, failed) from failed
            done += batch
        if done:
            self._look(plan, done)
        return len(done)

    def _look(self, plan: Plan, done: list[Step]) -> None:
        state = after(plan.actual, done)
        boundary = Boundary(tuple(done), plan.steps[len(done) :], state, plan.desired, plan.actual)
        if setback := self.between(boundary):
            raise self._put_back(plan, boundary, setback)

    def _put_back(self, plan: Plan, boundary: Boundary, setback: Setback) -> Failure:
        """The failure of a run that has put hostnames back on the CAs that it took them from: one PUT each."""
        base, said, failed = plan.scope.path + PATHS[Kind.CERTIFICATE], list[str](), list[Diagnostic]()
        for address, taken in boundary.taken.items():
            back, now = taken & setback.hosts, boundary.state.get(address)
            if not back or not isinstance(now, CaCertificate):
                continue
            value = replace(now, associated_hostnames=tuple(sorted(back | set(now.associated_hostnames))))
            path, step = f"{base}/{self.ids[address]}", Step(Phase.WIDEN, address, value, address)
            try:
                self._unmoved(path, step)
                self._put(path, wire.certificate_update(value), f"putting hostnames back on {address}")
            except Failure as failure:
                failed += failure.diagnostics
                continue
            self._did(step)
            said.append(f"{now.name} has {', '.join(sorted(back))} again.")
        if not said and not failed:
            said.append("Which hostnames the old CA had is not known to this run, so none was put back.")
        detail = "\n".join([setback.why.detail, *said, "No CA was deleted."])
        return Failure([replace(setback.why, detail=detail), *failed], Exit.VERIFY_FAILED)

    def _restored(self, plan: Plan, done: list[Step], tried: list[Step], failed: Failure) -> Failure:
        """A failure, after the CAs that had to go before the one that could not come were put back."""
        base, said = plan.scope.path + PATHS[Kind.CERTIFICATE], list[Diagnostic]()
        for address in sorted(in_gap(plan.steps, done, tried)):
            before = plan.actual.get(address)
            if not isinstance(before, CaCertificate):
                continue
            hosts = ", ".join(before.associated_hostnames) or "no hostname"
            try:
                self._give_back(base, address, before)
            except Failure as second:
                said += (
                    NOT_PUT_BACK.found(f"{before.name} is missing on {hosts}.", AT_ONCE),
                    *second.diagnostics,
                )
            else:
                said.append(PUT_BACK.found(f"{before.name} stands on {hosts} again."))
        return Failure((*failed.diagnostics, *said), Exit.VERIFY_FAILED) if said else failed

    def _give_back(self, base: str, address: Address, before: CaCertificate) -> None:
        """Give a CA its hostnames back, by a new upload when it is gone. Raises Failure when that cannot be."""
        if self._listed(base, lambda raw: raw["id"] == before.id):
            body = wire.certificate_update(before)
            self._put(f"{base}/{before.id}", body, f"putting hostnames back on {address}")
        else:
            self._create(base, wire.certificate_create(before), address, lambda raw: _same_ca(raw, before))
        self._did(Step(Phase.UPLOAD, address, before, address))

    def _may_go_on(self, plan: Plan, done: list[Step]) -> None:
        """Raise Failure when somebody wants the run to end, or its time is over."""
        is_late = self.pace.run.left() <= 0
        if self.pace.stopping() or is_late:
            left = [step for step in plan.steps if step not in done]
            listed = "\n".join(f"    {step.phase.name.lower():<9} {step.address}" for step in left)
            detail = f"{len(done)} of {len(plan.steps)} steps were done. Left:\n{listed}"
            fix = "Run the same command again: it continues from what is there."
            if self.pace.stopping():
                raise Failure([STOPPED.found(detail, fix)], Exit.INTERRUPTED)
            said = too_long(self.pace.run.limits)
            raise Failure([TOO_LONG.found(f"{said[0].upper()}{said[1:]}. {detail}", fix)])

    def _together(self, plan: Plan, batch: list[Step]) -> None:
        if len(batch) == 1:
            self._one(plan, batch[0])
            self._did(batch[0])
            return
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            jobs = [(step, pool.submit(self._one, plan, step)) for step in batch]
        failures = []
        for step, job in jobs:
            error = job.exception()
            if error is None:
                self._did(step)
            elif isinstance(error, Failure):
                failures.append(error)
            else:
                raise error
        if failures:
            raise Failure([d for f in failures for d in f.diagnostics], failures[0].exit_code)

    def _did(self, step: Step) -> None:
        if step.value is not None:
            self.values.setdefault(step.address, []).append(step.value)
        self.said(step)

    def _one(self, plan: Plan, step: Step) -> None:
        base = plan.scope.path + PATHS[step.address.kind]
        known = self.ids.get(step.address)
        match step.value:
            case None:
                self._remove(base, step.address, known)
            case CaCertificate() as ca if known is None:
                self._upload(base, step.address, ca)
            case CaCertificate() as ca:
                self._unmoved(f"{base}/{known}", step)
                self._put(f"{base}/{known}", wire.certificate_update(ca), f"updating {step.address}")
                self._detached(f"{base}/{known}", step)
            case AccessApplication() as app if known is None:
                body = wire.application_body(app)
                made = self._create(base, body, step.address, lambda raw: _same_app(raw, app))
                self.ids[step.address] = made["id"]
            case AccessApplication() as app:
                self._unmoved(f"{base}/{known}", step)
                self._put(f"{base}/{known}", wire.application_body(app), f"updating {step.address}")
            case _:
                message = f"no way to write {step.address}"
                raise TypeError(message)

    def _unmoved(self, path: str, step: Step) -> None:
        """Raise Failure (refused) when a thing is not what this run takes it for, nor on its way there."""
        address = step.address
        outcome = self.pace.persist("GET", lambda: self.writer.get(path))
        if not isinstance(outcome, Answer) or not outcome.ok:
            raise failure(outcome, f"looking at {address} before changing it", path)
        _, now = decoded(READERS[address.kind], outcome.result, f"GET {path}")
        ways = [differing(value, now) for value in self.values[address]]
        if all(ways) and not any(on_the_way(value, now, step.value) for value in self.values[address]):
            names = min(ways, key=len)
            detail = f"{address} was changed by somebody else since it was read: {', '.join(names)}."
            raise Failure([MOVED.found(detail, "Plan again, look at it, and apply that.")], Exit.REFUSED)

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
        # The account may take the same content twice (facts 1.7), so another run's upload is looked for first.
        if self._listed(base, lambda raw: _same_ca(raw, ca)):
            detail = f"{ca.name} was uploaded by somebody else since the plan was made."
            raise Failure([MOVED.found(detail, "Plan again, look at it, and apply that.")], Exit.REFUSED)
        made = self._create(base, wire.certificate_create(ca), address, lambda raw: _same_ca(raw, ca))
        self.ids[address] = made["id"]
        if not decoded(lambda raw: _same_ca(raw, ca), made, f"POST {base}"):
            detail = (
                f"{address} came back with {made.get('fingerprint')}; none of the chain's blocks has that."
            )
            raise Failure([WRONG_CONTENT.found(detail, "Look at it in the dashboard before anything else.")])

    def _create(self, base: str, body: Any, address: Address, is_it: Callable[[Any], bool]) -> Any:
        outcome = self.pace.persist("POST", lambda: self.writer.post(base, body))
        if isinstance(outcome, Answer) and outcome.ok:
            decoded(identifier, outcome.result, f"POST {base}")
            return outcome.result
        if isinstance(outcome, NoAnswer) or outcome.status >= 500 or outcome.strange:
            landed = self._listed(base, is_it)
            if landed:
                return landed
        raise failure(outcome, f"creating {address}", base)

    def _listed(self, base: str, is_it: Callable[[Any], bool]) -> Any:
        """The raw item of a list that is it, None when there is none."""
        listed = listing.pages(self.writer, base, self.pace)
        return decoded(lambda raws: next(filter(is_it, raws), None), listed, f"GET {base}")

    def _put(self, path: str, body: Any, doing: str) -> None:
        method: Method = "PUT"
        outcome = self.pace.persist(method, lambda: self.writer.put(path, body))
        if not isinstance(outcome, Answer) or not outcome.ok:
            raise failure(outcome, doing, path)

    def _detached(self, path: str, step: Step) -> None:
        if step.wait != "detached":
            return

        def bare() -> bool:
            outcome = self.pace.persist("GET", lambda: self.writer.get(path))
            if not isinstance(outcome, Answer) or not outcome.ok:
                return False
            return not decoded(wire.hostnames, outcome.result, f"GET {path}")

        self._await(f"hostnames to leave {step.address}", bare)

    def _settings(self, plan: Plan, batch: list[Step]) -> None:
        path = plan.scope.path + listing.SETTINGS
        wanted = [
            s.value if isinstance(s.value, HostnameSettings) else HostnameSettings(s.address.key)
            for s in batch
        ]
        # Whether the PUT merges or replaces is not known (facts 2), so it repeats what must stay.
        written = {step.address for step in batch}
        zone = self._zone_name(plan.scope)
        staying = [
            s for a, s in plan.actual.of(HostnameSettings) if a not in written and _is_in(s.hostname, zone)
        ]
        entries = [wire.settings_entry(s) for s in sorted((*wanted, *staying), key=lambda s: s.hostname)]
        self._put(path, {"settings": entries}, "updating hostname settings")

        def settled() -> bool:
            listed = listing.pages(self.writer, path, self.pace)
            there = decoded(lambda raws: dict(map(wire.settings, raws)), listed, f"GET {path}")
            return all(
                there.get(Address(Kind.SETTINGS, s.hostname), HostnameSettings(s.hostname)) == s
                for s in wanted
            )

        self._await("hostname settings to be as written", settled)
        for step in batch:
            self._did(step)

    def _zone_name(self, scope: Scope) -> str | None:
        """The name of the plan's zone, None for an account.

        A zone's list may show other zones' hostnames, which its PUT then refuses: facts 2.
        """
        if scope.kind == "account":
            return None
        outcome = self.pace.persist("GET", lambda: self.writer.get(scope.path))
        if not isinstance(outcome, Answer) or not outcome.ok:
            raise failure(outcome, f"reading {scope}", scope.path)
        return decoded(lambda raw: needed(raw, "name").lower(), outcome.result, f"GET {scope.path}")

    def _await(self, what: str, holds: Callable[[], bool]) -> None:
        if not self.pace.until(what, WAIT_S, holds) and not self.pace.stopping():
            detail = f"Waited for {what}. What was done until here stays; the rest was not tried."
            raise Failure(
                [NOT_SETTLED.found(detail, "Run the same command again: it continues from what is there.")]
            )


def _is_in(hostname: str, zone: str | None) -> bool:
    return zone is None or hostname == zone or hostname.endswith(f".{zone}")


def _same_ca(raw: Any, ca: CaCertificate) -> bool:
    found = wire.certificate(raw)[1]
    return found.name == ca.name and may_hold(ca, found)


def _same_app(raw: Any, app: AccessApplication) -> bool:
    return wire.application(raw)[1].domain == app.domain and raw.get("name") == app.name
