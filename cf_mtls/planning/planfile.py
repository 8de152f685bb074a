"""A plan as JSON and back: Terraform's shape for policy tools, ours beside it for `apply`.

Rules of this file:
- The same plan is the same text, byte for byte: sorted keys, sorted lists, no times.
- A saved plan says what it relied on; whoever applies it looks again and refuses when that moved.
- Text that comes in is checked whole before anything is believed; a changed file no longer has its digest.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cf_mtls import __version__
from cf_mtls.access.reach import concrete, hosts_of
from cf_mtls.access.scene import near
from cf_mtls.diagnostics import Code, Exit, Failure, Fault, Place, Severity, has_errors
from cf_mtls.model.evidence import Client, Expected, Target
from cf_mtls.model.plan import Action, Change, Condition, Phase, Plan, Promise, Step
from cf_mtls.model.resources import AccessApplication, CaCertificate, HostnameSettings, Kind, Scope, host_of
from cf_mtls.model.state import State
from cf_mtls.planning import codec
from cf_mtls.planning.canon import meaning
from cf_mtls.planning.guard import hosts_touched

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cf_mtls.model.resources import Address, Resource

FORMAT = "1.2"
SCHEMA = 1

NOT_A_PLAN = Code("planfile.malformed", Severity.ERROR, Fault.FILE, "the file is not a saved plan")
CHANGED = Code("planfile.changed", Severity.ERROR, Fault.FILE, "the saved plan was changed")
STALE = Code("plan.stale", Severity.ERROR, Fault.ACCOUNT, "the plan is stale")
NOT_APPLYABLE = Code(
    "planfile.refused", Severity.ERROR, Fault.FILE, "the saved plan was refused when it was made"
)

TYPES = {
    Kind.CERTIFICATE: "cloudflare_zero_trust_access_mtls_certificate",
    Kind.SETTINGS: "cloudflare_zero_trust_access_mtls_hostname_settings",
    Kind.APPLICATION: "cloudflare_zero_trust_access_application",
}
"""The Terraform provider's names, so that policy tools know what they read."""

PROVIDER = "cloudflare/cloudflare"
"""The provider that those types belong to."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Step(_Strict):
    phase: str
    address: str
    value: dict[str, Any] | None
    cause: str
    wait: Condition | None
    group: int


class _Change(_Strict):
    address: str
    action: Literal["create", "update", "delete"]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    attributes: list[str]


class _Target(_Strict):
    url: str
    application: str
    method: str
    expect_status: int | None


class _Client(_Strict):
    name: str
    certificate: str
    key: str | None
    expected: Literal["allowed", "refused"] | None
    passphrase_env: str | None = None
    passphrase_file: str | None = None


class _Scope(_Strict):
    kind: Literal["account", "zone"]
    id: str


class _Ours(_Strict):
    schema_: int = Field(alias="schema")
    version: str
    digest: str
    stack: str
    scope: _Scope
    relied_on: dict[str, str]
    changes: list[_Change]
    steps: list[_Step]
    promise: dict[str, Any]
    targets: list[_Target]
    clients: list[_Client]
    desired: dict[str, dict[str, Any]] = {}


class _File(BaseModel):
    """The outer shape; other members are Terraform's and not read."""

    model_config = ConfigDict(extra="ignore", strict=True)

    format_version: str
    applyable: bool
    cf_mtls: _Ours


@dataclass(frozen=True, slots=True)
class Saved:
    """A plan as it was saved: what to do, what it relied on, what to verify afterwards."""

    stack: str
    scope: Scope
    changes: tuple[Change, ...]
    steps: tuple[Step, ...]
    relied_on: dict[Address, str]
    promise: Promise
    targets: tuple[Target, ...]
    clients: tuple[Client, ...]
    digest: str
    desired: State
    """What was declared near the targets' hostnames: what the proof afterwards expects."""

    @property
    def hosts(self) -> frozenset[str]:
        """The hostnames that the plan reads for, as when it was made."""
        sides = State((c.address, r) for c in self.changes for r in (c.before, c.after) if r is not None)
        targets = (target.url.removeprefix("https://").partition("/")[0] for target in self.targets)
        return frozenset((*hosts_of(sides), *targets))

    def on(self, actual: State) -> Plan:
        """The plan on the account as it is now. Raises Failure (refused) naming what moved since it was made."""
        now = {a: codec.standing(r) for a, r in relied_on(self.changes, actual, self.stack).items()}
        moved = sorted({a for a in now.keys() | self.relied_on.keys() if now.get(a) != self.relied_on.get(a)})
        if moved:
            raise Failure([_stale(self, moved, now)], Exit.REFUSED)
        desired = actual.put_all({change.address: change.after for change in self.changes})
        return Plan(self.stack, self.scope, actual, desired, self.changes, self.steps, (), self.promise)


