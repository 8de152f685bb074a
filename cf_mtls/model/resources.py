"""The nouns of the account: `Scope`, `Address`, and the kinds of resource.

Rules of this file:
- Frozen values; collections that get written down are sorted tuples, never sets.
- Cloudflare's field names are used as they are.
- A resource holds what it *is*; what of it is managed is decided by `planning/`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Literal, TypeAlias

from cf_mtls.model.frozen import EMPTY, Frozen, Record
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Scope:
    """Where things live: an account or a zone, tagged, never guessed from the id."""

    kind: Literal["account", "zone"]
    id: str

    def __str__(self) -> str:
        """`account:<id>`."""
        return f"{self.kind}:{self.id}"

    @property
    def path(self) -> str:
        """The API path prefix, such as `/accounts/<id>`."""
        return f"/{self.kind}s/{self.id}"


class Kind(StrEnum):
    """The kinds of resource; the value is the first half of an address."""

    CERTIFICATE = "certificate"
    SETTINGS = "settings"
    APPLICATION = "application"
    POLICY = "policy"
    GROUP = "group"


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Kind and natural key of one thing: a declared CA's SHA-256, a hostname, an application's first domain.

    A CA of the account, and one whose PEM nobody has, is addressed by its id: decision 0002.
    """

    kind: Kind
    key: str

    def __str__(self) -> str:
        """`kind/key`, as typed in `--adopt` and `--target`."""
        return f"{self.kind}/{self.key}"


class Contents(StrEnum):
    """How well it is known which certificates a CA of the account holds; the account never shows them: facts 1.3."""

    KNOWN = "known"
    """Uploaded by this program: its name holds the digits of the whole bundle, and MD5 and expiry agree."""
    RECORDED = "recorded"
    """Somebody else's upload, with a chain file beside its id or its mark: recorded, not proven."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CaCertificate:
    """A CA bundle in Access, trusted on its hostnames. The API never returns the PEM: facts 1.3."""

    name: str
    associated_hostnames: tuple[str, ...]
    """Lower case, sorted."""
    fingerprints: tuple[str, ...]
    """MD5 in lower-case hex: of every block when declared, the one Cloudflare returned when actual."""
    expirations: tuple[datetime, ...]
    """Aware UTC, one per fingerprint."""
    sha256: str | None = None
    """Over the set of its certificates; None while the account's object is known only by its MD5."""
    pem: str | None = None
    """Set for known and recorded contents."""
    id: str | None = None
    elsewhere: str | None = None
    """The other scope that it lives in, such as `zone:…`; None when it is the plan's own."""
    contents: Contents = Contents.UNKNOWN

    @property
    def expires_on(self) -> datetime:
        """The earliest end of validity, UTC."""
        return min(self.expirations)


@dataclass(frozen=True, slots=True)
class HostnameSettings:
    """What the edge does with a verified certificate on one hostname; both false equals absent: facts 2."""

    hostname: str
    client_certificate_forwarding: bool = False
    china_network: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One selector of a policy, such as `Rule("common_name", …)`: facts 4.4."""

    kind: str
    value: Frozen = EMPTY


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """A policy in an application, in its place: include is OR, require is AND, exclude is NOT: facts 4.5."""

    name: str
    decision: str
    include: tuple[Rule, ...]
    require: tuple[Rule, ...] = ()
    exclude: tuple[Rule, ...] = ()
    fields: Record = EMPTY
    """Every other member that the account returned or the file declares, Cloudflare's names."""
    id: str | None = None
    reusable: bool = False


GUARDS_NOTHING = frozenset({"bookmark", "saas", "dash_sso", "app_launcher", "warp", "biso", "infrastructure"})
"""Types of applications behind whose URL the origin stands open: second look 2.1. One that is not known decides."""


@dataclass(frozen=True, slots=True)
class AccessApplication:
    """A self-hosted Access application: destinations, policies in order, and all other settings."""

    name: str
    destinations: tuple[Record, ...]
    """`{type: public, uri: host/path}` and others as the API gives them, in order."""
    policies: tuple[AccessPolicy, ...]
    fields: Record = EMPTY
    """Every other member that the account returned or the file declares, Cloudflare's names."""
    id: str | None = None
    elsewhere: str | None = None
    """As of a CA."""

    @property
    def domains(self) -> tuple[str, ...]:
        """The `host/path` of each public destination, in order."""
        uris = (d.get("uri") for d in self.destinations if d.get("type") == "public")
        return tuple(uri for uri in uris if isinstance(uri, str))

    @property
    def guarded(self) -> tuple[str, ...]:
        """The domains at which it decides: none of a type that guards no URL, whatever its policies say."""
        return () if self.fields.get("type") in GUARDS_NOTHING else self.domains

    @property
    def domain(self) -> str:
        """The first domain: the application's address. Empty for an application without a public one."""
        return next(iter(self.domains), "")


@dataclass(frozen=True, slots=True)
class AccessGroup:
    """A group of rules that policies refer to. Only read, never managed."""

    name: str
    include: tuple[Rule, ...]
    require: tuple[Rule, ...]
    exclude: tuple[Rule, ...]
    id: str


Resource: TypeAlias = CaCertificate | HostnameSettings | AccessApplication | AccessPolicy | AccessGroup
"""An `AccessPolicy` stands in a state of its own only when it is reusable. Policies and groups are only read."""


def public(uri: str) -> Record:
    """The destination that Cloudflare makes of a plain domain."""
    return Record((("type", "public"), ("uri", uri)))


def host_of(domain: str) -> str:
    """The hostname of an application's `host/path`, lower case."""
    return domain.split("/", 1)[0].lower()


def path_of(domain: str) -> str:
    """The path of an application's `host/path` with its leading slash; '' when it covers the whole host."""
    _, slash, path = domain.partition("/")
    return slash + path if path else ""


def hosts_on(resource: Resource) -> frozenset[str]:
    """The hostnames that a resource is about, wildcards among them; none for a policy or a group."""
    match resource:
        case CaCertificate():
            return frozenset(resource.associated_hostnames)
        case AccessApplication():
            return frozenset(map(host_of, resource.domains))
        case HostnameSettings():
            return frozenset({resource.hostname})
        case _:
            return frozenset()
