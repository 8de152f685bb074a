"""`python -m tests.fuzz [--inputs N] [--seed TEXT] [--jobs J] [WORD ...]`: mutated inputs through the readers.

Exit 0 when nothing was uncaught, slow or large; 1 otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
MOST_MB = 200
EACH = 20_000
"""Inputs of one process at most: a leak would show, and the work is spread."""


def names() -> tuple[str, ...]:
    """The readers."""
    from tests.fuzz.readers import READERS

    return tuple(READERS)


def run(inputs: int, seed: str, jobs: int, wanted: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The counts of each child process, as they end. inputs: of all readers together."""
    each = -(-inputs // len(wanted))
    work = [
        (name, f"{seed}/{start}", min(EACH, each - start))
        for start in range(0, each, EACH)
        for name in wanted
    ]
    with ThreadPoolExecutor(jobs) as pool:
        yield from zip(
            (name for name, _, _ in work),
            pool.map(lambda job: child(job[1], job[2], job[0]), work),
            strict=True,
        )


def child(seed: str, count: int, *readers: str) -> dict[str, Any]:
    """The counts of one child process; its own failure is something uncaught."""
    command = [sys.executable, "-m", "tests.fuzz.child", seed, str(count), *readers]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=_environment())
    if ran.returncode:
        said = {"seed": seed, "what": f"the process ended with {ran.returncode}: {ran.stderr[-300:]}"}
        return {
            "inputs": 0,
            "understood": 0,
            "refused": 0,
            "slowest_s": 0,
            "peak_mb": 0,
            "uncaught": [said],
            "slow": [],
        }
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def _environment() -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH")
    return {name: os.environ[name] for name in kept if name in os.environ}


def summed(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The counts of several processes together."""
    return {
        "inputs": sum(f["inputs"] for f in found),
        "understood": sum(f["understood"] for f in found),
        "refused": sum(f["refused"] for f in found),
        "slowest_s": max(f["slowest_s"] for f in found),
        "peak_mb": max(f["peak_mb"] for f in found),
        "uncaught": [u for f in found for u in f["uncaught"]],
        "slow": [s for f in found for s in f["slow"]],
    }


def line(counts: dict[str, Any]) -> str:
    """The counts in one line."""
    return (
        f"{counts['inputs']} inputs, {counts['understood']} understood, {len(counts['uncaught'])} uncaught, "
        f"{len(counts['slow'])} beyond 2 s (slowest {counts['slowest_s']} s), peak {counts['peak_mb']} MB"
    )


def main() -> int:
    """Run and tell."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("words", nargs="*", help="of the readers' names; all without")
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    wanted = [n for n in names() if not asked.words or any(w in n for w in asked.words)]
    everything: dict[str, list[dict[str, Any]]] = {}
    for name, counts in run(asked.inputs, asked.seed, asked.jobs, wanted):
        everything.setdefault(name, []).append(counts)
        sys.stdout.write(f"{name}: {line(counts)}\n")
        for found in [*counts["uncaught"], *counts["slow"]][:5]:
            sys.stdout.write(f"    {found['seed']}: {found['what']}\n")
        sys.stdout.flush()
    total = summed([c for counts in everything.values() for c in counts])
    sys.stdout.write(f"all: {line(total)}\n")
    return 1 if total["uncaught"] or total["slow"] or total["peak_mb"] > MOST_MB else 0


if __name__ == "__main__":
    raise SystemExit(main())
