"""An emulator in a process of its own, for programs that are measured from outside."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.rounds import PYTHON, ROOT, environment

PATIENT = {"rate-limit": 10**8, "rate-per-second": 10**8, "association-delay": 0, "settings-delay": 0}
"""Switches: nobody is slowed down, for that is not what is measured."""


@dataclass(frozen=True)
class Rehearsal:
    """A running emulator: the environment that leads to it, and its levers."""

    env: dict[str, str]
    management: str
    edge: str
    edge_ca: str

    def lever(self, name: str, body: Any = None, method: str = "GET") -> Any:
        """What a lever answers."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.management}/{name}", data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


@contextmanager
def rehearsing(
    state: dict[str, Any] | None = None, faults: Sequence[dict[str, Any]] = (), *words: str
) -> Iterator[Rehearsal]:
    """An emulator that is stopped at the end. words: further options of `cf-mtls emulate`."""
    with tempfile.TemporaryDirectory() as folder:
        ready, more = Path(folder, "ready.json"), [f"--switch={n}={v}" for n, v in PATIENT.items()]
        for name, content in (("state", state), ("faults", list(faults))):
            if content:
                Path(folder, f"{name}.json").write_text(json.dumps(content), "utf-8")
                more += [f"--{name}", str(Path(folder, f"{name}.json"))]
        command = [PYTHON, "-m", "cf_mtls", "emulate", "--ready-file", str(ready), *more, *words]
        with subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=-3, stderr=-3) as emulator:
            try:
                while not ready.exists():
                    if emulator.poll() is not None:
                        raise RuntimeError("the emulator did not start")
                    time.sleep(0.05)
                told = json.loads(ready.read_text("utf-8"))
                yield Rehearsal(told["exports"], told["management"], told["edge"], told["edge_ca"])
            finally:
                emulator.terminate()
