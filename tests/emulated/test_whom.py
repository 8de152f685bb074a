"""Whom a report asked: every report of every verb says it, and that it was an emulator when it said so itself."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from cf_mtls.emulator.server import Options, Ready, running
from cf_mtls.model.asked import EMULATOR_HEADER
from tests.drift.inside import run, said
from tests.emulated.test_main_job import PLAN

REPORTS: dict[str, tuple[str, ...]] = {
    "plan": ("plan", PLAN),
    "plan --json": ("plan", PLAN, "--json"),
    "many plans": ("plan", PLAN, "plans"),
    "plan --out": ("plan", PLAN, "--out", "p.json"),
    "show of a plan": ("show", "p.json"),
    "show --json of a plan": ("show", "p.json", "--json"),
    "ci plan": ("ci", "plan", PLAN, "--folder", "ci"),
    "apply": ("apply", PLAN, "-y", "--no-verify"),
    "empty plan": ("plan", PLAN),
    "apply --json": ("apply", PLAN, "-y", "--json"),
    "show": ("show",),
    "show --json": ("show", "--json"),
    "explain": ("explain", "jeann.net/georgetown-penang-malaysia", "--plan", PLAN),
    "explain --json": ("explain", "jeann.net", "--json"),
    "explain --all": ("explain", "--all", "--plan", PLAN, "--json"),
    "import": ("import", "--out", "i/i.yaml"),
    "import --json": ("import", "--out", "j/j.yaml", "--json"),
    "verify": ("verify", PLAN, "--proofs", "1,2", "--junit", "v.xml", "--html", "v.html"),
    "verify --json": ("verify", PLAN, "--proofs", "1,2", "--json"),
    "drift": ("drift", PLAN, "--verify", "--junit", "d.xml", "--markdown", "d.md", "--out", "d.json"),
    "drift without the edge": ("drift", PLAN, "--json"),
    "ci check": ("ci", "check", PLAN, "--folder", "c"),
    "doctor": ("doctor", PLAN),
    "doctor --json": ("doctor", PLAN, "--json"),
}
"""Every verb that reports on an account or an edge, in an order in which each has something to say."""

FILES = ("p.json", "ci/plan.md", "ci/plan.txt", "ci/plan.json", "v.xml", "v.html", "d.xml", "d.md", "d.json",
         "c/drift.json", "c/drift.md")  # fmt: skip

BY_EDGE = {"apply --json", "verify", "verify --json", "drift", "v.xml", "v.html", "d.xml", "d.md", "d.json"}
"""The reports that say what the edge answered."""

WITHOUT_API = {"verify", "verify --json", "v.xml", "v.html"}


def made(folder: Path, ready: Ready, **more: str) -> dict[str, str]:
    """Every report by its name, what is shown and what is written, blanks made one."""
    (folder / "i").mkdir()
    (folder / "j").mkdir()
    reports = {}
    for name, words in REPORTS.items():
        ran = run(folder, ready, *words, **more)
        assert "Traceback" not in ran.stderr, ran.stderr
        reports[name] = ran.stdout
    reports |= {name: (folder / name).read_text("utf-8") for name in FILES if (folder / name).exists()}
    assert len(reports) > len(REPORTS) + 8
    return {name: " ".join(text.split()) for name, text in reports.items()}


def is_called_emulator(report: str) -> bool:
    return "EMULATOR" in report or 'emulator": true' in report


def test_every_report_says_whom_it_asked_and_that_it_was_an_emulator(folder: Path) -> None:
    """Text, JSON, saved plan, JUnit, HTML and Markdown of every verb that asks an API or an edge."""
    with running(Options()) as emulator:
        ready = emulator.ready
        reports = made(folder, ready)
    for name, text in reports.items():
        assert is_called_emulator(text), name
        assert (ready.api_base_url in text) is (name not in WITHOUT_API), name
        assert f"::{ready.edge}" in text or name not in BY_EDGE, name


def test_what_does_not_say_that_it_is_an_emulator_is_called_none(folder: Path) -> None:
    """An address of this machine may be a relay to Cloudflare: only what the API says of itself counts."""
    with running(Options()) as emulator, relay(emulator.ready.api_base_url) as url:
        reports = made(folder, emulator.ready, CLOUDFLARE_BASE_URL=url)
    of_api = reports.keys() - BY_EDGE - WITHOUT_API
    assert len(of_api) > 15
    for name in sorted(of_api):
        assert not is_called_emulator(reports[name]), name
        assert url in reports[name], name


def test_what_a_url_holds_besides_the_address_is_said_nowhere(folder: Path) -> None:
    """A name and a password for a gateway are for nobody who reads a report."""
    with running(Options()) as emulator:
        url = emulator.ready.api_base_url.replace("http://", "http://somebody:s3cret@")
        for words in (("plan", PLAN), ("plan", PLAN, "--json"), ("drift", PLAN, "--json"), ("doctor", PLAN)):
            ran = run(folder, emulator.ready, *words, CLOUDFLARE_BASE_URL=url)
            assert "s3cret" not in ran.stdout, words


def test_offline_nobody_was_asked(folder: Path) -> None:
    """And that is what the report says."""
    ran = said(folder, "explain", "--offline", "--all", "--plan", PLAN, "--json")
    assert '"api": null' in ran.stdout


@contextmanager
def relay(base_url: str) -> Iterator[str]:
    """The base URL of a relay that hands on everything but the emulator's word about itself."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            size = int(self.headers.get("content-length") or 0)
            data = self.rfile.read(size) if size else None
            asked = urllib.request.Request(
                base_url.removesuffix("/client/v4") + self.path, data, method=self.command
            )
            for name in ("authorization", "content-type"):
                if name in self.headers:
                    asked.add_header(name, self.headers[name])
            try:
                answer = urllib.request.urlopen(asked, timeout=10)
            except urllib.error.HTTPError as error:
                answer = error
            body = answer.read()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in {EMULATOR_HEADER, "content-length", "connection", "transfer-encoding"}:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = handle_one  # noqa: N815 - the names of http.server

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/client/v4"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