def _stale(saved: Saved, moved: Sequence[Address], now: dict[Address, str]) -> Any:
    words = (f"    {a} {_moved(a, saved.relied_on, now)}" for a in moved)
    detail = "Since the plan was made, in the account:\n" + "\n".join(words)
    return STALE.found(detail, "Plan again, look at it, and apply that.")


def _moved(address: Address, then: dict[Address, str], now: dict[Address, str]) -> str:
    if address not in now:
        return "is gone"
    return "changed" if address in then else "appeared"


def relied_on(changes: Iterable[Change], actual: State, stack: str) -> State:
    """The part of the account that a plan depends on: what it changes, ours, and all that touches the same hosts."""
    from cf_mtls.planning.guard import known_hosts
    from cf_mtls.planning.ownership import is_ours

    listed = tuple(changes)
    hosts = known_hosts(actual, listed)
    touched = {host for change in listed for host in hosts_touched(change, hosts)}
    close = {a for host in touched for a in near(actual, host)}
    changed = {change.address for change in listed}
    return State((a, r) for a, r in actual.items() if a in close or a in changed or is_ours(r, stack))


def digest_of(plan: Plan) -> str:
    """A digest of everything that a plan does and relied on, 64 hex digits: what a reviewer approves."""
    return codec.digest(_sealed(plan))


def _sealed(plan: Plan) -> dict[str, Any]:
    relied = relied_on(plan.changes, plan.actual, plan.stack)
    return {
        "stack": plan.stack,
        "scope": {"kind": plan.scope.kind, "id": plan.scope.id},
        "relied_on": {str(a): codec.standing(r) for a, r in relied.items()},
        "changes": [_change(change) for change in plan.changes],
        "steps": [_step(step) for step in plan.steps],
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "address": str(change.address),
        "action": change.action.value,
        "before": codec.write(change.before),
        "after": codec.write(change.after),
        "attributes": list(change.attributes),
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "phase": step.phase.name.lower(),
        "address": str(step.address),
        "value": codec.write(step.value),
        "cause": str(step.cause),
        "wait": step.wait,
        "group": step.group,
    }


def as_json(plan: Plan, targets: Sequence[Target] = (), clients: Sequence[Client] = ()) -> dict[str, Any]:
    """The plan in Terraform's shape, ours under `cf_mtls`. targets and clients: for the proof afterwards."""
    return {
        "format_version": FORMAT,
        "complete": True,
        "applyable": not has_errors(plan.diagnostics) and not plan.is_empty,
        "errored": has_errors(plan.diagnostics),
        "resource_changes": [_resource_change(change) for change in plan.changes],
        "cf_mtls": {
            "schema": SCHEMA,
            "version": __version__,
            "digest": digest_of(plan),
            **_sealed(plan),
            "promise": {
                "requests": plan.promise.requests,
                "states": plan.promise.states,
                "is_kept": plan.promise.is_kept,
            },
            "targets": [
                {
                    "url": t.url,
                    "application": t.application,
                    "method": t.method,
                    "expect_status": t.expect_status,
                }
                for t in targets
            ],
            "clients": [
                {
                    "name": c.name,
                    "certificate": c.certificate,
                    "key": c.key,
                    "expected": c.expected.value if c.expected else None,
                    "passphrase_env": c.passphrase_env,
                    "passphrase_file": c.passphrase_file,
                }
                for c in clients
            ],
            "desired": {str(a): codec.write(r) for a, r in _near(plan.desired, targets).items()},
        },
    }


def _near(desired: State, targets: Iterable[Target]) -> State:
    """The part of a state that decides at some targets."""
    hosts = {concrete(host_of(target.url.partition("://")[2])) for target in targets}
    return State((a, r) for host in sorted(hosts) for a, r in near(desired, host).items())


def _resource_change(change: Change) -> dict[str, Any]:
    return {
        "address": f"{TYPES[change.address.kind]}.{json.dumps(change.address.key)}",
        "mode": "managed",
        "type": TYPES[change.address.kind],
        "name": change.address.key,
        "provider_name": PROVIDER,
        "change": {
            "actions": [change.action.value],
            "before": _for_policy_tools(change.before),
            "after": _for_policy_tools(change.after),
            "after_unknown": {} if change.before is not None or change.after is None else {"id": True},
            "before_sensitive": False if change.before is None else {},
            "after_sensitive": False if change.after is None else {},
        },
    }


