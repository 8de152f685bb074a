"""Messages that need no account: each from the program itself, with its exit code."""

from __future__ import annotations

import os
import pty
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from cf_mtls.ci import event
from cf_mtls.cli import passphrase
from cf_mtls.cli.main import run
from cf_mtls.diagnostics import Failure
from cf_mtls.pki import issuing
from tests.conftest import Pki

PLAN = "plans/georgetown.yaml"
ACCOUNT = {
    "CLOUDFLARE_ACCOUNT_ID": "0" * 32,
    "CLOUDFLARE_API_TOKEN": "t",
    "CLOUDFLARE_BASE_URL": "http://127.0.0.1:9",
}


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a plan, where the program runs, with an environment of nobody's."""
    for name in [n for n in os.environ if n.startswith(("CLOUDFLARE_", "CF_MTLS_", "GITHUB_"))]:
        monkeypatch.delenv(name)
    for name, value in {**ACCOUNT, "SECRET": "x"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    return folder


def nothing(_: Path) -> None:
    """The folder as it is."""


def taken_folder(folder: Path) -> None:
    (folder / "pki").write_text("a file", "utf-8")


def no_client(folder: Path) -> None:
    (folder / "plans/certs/clientcert.pem").unlink()


def broken_json(folder: Path) -> None:
    (folder / "state.json").write_text("{", "utf-8")


def split_name(folder: Path) -> None:
    (folder / "plans/a\nb.yaml").write_text("version: 1\nstack: odd\n", "utf-8")


PRODUCED: list[tuple[str, list[str], int, Callable[[Path], None]]] = [
    ("apply.journal", ["apply", PLAN, "--journal", "no/such/folder/j"], 64, nothing),
    ("client.certificate-absent", ["validate", PLAN], 0, no_client),
    ("emulate.unreadable", ["emulate", "--state", "state.json"], 1, broken_json),
    ("file.missing", ["emulate", "--faults", "absent.json"], 1, nothing),
    ("emulate.unusable", ["emulate", "--switch", "no-such-switch=1"], 1, nothing),
    ("explain.needs-plan", ["explain", "a.net/x", "--offline"], 64, nothing),
    ("explain.url", ["explain", "http://a.net/x", "--plan", PLAN, "--offline"], 64, nothing),
    ("file.unwritable", ["pki", "ca", "x", "--no-encrypt"], 1, taken_folder),
    ("init.unanswered", ["init"], 1, nothing),
    ("passphrase.not-given", ["pki", "ca", "x"], 1, nothing),
    ("pki.plain-key", ["pki", "ca", "x", "--no-encrypt"], 0, nothing),
    ("scope.mismatch", ["plan", PLAN], 1, lambda f: prepend(f, f"account_id: {'a' * 32}")),
    ("stacks.name", ["stacks", "--json"], 1, split_name),
    ("verify.unknown-proof", ["verify", PLAN, "--proofs", "17"], 64, nothing),
]


def prepend(folder: Path, line: str) -> None:
    path = folder / PLAN
    path.write_text(path.read_text("utf-8").replace("version: 1\n", f"version: 1\n{line}\n"), "utf-8")


@pytest.mark.parametrize(
    ("code", "words", "exits", "prepare"), PRODUCED, ids=lambda v: v if isinstance(v, str) else ""
)
def test_a_mistake_is_told_by_its_code(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    code: str,
    words: list[str],
    exits: int,
    prepare: Callable[[Path], None],
) -> None:
    """On stderr, in brackets, with the exit code that it deserves."""
    prepare(here)
    assert run(words) == exits
    assert f"[{code}]" in capsys.readouterr().err


def test_a_port_that_is_taken_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The emulator starts nowhere else by itself."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run(["emulate", "--port", str(taken.getsockname()[1])]) == 1
    assert "[emulate.port]" in capsys.readouterr().err


def test_a_token_file_that_cannot_be_read_is_told(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is asked without it."""
    monkeypatch.delenv("CLOUDFLARE_API_TOKEN")
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN_FILE", "absent")
    assert run(["plan", PLAN]) == 1
    assert "[token.file]" in capsys.readouterr().err


def test_without_curl_its_witness_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is asked."""
    monkeypatch.setenv("PATH", str(here))
    assert run(["verify", PLAN, "--witness", "curl"]) == 1
    assert "[verify.no-curl]" in capsys.readouterr().err


def test_a_weak_export_says_so(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What old importers want is written, with a warning."""
    assert run(["pki", "ca", "x", "--no-encrypt"]) == 0
    assert run(["pki", "issue", "jean"]) == 0
    assert run(["pki", "export", "jean", "--p12", "--compat", "--passphrase-env", "SECRET"]) == 0
    assert "[pki.weak-export]" in capsys.readouterr().err


def test_an_export_that_cannot_be_opened_again_is_not_believed(tmp_path: Path, pki: Pki) -> None:
    """Whatever was written: another's file, or another passphrase."""
    made = issuing.pack(pki.jean, tmp_path, "jean", b"x", compat=False)
    path = tmp_path / "jean.p12"
    path.write_bytes(made.files[0].content)
    issuing.prove(path, pki.jean, b"x")
    for identity, secret in ((pki.jean, b"y"), (pki.stranger, b"x")):
        with pytest.raises(Failure) as caught:
            issuing.prove(path, identity, secret)
        assert [d.code.code for d in caught.value.diagnostics] == ["pki.unproven-export"]


@pytest.mark.parametrize(
    ("typed", "code"),
    [(["one", "one"], None), (["one", "two"], "passphrase.different"), (["", ""], "passphrase.empty")],
)
def test_a_new_passphrase_is_typed_twice(typed: list[str], code: str | None) -> None:
    """Alike and not empty; where it only opens something once is enough."""
    answers = iter(typed)
    if code is None:
        assert passphrase.asked("x", "--y", twice=True, ask=lambda _: next(answers)) == b"one"
        assert passphrase.asked("x", "--y", ask=lambda _: "one") == b"one"
        return
    with pytest.raises(Failure) as caught:
        passphrase.asked("x", "--y", twice=True, ask=lambda _: next(answers))
    assert [d.code.code for d in caught.value.diagnostics] == [code]


def test_two_passphrases_that_differ_lock_nothing(tmp_path: Path) -> None:
    """At a terminal: nothing is written, and neither is echoed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execv(sys.executable, [sys.executable, "-m", "cf_mtls", "pki", "ca", "x"])  # noqa: S606
    shown = b""
    with suppress(OSError):  # the terminal closes with the program
        for prompt, typed in ((b"Passphrase", b"canary-1"), (b"again", b"canary-2")):
            while prompt not in shown or not shown.endswith(b": "):
                shown += os.read(terminal, 1024)
            os.write(terminal, typed + b"\n")
        while chunk := os.read(terminal, 1024):
            shown += chunk
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    assert b"[passphrase.different]" in shown
    assert b"canary" not in shown
    assert list(tmp_path.iterdir()) == []


def test_a_forks_pull_request_has_a_message_of_its_own() -> None:
    """So that a job can tell it from a token that was forgotten."""
    told = event.kept_out()
    assert (told.code.code, told.is_error) == ("ci.fork", True)
    assert event.is_only_kept_out({"findings": [{"class": "could-not-check", "address": "ci.fork"}]})
    assert not event.is_only_kept_out(
        {"findings": [{"class": "could-not-check", "address": "token.missing"}]}
    )
    assert not event.is_only_kept_out({"findings": []})
