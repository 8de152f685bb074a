"""What the tests of proofs stand on: a plan of many policy shapes, applied to an emulator that can be broken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from OpenSSL import SSL

from cf_mtls import proving, workflow
from cf_mtls.declare.resolve import Stack
from cf_mtls.emulator import contexts
from cf_mtls.emulator.edge import Edge
from cf_mtls.emulator.http import Answer, Request
from cf_mtls.emulator.peer import Peer
from cf_mtls.emulator.server import Options, Running
from cf_mtls.model.evidence import Verdict
from cf_mtls.pki.authority import Authority
from cf_mtls.pki.identity import Identity
from cf_mtls.verify import proofs
from cf_mtls.verify.ca_keys import authorities
from cf_mtls.verify.connect import ConnectTo, parse
from cf_mtls.verify.curl_probe import CurlWitness
from cf_mtls.verify.httpx_probe import HttpxWitness
from cf_mtls.verify.wallet import Wallet, open_all

PLAN = """\
version: 1
stack: shapes
certificates:
  fleet:
    chain: chain.pem
    associated_hostnames: [jeann.net, api.jeann.net]
applications:
  plain: {domain: jeann.net/plain}
  pinned:
    domain: api.jeann.net
    policies:
      - {name: fleet, include: [{certificate: {}}], require: [{common_name: fleet}]}
  staff:
    domain: jeann.net/staff
    policies:
      - {name: staff, decision: allow, include: [{email_domain: example.com}], require: [{certificate: {}}]}
  unauthorized:
    domain: jeann.net/unauthorized
    service_auth_401_redirect: true
  elsewhere:
    domain: jeann.net/elsewhere
    custom_non_identity_deny_url: https://denied.example/
  open:
    domain: jeann.net/open
    policies:
      - {name: everyone, decision: bypass, include: [{everyone: {}}]}
clients:
  jean: {certificate: jean.pem, key: jean.key}
  fleet: {certificate: fleet.pem, key: fleet.key}
"""

QUICK = {"association-delay": 0.0, "settings-delay": 0.0, "detach-delay": 0.0, "app-delay": 0.0}

Broken = Callable[[Edge, Request, Peer], Awaitable[Answer]]


@dataclass(frozen=True)
class Stage:
    """An emulator to which the plan was applied."""

    running: Running
    stack: Stack
    wallet: Wallet
    folder: Path

    @property
    def mappings(self) -> tuple[ConnectTo, ...]:
        return (parse(f"::{self.running.ready.edge}"),)

    def httpx(self, **more: Any) -> HttpxWitness:
        return HttpxWitness(self.mappings, self.running.ready.edge_ca, **more)

    def curl(self, binary: str) -> CurlWitness:
        return CurlWitness(binary, (f"::{self.running.ready.edge}",), self.running.ready.edge_ca)

    def subject(self, *urls: str, chosen: frozenset[int] = proofs.ALL) -> proving.Subject:
        """What is to be proven at these URLs, at all when none is named."""
        targets = [t for t in self.stack.targets if not urls or t.url in urls]
        cas = authorities([self.folder], self.stack.state)
        now = datetime.now(UTC)
        return proving.subject(targets, self.wallet, self.stack.state, now, chosen, authorities=cas)

    def verdicts(self, *urls: str) -> tuple[Verdict, ...]:
        """The verdicts of httpx."""
        return proving.verify(self.subject(*urls), self.httpx())

    @contextmanager
    def broken(self, how: Broken) -> Iterator[None]:
        """The edge, answering as `how` does."""
        emulator = self.running.emulator

        async def answer(request: Request, peer: Peer) -> Answer:
            return await how(emulator.edge, request, peer)

        right = emulator.host._answer
        emulator.host._answer = answer
        try:
            yield
        finally:
            emulator.host._answer = right


def write(folder: Path, clients: Authority, *named: Identity) -> Path:
    """The plan and its files; the path of the plan."""
    (folder / "plan.yaml").write_text(PLAN, "utf-8")
    (folder / "chain.pem").write_text(clients.chain.pem, "ascii")
    (folder / "ca.key").write_text(clients.key_pem, "ascii")
    for identity in named:
        (name,) = identity.certificate.common_names
        (folder / f"{name}.pem").write_text(identity.certificate_pem, "ascii")
        (folder / f"{name}.key").write_text(identity.key_pem, "ascii")
    return folder / "plan.yaml"


def options() -> Options:
    """An emulator that is quick."""
    return Options(switches=dict(QUICK))


def apply(running: Running, plan: Path) -> Stage:
    """The stage, once everything of the plan stands."""
    ready = running.ready
    stack = workflow.validate(plan, datetime.now(UTC))
    account = workflow.Account(ready.token, ready.api_base_url, ready.account_id)
    workflow.apply(workflow.plan(stack, account), account, workflow.Hooks())
    return Stage(running, stack, open_all(stack.clients, lambda _: None), plan.parent)


async def let_in(edge: Edge, request: Request, peer: Peer) -> Answer:
    """What the origin answers, whoever asks."""
    return await edge._pass(request, peer, None)


class Resuming(contexts.Contexts):
    """TLS contexts that keep sessions, all hostnames together: what CVE-2025-23419 was about."""

    def _context(self, names: object, demand: contexts.Demand) -> SSL.Context:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_session_id(b"shared")
        context.set_alpn_select_callback(contexts._select)
        context.use_certificate(self._mint.leaf(list(names)))  # type: ignore[call-overload]
        context.use_privatekey(self._mint.leaf_key)
        if demand.ask:
            context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_CLIENT_ONCE, contexts._accept)
        return context


@contextmanager
def resuming(stage: Stage) -> Iterator[None]:
    """The edge, resuming sessions of every hostname on every other."""
    host, emulator = stage.running.emulator.host, stage.running.emulator
    right = host.contexts
    host.contexts = Resuming(emulator.mint, emulator.edge.demand, emulator._certificate_name)
    try:
        yield
    finally:
        host.contexts = right
