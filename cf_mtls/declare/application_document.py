"""The shape of the applications in a plan file, version 1.

Rules of this file:
- As of `document`: Cloudflare's names, unknown keys refused, every field with a description and an example.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag

from cf_mtls.declare.values import PIN, UUID, Domain, RuleDocument, Strict, Text


def _switch(description: str, *, example: bool = True) -> Any:
    return Field(default=None, description=description, examples=[example])


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
