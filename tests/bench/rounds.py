"""Measuring programs side by side: interleaved in random order, round by round, the best of each.

Rules of this file:
- What is compared is measured in the same rounds, so that a busy moment strikes all alike.
- One round before the first warms the disk and the bytecode, which stands where an installed program has it.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PYTHON = sys.executable
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Taken:
    """What one program took, the best of its runs: milliseconds, megabytes."""

    wall_ms: float
    cpu_ms: float
    waited_ms: float
    """Wall without CPU: waiting for others."""
    peak_mb: float


@dataclass(frozen=True)
class Program:
    """A command, and what is added to its environment; other exit codes than 0 are an error."""

    words: Sequence[str]
    env: Mapping[str, str] | None = None
    cwd: Path = ROOT


def environment(**more: str) -> dict[str, str]:
    """The environment of a measured program: no account, no settings of ours, bytecode allowed."""
    ours = ("CLOUDFLARE_", "CF_MTLS_", "PYTHONDONTWRITE")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)} | more


@contextmanager
def _stopwatch() -> Iterator[tuple[IO[str], IO[str]]]:
    words = [PYTHON, "-I", "-S", str(Path(__file__).with_name("stopwatch.py"))]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdin
        assert watch.stdout
        yield watch.stdin, watch.stdout


def interleaved(programs: Mapping[str, Program], rounds: int, seed: int = 1) -> dict[str, Taken]:
    """What each program takes. Exits when one of them fails."""
    order, runs = random.Random(seed), {name: list[dict[str, float]]() for name in programs}
    with _stopwatch() as (ask, answer):
        for number in range(rounds + 1):
            for name in order.sample(list(programs), len(programs)):
                program = programs[name]
                env = environment(**(program.env or {}))
                ask.write(json.dumps({"words": program.words, "env": env, "cwd": str(program.cwd)}) + "\n")
                ask.flush()
                run = json.loads(answer.readline())
                if run["code"]:
                    sys.exit(f"{name} failed with {run['code']}: {' '.join(program.words)}")
                if number:
                    runs[name].append(run)
    return {name: _best(taken) for name, taken in runs.items()}


def _best(runs: list[dict[str, float]]) -> Taken:
    """The least of each figure: on a machine that others use, what is more than that is theirs."""

    def of(name: str) -> float:
        return min(run[name] for run in runs)

    waited = min(run["wall_s"] - run["cpu_s"] for run in runs)
    return Taken(1000 * of("wall_s"), 1000 * of("cpu_s"), 1000 * waited, of("peak_mb"))
