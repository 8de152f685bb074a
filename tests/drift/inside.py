"""The program run inside of the test's own process: the same words, environment and folder, without the start."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from cf_mtls.cli import main
from cf_mtls.emulator.server import Ready


def run(
    folder: Path, ready: Ready, *words: str, told: io.StringIO | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """What `cf-mtls WORDS` says and ends with on an emulator. told: as of `said`."""
    return said(folder, *words, told=told, **{**ready.exports(), **more})


def said(
    folder: Path, *words: str, told: io.StringIO | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """What `cf-mtls WORDS` says and ends with; the environment and the folder are put back afterwards.

    told: its stderr, for who wants to hear it as it is written.
    """
    kept, where, stdin, argv = dict(os.environ), Path.cwd(), sys.stdin, sys.argv
    clean = {k: v for k, v in kept.items() if not k.startswith(("CLOUDFLARE_", "CF_MTLS_", "GITHUB_"))}
    out, err = io.StringIO(), told or io.StringIO()
    try:
        os.environ.clear()
        os.environ.update({**clean, **environment})
        os.chdir(folder)
        sys.stdin, sys.argv = io.StringIO(), ["cf-mtls", *words]
        with redirect_stdout(out), redirect_stderr(err):
            code = main.run(words)
    finally:
        sys.stdin, sys.argv = stdin, argv
        os.chdir(where)
        os.environ.clear()
        os.environ.update(kept)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())
