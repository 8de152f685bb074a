"""The API half: from a request to an envelope, with the faults that strike on the way.

Rules of this file:
- Faults are picked once a request, when its head has been read, so that they replay.
- Every request below the base path is in the log, with the status it got or would have got.
- A private key in a body is never kept.

Source: facts: cloudflare-api 7.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cf_mtls.emulator import answers, mischief
from cf_mtls.emulator.bodies import parsed
from cf_mtls.emulator.http import MARK, Answer, Cut, Request
from cf_mtls.emulator.routes import BASE, Route, known, routed
from cf_mtls.emulator.store import Scope, new_hex
from cf_mtls.emulator.tokens import Token, caller
from cf_mtls.emulator.world import Call

if TYPE_CHECKING:
    from cf_mtls.emulator.faults import Faults, Rule
    from cf_mtls.emulator.rates import Rates
    from cf_mtls.emulator.world import World

_LOGGED_BODY = 64 * 1024
_NOBODY = Token("nobody", "", frozenset())


@dataclass(slots=True)
class Api:
    """The API of one world; one `Conversation` a connection speaks to it."""

    world: World
    faults: Faults
    rates: Rates

    def handle(self, request: Request, mood: frozenset[str]) -> tuple[Answer, Token]:
        """The answer, faults apart, and who asked."""
        verifying = request.path.endswith("/tokens/verify")
        token = _NOBODY
        try:
            token = caller(request, self.world.tokens, self.world.switches, verifying=verifying)
            refusal = self.rates.count(token.name)
            if refusal is not None:
                return refusal, token
            return self._routed(request, token, mood), token
        except answers.ApiError as error:
            return error.answer(), token

    def _routed(self, request: Request, token: Token, mood: frozenset[str]) -> Answer:
        path = request.path.removeprefix(BASE)
        found = routed(request.method, path)
        if found is None:
            if known(path):
                raise answers.no_method()
            raise answers.no_route(self.world.switches.number("no-route-status"), path[:200])
        route, names = found
        mine = self.world.store.scope
        scope = Scope(names.get("kind", mine.kind), names.get("scope", mine.id))
        self._guard(route, scope, token)
        body = parsed(request.body) if request.method in {"POST", "PUT", "PATCH"} else None
        return route.handler(Call(self.world, token, scope, names, request.query, body, mood))

    def _guard(self, route: Route, scope: Scope, token: Token) -> None:
        store, switches = self.world.store, self.world.switches
        is_zone = scope.kind == "zones"
        if scope != store.scope and not (is_zone and scope.id in store["zones"]):
            raise answers.wrong_scope()
        within = (
            {str(scope), str(store.scope)}
            if is_zone and not route.path.startswith("/{scope}")
            else {str(scope)}
        )
        if token.scopes and not token.scopes & within and route.permission:
            raise answers.wrong_scope()
        if route.permission and not token.may(route.permission):
            raise answers.no_permission(switches.number("permission-code"), route.permission)
        if "/access/" in route.path and not switches.on("access-enabled"):
            raise answers.not_enabled()


@dataclass(slots=True)
class Conversation:
    """One connection's requests, one after the other."""

    api: Api
    picked: list[Rule] = field(default_factory=list)

    def head(self, request: Request) -> bool:
        """Pick the faults for a request whose head has been read; whether the connection is to be reset."""
        self.picked = self.api.faults.pick(request.method, request.path)
        if any(rule.do == "reset" for rule in self.picked):
            self._log(request, 0, _NOBODY)
            return True
        return False

    async def answer(self, request: Request) -> Answer:
        """The answer as it is sent, whole or not."""
        for rule in self.picked:
            if rule.do == "latency":
                await asyncio.sleep(rule.members["seconds"])
        token = self._token(request)
        answer = mischief.before(self.api.world, self.api.rates, self.picked, token.name)
        if answer is None:
            answer, token = self.api.handle(request, mischief.mood(self.picked))
            mischief.after(self.api.world, self.picked)
        self._log(request, answer.status, token)
        return replace(answer, headers=(*answer.headers, *self._headers(token)), cut=self._cut())

    def _token(self, request: Request) -> Token:
        return self.api.world.tokens.get((request.header("authorization") or "").partition(" ")[2], _NOBODY)

    def _cut(self) -> Cut:
        cuts = {"lost": Cut.NOTHING, "half": Cut.HALF}
        return next((cuts[rule.do] for rule in self.picked if rule.do in cuts), Cut.WHOLE)

    def _headers(self, token: Token) -> tuple[tuple[str, str], ...]:
        random = self.api.world.random("headers")
        return (
            ("cf-auditlog-id", new_hex(random)),
            ("cf-ray", f"{new_hex(random, 16)}-EMU"),
            ("vary", "Accept-Encoding"),
            ("server", "cloudflare"),
            MARK,
            *self.api.rates.headers(token.name),
        )

    def _log(self, request: Request, status: int, token: Token) -> None:
        world = self.api.world
        world.log.append(
            {
                "method": request.method, "path": request.path, "status": status, "query": request.query,
                "token": token.name, "faults": [rule.do for rule in self.picked], "body": _kept(request.body),
                "at": round(world.clock.now(), 3),
            }
        )  # fmt: skip


def _kept(body: bytes) -> Any:
    if not body:
        return None
    if b"PRIVATE KEY" in body:
        return "not kept: it holds a private key"
    if len(body) > _LOGGED_BODY:
        return f"not kept: {len(body)} bytes"
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return "not kept: it is not JSON"
