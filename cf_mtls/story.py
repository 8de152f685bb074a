"""The demo's story, told with the real program against the emulator.

Rules of this file:
- Every line shown is the output of a command that was run: this program, openssl, curl. Where curl or openssl
  is absent, its part is played by our own witness or judge, and the story says so.
- Everything lives in a temporary folder and a loopback server; nothing is left behind.
- A step that does not come out as the story says ends it with an error.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cf_mtls import child_process
from cf_mtls.declare.example import GEORGETOWN, URL
from cf_mtls.diagnostics import Code, Exit, Failure, Fault, Severity
from cf_mtls.emulator.server import Options, running
from cf_mtls.model.evidence import Probe
from cf_mtls.model.people import Expected, Target
from cf_mtls.pki.authority import root
from cf_mtls.pki.chain import judge
from cf_mtls.pki.identity import load_identity
from cf_mtls.quick import dataclass
from cf_mtls.remote.gateway import Answer, Writer, client_for
from cf_mtls.verify.connect import parse
from cf_mtls.verify.httpx_probe import HttpxWitness

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cf_mtls.emulator.server import Ready
    from cf_mtls.pki.identity import Identity
    from cf_mtls.pki.pem import Chain

OTHERWISE = Code("demo.unexpected", Severity.ERROR, Fault.US, "the story went otherwise")

PLAN = "plans/georgetown.yaml"
CHAIN = "plans/certs/certchain.pem"
CERTIFICATE = "plans/certs/clientcert.pem"
KEY = "plans/certs/clientcert.key"
EDGE_CA = "edge-ca.pem"
STATUS_LINE = r"HTTP/%{http_version} %{response_code}\n"
LIMIT_S = 60.0
"""How long one command may take before the story gives up."""


def tell(say: Callable[[str], None]) -> None:
    """The whole story, line by line to `say`. Raises Failure when a step does not come out as told."""
    with (
        TemporaryDirectory(prefix="cf-mtls-demo-") as folder,
        running(Options(zones=("jeann.net",))) as emulator,
    ):
        chain, jean = _certificates()
        _write(Path(folder), chain, jean, emulator.ready)
        story = Story(Path(folder), emulator.ready, say)
        story.check_chain(chain, jean)
        story.the_door_closes()
        story.behind_our_back()


def _certificates() -> tuple[Chain, Identity]:
    now = datetime.now(UTC)
    clients = root("Georgetown Root CA", now=now).intermediate("Georgetown Clients CA", now=now)
    return clients.chain, clients.issue("jean", now=now)


def _write(folder: Path, chain: Chain, jean: Identity, ready: Ready) -> None:
    (folder / "plans/certs").mkdir(parents=True)
    (folder / PLAN).write_text(GEORGETOWN, "utf-8")
    (folder / CHAIN).write_text(chain.pem, "ascii")
    (folder / CERTIFICATE).write_text(jean.certificate_pem, "ascii")
    with os.fdopen(os.open(folder / KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(jean.key_pem)
    shutil.copy(ready.edge_ca, folder / EDGE_CA)


@dataclass(frozen=True, slots=True)
class Story:
    """The chapters; each runs commands in the folder and checks what they did."""

    folder: Path
    ready: Ready
    say: Callable[[str], None]

    def check_chain(self, chain: Chain, jean: Identity) -> None:
        """A root and an intermediate make certchain.pem; the client's certificate fits it."""
        self._title("A root and an intermediate CA, in one file, and a client certificate")
        if child_process.which("openssl"):
            said = self._run(["openssl", "verify", "-CAfile", CHAIN, CERTIFICATE])
            self._must(said.endswith(": OK"), said)
            return
        verdict = judge([c.der for c in chain.certificates], jean.certificate.der)
        self.say(f"(openssl is not installed; OpenSSL's library says: {verdict})")
        self._must(verdict.ok, str(verdict))

    def the_door_closes(self) -> None:
        """Open; plan; apply; 403 without, 200 with; an empty second plan."""
        self._title("Before: anyone can open the URL")
        self._ask(with_certificate=False, status=200)
        self._title("What would change")
        self._cf_mtls("plan", PLAN, expect=Exit.OK)
        self._title("Do it, and prove it")
        self._cf_mtls("apply", PLAN, "--auto-approve", expect=Exit.OK)
        self._title("After: closed without a certificate, open with one")
        self._ask(with_certificate=False, status=403)
        self._ask(with_certificate=True, status=200)
        self._title("A second plan is empty")
        said = self._cf_mtls("plan", PLAN, "--detailed-exitcode", expect=Exit.OK)
        self._must("No changes." in said, said)

    def behind_our_back(self) -> None:
        """Somebody opens the door in the dashboard; the plan finds it, and apply closes it again."""
        self._title("Someone changes the policy behind our back: everyone may pass")
        self._open_the_door()
        self._ask(with_certificate=False, status=200)
        self._title("The plan finds it: exit code 2")
        said = self._cf_mtls("plan", PLAN, "--detailed-exitcode", expect=Exit.DIFFERENCES)
        self._must("policies" in said, said)
        self._title("Apply closes it again")
        self._cf_mtls("apply", PLAN, "--auto-approve", expect=Exit.OK)
        self._ask(with_certificate=False, status=403)

    def _open_the_door(self) -> None:
        everyone = {"name": "open house", "decision": "bypass", "include": [{"everyone": {}}]}
        path = f"/accounts/{self.ready.account_id}/access/apps"
        with client_for(self.ready.token, self.ready.api_base_url) as client:
            writer = Writer(client)
            listed = writer.get(path)
            app = listed.result[0] if isinstance(listed, Answer) and listed.ok else {}
            changed = writer.put(f"{path}/{app.get('id')}", {**app, "policies": [everyone]})
        self._must(isinstance(changed, Answer) and changed.ok, f"PUT {path}: {changed}")
        self.say(f'PUT {path}/… policies: "open house" (bypass): include everyone')

    def _ask(self, *, with_certificate: bool, status: int) -> None:
        who = ["--cert", CERTIFICATE, "--key", KEY] if with_certificate else []
        if child_process.which("curl"):
            where = ["--connect-to", f"::{self.ready.edge}", "--cacert", EDGE_CA]
            quiet = ["-sS", "-o", os.devnull, "-w", STATUS_LINE]
            said = self._run(["curl", *quiet, *where, *who, URL])
            self._must(said == f"HTTP/2 {status}", said or "no answer")
            return
        pem, key = (self.folder / CERTIFICATE).read_bytes(), (self.folder / KEY).read_bytes()
        jean = load_identity(pem, key)[0] if who else None
        witness = HttpxWitness((parse(f"::{self.ready.edge}"),), str(self.folder / EDGE_CA))
        evidence = witness.ask(Probe(Target(URL, "georgetown"), None, Expected.ALLOWED), jean)
        self.say(f"(curl is not installed; httpx asks {'with' if who else 'without'} the certificate)")
        self.say(f"{evidence.http_version} {evidence.status}  {evidence.detail}".rstrip())
        self._must(evidence.status == status, f"{evidence.status} {evidence.detail}")

    def _cf_mtls(self, *words: str, expect: Exit) -> str:
        self.say(f"$ cf-mtls {shlex.join(words)}")
        # Nothing of a real account may reach the story: the emulator's token, and this command alone gets it.
        own = {**self.ready.exports(), "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
        env = child_process.environment(child_process.PYTHON, {**own, "HOME": str(self.folder)})
        code, said = self._output([sys.executable, "-P", "-m", "cf_mtls", *words], env)
        self.say(said)
        self._must(code == expect, f"exit code {code}, expected {int(expect)}")
        return said

    def _run(self, command: list[str]) -> str:
        self.say(f"$ {shlex.join(command)}")
        _, said = self._output(command, child_process.environment((), {"HOME": str(self.folder)}))
        self.say(said)
        return said

    def _output(self, command: list[str], env: Mapping[str, str]) -> tuple[int, str]:
        """Exit code and everything said, in the order it was said."""
        ran = subprocess.run(  # noqa: S603 - our own words
            command,
            cwd=self.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=LIMIT_S,
            check=False,
        )
        return ran.returncode, ran.stdout.replace("\r\n", "\n").strip()

    def _title(self, text: str) -> None:
        self.say(f"\n== {text}")

    def _must(self, holds: bool, seen: str) -> None:  # noqa: FBT001 - a condition
        if not holds:
            raise Failure([OTHERWISE.found(seen)])
