"""`python -m tests.mutants [--sample N] [--seed TEXT] [WORD ...]`: which faults the tests notice.

Exit 0 when every fault that is not equivalent was noticed; 1 otherwise.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from tests.mutants.rows import Mutant
from tests.mutants.run import Fate, Tried, attempt
from tests.mutants.table import MUTANTS

ROOT = Path(__file__).parent.parent.parent
LAST_LINES = 12


def seed() -> str:
    """What the sample hangs on: the commit, or the day where there is none. A change draws another sample."""
    asked = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or f"{datetime.now(UTC):%Y-%m-%d}"


def chosen(words: Sequence[str], sample: int | None, drawn_by: str) -> list[Mutant]:
    """The mutants to try: those with one of the words in their line, all without words; of them a sample."""
    fitting = [m for m in MUTANTS if not m.equivalent and (not words or any(w in str(m) for w in words))]
    return fitting if sample is None else Random(drawn_by).sample(fitting, min(sample, len(fitting)))


def told(tried: Tried) -> None:
    """One line each; what pytest said, for those that the table is wrong about."""
    print(f"{tried.fate.value:9} {tried.mutant}", flush=True)
    if tried.fate is Fate.ERROR:
        print("\n".join(f"    {line}" for line in tried.said.splitlines()[-LAST_LINES:]), flush=True)


def main() -> int:
    """Try them, print them and the figure."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("words", nargs="*", help="only mutants whose line holds one of these")
    parser.add_argument(
        "--sample", type=int, help="so many, drawn by the seed; all with CF_MTLS_BUDGET above 1"
    )
    parser.add_argument("--seed", default=seed(), help="what the sample hangs on; the commit when left out")
    asked = parser.parse_args()
    longer = int(os.environ.get("CF_MTLS_BUDGET", "1")) > 1
    mutants = chosen(asked.words, None if longer else asked.sample, asked.seed)
    if asked.sample and not longer:
        print(f"a sample of {len(mutants)}, drawn by --seed {asked.seed}")
    began = time.monotonic()
    found = attempt(mutants, ROOT, told)
    counts = {fate: sum(tried.fate is fate for tried in found) for fate in Fate}
    killed = counts[Fate.KILLED] + counts[Fate.TIMED_OUT]
    equivalent = sum(bool(m.equivalent) for m in MUTANTS)
    print(
        f"{killed} of {len(found)} killed, {counts[Fate.SURVIVED]} survived, {counts[Fate.ERROR]} errors; "
        f"{equivalent} more are equivalent, {len(MUTANTS)} in all; {time.monotonic() - began:.0f} s"
    )
    return int(killed < len(found))


if __name__ == "__main__":
    sys.exit(main())
