"""A Cloudflare of a few lines behind the SDK: answers by a function, remembers what was asked; and a clock."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from cf_mtls.remote.gateway import Writer, client_for
from cf_mtls.remote.pace import Clock, Pace

BASE = "https://api.cloudflare.com/client/v4"
ACCOUNT = "0123456789abcdef0123456789abcdef"
TOKEN = "cfat_not-a-real-token"

Reply = httpx.Response | Exception


def ok(result: Any, status: int = 200, pages: int = 1, **headers: str) -> httpx.Response:
    info = {"page": 1, "per_page": 1000, "total_pages": pages}
    if pages == 1 and isinstance(result, list):
        info |= {"count": len(result), "total_count": len(result)}
    body = {"success": True, "errors": [], "messages": [], "result": result, "result_info": info}
    return httpx.Response(status, json=body, headers=headers)


def refused(status: int, code: int, message: str, **headers: str) -> httpx.Response:
    body = {"success": False, "errors": [{"code": code, "message": message}], "messages": [], "result": None}
    return httpx.Response(status, json=body, headers={"cf-ray": "abc-FAKE", **headers})


@dataclass
class Fake:
    """Answers each request with what `reply` makes of it; an exception is raised as the transport would."""

    reply: Callable[[httpx.Request, int], Reply]
    seen: list[tuple[str, str, Any]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        self.seen.append((request.method, request.url.path.removeprefix("/client/v4"), body))
        answer = self.reply(request, len(self.seen))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def writer(self) -> Writer:
        return Writer(client_for(TOKEN, BASE, transport=httpx.MockTransport(self)))


@dataclass
class FakeTime:
    """Time that passes only by sleeping."""

    at: float = 0.0
    slept: list[float] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.at += seconds
        self.slept.append(seconds)

    def pace(self) -> Pace:
        return Pace(Clock(lambda: self.at, self.sleep), self.said.append)
