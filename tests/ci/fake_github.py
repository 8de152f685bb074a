"""A small GitHub on loopback: issues and comments of one repository, and every request it saw."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from cf_mtls.ci.github import GitHub

Answer = tuple[int, Any]
Around = Callable[[str, Callable[[], Answer]], Answer]

BOT = "github-actions[bot]"
TOKEN = "ghs_fake-token-of-the-test"


@dataclass
class FakeGitHub:
    """The state, and how it answers."""

    issues: dict[int, dict[str, Any]] = field(default_factory=dict)
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    seen: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def environment(self) -> dict[str, str]:
        """What a job has."""
        return {"GITHUB_API_URL": self.url, "GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": "o/r"}

    def add(
        self, body: str, *, author: str = BOT, state: str = "open", labels: tuple[str, ...] = ("cf-mtls",)
    ) -> int:
        """An issue that is there already."""
        number = len(self.issues) + 1
        self.issues[number] = {
            "number": number, "body": body, "made": body, "state": state, "user": {"login": author}, "title": "",
            "labels": list(labels), "html_url": f"https://github.example/o/r/issues/{number}",
        }  # fmt: skip
        return number

    def say(self, number: int, body: str, author: str = BOT) -> dict[str, Any]:
        """A comment."""
        said = {"id": 1000 + sum(map(len, self.comments.values())), "body": body, "user": {"login": author}}
        self.comments.setdefault(number, []).append(said)
        return said

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        """Status and JSON."""
        page, size = int(query.get("page", 1)), int(query.get("per_page", 30))
        window = slice((page - 1) * size, page * size)
        if body and len(body.get("body", "")) > 65536:
            return 422, {"message": "body is too long"}
        if method == "GET" and path == "/repos/o/r/issues":
            found = [i for i in self.issues.values() if query["labels"] in i["labels"]]
            found = [i for i in found if query.get("state") == "all" or i["state"] == "open"]
            return 200, found[::-1][window]  # the newest first, as GitHub does
        if method == "POST" and path == "/repos/o/r/issues":
            number = self.add(body["body"], labels=tuple(body["labels"]))
            self.issues[number]["title"] = body["title"]
            return 201, self.issues[number]
        if issue := re.fullmatch(r"/repos/o/r/issues/(\d+)", path):
            self.issues[int(issue[1])] |= body
            return 200, self.issues[int(issue[1])]
        if comments := re.fullmatch(r"/repos/o/r/issues/(\d+)/comments", path):
            if method == "GET":
                return 200, self.comments.get(int(comments[1]), [])[window]
            return 201, self.say(int(comments[1]), body["body"])
        if comment := re.fullmatch(r"/repos/o/r/issues/comments/(\d+)", path):
            said = next(c for cs in self.comments.values() for c in cs if c["id"] == int(comment[1]))
            said |= body
            return 200, said
        return 404, {"message": "Not Found"}


def inside(fake: FakeGitHub, around: Around = lambda _, do: do()) -> GitHub:
    """A client whose requests the fake answers in this very process.

    around: gets `METHOD /path` and what does it, and answers in its place: not at all, without doing it, or after it.
    """

    def answer(request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        body = json.loads(request.content) if request.content else None
        do = partial(fake.answer, request.method, request.url.path, query, body)
        fake.seen.append((request.method, request.url.path))
        status, found = around(f"{request.method} {request.url.path}", do)
        return httpx.Response(status, json=found)

    return GitHub(TOKEN, "http://127.0.0.1:9", "o/r", httpx.MockTransport(answer))


@contextmanager
def serving() -> Iterator[FakeGitHub]:
    """A fake that serves until the block ends."""
    fake = FakeGitHub()

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            url = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            fake.seen.append((self.command, url.path))
            query = {k: v[0] for k, v in parse_qs(url.query).items()}
            status, found = fake.answer(self.command, url.path, query, json.loads(raw) if raw else None)
            if self.headers["authorization"] != f"Bearer {TOKEN}":
                status, found = 401, {"message": "Bad credentials"}
            data = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = _do  # noqa: N815 - the names that the base class calls

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
