"""The official SDK's typed resources, with strict response validation, do every operation there is.

Every write is also checked against the SDK's own parameter types, as the emulator logged it.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import cloudflare
import pytest
from cloudflare.types.zero_trust import access as t
from cloudflare.types.zero_trust.access import applications, certificates
from emulator_kit import HOST, PATH, Api, emulating
from pydantic import TypeAdapter, ValidationError

from cf_mtls.emulator.routes import ROUTES, routed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from emulator_kit import Pki

SCOPE = r"/client/v4/(accounts|zones)/[0-9a-f]{32}/access"
PARAMETERS: tuple[tuple[str, str, Any], ...] = (
    ("POST", "/certificates", t.certificate_create_params.CertificateCreateParams),
    ("PUT", "/certificates/settings", certificates.setting_update_params.SettingUpdateParams),
    ("PUT", "/certificates/[^/]+", t.certificate_update_params.CertificateUpdateParams),
    ("POST", "/apps", t.application_create_params.SelfHostedApplication),
    ("PUT", "/apps/[^/]+", t.application_update_params.SelfHostedApplication),
    ("POST", "/apps/[^/]+/policies", applications.policy_create_params.PolicyCreateParams),
    ("PUT", "/apps/[^/]+/policies/[^/]+", applications.policy_update_params.PolicyUpdateParams),
    ("POST", "/policies", t.policy_create_params.PolicyCreateParams),
    ("PUT", "/policies/[^/]+", t.policy_update_params.PolicyUpdateParams),
    ("POST", "/groups", t.group_create_params.GroupCreateParams),
    ("PUT", "/groups/[^/]+", t.group_update_params.GroupUpdateParams),
    ("POST", "/tags", t.tag_create_params.TagCreateParams),
    ("PUT", "/tags/[^/]+", t.tag_update_params.TagUpdateParams),
)
"""Every write with a body: method, path below `access`, the SDK's type of its body."""


LOOK_ALIKES: dict[str, Any] = {
    "mtls_certificates": [{"name": "byo", "ca": True, "certificates": "-----BEGIN CERTIFICATE-----",
                           "issuer": "CN=byo", "expires_on": "2030-01-01T00:00:00Z", "serial_number": "1",
                           "signature": "ECDSA-SHA256", "uploaded_on": "2026-01-01T00:00:00Z"}],
    "client_certificates": [{"zone": HOST, "status": "active", "common_name": "Cloudflare"}],
    "hostname_associations": [{"zone": HOST, "hostnames": ["api.jeann.net"]}],
}  # fmt: skip
UNTYPED = {"name", "decision", "include", "require", "exclude"}
"""Members that the endpoint of an application's policies needs and the SDK's type leaves out (facts 4.4)."""


def misfit(request: dict[str, Any]) -> str | None:
    """Why a logged write does not fit the SDK's parameter type, None when it does or has no body."""
    for method, path, wanted in PARAMETERS:
        if request["method"] == method and re.fullmatch(SCOPE + path, request["path"]):
            return _why_not(request["body"], wanted, UNTYPED if "apps/" in path else set())
    return None if request["body"] is None else f"no parameter type for {request['method']} {request['path']}"


def _why_not(body: Any, wanted: Any, more: set[str]) -> str | None:
    in_the_path = {"account_id": "x", "zone_id": "x", "app_id": "x"}
    try:
        TypeAdapter(wanted).validate_python(body | in_the_path)
    except ValidationError as error:
        return str(error)
    unknown = body.keys() - more - {k for kind in get_args(wanted) or [wanted] for k in get_type_hints(kind)}
    return f"unknown members {sorted(unknown)}" if unknown else None


class Sdk:
    """The typed client at one scope, and the raw API beside it."""

    def __init__(self, api: Api, scope: dict[str, str]) -> None:
        self.api, self.scope = api, scope
        self.client = cloudflare.Cloudflare(
            api_token=api.emulator.ready.token,
            base_url=api.emulator.ready.api_base_url,
            max_retries=0,
            _strict_response_validation=True,
        )
        self.access = self.client.zero_trust.access

    @property
    def zone(self) -> dict[str, str]:
        """What puts a loaded record into this scope."""
        return {} if "account_id" in self.scope else {"zone": HOST}


