"""A plan as JSON: Terraform's shape for policy tools, ours beside it for `apply`.

Rules of this file:
- The same plan is the same text, byte for byte: sorted keys, sorted lists, no times.
- What is sealed by the digest is what a reviewer approves: everything that is done and relied on.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cf_mtls import __version__
from cf_mtls.access.reach import concrete
from cf_mtls.access.scene import near
from cf_mtls.diagnostics import has_errors
from cf_mtls.model.resources import AccessApplication, CaCertificate, HostnameSettings, Kind, host_of
from cf_mtls.model.state import State
from cf_mtls.planning import codec
from cf_mtls.planning.canon import meaning
from cf_mtls.planning.reliance import relied_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cf_mtls.model.people import Client, Target
    from cf_mtls.model.plan import Change, Plan, Step
    from cf_mtls.model.resources import Resource

FORMAT = "1.2"
SCHEMA = 1
SEALED = ("stack", "scope", "relied_on", "changes", "steps")
"""The members that the digest is over."""

TYPES = {
    Kind.CERTIFICATE: "cloudflare_zero_trust_access_mtls_certificate",
    Kind.SETTINGS: "cloudflare_zero_trust_access_mtls_hostname_settings",
    Kind.APPLICATION: "cloudflare_zero_trust_access_application",
}
"""The Terraform provider's names, so that policy tools know what they read."""

PROVIDER = "cloudflare/cloudflare"
"""The provider that those types belong to."""


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
                    "expect": _demands(c),
                    "passphrase_env": c.passphrase_env,
                    "passphrase_file": c.passphrase_file,
                }
                for c in clients
            ],
            "desired": {str(a): codec.write(r) for a, r in _near(plan.desired, targets).items()},
        },
    }


def _demands(client: Client) -> dict[str, str] | str | None:
    if isinstance(client.expect, tuple):
        return {url: expected.value for url, expected in client.expect}
    return client.expect.value if client.expect else None


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
