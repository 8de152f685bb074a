"""Which diagnostic codes the program made in this run, and after a whole run, which of them it never made.

Rules of this file:
- A code counts when the program made a diagnostic of it: one that a test makes by hand proves nothing.
- Only this process and its fellow workers are seen: what a child process of a test says does not count.
- Only a whole run is judged: every test file collected, nothing deselected, every test run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cf_mtls import diagnostics
from cf_mtls.diagnostics import Code, Diagnostic

FILES = frozenset(map(str, Path(__file__).parent.rglob("test_*.py")))
PROGRAM = str(Path(diagnostics.__file__).parent) + "/"
WHAT_TO_DO = """\
These codes are in the program, and in this whole run no test made the program say them. For each of them, either
write the smallest test that brings the program to it, in the tests' own process and not in a child (see
tests/cli/test_produced.py and tests/emulated/test_produced.py), or, when nothing can bring the program to it, take
the code out of the program and out of .github/DIAGNOSTICS.md. A test that was skipped may have been the one."""


@dataclass
class Seen:
    """What was seen by one process, or by several together."""

    codes: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    collected: int = 0
    deselected: int = 0
    run: int = 0

    def add(self, other: dict[str, Any]) -> None:
        """What a worker saw. Each collects all the tests; which of them ended, the first process hears itself."""
        self.codes |= set(other["codes"])
        self.files |= set(other["files"])
        self.collected = max(self.collected, other["collected"])
        self.deselected = max(self.deselected, other["deselected"])

    def sent(self) -> dict[str, Any]:
        """As `add` takes it, of types that pytest-xdist can send."""
        return {**vars(self), "codes": sorted(self.codes), "files": sorted(self.files)}

    def is_whole(self, files: Collection[str]) -> bool:
        """Whether every one of those test files was collected, nothing left out, and all of it run."""
        return self.files >= set(files) and not self.deselected and self.run == self.collected

    def missing(self, codes: Iterable[str]) -> list[str]:
        """Which of these codes the program never made."""
        return sorted(set(codes) - self.codes)


def listen(codes: set[str]) -> Callable[[], None]:
    """From now on each code of which the program makes a diagnostic is put into `codes`. What comes back stops it."""
    made = Diagnostic.__init__

    def listening(self: Diagnostic, code: Code, *args: Any, **more: Any) -> None:
        made(self, code, *args, **more)
        frame = sys._getframe(1)
        if frame.f_code is Code.found.__code__ and frame.f_back:
            frame = frame.f_back
        if frame.f_code.co_filename.startswith(PROGRAM):
            codes.add(code.code)

    type.__setattr__(Diagnostic, "__init__", listening)
    return lambda: type.__setattr__(Diagnostic, "__init__", made)


def every_code() -> list[str]:
    """The program's codes; asking for them imports all of it."""
    from tests.test_diagnostics import CODES

    return [code.code for code in CODES]


class Produced:
    """The plugin: it listens in every process, gathers what the workers saw, and judges at the end."""

    def __init__(
        self,
        config: pytest.Config,
        files: Collection[str] = FILES,
        codes: Callable[[], Iterable[str]] = every_code,
    ) -> None:
        """files: all test files. codes: asked once the run was a whole one."""
        self.config, self.files, self.codes = config, files, codes
        self.seen = Seen()
        self.missing: list[str] = []
        listen(self.seen.codes)

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Tests that were left out by -k, -m, --lf and the like."""
        self.seen.deselected += len(items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """The tests that will be run."""
        self.seen.files = {str(item.path) for item in session.items}
        self.seen.collected = len(session.items)

    def pytest_runtest_logfinish(self) -> None:
        """One test more that ended. With workers, the first process hears of all of them too."""
        self.seen.run += 1

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker has ended, and sends what it saw."""
        self.seen.add(getattr(node, "workeroutput", {}).get("produced", Seen().sent()))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """In a worker: send. In the first process: judge."""
        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput["produced"] = self.seen.sent()
        elif self.seen.is_whole(self.files):
            self.missing = self.seen.missing(self.codes())
        if self.missing and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The codes that are missing, one a line, and what to do."""
        if self.missing:
            terminalreporter.section("diagnostic codes that no test made the program say", red=True)
            terminalreporter.write_line(WHAT_TO_DO)
            for code in self.missing:
                terminalreporter.write_line(f"    {code}", red=True)
