"""The emulator's own face under `/_emulator/`: what it saw, what it holds, and the levers.

Rules of this file:
- A lever is a row: method, name, handler. Nothing here is in the request log.
- Only asked for by a loopback name: a page of another site that resolves to this machine gets 403.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cf_mtls.emulator import faults, sessions, state
from cf_mtls.emulator.answers import JSON
from cf_mtls.emulator.faults import KINDS, Faults
from cf_mtls.emulator.http import Answer, Request, encoded
from cf_mtls.emulator.origin import is_loopback
from cf_mtls.emulator.policy import Asker
from cf_mtls.emulator.store import new_hex
from cf_mtls.emulator.switches import spoken
from cf_mtls.emulator.tokens import ALL, Token, new_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cf_mtls.emulator.minting import Signer
    from cf_mtls.emulator.rates import Rates
    from cf_mtls.emulator.store import Record
    from cf_mtls.emulator.world import World

PREFIX = "/_emulator"


@dataclass(slots=True)
class Management:
    """The levers of one running emulator."""

    world: World
    faults: Faults
    rates: Rates
    signer: Signer
    restart: Callable[[], None]
    """Puts the account, the faults and the streams back to how they started."""
    look: Callable[[], Record]
    """What the edge is doing."""

    def answer(self, request: Request) -> Answer:
        """The answer to one request."""
        if not is_loopback(sessions.host_of(request.authority)):
            return _said(403, {"error": "ask for it by a loopback address"})
        name = request.path.removeprefix(PREFIX).strip("/")
        handler = LEVERS.get((request.method, name))
        if handler is None:
            rows = [f"{method} {PREFIX}/{lever}" for method, lever in LEVERS]
            return _said(200 if not name and request.method == "GET" else 404, {"levers": rows})
        try:
            return _said(200, handler(self, request.query, json.loads(request.body or b"null")))
        except (ValueError, RecursionError) as error:
            return _said(400, {"error": str(error)})


def _said(status: int, body: Any) -> Answer:
    return Answer(status, (JSON, ("cache-control", "no-store")), encoded(body))


def _requests(m: Management, query: Mapping[str, str], _: Any) -> Any:
    since = query.get("since", "0")
    return list(m.world.log)[int(since) if since.isdigit() else 0 :]


def _forget_requests(m: Management, *_: Any) -> Any:
    m.world.log.clear()
    return {"requests": 0}


def _reset(m: Management, *_: Any) -> Any:
    m.restart()
    return {"reset": True, "seed": m.world.seed}


def _state(m: Management, *_: Any) -> Any:
    return state.dump(m.world)


def _load(m: Management, _: Mapping[str, str], body: Any) -> Any:
    state.load(m.world, body)
    return {name: len(table) for name, table in m.world.store.tables.items()}


def _faults(m: Management, *_: Any) -> Any:
    return {
        "rules": [r.shown() for r in m.faults.rules],
        "kinds": {k: says for k, (says, _) in KINDS.items()},
    }


def _add_faults(m: Management, _: Mapping[str, str], body: Any) -> Any:
    return [rule.shown() for rule in m.faults.add(body)]


def _no_faults(m: Management, *_: Any) -> Any:
    m.faults.rules.clear()
    m.world.slower_s = 0.0
    return {"rules": []}


def _clock(m: Management, *_: Any) -> Any:
    clock = m.world.clock
    return {"now": clock.now(), "text": clock.stamp(), "frozen": clock.frozen, "next_due": clock.next_due()}


def _move_clock(m: Management, query: Mapping[str, str], body: Any) -> Any:
    match body:
        case {"advance": int() | float() as seconds} if 0 <= seconds < 1e9:
            m.world.clock.advance(seconds)
        case {"freeze": True}:
            m.world.clock.freeze()
        case {"freeze": False}:
            m.world.clock.thaw()
        case _:
            raise ValueError('say {"advance": SECONDS} or {"freeze": true or false}')
    return _clock(m, query, None)


def _switches(m: Management, *_: Any) -> Any:
    return {name: spoken(value) for name, value in m.world.switches.all().items()}


def _turn(m: Management, query: Mapping[str, str], body: Any) -> Any:
    if not isinstance(body, dict):
        raise ValueError("say an object of switches")
    for name, value in body.items():
        m.world.switches.set(str(name), value)
    return _switches(m, query, None)


def _rates(m: Management, *_: Any) -> Any:
    now = m.world.clock.now()
    return {
        who: {"total": b.total, "used": b.used, "blocked_for": max(0.0, round(b.blocked_until - now, 3))}
        for who, b in m.rates.budgets.items()
    }


def _edge(m: Management, *_: Any) -> Any:
    return m.look()


def _session(m: Management, _: Mapping[str, str], body: Any) -> Any:
    if not isinstance(body, dict) or not isinstance(body.get("email"), str):
        raise ValueError('say {"email": ADDRESS, "app": ID or domain}')
    wanted = body.get("app")
    app = next((a for a in m.world.store["apps"].values() if wanted in {a["id"], a.get("domain")}), None)
    if app is None:
        raise ValueError("there is no such application")
    team = str(m.world.store.organization["auth_domain"])
    claims = sessions.claims(app, Asker(email=body["email"]), team, m.world.clock.now())
    return {"cookie": f"{sessions.COOKIE}={m.signer.sign(claims)}", "seconds": claims["exp"] - claims["iat"]}


def _token(m: Management, _: Mapping[str, str], body: Any) -> Any:
    """A new token: `permissions` are groups such as `Access: Apps and Policies Read`, all when left out."""
    given = body if isinstance(body, dict) else {}
    unknown = sorted(given.keys() - {"name", "permissions", "scopes", "owner", "status", "expires_on"})
    wanted = frozenset(map(str, given.get("permissions", ALL)))
    if unknown or wanted - ALL:
        raise ValueError(f"unknown: {', '.join([*unknown, *sorted(wanted - ALL)])}")
    secret = new_secret()
    name = str(given.get("name") or f"token-{len(m.world.tokens)}")
    m.world.tokens[secret] = Token(
        name, new_hex(m.world.random("ids")), wanted, str(given.get("owner", "both")),
        str(given.get("status", "active")), frozenset(map(str, given.get("scopes", ()))),
        None if given.get("expires_on") is None else str(given["expires_on"]),
    )  # fmt: skip
    return {"token": secret, "name": name}


def _bad_day(m: Management, _: Mapping[str, str], body: Any) -> Any:
    severity = body.get("severity", 0.2) if isinstance(body, dict) else 0.2
    if not isinstance(severity, (int, float)) or not 0 <= severity <= 1:
        raise ValueError("severity is a number from 0 to 1")
    return [rule.shown() for rule in m.faults.add(faults.bad_day(severity))]


LEVERS: dict[tuple[str, str], Callable[[Management, Mapping[str, str], Any], Any]] = {
    ("GET", "requests"): _requests,
    ("DELETE", "requests"): _forget_requests,
    ("POST", "reset"): _reset,
    ("GET", "state"): _state,
    ("POST", "state"): _load,
    ("PUT", "state"): _load,
    ("GET", "faults"): _faults,
    ("POST", "faults"): _add_faults,
    ("DELETE", "faults"): _no_faults,
    ("POST", "bad-day"): _bad_day,
    ("GET", "clock"): _clock,
    ("POST", "clock"): _move_clock,
    ("GET", "switches"): _switches,
    ("POST", "switches"): _turn,
    ("GET", "rates"): _rates,
    ("GET", "edge"): _edge,
    ("POST", "session"): _session,
    ("POST", "token"): _token,
}
