"""Messages that need an account: each from the program itself, against the emulator."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cf_mtls.cli.main import run
from cf_mtls.emulator.server import Options, Ready, running

PLAN = "plans/georgetown.yaml"


@pytest.fixture(scope="module")
def ready() -> Iterator[Ready]:
    with running(Options()) as emulator:
        yield emulator.ready


@dataclass
class Program:
    """The program in a folder, with an emulator for its account."""

    capsys: pytest.CaptureFixture[str]

    def __call__(self, *words: str) -> tuple[int, str]:
        """The exit code and stderr."""
        code = run(words)
        return code, self.capsys.readouterr().err


@pytest.fixture
def program(
    folder: Path, ready: Ready, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Program:
    for name in [n for n in os.environ if n.startswith(("CLOUDFLARE_", "CF_MTLS_"))]:
        monkeypatch.delenv(name)
    for name, value in ready.exports().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    return Program(capsys)


def test_without_a_terminal_nothing_is_applied_unasked(program: Program) -> None:
    """--auto-approve says it beforehand."""
    code, said = program("apply", PLAN)
    assert (code, "[apply.not-confirmed]" in said) == (1, True)


def test_another_plan_than_the_approved_one_is_refused(program: Program) -> None:
    """By its digest: exit 4."""
    code, said = program("apply", PLAN, "-y", "--expect", "0" * 64)
    assert (code, "[apply.other-digest]" in said) == (4, True)


def test_a_plan_that_cannot_be_saved_is_told(program: Program) -> None:
    """Nothing is left behind."""
    code, said = program("plan", PLAN, "--out", "no/such/folder/p.json")
    assert (code, "[plan.out]" in said) == (1, True)
    assert not Path("no").exists()


def test_a_refusal_ends_with_the_command_that_allows_it_all(program: Program) -> None:
    """When flags are all that is missing: the same words, and every flag."""
    assert program("apply", PLAN, "-y")[0] == 0
    code, said = program("plan", PLAN, "--destroy")
    assert (code, "[plan.again]" in said) == (4, True)
    assert "--allow-delete 2" in said.rpartition("[plan.again]")[2]
