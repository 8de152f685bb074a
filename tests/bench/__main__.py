"""`python -m tests.bench [NAME ...] [--json FILE] [--readme FILE]`: every bench, as ratios of one run.

Rules of this file:
- A bench is a row of `BENCHES`: a module here with `ROWS`, what it shows, and `measure`, which makes the figures;
  one that has a `profile` keeps it beside them, for whoever wants to know where the time goes.
- A broken bound is said in the table and ends nothing: the exit code is 0 whenever everything could be measured, for
  a figure depends on the machine. What must never happen (a heavy import, a ninth request) is a test.
- Only benches that are named are made, or all but the slow ones; nothing heavy is imported before.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.bench.table import Row, aligned, markdown, rows

BENCHES: dict[str, str] = {
    "start": "start",
    "plan": "plan",
    "requests": "reads",
    "growth": "growth",
    "explain": "explain",
    "proofs": "verify",
    "verdicts": "pki",
    "emulator": "emulator",
    "install": "install",
}
"""Name to module of this folder, in the order of the table."""

SLOW = frozenset({"install"})
"""Made only when named."""

MARKS = ("<!-- bench -->\n", "<!-- /bench -->\n")


def bench(name: str) -> Any:
    """The module of a bench: `ROWS` and `measure`."""
    return import_module(f"tests.bench.{BENCHES[name]}")


def made(names: Sequence[str]) -> list[Row]:
    """The rows of these benches; each is shown as soon as it is there."""
    found: list[Row] = []
    for name in names:
        module = bench(name)
        print(f"{name}: measuring", file=sys.stderr, flush=True)
        found += rows(name, module.ROWS, module.measure())
    return found


def machine() -> str:
    """Processor, cores, system and Python; no name of the host."""
    info = Path("/proc/cpuinfo")
    text = info.read_text("utf-8") if info.exists() else ""
    model = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    cpu = model[1] if model else platform.processor() or platform.machine()
    return f"{cpu}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def section(found: Sequence[Row], on: str, today: date) -> str:
    """What stands in the README between the marks."""
    return f"{markdown(found)}\n\nMeasured on {today}: {on}.\n"


def main(words: Sequence[str], today: date) -> int:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHES)}, or all")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there")
    parser.add_argument("--readme", metavar="FILE", type=Path, help="write the table between its marks there")
    asked = parser.parse_args(words)
    names = list(BENCHES) if asked.names == ["all"] else asked.names or [n for n in BENCHES if n not in SLOW]
    if unknown := set(names) - BENCHES.keys():
        parser.error(f"no bench {', '.join(sorted(unknown))}")
    found = made(names)
    print(f"{aligned(found)}\n\n{today}, {machine()}")
    profiles = {name: bench(name).profile() for name in names if hasattr(bench(name), "profile")}
    for text in profiles.values():
        print(f"\nProfile: {text}")
    if asked.json:
        data = {
            "date": str(today),
            "machine": machine(),
            "rows": [row.data() for row in found],
            "profiles": profiles,
        }
        asked.json.write_text(json.dumps(data, indent=1) + "\n", "utf-8")
    if asked.readme:
        before, rest = asked.readme.read_text("utf-8").split(MARKS[0])
        after = rest.split(MARKS[1])[1]
        text = f"{before}{MARKS[0]}{section(found, machine(), today)}{MARKS[1]}{after}"
        asked.readme.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], datetime.now(UTC).date()))
