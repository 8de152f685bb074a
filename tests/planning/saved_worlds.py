"""Plans as they are saved: random accounts and files whose values could stand in a plan file, with real bundles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from random import Random

from cf_mtls.declare.clients import shown_of
from cf_mtls.model.frozen import freeze_object
from cf_mtls.model.marks import certificate_name
from cf_mtls.model.people import Client, Expected, Shown, Target
from cf_mtls.model.plan import NOTHING, Allowed, Inputs, Plan, Step
from cf_mtls.model.resources import (
    AccessApplication,
    AccessGroup,
    Address,
    CaCertificate,
    Contents,
    HostnameSettings,
    Kind,
    Resource,
    Scope,
    host_of,
    public,
)
from cf_mtls.model.state import State
from cf_mtls.pki.authority import Authority, root
from cf_mtls.pki.pem import Chain, read_certificates
from cf_mtls.planning.admission import People
from cf_mtls.planning.planfile import as_json, text
from cf_mtls.workflow import planned
from tests.planning.worlds import CAS, a_world, edited

SCOPE = Scope("account", "0123456789abcdef0123456789abcdef")
NOW = datetime.now(UTC)


class Everything(frozenset[str]):
    """Every URL was typed."""

    def __contains__(self, _: object) -> bool:
        return True


@cache
def chains() -> dict[str, Chain]:
    """A bundle for each CA of the worlds."""
    return {key: ca.chain for key, ca in authorities().items()}


@cache
def authorities() -> dict[str, Authority]:
    """The CAs of the worlds."""
    return {key: root(f"CA {key}", now=NOW) for key in CAS}


@cache
def client(key: str) -> Shown:
    """What a client of one of them shows, named x."""
    leaf, *_ = read_certificates(authorities()[key].issue("x", now=NOW).certificate_pem.encode("ascii"))[0]
    return shown_of(leaf, (), NOW)


def host(name: str) -> str:
    """A host of the worlds as one that can be declared: `*.net` is none."""
    return name.replace(".net", ".x.net")


def declared(world: State) -> State:
    """A world as a plan file would declare it."""
    return State(filter(None, (_declared(r) for r in world.values())))


def _declared(resource: Resource) -> tuple[Address, Resource] | None:
    match resource:
        case CaCertificate():
            chain = chains()[resource.fingerprints[0]]
            hosts = tuple(map(host, resource.associated_hostnames))
            ca = CaCertificate(
                certificate_name("ca", chain.sha256, "s"),
                hosts,
                chain.md5s,
                chain.expirations,
                chain.sha256,
                chain.pem,
                contents=Contents.KNOWN,
            )
            return (Address(Kind.CERTIFICATE, chain.sha256), ca) if hosts else None
        case HostnameSettings():
            moved = replace(resource, hostname=host(resource.hostname))
            return Address(Kind.SETTINGS, moved.hostname), moved
        case AccessApplication():
            app = replace(resource, destinations=tuple(public(host(d)) for d in resource.domains))
            return Address(Kind.APPLICATION, app.domain), app
        case _:
            return None


def account(world: State) -> State:
    """A world as the account shows it once it was applied: ids, one MD5, no PEM."""
    seen = {a: r for a, r in world.items() if isinstance(r, AccessGroup)}
    for address, resource in declared(world).items():
        if isinstance(resource, CaCertificate):
            id_ = f"id-{resource.fingerprints[0][:4]}"
            seen[Address(Kind.CERTIFICATE, id_)] = replace(  # type: ignore[assignment]
                resource,
                sha256=None,
                pem=None,
                id=id_,
                contents=Contents.UNKNOWN,
            )
        elif isinstance(resource, AccessApplication):
            seen[address] = replace(resource, id=f"id-{address.key}")  # type: ignore[assignment]
        else:
            seen[address] = resource  # type: ignore[assignment]
    return State(seen)


def inputs_for(state: State, allowed: Allowed) -> Inputs:
    """Everything else that a file with this declared state says: two clients, a target for each domain."""
    domains = [d for _, app in state.of(AccessApplication) for d in app.domains]
    trust = [(a, ca) for a, ca in state.of(CaCertificate)]
    hosts = frozenset((*map(host_of, domains), *(h for _, ca in trust for h in ca.associated_hostnames)))
    targets = tuple(Target(f"https://{d if '/' in d else d + '/'}", "app") for d in domains)
    clients = (
        Client("jean", "certs/jean.pem", "certs/jean.key"),
        Client("mary", "certs/mary.p12", None, Expected.ALLOWED, passphrase_env="MARY"),
        Client("out", "certs/out.pem", "certs/out.key", Expected.REFUSED),
    )
    return Inputs(state, hosts, allowed, clients, targets, {"jean": client(CAS[0]), "out": client(CAS[1])})


def made_from(actual: State, inputs: Inputs) -> Plan:
    """The plan that such a file comes to."""
    people = People(inputs.clients, inputs.targets, inputs.shown, NOW)
    return replace(planned("s", SCOPE, inputs.declared, actual, inputs.allowed, people), inputs=inputs)


def free(actual: State, wanted: State) -> Allowed:
    """Everything allowed that a plan needs, word by word."""
    hosts = {
        h for a in (actual, wanted) for _, app in a.of(AccessApplication) for h in map(host_of, app.domains)
    }
    shut = frozenset(h.replace("*", "cf-mtls-anything") for h in hosts | {host("a.net"), host("b.net")})
    inputs = inputs_for(wanted, NOTHING)
    lost = frozenset(f"{c.name}@{t.url}" for c in inputs.clients for t in inputs.targets)
    allowed = Allowed(lockout=shut | lost, weaken=Everything(), delete=99, unproven=shut)
    ways = made_from(actual, replace(inputs, allowed=allowed)).doors
    return replace(allowed, weaken=frozenset(w.url for w in ways if w.is_weaker))


def a_plan(seed: int | str, *, edits: int = 3, allowed: Allowed | None = None) -> Plan:
    """A plan between random states that may be applied and changes something.

    allowed: what was typed; None for everything that it needs.
    """
    for attempt in range(200):
        random = Random(f"{seed}/{attempt}")
        world = a_world(random)
        actual, wanted = account(world), declared(edited(random, world, edits))
        made = made_from(actual, inputs_for(wanted, allowed or free(actual, wanted)))
        if not made.is_empty and not any(d.is_error for d in made.diagnostics):
            return made
    raise AssertionError("no plan to save")


def saved(made: Plan) -> bytes:
    """The bytes of its file."""
    return text(as_json(made)).encode()


def done(actual: State, steps: Iterable[Step]) -> State:
    """The account as it shows itself once these steps were done: what was made has an id, no PEM is shown."""
    found = dict(actual)
    homes: dict[Address, Address] = {}
    for step in steps:
        address = homes.get(step.address, step.address)
        value = step.value
        if isinstance(value, CaCertificate):
            id_ = value.id or f"new-{value.fingerprints[0][:4]}"
            value = replace(
                value,
                fingerprints=value.fingerprints[:1],
                expirations=value.expirations[:1],
                sha256=None,
                pem=None,
                id=id_,
                contents=Contents.UNKNOWN,
            )
            homes[step.address] = address = Address(Kind.CERTIFICATE, id_)
        elif isinstance(value, AccessApplication):
            said = {"session_duration": "24h", "type": "self_hosted", **dict(value.fields)}
            value = replace(value, id=value.id or f"new-{address.key}", fields=freeze_object(said))
        found.pop(address, None)
        if value is not None and value != HostnameSettings(address.key):
            found[address] = value
    return State(found)