@contextmanager
def speaking(scope: str) -> Iterator[Sdk]:
    """The SDK at account or at zone scope; at the end every logged write must fit."""
    with emulating() as api:
        zone = api.result("GET", "//zones")[0]["id"]
        account = {"account_id": api.emulator.ready.account_id}
        sdk = Sdk(api, account if scope == "account" else {"zone_id": zone})
        try:
            yield sdk
        finally:
            sdk.client.close()
        log = api.manage("GET", "requests")
        assert [m for m in map(misfit, log) if m] == []


def do_certificates(sdk: Sdk, pki: Pki) -> None:
    """Create, list, get, update and delete a certificate; the PEM never comes back."""
    made = sdk.access.certificates.create(
        name="ca", certificate=pki.chain, associated_hostnames=[HOST], **sdk.scope
    )
    assert made is not None
    assert made.id
    assert (made.fingerprint or "").startswith("MD5 Fingerprint=")
    assert "certificate" not in made.to_dict()
    listed = list(sdk.access.certificates.list(**sdk.scope))
    assert [c.id for c in listed] == [made.id]
    assert (sdk.access.certificates.get(made.id, **sdk.scope) or made).name == "ca"
    changed = sdk.access.certificates.update(made.id, associated_hostnames=[], name="renamed", **sdk.scope)
    assert changed is not None
    assert changed.name == "renamed"
    gone = sdk.access.certificates.delete(made.id, **sdk.scope)
    assert gone is not None
    assert gone.id == made.id
    with pytest.raises(cloudflare.NotFoundError):
        sdk.access.certificates.get(made.id, **sdk.scope)


def do_hostname_settings(sdk: Sdk, pki: Pki) -> None:
    """Settings are put and read as pages of one."""
    entry = {"hostname": HOST, "client_certificate_forwarding": True, "china_network": False}
    put = sdk.access.certificates.settings.update(settings=[entry], **sdk.scope)  # type: ignore[list-item]
    assert [s.hostname for s in put] == [HOST]
    got = list(sdk.access.certificates.settings.get(**sdk.scope))
    assert [s.client_certificate_forwarding for s in got] == [True]


def do_applications(sdk: Sdk, pki: Pki) -> None:
    """An application with an inline policy: create, list by its query members, get, update, delete."""
    policy: Any = {"name": "p", "decision": "non_identity", "include": [{"certificate": {}}]}
    made: Any = sdk.access.applications.create(
        domain=HOST + PATH, type="self_hosted", name="georgetown", policies=[policy], **sdk.scope
    )
    assert made.policies[0].decision == "non_identity"
    assert len(made.aud) == 64
    for query in (
        {"name": "george"},
        {"domain": HOST + PATH, "exact": True},
        {"aud": made.aud},
        {"search": "penang"},
    ):
        assert [a.id for a in sdk.access.applications.list(**query, **sdk.scope)] == [made.id]  # type: ignore[arg-type]
    assert list(sdk.access.applications.list(name="george", exact=True, **sdk.scope)) == []
    got: Any = sdk.access.applications.get(made.id, **sdk.scope)
    assert got.name == "georgetown"
    changed: Any = sdk.access.applications.update(
        made.id, domain=HOST + PATH, type="self_hosted", name="renamed", **sdk.scope
    )
    assert (changed.name, len(changed.policies)) == ("renamed", 1)
    gone = sdk.access.applications.delete(made.id, **sdk.scope)
    assert gone is not None
    assert gone.id == made.id


