"""A plan as JSON: Terraform's shape for policy tools, ours beside it for `apply`.

Rules of this file:
- The same plan is the same text, byte for byte: sorted keys, sorted lists, no times.
- Under the digest is everything that is written but the digest itself and the version of the program: what a reviewer
  approves is what a plan was made from, what it does and what it relied on.
- Terraform's part holds Terraform's members and no others; ours go under `cf_mtls`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cf_mtls import __version__
from cf_mtls.model.frozen import thaw
from cf_mtls.model.resources import AccessApplication, CaCertificate, HostnameSettings, Kind
from cf_mtls.planning import codec
from cf_mtls.planning.canon import meaning
from cf_mtls.planning.reliance import relied_on
from cf_mtls.planning.saved import Saved, applied_by, near_targets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cf_mtls.model.plan import Change, Plan, Step
    from cf_mtls.model.resources import AccessPolicy, Address, Resource, Rule

FORMAT = "1.2"
SCHEMA = 3

TYPES = {
    Kind.CERTIFICATE: "cloudflare_zero_trust_access_mtls_certificate",
    Kind.SETTINGS: "cloudflare_zero_trust_access_mtls_hostname_settings",
    Kind.APPLICATION: "cloudflare_zero_trust_access_application",
}
"""The Terraform provider's names, so that policy tools know what they read."""

PROVIDER = "cloudflare/cloudflare"
"""The provider that those types belong to."""


def digest_of(plan: Plan) -> str:
    """A digest of everything that a plan was made from, does and relied on, 64 hex digits: what a reviewer approves."""
    return saved_of(plan).digest


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan in Terraform's shape, ours under `cf_mtls`."""
    return written(saved_of(plan))


def saved_of(plan: Plan) -> Saved:
    """A plan as it is saved."""
    made = Saved(
        plan.stack,
        plan.scope,
        plan.inputs,
        plan.changes,
        plan.steps,
        {a: codec.standing(r) for a, r in relied_on(plan.changes, plan.actual, plan.stack).items()},
        plan.promise,
        near_targets(plan.desired, plan.inputs.targets),
        applied_by(plan),
        plan.left_out,
        tuple(sorted({d.code.code for d in plan.diagnostics if d.is_error})),
        __version__,
    )
    return replace(made, digest=codec.digest(sealed(made)))


def sealed(saved: Saved) -> dict[str, Any]:
    """What the digest of a saved plan is over."""
    return {
        "stack": saved.stack,
        "scope": codec.write(saved.scope),
        "declared": _state(saved.inputs.declared),
        **{name: codec.write(getattr(saved.inputs, name)) for name in INPUTS},
        "relied_on": codec.write(saved.relied_on),
        "changes": [_change(change) for change in saved.changes],
        "steps": [_step(step) for step in saved.steps],
        "promise": codec.write(saved.promise),
        "desired": _state(saved.desired),
        "applied": _state(saved.applied),
        "left_out": codec.write(saved.left_out),
        "refused": codec.write(saved.refused),
    }


INPUTS = ("hosts", "allowed", "clients", "targets", "shown", "beside", "is_destroy", "removed", "asked")
"""What a plan was made from, besides the declared state."""


def _state(state: Mapping[Address, Resource]) -> dict[str, Any]:
    return {str(address): codec.write(resource) for address, resource in state.items()}


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


def written(saved: Saved) -> dict[str, Any]:
    """A saved plan's JSON, all of it."""
    return {
        "format_version": FORMAT,
        "complete": not saved.left_out,
        "applyable": bool(saved.changes) and not saved.refused,
        "errored": bool(saved.refused),
        "resource_changes": [_resource_change(change) for change in saved.changes],
        "cf_mtls": {
            "schema": SCHEMA,
            "version": saved.version,
            "digest": saved.digest,
            **sealed(saved),
        },
    }


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
    """A resource under the provider's attribute names, and no others."""
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
                "id": resource.id,
            }
        case HostnameSettings():
            return {"settings": [codec.write(resource)]}
        case AccessApplication():
            return {
                **thaw(resource.fields),
                "type": resource.fields.get("type") or "self_hosted",
                "name": resource.name,
                "domain": resource.domain,
                "destinations": [thaw(d) for d in resource.destinations],
                "policies": [_policy(p, place) for place, p in enumerate(resource.policies, start=1)],
                "id": resource.id,
            }
        case _:
            return dict(meaning(resource))


def _policy(policy: AccessPolicy, precedence: int) -> dict[str, Any]:
    parts = {part: _rules(getattr(policy, part)) for part in ("include", "require", "exclude")}
    shown = {"id": policy.id, "name": policy.name, "decision": policy.decision, "precedence": precedence}
    return {**thaw(policy.fields), **shown, **parts}


def _rules(rules: tuple[Rule, ...]) -> list[dict[str, Any]]:
    return [{rule.kind: thaw(rule.value)} for rule in rules]


def _colons(digits: str) -> str:
    return ":".join(digits[i : i + 2] for i in range(0, len(digits), 2)).upper()


def text(made: dict[str, Any]) -> str:
    """The JSON as text: sorted, indented, a line break at the end."""
    return json.dumps(made, indent=2, sort_keys=True, ensure_ascii=True) + "\n"
