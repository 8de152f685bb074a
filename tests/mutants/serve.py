"""A process that has read the libraries once, and runs pytest in a copy of itself for each job: a program, no module.

Rules of this file:
- Nothing of this program or its tests is imported here: each job finds them in its own folder.
- Jobs come on stdin, one JSON object a line: folder, words, environment, said (where the output goes).
- For each two lines go to stdout: the number of its process, which leads a group of its own; then its exit code.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from typing import Any

LIBRARIES = (
    "cryptography.x509", "cryptography.hazmat.primitives.serialization.pkcs12", "OpenSSL.SSL", "httpx", "h2.connection",
    "pydantic", "yaml", "typer.testing", "cloudflare", "hypothesis.strategies", "hypothesis.internal.conjecture.engine",
    "xdist.plugin", "jsonschema", "multiprocessing.pool", "concurrent.futures.thread", "http.server", "asyncio",
)  # fmt: skip
"""What the tests would read again and again; what is not installed is passed over."""


def serve() -> None:
    """Until stdin ends."""
    import pytest

    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _run(json.loads(line), pytest)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(job: dict[str, Any], pytest: Any) -> None:
    """Be pytest in a folder, and end."""
    code = 99
    try:
        os.setsid()
        os.chdir(job["folder"])
        os.environ.clear()
        os.environ.update(job["environment"])
        sys.path.insert(0, job["folder"])
        for number, name, how in (
            (0, os.devnull, os.O_RDONLY),
            (1, job["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        ):
            os.dup2(os.open(name, how), number)
        os.dup2(1, 2)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        code = int(pytest.main(job["words"]))
        sys.stdout.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    serve()
