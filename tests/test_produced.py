"""The check at the end of a whole run: which codes count, and which runs are judged."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cf_mtls.diagnostics import BUG, Diagnostic, bug
from tests.produced import Seen, listen

FILES = {"test_a.py", "test_b.py"}
CODES = ["a.one", "a.two"]
WHOLE = Seen({"a.one"}, {*FILES, "helper.py"}, collected=5, deselected=0, run=5)


@pytest.fixture
def heard() -> Iterator[set[str]]:
    """The codes of which the program makes diagnostics while a test runs."""
    codes: set[str] = set()
    stop = listen(codes)
    yield codes
    stop()


def test_only_what_the_program_makes_counts(heard: set[str]) -> None:
    """Not what a test makes by hand, in either way, nor the copy of it at a place."""
    by_hand = BUG.found("x", "y")
    Diagnostic(BUG, "x")
    replace(by_hand, detail="z")
    assert heard == set()
    assert bug(ValueError("x")).detail.endswith("x")
    assert heard == {"internal.bug"}


def test_a_whole_run_names_what_the_program_never_made() -> None:
    """The codes, in order."""
    assert WHOLE.is_whole(FILES)
    assert WHOLE.missing(CODES) == ["a.two"]
    assert replace(WHOLE, codes={*CODES, "b.other"}).missing(CODES) == []


@pytest.mark.parametrize(
    "changed", [{"files": {"test_a.py"}}, {"deselected": 1}, {"run": 4}], ids=lambda c: next(iter(c))
)
def test_a_partial_run_is_not_judged(changed: dict[str, object]) -> None:
    """A file not collected, a test left out, or stopped before its end: nobody can tell then."""
    assert not replace(WHOLE, **changed).is_whole(FILES)  # type: ignore[arg-type]


def test_what_workers_saw_is_one_run() -> None:
    """Their codes together; each of them has collected everything."""
    seen = Seen(run=5)
    for code in CODES:
        seen.add(replace(WHOLE, codes={code}, run=2).sent())
    assert (seen.codes, seen.files, seen.collected, seen.run) == (set(CODES), WHOLE.files, 5, 5)
    assert seen.is_whole(FILES)


CONFTEST = """
from tests.produced import Produced

def pytest_configure(config):
    codes = ["internal.bug", "never.made"]
    config.pluginmanager.register(Produced(config, FILES, lambda: codes), "produced")
"""
TEST = """
from cf_mtls.diagnostics import bug

def test_one():
    assert bug(ValueError())

def test_two():
    pass
"""


@pytest.mark.parametrize(("words", "failed"), [(("-n", "2"), True), (("-n", "0", "-k", "one"), False)])
def test_a_whole_run_fails_for_what_it_never_made(
    tmp_path: Path, words: tuple[str, ...], failed: bool
) -> None:
    """With workers too, and it says what to do; a part of it passes as ever."""
    files = [str(tmp_path / name) for name in ("test_a.py", "test_b.py")]
    (tmp_path / "conftest.py").write_text(CONFTEST.replace("FILES", repr(files)), "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]", "utf-8")
    for file in files:
        Path(file).write_text(TEST, "utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words], cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}, capture_output=True, text=True,
        check=False, stdin=subprocess.DEVNULL, timeout=120,
    )  # fmt: skip
    assert (ran.returncode, "never.made" in ran.stdout) == ((1, True) if failed else (0, False)), ran.stdout
    assert "internal.bug" not in ran.stdout
    assert ("take\nthe code out" in ran.stdout) is failed
