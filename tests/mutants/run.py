"""Putting mutants into copies of the tree and running their tests.

Rules of this file:
- The copies have everything that a test may read; their sources are found first, also by what a test starts.
- The tests must pass on the copies before any fault is put in: otherwise a failure would prove nothing.
- Killed means that pytest said "tests failed", or that they did not end in time. Anything else is an error.
"""

from __future__ import annotations

import json
import os
import queue
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tests.mutants.rows import Misplaced, Mutant

AT_ONCE = 2
TIMEOUT_S = 120.0
IGNORED = shutil.ignore_patterns("__pycache__", ".git", ".venv", ".hypothesis", ".*_cache", "*.egg-info")
PASSED, FAILED = 0, 1
"""pytest's own exit codes; 2 and up mean that it could not do what was asked."""


class Fate(Enum):
    KILLED = "killed"
    TIMED_OUT = "killed, by not ending"
    SURVIVED = "SURVIVED"
    ERROR = "ERROR"


@dataclass(frozen=True)
class Tried:
    mutant: Mutant
    fate: Fate
    said: str


class Tree:
    """A copy of the tree in which one mutant at a time is put."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._writes = 0
        self._server = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("serve.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        assert self._server.stdin
        assert self._server.stdout
        self._ask, self._answer = self._server.stdin, self._server.stdout

    def close(self) -> None:
        """End the process that runs its tests."""
        self._ask.close()
        self._server.wait()
        self._answer.close()

    def write(self, path: Path, text: str) -> None:
        """Bytecode is known by the whole second and size of its source: every write gets a second of its own."""
        self._writes += 1
        full = self.root / path
        full.write_text(text, "utf-8")
        at = 1_000_000_000 + self._writes
        os.utime(full, (at, at))

    def pytest(self, tests: Sequence[str], timeout_s: float, *options: str) -> tuple[int | None, str]:
        """Pytest's exit code, None when it did not end in time; and what it said."""
        words = [
            "-q", "-n", "0", "--no-header", "--tb=short", "-p", "no:cacheprovider",
            "-W", "ignore::pytest.PytestAssertRewriteWarning", *options, *tests,
        ]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(self.root), "CF_MTLS_BUDGET": "1"}
        said = self.root.with_suffix(".said")
        job = {"folder": str(self.root), "words": words, "environment": environment, "said": str(said)}
        self._ask.write(json.dumps(job) + "\n")
        self._ask.flush()
        child = int(self._answer.readline())
        in_time, _, _ = select.select([self._answer], [], [], timeout_s)
        if not in_time:
            os.killpg(child, signal.SIGKILL)
        code = int(self._answer.readline())
        return (code if in_time else None), said.read_text("utf-8", errors="replace")

    def tried(self, mutant: Mutant, timeout_s: float) -> Tried:
        """What became of a mutant; the copy is as it was afterwards."""
        original = (self.root / mutant.path).read_text("utf-8")
        try:
            faulty = mutant.put_into(original)
        except Misplaced as error:
            return Tried(mutant, Fate.ERROR, str(error))
        try:
            self.write(mutant.path, faulty)
            code, said = self.pytest(mutant.tests, timeout_s, "-x")
        finally:
            self.write(mutant.path, original)
        fates = {None: Fate.TIMED_OUT, FAILED: Fate.KILLED, PASSED: Fate.SURVIVED}
        return Tried(mutant, fates.get(code, Fate.ERROR), said)


@contextmanager
def trees(root: Path, count: int) -> Iterator[queue.Queue[Tree]]:
    """Copies of a tree, to be taken and given back."""
    with tempfile.TemporaryDirectory(prefix="cf-mtls-mutants-") as folder:
        free: queue.Queue[Tree] = queue.Queue()
        with ExitStack() as made:
            for number in range(count):
                shutil.copytree(root, Path(folder) / str(number), ignore=IGNORED, symlinks=True)
                free.put(made.enter_context(closing(Tree(Path(folder) / str(number)))))
            yield free


def unmutated(tests: Sequence[str], free: queue.Queue[Tree], timeout_s: float) -> str:
    """What pytest says when it does not pass on the copies as they are; '' when all is well."""
    listed = list(dict.fromkeys(tests))

    def part(number: int) -> str:
        mine = listed[number::AT_ONCE]
        if not mine:
            return ""
        tree = free.get()
        try:
            code, said = tree.pytest(mine, timeout_s * len(mine))
        finally:
            free.put(tree)
        return "" if code == PASSED else said or "the tests did not end in time"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return "\n".join(filter(None, pool.map(part, range(AT_ONCE))))


def attempt(
    mutants: Sequence[Mutant],
    root: Path,
    told: Callable[[Tried], None] = lambda _: None,
    timeout_s: float = TIMEOUT_S,
) -> tuple[Tried, ...]:
    """What became of each mutant, in order. Raises RuntimeError when their tests fail without any fault."""
    with trees(root, AT_ONCE) as free:
        if said := unmutated([t for m in mutants for t in m.tests], free, timeout_s):
            message = f"the tests do not pass without any fault put in:\n{said}"
            raise RuntimeError(message)

        def one(mutant: Mutant) -> Tried:
            tree = free.get()
            try:
                found = tree.tried(mutant, timeout_s)
            finally:
                free.put(tree)
            told(found)
            return found

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return tuple(pool.map(one, mutants))