def do_application_policies(sdk: Sdk, pki: Pki) -> None:
    """The policies of one application: create, list in order, get, update, delete."""
    app: Any = sdk.access.applications.create(domain=HOST, type="self_hosted", **sdk.scope)
    rules: Any = {"extra_body": {"name": "p", "decision": "non_identity", "include": [{"certificate": {}}]}}
    made = sdk.access.applications.policies.create(app.id, precedence=2, **rules, **sdk.scope)
    first = sdk.access.applications.policies.create(app.id, precedence=1, **rules, **sdk.scope)
    assert made is not None
    assert first is not None
    listed = list(sdk.access.applications.policies.list(app.id, **sdk.scope))
    assert [p.id for p in listed] == [first.id, made.id]
    got = sdk.access.applications.policies.get(made.id or "", app_id=app.id, **sdk.scope)
    assert got is not None
    assert got.precedence == 2
    changed = sdk.access.applications.policies.update(
        made.id or "", app_id=app.id, precedence=3, **rules, **sdk.scope
    )
    assert changed is not None
    assert changed.precedence == 3
    sdk.access.applications.policies.delete(made.id or "", app_id=app.id, **sdk.scope)
    assert [p.id for p in sdk.access.applications.policies.list(app.id, **sdk.scope)] == [first.id]


def do_groups(sdk: Sdk, pki: Pki) -> None:
    """Groups: create, list, get, update, delete."""
    made = sdk.access.groups.create(name="g", include=[{"certificate": {}}], **sdk.scope)
    assert made is not None
    assert made.id
    assert [g.id for g in sdk.access.groups.list(**sdk.scope)] == [made.id]
    assert (sdk.access.groups.get(made.id, **sdk.scope) or made).id == made.id
    rule: Any = {"common_name": {"common_name": "fleet"}}
    changed = sdk.access.groups.update(made.id, name="g2", include=[rule], **sdk.scope)
    assert changed is not None
    assert changed.name == "g2"
    sdk.access.groups.delete(made.id, **sdk.scope)
    assert list(sdk.access.groups.list(**sdk.scope)) == []


def do_what_only_an_account_has(sdk: Sdk, pki: Pki) -> None:
    """Reusable policies and tags: create, list, get, update, delete."""
    account = sdk.api.emulator.ready.account_id
    include: Any = [{"ip": {"ip": "127.0.0.1"}}]
    made = sdk.access.policies.create(account_id=account, name="p", decision="non_identity", include=include)
    assert made is not None
    assert made.id
    listed = list(sdk.access.policies.list(account_id=account))
    assert [(p.id, p.reusable) for p in listed] == [(made.id, True)]
    changed = sdk.access.policies.update(
        made.id, account_id=account, name="q", decision="bypass", include=include
    )
    assert changed is not None
    assert sdk.access.policies.get(made.id, account_id=account) is not None
    app: Any = sdk.access.applications.create(
        domain=HOST, type="self_hosted", policies=[made.id], account_id=account
    )
    assert [p.id for p in app.policies] == [made.id]
    with pytest.raises(cloudflare.ConflictError):
        sdk.access.policies.delete(made.id, account_id=account)
    sdk.access.applications.delete(app.id, account_id=account)
    sdk.access.policies.delete(made.id, account_id=account)
    tag = sdk.access.tags.create(account_id=account, name="blue")
    assert tag is not None
    assert [g.name for g in sdk.access.tags.list(account_id=account)] == ["blue"]
    assert (sdk.access.tags.update("blue", account_id=account, name="green") or tag).name == "green"
    assert sdk.access.tags.get("green", account_id=account) is not None
    sdk.access.tags.delete("green", account_id=account)
    assert list(sdk.access.tags.list(account_id=account)) == []


