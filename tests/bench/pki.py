"""How many verdicts a second: ours in the process, and the `openssl verify` binary, in turn."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from statistics import median

from cf_mtls.pki.authority import root
from cf_mtls.pki.chain import judge
from tests.bench.table import Ask, Figure, Measured

VERDICTS = "verdicts on client certificates a second"
ROWS = (Ask(VERDICTS, "openssl verify", "/s", least=10),)


def measure(seconds: float = 0.5, rounds: int = 5) -> Measured:
    """Both rates in the same rounds; the median of each."""
    now = datetime.now(UTC)
    authority = root("bench root", now=now).intermediate("bench clients", now=now)
    leaves = [authority.issue(f"client {n}", now=now).certificate for n in range(20)]
    trusted, turn = [c.der for c in authority.chain.certificates], cycle(leaves)
    with tempfile.TemporaryDirectory() as folder:
        chain, leaf = Path(folder, "chain.pem"), Path(folder, "leaf.pem")
        chain.write_text(authority.chain.pem)
        leaf.write_text(leaves[0].pem)

        def ours() -> None:
            assert judge(trusted, next(turn).der).ok

        def theirs() -> None:
            subprocess.run(["openssl", "verify", "-CAfile", chain, leaf], check=True, capture_output=True)

        rates = [(_rate(ours, seconds), _rate(theirs, seconds)) for _ in range(rounds)]
    return {VERDICTS: Figure(median(fast for fast, _ in rates), median(slow for _, slow in rates))}


def _rate(call: Callable[[], None], seconds: float) -> float:
    count, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        call()
        count += 1
    return count / spent
