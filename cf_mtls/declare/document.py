"""The shape of a plan file, version 1: the border where text becomes typed.

Rules of this file:
- Everything Cloudflare-shaped keeps Cloudflare's name.
- Unknown keys are refused; what a field may hold is said by its type, what it is for by its description.
- Nothing is looked up here: files, certificates and the account come later.
"""

from __future__ import annotations

import re
from datetime import date  # noqa: TC003 - pydantic reads the annotation
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
)

LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_DNS_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_HOSTNAME = re.compile(rf"(?:\*[a-z0-9-]*\.)?(?:{_DNS_LABEL}\.)+{_DNS_LABEL}")
ID32 = re.compile(r"[0-9a-f]{32}")

RULE_KINDS = frozenset({
    "any_valid_service_token", "auth_context", "auth_method", "azureAD", "certificate",
    "cloudflare_account_member", "common_name", "device_posture", "email", "email_domain", "email_list",
    "everyone", "external_evaluation", "geo", "github-organization", "group", "gsuite", "ip", "ip_list",
    "linked_app_token", "login_method", "oidc", "okta", "saml", "service_token", "user_risk_score",
})  # fmt: skip
"""The selectors of a policy: facts 4.4."""


def _id32(value: str) -> str:
    if not ID32.fullmatch(value):
        message = "must be 32 hexadecimal characters, as the dashboard shows it"
        raise ValueError(message)
    return value


def _hostname(value: str) -> str:
    host = value.lower().rstrip(".")
    if "://" in value or "/" in value or ":" in value:
        message = "must be a plain hostname, without scheme, port or path"
        raise ValueError(message)
    if len(host) > 253 or not _HOSTNAME.fullmatch(host):
        message = "is not a hostname (an international name is written in its xn-- form)"
        raise ValueError(message)
    return host


def _domain(value: str) -> str:
    host, slash, path = value.partition("/")
    if "://" in value or "?" in value or "#" in value:
        message = "must be host/path, without scheme, query or fragment"
        raise ValueError(message)
    path = path.rstrip("/")  # the account knows host/path/ and host/path as one
    return _hostname(host) + (slash + path if path else "")


