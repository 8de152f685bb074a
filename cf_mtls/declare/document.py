"""The shape of a plan file, version 1: the border where text becomes typed.

Rules of this file:
- Everything Cloudflare-shaped keeps Cloudflare's name.
- Unknown keys are refused; what a field may hold is said by its type, what it is for by its description,
  what it looks like by its example.
- Nothing is looked up here: files, certificates and the account come later.
"""

from __future__ import annotations

from datetime import date  # noqa: TC003 - pydantic reads the annotation
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

from cf_mtls.declare.values import (
    HEX32,
    UNKNOWN,
    UUID,
    Domain,
    Fingerprint,
    Hostname,
    Id32,
    Label,
    RuleDocument,
    Text,
)


def _switch(description: str, *, example: bool = True) -> Any:
    return Field(default=None, description=description, examples=[example])


class Strict(BaseModel):
    """A mapping in the file: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ChainDocument(Strict):
    """One CA chain of a group, with the day after which it should be gone."""

    file: Text = Field(
        description="PEM file with root and intermediates, in any order; relative to this file.",
        examples=["certs/fleet-2026.pem"],
    )
    until: Annotated[date | None, Field(strict=False)] = Field(
        default=None,
        description="After this day plan and drift say that it is overdue for removal.",
        examples=["2027-01-31"],
    )
    id: Text | None = Field(
        default=None, description="As of the group, when its chain is a list.", examples=[UUID]
    )


PIN = "The id of what is in the account already: pinned, it is managed in place and keeps its name."


class CertificateDocument(Strict):
    """Trust: a named group of CA chains on a set of hostnames."""

    chain: Text | Annotated[list[Text | ChainDocument], Field(min_length=1)] = Field(
        description="PEM file with root and intermediates, or, while a CA is rotated, a list of them. "
        "unknown: the CA is in the account and nobody has its PEM; only its hostnames are managed.",
        examples=["certs/fleet.pem", UNKNOWN],
    )
    associated_hostnames: list[Hostname] = Field(
        description="Hostnames on which a client is asked for a certificate of this CA.",
        min_length=1,
        examples=[["api.example.com"]],
    )
    id: Text | None = Field(default=None, description=PIN, examples=[UUID])
    fingerprint: Fingerprint | None = Field(
        default=None,
        description="Only beside `chain: unknown`: the MD5 fingerprint by which the account names the CA.",
        examples=["2c1e800fd0f24c02b1a7a3d8c0d5ee11"],
    )
    expires_on: Annotated[AwareDatetime | None, Field(strict=False)] = Field(
        default=None,
        description="Only beside `chain: unknown`: when the CA ends, as the account shows it.",
        examples=["2031-01-31T00:00:00Z"],
    )

    @model_validator(mode="after")
    def _whole(self) -> CertificateDocument:
        recorded = (self.fingerprint, self.expires_on)
        if self.chain == UNKNOWN and None in (self.id, *recorded):
            message = "a chain that is unknown needs id, fingerprint and expires_on, as import writes them"
            raise ValueError(message)
        if self.chain != UNKNOWN and recorded != (None, None):
            message = "fingerprint and expires_on stand only beside `chain: unknown`; the PEM says both"
            raise ValueError(message)
        return self


class SettingsDocument(Strict):
    """What the edge does with a verified certificate on one hostname."""

    client_certificate_forwarding: bool = Field(
        default=False, description="Pass the client certificate to the origin in headers.", examples=[True]
    )
    china_network: bool = Field(
        default=False, description="Only for zones on the China network.", examples=[False]
    )


ANY_CERTIFICATE: dict[str, Any] = {"certificate": {}}


class PolicyDocument(Strict):
    """A policy of an application, in its place in the list."""

    name: Text = Field(description="Shown in the dashboard.", examples=["partners only"])
    decision: Literal["allow", "deny", "non_identity", "bypass"] = Field(
        default="non_identity",
        description="non_identity is what the dashboard calls Service Auth, deny is Block.",
        examples=["non_identity"],
    )
    include: list[RuleDocument] = Field(
        min_length=1, description="OR: at least one must match.", examples=[[ANY_CERTIFICATE]]
    )
    require: list[RuleDocument] = Field(
        default=[], description="AND: all must match.", examples=[[{"common_name": "fleet"}]]
    )
    exclude: list[RuleDocument] = Field(
        default=[], description="NOT: none may match.", examples=[[{"ip": "192.0.2.0/24"}]]
    )
    session_duration: Text | None = Field(default=None, description="Such as 30m or 24h.", examples=["30m"])


class PolicyReference(Strict):
    """A reusable policy of the account, attached by its id."""

    id: Text = Field(
        description="The id of a reusable policy; its rules are managed elsewhere.", examples=[UUID]
    )


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
        default=None, description="The path to ask for.", examples=["/health"]
    )
    method: Literal["GET", "HEAD", "OPTIONS", "POST"] = Field(
        default="GET", description="The method to ask with.", examples=["HEAD"]
    )
    expect_status: Annotated[int, Field(ge=100, le=599)] | None = Field(
        default=None,
        description="The origin's status; without it any answer of the origin is right.",
        examples=[204],
    )


class ApplicationDocument(Strict):
    """An Access application and its policies."""

    domain: Domain | None = Field(
        default=None,
        description="host or host/path; the address of the application.",
        examples=["api.example.com/partners"],
    )
    domains: Annotated[list[Domain], Field(min_length=1, max_length=5)] | None = Field(
        default=None,
        description="Several of them, at most five; the first is the address.",
        examples=[["api.example.com/v1", "api.example.com/v2"]],
    )
    name: Text | None = Field(
        default=None,
        description="Shown in the dashboard; the key in this file when absent.",
        examples=["Partner API"],
    )
    id: Text | None = Field(default=None, description=PIN, examples=[UUID])
    policies: list[AnyPolicy] | None = Field(
        default=None,
        description="In order. Absent: one Service Auth policy that includes any valid certificate.",
        examples=[[{"name": "partners only", "include": [{"certificate": {}}]}]],
    )
    probe: ProbeDocument | None = Field(
        default=None, description="How verify asks for it.", examples=[{"path": "/health"}]
    )
    session_duration: Text | None = Field(
        default=None, description="How long a login lasts.", examples=["24h"]
    )
    allowed_idps: list[Text] | None = Field(
        default=None, description="Identity providers; none means all.", examples=[[UUID]]
    )
    tags: list[Text] | None = Field(
        default=None, description="Access tags; each must exist.", examples=[["partners"]]
    )
    app_launcher_visible: bool | None = _switch("Show it in the App Launcher.", example=False)
    auto_redirect_to_identity: bool | None = _switch("Skip the choice when there is one identity provider.")
    allow_authenticate_via_warp: bool | None = _switch("Let a WARP session stand in for a login.")
    enable_binding_cookie: bool | None = _switch("Bind the session's cookie to the device.")
    http_only_cookie_attribute: bool | None = _switch("Keep the session's cookie from scripts.")
    path_cookie_attribute: bool | None = _switch("Limit the session's cookie to the application's path.")
    same_site_cookie_attribute: Literal["none", "lax", "strict"] | None = Field(
        default=None, description="SameSite of the session's cookie.", examples=["strict"]
    )
    service_auth_401_redirect: bool | None = _switch("Refuse with 401 in place of 403.")
    skip_interstitial: bool | None = _switch("Let cloudflared log in without a page in between.")
    options_preflight_bypass: bool | None = _switch("Let OPTIONS requests through to the origin.")
    custom_deny_message: Text | None = Field(
        default=None, description="Shown to whoever is refused.", examples=["Ask the partner desk."]
    )
    custom_deny_url: Text | None = Field(
        default=None,
        description="Where somebody refused after a login is sent.",
        examples=["https://example.com/no"],
    )
    custom_non_identity_deny_url: Text | None = Field(
        default=None,
        description="Where somebody refused without a login is sent.",
        examples=["https://example.com/no"],
    )
    custom_pages: list[Text] | None = Field(
        default=None, description="Ids of custom pages.", examples=[[UUID]]
    )
    cors_headers: dict[str, Any] | None = Field(
        default=None,
        description="CORS, as the API has it.",
        examples=[{"allowed_origins": ["https://example.com"]}],
    )
    logo_url: Text | None = Field(
        default=None, description="Shown in the App Launcher.", examples=["https://example.com/logo.png"]
    )
    read_service_tokens_from_header: Text | None = Field(
        default=None, description="The header that carries a service token.", examples=["Authorization"]
    )


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
    """Who verify sends: paths of files, never key material and never a passphrase."""

    certificate: Text = Field(
        description="PEM file with the client certificate, intermediates after it; or PKCS#12 (.p12, .pfx).",
        examples=["certs/client.pem"],
    )
    key: Text | None = Field(
        default=None,
        description="PEM file with its private key; absent when the certificate's file holds it.",
        examples=["certs/client.key"],
    )
    passphrase_env: Text | None = Field(
        default=None,
        description="Environment variable that holds the passphrase of an encrypted key.",
        examples=["CLIENT_PASSPHRASE"],
    )
    passphrase_file: Text | None = Field(
        default=None,
        description="File whose first line is that passphrase; relative to this file.",
        examples=["certs/client.passphrase"],
    )
    expect: Literal["allowed", "refused"] | None = Field(
        default=None,
        description="What must happen to this client; absent, the policies say it, URL by URL.",
        examples=["allowed"],
    )


class WaiverDocument(Strict):
    """A difference that is known: drift checks report it without an alarm until its day has passed."""

    address: Text = Field(
        description="As drift shows it, such as application/jeann.net.", examples=["application/jeann.net"]
    )
    reason: Text = Field(description="Why it may stay for now.", examples=["the partner migrates in January"])
    owner: Text = Field(description="Who answers for it.", examples=["platform team"])
    until: Annotated[date, Field(strict=False)] = Field(
        description="The last day on which it holds.", examples=["2027-01-31"]
    )
    finding: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")] | None = Field(
        default=None,
        description="The digest of the only difference it covers, as drift shows it.",
        examples=["5ec3a1b2c4d5"],
    )


class Document(Strict):
    """One stack in one scope."""

    version: Literal[1] = Field(description="The version of this format.", examples=[1])
    stack: Label = Field(
        description="The ownership mark, unique in the account.", max_length=63, examples=["partner-api"]
    )
    account_id: Id32 | None = Field(
        default=None, description="Or zone_id, or CLOUDFLARE_ACCOUNT_ID.", examples=[HEX32]
    )
    zone_id: Id32 | None = Field(
        default=None, description="Or account_id, or CLOUDFLARE_ZONE_ID.", examples=[HEX32]
    )
    certificates: dict[Label, CertificateDocument] = Field(
        default={},
        description="CA chains by a name of yours.",
        examples=[{"fleet": {"chain": "certs/fleet.pem", "associated_hostnames": ["api.example.com"]}}],
    )
    hostname_settings: dict[Hostname, SettingsDocument] = Field(
        default={},
        description="By hostname.",
        examples=[{"api.example.com": {"client_certificate_forwarding": True}}],
    )
    applications: dict[Label, ApplicationDocument] = Field(
        default={},
        description="By a name of yours.",
        examples=[{"partner-api": {"domain": "api.example.com/partners"}}],
    )
    clients: dict[Label, ClientDocument] = Field(
        default={},
        description="By a name of yours.",
        examples=[{"fleet": {"certificate": "certs/client.pem", "key": "certs/client.key"}}],
    )
    waivers: list[WaiverDocument] = Field(
        default=[],
        description="Differences that are known.",
        examples=[
            [
                {
                    "address": "application/jeann.net",
                    "reason": "the partner migrates in January",
                    "owner": "platform team",
                    "until": "2027-01-31",
                }
            ]
        ],
    )