def _for_policy_tools(resource: Resource | None) -> dict[str, Any] | None:
    """A resource under the provider's attribute names; fields that equal the server's default are left as they are."""
    match resource:
        case None:
            return None
        case CaCertificate():
            return {
                "name": resource.name,
                "associated_hostnames": list(resource.associated_hostnames),
                "certificate": resource.pem,
                "expires_on": codec.instant(resource.expires_on),
                "fingerprint": "MD5 Fingerprint=" + _colons(resource.fingerprints[0]),
                "sha256": resource.sha256,
                "id": resource.id,
            }
        case HostnameSettings():
            return {"settings": [codec.write(resource)]}
        case AccessApplication():
            raw = codec.write(resource) or {}
            return {
                **raw["fields"],
                **{k: v for k, v in raw.items() if k != "fields"},
                "domain": resource.domain,
            }
        case _:
            return dict(meaning(resource))


def _colons(digits: str) -> str:
    return ":".join(digits[i : i + 2] for i in range(0, len(digits), 2)).upper()


def text(made: dict[str, Any]) -> str:
    """The JSON as text: sorted, indented, a line break at the end."""
    return json.dumps(made, indent=2, sort_keys=True, ensure_ascii=True) + "\n"


def is_saved_plan(raw: bytes) -> bool:
    """Whether a file can only be a saved plan: plan files in YAML never begin with a brace."""
    return raw.lstrip()[:1] == b"{"


def load(raw: bytes, file: str, *, to_apply: bool = True) -> Saved:
    """A saved plan. Raises Failure when it is not one or was changed since.

    to_apply: also when it has nothing to do or was refused when it was made.
    """
    place = Place(file)
    try:
        found = _File.model_validate_json(raw)
        saved = _saved(found.cf_mtls)
    except (ValidationError, KeyError, ValueError, TypeError) as error:
        why = str(error).splitlines()[0][:200]
        raise Failure(
            [NOT_A_PLAN.found(f"{file}: {why}.", "Make it with:\n    cf-mtls plan --out", place)]
        ) from None
    ours = found.cf_mtls.model_dump(by_alias=True)
    sealed = {key: ours[key] for key in ("stack", "scope", "relied_on", "changes", "steps")}
    if codec.digest(sealed) != saved.digest:
        raise Failure(
            [CHANGED.found("Its digest is not that of its content.", "Plan again.", place)], Exit.REFUSED
        )
    if to_apply and not found.applyable:
        detail = "It has nothing to do, or something stood in its way."
        raise Failure([NOT_APPLYABLE.found(detail, "Plan again and read what it says.", place)], Exit.REFUSED)
    return saved


def _saved(ours: _Ours) -> Saved:
    if ours.schema_ != SCHEMA:
        message = f"its schema is {ours.schema_}, this program reads {SCHEMA}"
        raise ValueError(message)
    return Saved(
        ours.stack,
        Scope(ours.scope.kind, ours.scope.id),
        tuple(_read_change(change) for change in ours.changes),
        tuple(_read_step(step) for step in ours.steps),
        {codec.address(a): standing for a, standing in ours.relied_on.items()},
        Promise(**ours.promise),
        tuple(Target(**t.model_dump()) for t in ours.targets),
        tuple(map(_read_client, ours.clients)),
        ours.digest,
        State(_read_desired(ours.desired)),
    )


def _read_client(raw: _Client) -> Client:
    return Client(
        raw.name,
        raw.certificate,
        raw.key,
        Expected(raw.expected) if raw.expected else None,
        passphrase_env=raw.passphrase_env,
        passphrase_file=raw.passphrase_file,
    )


def _read_desired(raw: dict[str, dict[str, Any]]) -> Iterable[tuple[Address, Resource]]:
    for text_, value in raw.items():
        address = codec.address(text_)
        resource = codec.read(address.kind, value)
        if resource is not None:
            yield address, resource


def _read_change(raw: _Change) -> Change:
    address = codec.address(raw.address)
    before, after = codec.read(address.kind, raw.before), codec.read(address.kind, raw.after)
    return Change(address, Action(raw.action), before, after, tuple(raw.attributes))


def _read_step(raw: _Step) -> Step:
    address = codec.address(raw.address)
    value = codec.read(address.kind, raw.value)
    return Step(Phase[raw.phase.upper()], address, value, codec.address(raw.cause), raw.wait, raw.group)