def _text(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        message = f"{value} is a number here; put it in quotes"
        raise ValueError(message)
    return value


def _label(value: str) -> str:
    if not LABEL.fullmatch(value):
        message = "may hold a-z, 0-9 and inner hyphens"
        raise ValueError(message)
    return value


def _rule(value: Any) -> Any:
    if not isinstance(value, dict) or len(value) != 1:
        message = "must be one selector, such as {certificate: {}} or {common_name: fleet}"
        raise ValueError(message)
    kind, inner = next(iter(value.items()))
    if kind not in RULE_KINDS:
        from difflib import get_close_matches

        near = get_close_matches(kind, RULE_KINDS, 1)
        message = f"{kind} is not a selector of Access" + (f"; did you mean {near[0]}?" if near else "")
        raise ValueError(message)
    return {kind: _expanded(kind, inner)}


_SHORT = {
    "auth_method": "auth_method",
    "common_name": "common_name",
    "email": "email",
    "email_domain": "domain",
    "geo": "country_code",
    "group": "id",
    "ip": "ip",
    "service_token": "token_id",
}
"""Selectors that may be written as one text, and the member it stands for."""


def _expanded(kind: str, inner: Any) -> Any:
    if isinstance(inner, str) and kind in _SHORT:
        return {_SHORT[kind]: inner}
    if inner is None:
        return {}
    if not isinstance(inner, dict):
        message = f"the value of {kind} must be a mapping, as the API has it"
        raise ValueError(message)
    return inner


Text = Annotated[str, BeforeValidator(_text), StringConstraints(min_length=1)]
Label = Annotated[str, BeforeValidator(_text), AfterValidator(_label)]
Id32 = Annotated[str, BeforeValidator(_text), AfterValidator(_id32)]
Hostname = Annotated[str, BeforeValidator(_text), AfterValidator(_hostname)]
Domain = Annotated[str, BeforeValidator(_text), AfterValidator(_domain)]
RuleDocument = Annotated[dict[str, Any], BeforeValidator(_rule)]


class Strict(BaseModel):
    """A mapping in the file: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ChainDocument(Strict):
    """One CA chain of a group, with the day after which it should be gone."""

    file: Text = Field(
        description="PEM file with root and intermediates, in any order; relative to this file."
    )
    until: Annotated[date | None, Field(strict=False)] = Field(
        default=None, description="After this day plan and drift say that it is overdue for removal."
    )
    id: Text | None = Field(default=None, description="As of the group, when its chain is a list.")


PIN = "The id of what is in the account already: pinned, it is managed in place and keeps its name."


class CertificateDocument(Strict):
    """Trust: a named group of CA chains on a set of hostnames."""

    chain: Text | Annotated[list[Text | ChainDocument], Field(min_length=1)] = Field(
        description="PEM file with root and intermediates, or, while a CA is rotated, a list of them."
    )
    associated_hostnames: list[Hostname] = Field(
        description="Hostnames on which a client is asked for a certificate of this CA.", min_length=1
    )
    id: Text | None = Field(default=None, description=PIN)


class SettingsDocument(Strict):
    """What the edge does with a verified certificate on one hostname."""

    client_certificate_forwarding: bool = Field(
        default=False, description="Pass the client certificate to the origin in headers."
    )
    china_network: bool = Field(default=False, description="Only for zones on the China network.")


class PolicyDocument(Strict):
    """A policy of an application, in its place in the list."""

    name: Text = Field(description="Shown in the dashboard.")
    decision: Literal["allow", "deny", "non_identity", "bypass"] = Field(
        default="non_identity",
        description="non_identity is what the dashboard calls Service Auth, deny is Block.",
    )
    include: list[RuleDocument] = Field(min_length=1, description="OR: at least one must match.")
    require: list[RuleDocument] = Field(default=[], description="AND: all must match.")
    exclude: list[RuleDocument] = Field(default=[], description="NOT: none may match.")
    session_duration: Text | None = Field(default=None, description="Such as 30m or 24h.")


class PolicyReference(Strict):
    """A reusable policy of the account, attached by its id."""

    id: Text = Field(description="The id of a reusable policy; its rules are managed elsewhere.")


def _policy_shape(value: Any) -> str:
    """A mapping with an id is a reference, everything else should be a policy."""
    return "reference" if isinstance(value, dict) and "id" in value else "policy"


AnyPolicy = Annotated[
    Annotated[PolicyDocument, Tag("policy")] | Annotated[PolicyReference, Tag("reference")],
    Discriminator(_policy_shape),
]


class ProbeDocument(Strict):
    """What verify asks for when the plain path will not do."""

    path: Annotated[str, StringConstraints(pattern=r"^/")] | None = Field(
        default=None, description="The path to ask for."
    )
    method: Literal["GET", "HEAD", "OPTIONS", "POST"] = Field(
        default="GET", description="The method to ask with."
    )
    expect_status: Annotated[int, Field(ge=100, le=599)] | None = Field(
        default=None, description="The origin's status; without it any answer of the origin is right."
    )


class ApplicationDocument(Strict):
    """An Access application and its policies."""

    domain: Domain | None = Field(
        default=None, description="host or host/path; the address of the application."
    )
    domains: Annotated[list[Domain], Field(min_length=1, max_length=5)] | None = Field(
        default=None, description="Several of them, at most five; the first is the address."
    )
    name: Text | None = Field(
        default=None, description="Shown in the dashboard; the key in this file when absent."
    )
    id: Text | None = Field(default=None, description=PIN)
    policies: list[AnyPolicy] | None = Field(
        default=None,
        description="In order. Absent: one Service Auth policy that includes any valid certificate.",
    )
    probe: ProbeDocument | None = Field(default=None, description="How verify asks for it.")
    session_duration: Text | None = Field(default=None, description="Such as 24h.")
    allowed_idps: list[Text] | None = Field(default=None, description="Identity providers; none means all.")
    tags: list[Text] | None = Field(default=None, description="Access tags; each must exist.")
    app_launcher_visible: bool | None = None
    auto_redirect_to_identity: bool | None = None
    allow_authenticate_via_warp: bool | None = None
    enable_binding_cookie: bool | None = None
    http_only_cookie_attribute: bool | None = None
    path_cookie_attribute: bool | None = None
    same_site_cookie_attribute: Literal["none", "lax", "strict"] | None = None
    service_auth_401_redirect: bool | None = Field(
        default=None, description="Refuse with 401 in place of 403."
    )
    skip_interstitial: bool | None = None
    options_preflight_bypass: bool | None = None
    custom_deny_message: Text | None = None
    custom_deny_url: Text | None = None
    custom_non_identity_deny_url: Text | None = None
    custom_pages: list[Text] | None = None
    cors_headers: dict[str, Any] | None = None
    logo_url: Text | None = None
    read_service_tokens_from_header: Text | None = None


PASSED_ON = frozenset(ApplicationDocument.model_fields) - {
    "domain",
    "domains",
    "id",
    "name",
    "policies",
    "probe",
}
"""The members of an application that go to Cloudflare as they are, when declared."""


class ClientDocument(Strict):
    """Who verify sends: paths of PEM files, never key material."""

    certificate: Text = Field(description="PEM file with the client certificate, intermediates after it.")
    key: Text = Field(description="PEM file with its private key.")
    expect: Literal["allowed", "refused"] = Field(
        default="allowed", description="What must happen to this client."
    )


class WaiverDocument(Strict):
    """A difference that is known: drift checks report it without an alarm until its day has passed."""

    address: Text = Field(description="As drift shows it, such as application/jeann.net.")
    reason: Text = Field(description="Why it may stay for now.")
    owner: Text = Field(description="Who answers for it.")
    until: Annotated[date, Field(strict=False)] = Field(description="The last day on which it holds.")
    finding: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")] | None = Field(
        default=None, description="The digest of the only difference it covers, as drift shows it."
    )


class Document(Strict):
    """One stack in one scope."""

    version: Literal[1] = Field(description="The version of this format.")
    stack: Label = Field(description="The ownership mark, unique in the account.", max_length=63)
    account_id: Id32 | None = Field(default=None, description="Or zone_id, or CLOUDFLARE_ACCOUNT_ID.")
    zone_id: Id32 | None = Field(default=None, description="Or account_id, or CLOUDFLARE_ZONE_ID.")
    certificates: dict[Label, CertificateDocument] = Field(
        default={}, description="CA chains by a name of yours."
    )
    hostname_settings: dict[Hostname, SettingsDocument] = Field(default={}, description="By hostname.")
    applications: dict[Label, ApplicationDocument] = Field(default={}, description="By a name of yours.")
    clients: dict[Label, ClientDocument] = Field(default={}, description="By a name of yours.")
    waivers: list[WaiverDocument] = Field(default=[], description="Differences that are known.")
