"""Real bundles and clients for tests of planning: as a file declares them, and as an account shows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from cf_mtls.declare.clients import shown_by
from cf_mtls.model.marks import certificate_name
from cf_mtls.model.people import Client, Expect, Shown, Target
from cf_mtls.model.plan import NOTHING, Allowed, Plan
from cf_mtls.model.resources import Address, CaCertificate, Contents, Kind, Resource, Scope
from cf_mtls.model.state import State
from cf_mtls.pki.authority import Authority, root
from cf_mtls.pki.identity import Identity
from cf_mtls.pki.pem import Certificate, Chain, read_chain
from cf_mtls.planning.admission import People
from cf_mtls.workflow import planned
from tests.planning.things import app_at

NOW = datetime.now(UTC)
SCOPE = Scope("account", "0123456789abcdef0123456789abcdef")

OLD, NEW = root("Old Root", now=NOW), root("New Root", now=NOW)
TOP = root("Family Root", now=NOW)
ONE, TWO = TOP.intermediate("Issuing One", now=NOW), TOP.intermediate("Issuing Two", now=NOW)
RENEWED = root("Old Root", now=NOW + timedelta(minutes=1), key=OLD.key)


def sending(identity: Identity, *issuers: Authority) -> Identity:
    """The client with what it sends along."""
    return replace(identity, sent=tuple(a.certificate for a in issuers))


JEAN, MARY = OLD.issue("jean", now=NOW), NEW.issue("mary", now=NOW)
LEFT = OLD.issue(
    "left", now=NOW - timedelta(days=9), not_before=NOW - timedelta(days=9), not_after=NOW - timedelta(days=2)
)
OF_ONE, OF_TWO = ONE.issue("one", now=NOW), TWO.issue("two", now=NOW)


def bundle(*authorities: Authority) -> Chain:
    """The chain of these CAs' own certificates."""
    certificates: Iterable[Certificate] = (a.certificate for a in authorities)
    chain, _ = read_chain("".join(c.pem for c in certificates).encode("ascii"))
    assert chain is not None
    return chain


@dataclass(frozen=True)
class Ca:
    """A CA by its bundle: declared in an entry, or in the account."""

    chain: Chain
    hosts: tuple[str, ...] = ("a.net",)
    entry: str = "fleet"
    stack: str | None = "s"

    def declared(self) -> tuple[Address, CaCertificate]:
        name = certificate_name(self.entry, self.chain.sha256, "s")
        made = CaCertificate(
            name, self.hosts, self.chain.md5s, self.chain.expirations, self.chain.sha256, self.chain.pem,
            contents=Contents.KNOWN,
        )  # fmt: skip
        return Address(Kind.CERTIFICATE, self.chain.sha256), made

    @property
    def there(self) -> tuple[Address, CaCertificate]:
        """As the account shows it: one MD5, one expiry, no PEM."""
        name = certificate_name(self.entry, self.chain.sha256, self.stack or "s")
        made = CaCertificate(
            name if self.stack else "by hand", self.hosts, self.chain.md5s[:1], self.chain.expirations[:1],
            id=self.id,
        )  # fmt: skip
        return Address(Kind.CERTIFICATE, self.id), made

    @property
    def id(self) -> str:
        return f"id-{self.chain.sha256[:6]}"


def there(*cas: Ca, **apps: Resource) -> State:
    """An account: CAs, and applications by any name."""
    return State(
        [*(ca.there for ca in cas), *((app_at(a.domain), replace(a, id="a")) for a in apps.values())]
    )  # type: ignore[union-attr, call-arg]


@dataclass(frozen=True)
class Who:
    """A declared client."""

    identity: Identity | None
    expect: Expect = None
    is_here: bool = True


@dataclass
class File:
    """A plan file: its CAs, applications, clients, and the bundles that lie beside it."""

    cas: tuple[Ca, ...] = ()
    apps: tuple[Resource, ...] = ()
    clients: dict[str, Who] = field(default_factory=dict)
    urls: tuple[str, ...] = ("https://a.net/",)
    beside: tuple[Chain, ...] = (bundle(OLD), bundle(NEW), bundle(ONE, TWO, TOP), bundle(ONE, TOP))

    @property
    def people(self) -> People:
        clients = tuple(
            Client(name, f"{name}.pem", f"{name}.key", who.expect, who.is_here)
            for name, who in self.clients.items()
        )
        shown: dict[str, Shown] = {
            name: shown_by(who.identity, NOW) for name, who in self.clients.items() if who.identity
        }
        targets = tuple(Target(url, "a") for url in self.urls)
        return People(clients, targets, shown, NOW, beside=tuple(chain.pem for chain in self.beside))

    @property
    def state(self) -> State:
        apps = ((app_at(a.domain), a) for a in self.apps)  # type: ignore[union-attr]
        return State([*(ca.declared() for ca in self.cas), *apps])

    def plan(self, actual: State, allowed: Allowed = NOTHING) -> Plan:
        """The plan of this file on an account; deleting is allowed."""
        return planned("s", SCOPE, self.state, actual, replace(allowed, delete=9), self.people)


def found(made: Plan, *codes: str) -> list[tuple[str, str]]:
    """Code and detail of every diagnostic, or of those codes alone."""
    return [(d.code.code, d.detail) for d in made.diagnostics if not codes or d.code.code in codes]


def flags(made: Plan) -> list[str]:
    """What each error says must be typed, '' when nothing helps."""
    fixes = (d.fix for d in made.diagnostics if d.is_error)
    return sorted(fix.rpartition("\n    ")[2] if "\n    --" in fix else "" for fix in fixes)
