"""What is read from disk: whole or refused, never waited for, never more than may be."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cf_mtls.declare.files import load
from cf_mtls.diagnostics import Diagnostic, Failure
from cf_mtls.input_file import LARGEST_PLAN, needed, read

ROLES = ("certs/certchain.pem", "certs/clientcert.pem", "certs/clientcert.key")
"""The files that a plan names."""


def code(found: bytes | Diagnostic) -> str:
    return found.code.code if isinstance(found, Diagnostic) else "read"


@pytest.mark.parametrize(("more", "expected"), [(-1, "read"), (0, "read"), (1, "file.too-large")])
def test_a_file_is_read_whole_or_refused(tmp_path: Path, more: int, expected: str) -> None:
    """To the byte."""
    (tmp_path / "f").write_bytes(b"x" * (5000 + more))
    assert code(read(tmp_path / "f", 5000)) == expected


def test_a_limit_is_named_with_the_file(tmp_path: Path) -> None:
    """How large it may be, and which file it is."""
    (tmp_path / "f").write_bytes(b"x" * 5001)
    found = read(tmp_path / "f", 5000)
    assert isinstance(found, Diagnostic)
    assert "f is larger than 5 kB" in found.detail
    assert str(found.place).endswith("/f")


def a_socket(path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


def test_what_would_wait_is_not_opened(tmp_path: Path) -> None:
    """A pipe that nobody writes, also through a link; devices, one of which never ends; a socket."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    a_socket(tmp_path / "socket")
    for path in (
        tmp_path / "pipe",
        tmp_path / "link",
        tmp_path / "socket",
        Path("/dev/zero"),
        Path("/dev/tty0"),
    ):
        if path.exists():
            assert code(read(path)) == "file.not-regular", path
    with pytest.raises(Failure, match="not a regular file"):
        needed(tmp_path / "pipe")


def test_a_pipe_that_a_person_names_is_read(tmp_path: Path) -> None:
    """As a shell's `<(program)` is; and a device without end is read to the limit and refused."""
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(b"hello",))
    writer.start()
    assert read(tmp_path / "pipe", pipes=True) == b"hello"
    writer.join()
    assert code(read(Path("/dev/zero"), 5000, pipes=True)) == "file.too-large"
    assert read(Path("/dev/null"), pipes=True) == b""


def test_a_plan_file_has_a_limit_of_its_own(tmp_path: Path) -> None:
    """It is read slowly: what is larger is refused before that."""
    path = tmp_path / "plan.yaml"
    path.write_text("version: 1\nstack: s\n#" + "x" * LARGEST_PLAN)
    with pytest.raises(Failure, match="larger than 2 MB"):
        load(path)


@pytest.mark.parametrize(
    ("verb", "role"), [*(("validate", role) for role in ROLES), *(("verify", role) for role in ROLES[1:])]
)
def test_no_verb_waits_for_a_file_that_a_plan_names(folder: Path, verb: str, role: str) -> None:
    """A pipe in the place of the chain, a client's certificate or key: it ends by itself, and is no bug."""
    (folder / "plans" / role).unlink()
    os.mkfifo(folder / "plans" / role)
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("CLOUDFLARE_", "CF_MTLS_"))}
    environment = {
        **ours,
        "CLOUDFLARE_API_TOKEN": "cfat_x",
        "CLOUDFLARE_ACCOUNT_ID": "0" * 32,
        "CLOUDFLARE_BASE_URL": "http://127.0.0.1:9",
    }
    words = [sys.executable, "-m", "cf_mtls", verb, "plans/georgetown.yaml", "--connect-to", "::127.0.0.1:9"]
    ran = subprocess.run(
        words if verb == "verify" else words[:-2],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    said = ran.stderr + ran.stdout
    assert "internal.bug" not in said
    assert ran.returncode == 1
    assert "file.not-regular" in said
