"""The edge half: from a request and what its TLS connection showed, to 200, 302, 401, 403, 421 or 530.

Rules of this file:
- The certificate is judged now, against the bundles the hostname trusts now; any one of them suffices.
- A refusal names the application in its headers and nowhere else; a pass reaches the origin.
- Headers that only the edge may set are taken off a client's request.

Source: facts: cloudflare-api 6; edge-and-probes 5, 6.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cf_mtls.emulator import policy, sessions
from cf_mtls.emulator.http import MARK, Answer, Request
from cf_mtls.emulator.peer import Demand, Peer
from cf_mtls.emulator.pem import common_names
from cf_mtls.emulator.policy import Asker
from cf_mtls.emulator.store import Record, new_hex
from cf_mtls.emulator.verdict import SUCCESS, Judgement, judge

if TYPE_CHECKING:
    from cf_mtls.emulator.minting import Signer
    from cf_mtls.emulator.origin import Origin
    from cf_mtls.emulator.registry import Registry, Trust
    from cf_mtls.emulator.world import World

_HTML = ("content-type", "text/html; charset=UTF-8")
_VERDICT_LIVES_S = 1.0
"""A verdict is kept no longer: certificates expire."""
_VERDICTS_KEPT = 4096
_EDGE_ONLY = ("cf-access-jwt-assertion", "cf-client-cert-der-base64", "cf-client-cert-sha256", "cf-ray",
              "cf-connecting-ip", "cf-visitor", "x-forwarded-proto", "cf-access-client-secret")  # fmt: skip


@dataclass(slots=True)
class Edge:
    """The edge of one world."""

    world: World
    signer: Signer
    origin: Origin
    _verdicts: OrderedDict[tuple[Any, ...], tuple[float, Judgement]] = field(default_factory=OrderedDict)

    @property
    def registry(self) -> Registry:
        """What the edge has been told."""
        return self.world.edge

    def demand(self, hostname: str) -> Demand:
        """What a hostname asks of its clients in the handshake."""
        trusted = self.registry.trust(hostname)
        if not trusted or not self.registry.proxied(hostname):
            return Demand()
        listed = self.bundle(hostname) if self.world.switches.on("list-ca-names") else ()
        return Demand(ask=True, authorities=listed, key=tuple(sorted(t.id for t in trusted)))

    def bundle(self, hostname: str) -> tuple[bytes, ...]:
        """Every certificate that a hostname trusts, as DER, without repeats."""
        return tuple(dict.fromkeys(der for trust in self.registry.trust(hostname) for der in trust.bundle))

    async def answer(self, request: Request, peer: Peer) -> Answer:
        """The answer to one request."""
        host = sessions.host_of(request.authority)
        if not host:
            return self._page(400, "error code: 400")
        if self._misdirected(host, peer):
            return self._page(421, "error code: 421")
        if host == self.team_domain:
            return self._team(request)
        proxied = self.registry.proxied(host)
        if proxied is None:
            return self._page(530, "error code: 1016")
        if not proxied:
            return await self.origin(request)
        if request.path == "/cdn-cgi/access/certs":
            return self._certs()
        return await self._access(request, peer, host)

    @property
    def team_domain(self) -> str:
        """The organization's domain, where logins and keys are."""
        return str(self.world.store.organization["auth_domain"])

    def _misdirected(self, host: str, peer: Peer) -> bool:
        """421 when the authority is not the SNI and either of them demands a certificate."""
        if host == peer.sni or not self.world.switches.on("misdirected"):
            return False
        return (
            self.demand(host).ask or peer.demand.ask or (peer.sni is not None and self.demand(peer.sni).ask)
        )

    # Access

    async def _access(self, request: Request, peer: Peer, host: str) -> Answer:
        path = policy.normal_path(request.path)
        order = self.world.switches.word("match-order")
        apps = [
            a for a in self.registry.tables["apps"].values() if a["type"] in {"self_hosted", "ssh", "vnc"}
        ]
        found = policy.find_app(apps, host, path, order)
        verdict = self.verdict(host, peer)
        if found is None:
            return await self._pass(request, peer, verdict)
        app, uri = found
        if request.header("cf-access-metadata-request") and request.method == "HEAD":
            return self._metadata(app, host)
        if policy.overridden(app, uri, path) or (app.get("options_preflight_bypass") and _preflight(request)):
            return await self._pass(request, peer, verdict)
        asker = self._asker(request, peer, app, verdict)
        return await self._judged(request, peer, app, asker, verdict)

    async def _judged(
        self, request: Request, peer: Peer, app: Record, asker: Asker, verdict: Judgement | None
    ) -> Answer:
        first = self.world.switches.on("certificate-before-login")
        groups = self.registry.tables["groups"]
        outcome = policy.decide(self._policies(app), groups, asker, certificate_first=first)
        match outcome.kind:
            case "bypass":
                return await self._pass(request, peer, verdict)
            case "origin":
                token = self._cookie(app, asker)
                answer = await self._pass(request, peer, verdict, token)
                return answer.with_headers(("set-cookie", sessions.set_cookie(app, token)))
            case "login":
                return self._login(request, app)
            case "deny":
                return self._denied(request, app, asker)

    def _policies(self, app: Record) -> list[Record]:
        known = self.registry.tables["policies"]
        return [known[link["id"]] for link in app["_policies"] if link["id"] in known]

    def _asker(self, request: Request, peer: Peer, app: Record, verdict: Judgement | None) -> Asker:
        valid = verdict is not None and verdict.ok
        counts = peer.leaf is not None and (valid or not self.world.switches.on("common-name-needs-valid"))
        return Asker(
            valid_certificate=valid,
            common_names=common_names(peer.leaf) if counts and peer.leaf else (),
            address=request.header("x-emulator-address") or peer.address,
            country=request.header("x-emulator-country"),
            email=sessions.identity(request, app, self.signer, self.world.clock.now()),
            service_token=sessions.service_token(request, app, self.registry.tables["service_tokens"]),
        )

    # Certificates

    def verdict(self, host: str, peer: Peer) -> Judgement | None:
        """Whether the client's certificate chains to a bundle of the hostname; None without either."""
        trusted = self.registry.trust(host)
        if peer.leaf is None or not trusted:
            return None
        if peer.verified is not None:
            return Judgement(ok=peer.verified == SUCCESS, reason=peer.verified.removeprefix("FAILED:"))
        judgements = [self._judged_by(trust, peer.leaf, peer.sent) for trust in trusted]
        return next((j for j in judgements if j.ok), judgements[-1])

    def _judged_by(self, trust: Trust, leaf: bytes, sent: tuple[bytes, ...]) -> Judgement:
        sent = sent if self.world.switches.on("use-sent-intermediates") else ()
        key = (trust.bundle, _digest(leaf), tuple(_digest(s) for s in sent))
        now = self.world.clock.now()
        at, judgement = self._verdicts.get(key, (-1e9, None))
        if judgement is None or not 0 <= now - at < _VERDICT_LIVES_S:
            judgement = judge(trust.bundle, leaf, sent, now)
            self._verdicts[key] = (now, judgement)
            if len(self._verdicts) > _VERDICTS_KEPT:
                self._verdicts.popitem(last=False)
        return judgement

    def _forwarded(self, host: str, peer: Peer, verdict: Judgement | None) -> tuple[tuple[str, str], ...]:
        """The certificate for the origin, when the hostname's settings say so (facts: cloudflare-api 6.4)."""
        switches = self.world.switches
        wanted = self.registry.settings(host).get("client_certificate_forwarding")
        if not wanted or peer.leaf is None or verdict is None:
            return ()
        if not verdict.ok and not switches.on("forward-unverified"):
            return ()
        if switches.word("forward-certificate") == "first" and peer.requests > 1:
            return ()
        text = base64.b64encode(peer.leaf).decode()
        digest = hashlib.sha256(peer.leaf).hexdigest()
        return (("cf-client-cert-der-base64", text), ("cf-client-cert-sha256", digest))

    # Answers

    async def _pass(
        self, request: Request, peer: Peer, verdict: Judgement | None, token: str | None = None
    ) -> Answer:
        host, ray = sessions.host_of(request.authority), self._ray()
        headers = [h for h in request.headers if h[0] not in _EDGE_ONLY]
        headers += [("cf-ray", ray), ("cf-connecting-ip", peer.address), ("x-forwarded-proto", "https")]
        if token is not None:
            headers.append(("cf-access-jwt-assertion", token))
        headers += self._forwarded(host, peer, verdict)
        answer = await self.origin(replace(request, headers=tuple(headers)))
        plain = tuple(h for h in answer.headers if h[0] not in {"server", "cf-ray"})
        return replace(answer, headers=(*plain, ("server", "cloudflare"), ("cf-ray", ray), MARK))

    def _page(
        self, status: int, text: str, *headers: tuple[str, str], ctype: tuple[str, str] = _HTML
    ) -> Answer:
        own = (ctype, ("server", "cloudflare"), ("cf-ray", self._ray()), MARK)
        return Answer(status, (*own, *headers), text.encode() + b"\n")

    def _named(self, request: Request, app: Record) -> tuple[tuple[str, str], ...]:
        """The headers that name an application."""
        domain = {
            "application": str(app.get("domain", "")),
            "hostname": sessions.host_of(request.authority) or "",
            "none": None,
        }[self.world.switches.word("access-domain")]
        tag = (("cf-access-aud", str(app["aud"])),)
        return tag if domain is None else (*tag, ("cf-access-domain", domain))

    def _denied(self, request: Request, app: Record, asker: Asker) -> Answer:
        url = app.get("custom_deny_url" if asker.email else "custom_non_identity_deny_url")
        named = self._named(request, app)
        if url and sessions.is_header_text(str(url)):
            return self._page(302, "", *named, ("location", str(url)))
        status = 401 if app.get("service_auth_401_redirect") and asker.email is None else 403
        word = "Forbidden" if status == 403 else "Unauthorized"
        page = f"<!DOCTYPE html><title>{word}</title><h1>{word}</h1>"
        return self._page(status, page, *named, ("cache-control", "private, no-store"))

    def _login(self, request: Request, app: Record) -> Answer:
        place = sessions.login_url(request, app, self.team_domain, self.signer, self.world.clock.now())
        host = sessions.host_of(request.authority)
        resource = f'Cloudflare-Access resource_metadata="https://{host}{sessions.PROTECTED_RESOURCE}"'
        named = self._named(request, app)
        return self._page(302, "", ("location", place), ("www-authenticate", resource), *named)

    def _cookie(self, app: Record, asker: Asker) -> str:
        return self.signer.sign(sessions.claims(app, asker, self.team_domain, self.world.clock.now()))

    def _metadata(self, app: Record, host: str) -> Answer:
        token = self.signer.sign(sessions.metadata(app, host, self.team_domain, self.world.clock.now()))
        return self._page(200, "", ("cf-access-metadata", token))

    def _certs(self) -> Answer:
        return self._page(200, json.dumps(self.signer.jwks), ctype=("content-type", "application/json"))

    def _team(self, request: Request) -> Answer:
        if request.path == "/cdn-cgi/access/certs":
            return self._certs()
        if request.path.startswith(sessions.LOGIN):
            return self._page(200, "<!DOCTYPE html><title>Sign in</title>Nobody can sign in here.")
        return self._page(404, "not found")

    def _ray(self) -> str:
        return f"{new_hex(self.world.random('rays'), 16)}-EMU"


def _digest(der: bytes) -> bytes:
    return hashlib.sha256(der).digest()


def _preflight(request: Request) -> bool:
    asks = request.header("origin") and request.header("access-control-request-method")
    return request.method == "OPTIONS" and bool(asks)