def do_what_is_only_read(sdk: Sdk, pki: Pki) -> None:
    """Tokens, zones, DNS records, organization, service tokens and the look-alikes can be read."""
    account = sdk.api.emulator.ready.account_id
    assert (sdk.client.user.tokens.verify() or object()).status == "active"  # type: ignore[attr-defined]
    assert (sdk.client.accounts.tokens.verify(account_id=account) or object()).status == "active"  # type: ignore[attr-defined]
    (zone,) = list(sdk.client.zones.list(name=HOST, account={"id": account}))
    assert (sdk.client.zones.get(zone_id=zone.id) or zone).plan.legacy_id == "enterprise"  # type: ignore[union-attr]
    records: Any = list(sdk.client.dns.records.list(zone_id=zone.id, name={"exact": HOST}))
    assert [(r.name, r.proxied) for r in records] == [(HOST, True)]
    organization = sdk.client.zero_trust.organizations.list(**sdk.scope)
    assert organization is not None
    assert organization.auth_domain == "rehearsal.cloudflareaccess.com"
    sdk.api.manage("POST", "state", LOOK_ALIKES | {"service_tokens": [{"name": "robot"} | sdk.zone]})
    (robot,) = list(sdk.access.service_tokens.list(**sdk.scope))
    assert (sdk.access.service_tokens.get(robot.id or "", **sdk.scope) or robot).name == "robot"
    assert [a.id for a in sdk.client.accounts.list()] == [account]
    assert (sdk.client.accounts.get(account_id=account) or object()).name == "Rehearsal"  # type: ignore[attr-defined]
    assert list(sdk.client.zero_trust.identity_providers.list(**sdk.scope)) == []
    (own,) = list(sdk.client.mtls_certificates.list(account_id=account))
    assert (sdk.client.mtls_certificates.get(own.id or "", account_id=account) or own).name == "byo"
    assert [c.status for c in sdk.client.client_certificates.list(zone_id=zone.id)] == ["active"]
    assert list(sdk.client.origin_tls_client_auth.zone_certificates.list(zone_id=zone.id)) == []
    hosts = sdk.client.certificate_authorities.hostname_associations.get(zone_id=zone.id)
    assert hosts is not None
    assert hosts.hostnames == ["api.jeann.net"]


OPERATIONS = (
    do_certificates, do_hostname_settings, do_applications, do_application_policies, do_groups,
    do_what_only_an_account_has, do_what_is_only_read,
)  # fmt: skip


@pytest.mark.parametrize("scope", ["account", "zone"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.__name__)
def test_the_sdk_can(operation: Callable[[Sdk, Pki], None], scope: str, pki: Pki) -> None:
    """The typed resources are satisfied with every answer, and every write fits their parameter types."""
    with speaking(scope) as sdk:
        operation(sdk, pki)


def test_nothing_is_left_out(pki: Pki) -> None:
    """The operations above meet every route of the emulator."""
    seen = set()
    with speaking("account") as sdk:
        for operation in OPERATIONS:
            operation(sdk, pki)
            for entry in sdk.api.manage("GET", "requests"):
                found = routed(entry["method"], entry["path"].removeprefix("/client/v4"))
                seen.add((found[0].method, found[0].path) if found else None)
            sdk.api.manage("POST", "reset")
    assert {(r.method, r.path) for r in ROUTES} - seen == set()


def test_strict_validation_can_fail(pki: Pki) -> None:
    """An answer of the wrong shape is noticed by the SDK, so that its silence means something."""
    with speaking("account") as sdk:
        sdk.api.certificate(pki)
        wrong = {"do": "edit", "table": "certificates", "set": {"name": {"not": "a name"}}}
        sdk.api.manage("POST", "faults", wrong)
        list(sdk.access.certificates.list(**sdk.scope))  # whoever edits does it after this answer
        with pytest.raises(cloudflare.APIResponseValidationError):
            list(sdk.access.certificates.list(**sdk.scope))


def test_the_parameter_check_can_fail() -> None:
    """A write that the SDK's types do not allow is noticed, so that silence means something."""
    path = f"/client/v4/accounts/{'0' * 32}/access/certificates"
    assert misfit({"method": "POST", "path": path, "body": {"name": 1, "certificate": "x"}})
    assert misfit({"method": "POST", "path": path, "body": {"name": "x"}})
    assert misfit(
        {"method": "POST", "path": path, "body": {"name": "x", "certificate": "y", "hostnames": []}}
    )
    assert misfit({"method": "POST", "path": path, "body": {"name": "x", "certificate": "y"}}) is None


def test_every_route_with_a_body_has_a_parameter_type() -> None:
    """A new write route cannot stay outside the check."""
    writes = {(r.method, re.sub(r"\{\w+\}", "x", r.path)) for r in ROUTES if r.method in {"POST", "PUT"}}
    known = {
        (m, p)
        for m, p in writes
        for method, path, _ in PARAMETERS
        if m == method and re.fullmatch("/x/access" + path, p)
    }
    assert writes == known
