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
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

from cf_mtls.declare.application_document import ApplicationDocument  # noqa: TC001 - pydantic reads the annotation
from cf_mtls.declare.values import (
    HEX32,
    HEX64,
    PIN,
    UNKNOWN,
    UUID,
    Fingerprint,
    Hostname,
    Id32,
    Label,
    Sha256,
    Strict,
    TargetUrl,
    Text,
)

Demand = Literal["allowed", "refused"]
"""What a plan file may demand for a client."""


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
    sha256: Sha256 | None = Field(
        default=None, description="As of the group, when its chain is a list.", examples=[HEX64]
    )


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
    sha256: Sha256 | None = Field(
        default=None,
        description="SHA-256 of the bundle that stands in the account, as import writes it beside an id: "
        "the chain file must not become another.",
        examples=[HEX64],
    )
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
        if self.sha256 and not isinstance(self.chain, str):
            message = "the chain is a list, so sha256 belongs to one of its items: {file: …, sha256: …}"
            raise ValueError(message)
        if self.chain == UNKNOWN and self.sha256:
            message = "sha256 stands beside a chain file; of a chain that is unknown nobody has it"
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


def _demand_shape(value: Any) -> str:
    return "urls" if isinstance(value, dict) else "word"


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
    expect: (
        Annotated[
            Annotated[Demand, Tag("word")] | Annotated[dict[TargetUrl, Demand], Tag("urls")],
            Discriminator(_demand_shape),
        ]
        | None
    ) = Field(
        default=None,
        description="What must happen to this client, everywhere or by URL; where absent, the policies say it.",
        examples=["allowed", {"https://api.example.com/partners": "refused"}],
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
        description="The digest of the only difference it covers, as drift shows it; needed for all that could let "
        "somebody in.",
        examples=["5ec3a1b2c4d5"],
    )


class RemovedDocument(Strict):
    """An imported thing that left the file: it carries no mark, so its id says what becomes of it."""

    id: Text = Field(description="The id of a CA or an application in the account.", examples=[UUID])
    destroy: bool = Field(
        description="true: it is deleted, in order and through the gates. false: it stays and is no longer managed.",
        examples=[True],
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
    removed: list[RemovedDocument] = Field(
        default=[],
        description="Ids that were pinned here and are to be retired or forgotten.",
        examples=[[{"id": UUID, "destroy": True}]],
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
