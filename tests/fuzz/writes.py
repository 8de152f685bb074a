"""A run of writes in which one answer is wrong: what `Applier` makes of it, and whether its journal is true.

Rules of this file:
- The account is a few tables; one call of a run is answered with other bytes, whether it was done or not.
- A step that is said to be done must be done, or the answer to its own write said so: nothing here can tell better.
- What is somebody else's is never written, whatever ids the answers name.
- Nothing is written for a step of which it was not said before that it is tried.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any

import httpx

from cf_mtls.model.frozen import freeze_object
from cf_mtls.model.plan import Phase, Plan, Step
from cf_mtls.model.resources import (
    AccessApplication,
    AccessPolicy,
    Address,
    CaCertificate,
    HostnameSettings,
    Kind,
    Rule,
    Scope,
    public,
)
from cf_mtls.model.state import State
from cf_mtls.remote.apply import Applier
from cf_mtls.remote.gateway import Answer, Method, NoAnswer, Writer, answer
from cf_mtls.remote.pace import Clock, Pace
from cf_mtls.remote.stages import after

END = datetime(2030, 1, 1, tzinfo=UTC)
SCOPE = Scope("account", "0" * 32)
BASE = f"{SCOPE.path}/access/"
STATUSES = (200, 200, 200, 200, 201, 202, 204, 301, 400, 404, 409, 429, 500, 503)
CALLS = 20
"""More than a run makes, so that some are left as they are."""


def a_ca(name: str, digits: str, *hosts: str, known: str | None = None) -> CaCertificate:
    return CaCertificate(f"{name} (cf-mtls s)", hosts, (digits * 16,), (END,), digits * 32, "PEM", known)


def an_app(host: str, session: str, known: str | None = None) -> AccessApplication:
    rule = AccessPolicy("p", "non_identity", (Rule("certificate"),))
    fields = freeze_object({"session_duration": session, "type": "self_hosted"})
    return AccessApplication(f"{host} (cf-mtls s)", (public(host),), (rule,), fields, known)


OLD_AT, NEW_AT = (Address(Kind.CERTIFICATE, digits * 16) for digits in ("22", "11"))
ONE_AT, TWO_AT = (Address(Kind.APPLICATION, host) for host in ("a.net", "b.net"))
SET_AT = Address(Kind.SETTINGS, "a.net")
BEFORE = State({OLD_AT: a_ca("old", "22", "a.net", known="old"), ONE_AT: an_app("a.net", "24h", known="one")})
STEPS = (
    Step(Phase.UPLOAD, NEW_AT, a_ca("new", "11", "a.net"), NEW_AT),
    Step(Phase.WIDEN, NEW_AT, a_ca("new", "11", "a.net", "b.net"), NEW_AT),
    Step(
        Phase.SETTINGS,
        SET_AT,
        HostnameSettings("a.net", client_certificate_forwarding=True),
        SET_AT,
        "settled",
    ),
    Step(Phase.DEMAND, TWO_AT, an_app("b.net", "24h"), TWO_AT),
    Step(Phase.RELEASE, ONE_AT, an_app("a.net", "1h", known="one"), ONE_AT),
    Step(Phase.NARROW, OLD_AT, a_ca("old", "22", known="old"), OLD_AT, "detached"),
    Step(Phase.DELETE, OLD_AT, None, OLD_AT),
)
PLAN = Plan("s", SCOPE, BEFORE, after(BEFORE, STEPS), (), STEPS)


def envelope(result: Any) -> Any:
    return {"success": True, "errors": [], "messages": [], "result": result, "result_info": None}


def shown_ca(known: str, body: Mapping[str, Any], digits: str) -> dict[str, Any]:
    colons = ":".join([digits] * 16)
    kept = {"name": body["name"], "associated_hostnames": body["associated_hostnames"]}
    return {
        "id": known,
        **kept,
        "fingerprint": f"MD5 Fingerprint={colons}",
        "expires_on": "2030-01-01T00:00:00Z",
    }


def shown_app(known: str, host: str, session: str) -> dict[str, Any]:
    policy = {
        "id": "p1",
        "name": "p",
        "decision": "non_identity",
        "include": [{"certificate": {}}],
        "precedence": 1,
    }
    return {
        "id": known, "name": f"{host} (cf-mtls s)", "type": "self_hosted", "domain": host,
        "destinations": [{"type": "public", "uri": host}], "policies": [policy], "session_duration": session,
    }  # fmt: skip


NEW = shown_ca("new", {"name": "new (cf-mtls s)", "associated_hostnames": ["a.net"]}, "11")
GOOD = (
    envelope(NEW), envelope(shown_app("two", "b.net", "24h")), envelope(shown_app("one", "a.net", "1h")),
    envelope({"id": "old"}), envelope({**NEW, "id": "theirs"}), envelope([NEW]), envelope([]),
    {"success": False, "errors": [{"code": 12132, "message": "access.api.error.conflict"}], "result": None},
)  # fmt: skip


def answers() -> tuple[Any, ...]:
    """Answers that some call of the run may have."""
    return GOOD


THEIRS = {"name": "theirs", "associated_hostnames": ["c.net"]}


class Account(Writer):
    """Answers as the account stands, but one call with other bytes."""

    def __init__(self, data: bytes) -> None:
        random = Random(zlib.crc32(data))
        self._data, self._nth = data, random.randint(1, CALLS)
        self._status, self._is_done = random.choice(STATUSES), random.random() < 0.5
        self._calls = 0
        self._excused: Step | None = None
        """The step whose write was answered with other bytes that say it was done."""
        self._begun: list[Step] = []
        self.said: list[Step] = []
        old = {"name": "old (cf-mtls s)", "associated_hostnames": ["a.net"]}
        self._tables: dict[str, dict[str, dict[str, Any]]] = {
            "certificates": {"old": shown_ca("old", old, "22")},
            "apps": {"one": shown_app("one", "a.net", "24h"), "theirs": shown_app("theirs", "c.net", "24h")},
        }
        self._tables["certificates"]["theirs"] = shown_ca("theirs", THEIRS, "33")
        self._settings: list[dict[str, Any]] = []

    def _exchange(
        self, method: Method, path: str, body: Any = None, query: Mapping[str, str] | None = None
    ) -> Answer | NoAnswer:
        self._calls += 1
        assert method == "GET" or self._begun, "written before it was said"
        if self._calls != self._nth:
            return self._good(method, path, body)
        if self._is_done:
            self._good(method, path, body)
        wrong = answer(httpx.Response(self._status, content=self._data))
        if method != "GET" and (wrong.ok or (method == "DELETE" and wrong.status == 404)):
            self._excused = self._begun[-1]
        return wrong

    def _good(self, method: Method, path: str, body: Any) -> Answer:
        table, _, key = path.removeprefix(BASE).partition("/")
        if (table, key) == ("certificates", "settings"):
            self._settings = body["settings"] if body else self._settings
            return _of(200, self._settings)
        held = self._tables[table]
        if key and key not in held:
            return _of(404, None)
        if method == "DELETE":
            return _of(200, {"id": held.pop(key)["id"]})
        if method == "POST":
            key = "new" if table == "certificates" else "two"
        if body is not None:
            is_ca = table == "certificates"
            held[key] = (
                shown_ca(key, body, {"new": "11", "old": "22"}.get(key, "33"))
                if is_ca
                else shown_app(key, body["domain"], body.get("session_duration", "24h"))
            )
        return _of(200, held[key] if key else list(held.values()))

    def doing(self, step: Step) -> None:
        self._begun.append(step)

    def done(self, step: Step) -> None:
        """Take in that a step is said to be done. AssertionError when it is not, and no answer said so."""
        assert step in self._begun or step.phase in {Phase.UPLOAD, Phase.WIDEN}, (
            f"{step.address} was never begun"
        )
        assert self._holds(step) or step == self._excused, (
            f"{step.phase.name} {step.address} is said, not done"
        )
        self.said.append(step)

    def is_theirs_untouched(self) -> bool:
        return self._tables["certificates"].get("theirs") == shown_ca(
            "theirs", THEIRS, "33"
        ) and self._tables["apps"].get("theirs") == shown_app("theirs", "c.net", "24h")

    def _holds(self, step: Step) -> bool:
        match step.value:
            case CaCertificate() as ca:
                wanted = (ca.name, list(ca.associated_hostnames))
                held = self._tables["certificates"].values()
                return wanted in [(raw["name"], raw["associated_hostnames"]) for raw in held]
            case AccessApplication() as app:
                wanted_app = (app.domain, app.fields.get("session_duration"))
                return wanted_app in [
                    (r["domain"], r["session_duration"]) for r in self._tables["apps"].values()
                ]
            case HostnameSettings() as settings:
                return [raw["hostname"] for raw in self._settings] == [settings.hostname]
            case _:
                return "old" not in self._tables["certificates"]


def _of(status: int, result: Any) -> Answer:
    made = envelope(result) if status == 200 else {"success": False, "errors": [{"code": 1, "message": "no"}]}
    return answer(httpx.Response(status, content=json.dumps(made)))


def write(data: bytes) -> bool:
    """Whether the run went through. Raises Failure where it stopped, AssertionError when its journal is not true."""
    at = [0.0]
    pace = Pace(Clock(lambda: at[0], lambda seconds: at.__setitem__(0, at[0] + seconds)))
    account = Account(data)
    try:
        Applier(account, pace, account.done, doing=account.doing).apply(PLAN)
    finally:
        assert account.is_theirs_untouched(), "what is somebody else's was written"
    assert account.said == list(STEPS)
    return True
