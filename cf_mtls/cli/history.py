"""What a plan file declared before its last commit, asked of git.

Rules of this file:
- Without git, a history (a shallow clone has none) or a readable previous version the answer is None, which
  makes a check louder, never quieter.
- What is in the checkout decides about no program that git runs.
- Only reads: the older version is unpacked into a temporary folder and forgotten.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cf_mtls import child_process
from cf_mtls.diagnostics import Failure

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from cf_mtls.model.state import State

PATIENCE_S = 30

QUIETLY = tuple(
    word
    for setting in ("safe.bareRepository=explicit", "core.fsmonitor=false", "protocol.allow=never")
    for word in ("-c", setting)
)
"""A folder of the checkout that looks like a repository is none (its `config` could name programs), no program
watches files, nothing is fetched."""

ONLY_READING = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
"""`git status` must not write the index, nor ask anybody."""


def declared_before(now: datetime) -> Callable[[Path], State | None]:
    """A function from a plan file to what its previous version declared."""

    def before(path: Path) -> State | None:
        commit = _commit_before(path)
        return _declared(path, commit, now) if commit else None

    return before


def _commit_before(path: Path) -> str | None:
    """The commit to compare with: HEAD for a file with uncommitted edits, else the parent of its last commit."""
    if _git(path, "status", "--porcelain", "--", path.name):
        return "HEAD"
    parents = (_git(path, "log", "-1", "--format=%P", "--", path.name) or b"").decode("ascii").split()
    return parents[0] if parents else None


def _declared(path: Path, commit: str, now: datetime) -> State | None:
    from cf_mtls import workflow

    packed = _git(path, "archive", "--format=tar", commit, "--", ".")
    if packed is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        try:
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                archive.extractall(folder, filter="data")
            return workflow.validate(Path(folder) / path.name, now).state
        except (tarfile.TarError, OSError, Failure):
            return None


def _git(path: Path, *words: str) -> bytes | None:
    """What git says in the file's folder, None when it fails or is not there."""
    command = ["git", *QUIETLY, "-C", str(path.resolve().parent), *words]
    env = child_process.environment(child_process.CONFIGURATION, ONLY_READING)
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=PATIENCE_S, env=env)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
