"""How many verdicts a second: ours in the process and the `openssl verify` binary, in one run.

    python tests/bench/pki.py [SECONDS]

Not a test: the figures depend on the machine. The ratio hardly does; at least 10 is expected, and the exit
code says whether it was reached.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cf_mtls.pki.authority import root
from cf_mtls.pki.chain import judge

if TYPE_CHECKING:
    from collections.abc import Callable

EXPECTED = 10


def rate(call: Callable[[], None], seconds: float) -> float:
    """Calls a second, counted over at least so many seconds."""
    count, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        call()
        count += 1
    return count / spent


def main(seconds: float) -> int:
    """Print both rates and their ratio; 0 when the ratio is as expected."""
    now = datetime.now(UTC)
    authority = root("bench root", now=now).intermediate("bench clients", now=now)
    leaves = [authority.issue(f"client {n}", now=now).certificate for n in range(20)]
    trusted = [c.der for c in authority.chain.certificates]
    with tempfile.TemporaryDirectory() as folder:
        chain, leaf = Path(folder, "chain.pem"), Path(folder, "leaf.pem")
        chain.write_text(authority.chain.pem)
        leaf.write_text(leaves[0].pem)
        turn = iter(range(10**9))

        def ours() -> None:
            assert judge(trusted, leaves[next(turn) % 20].der).ok

        def theirs() -> None:
            subprocess.run(["openssl", "verify", "-CAfile", chain, leaf], check=True, capture_output=True)

        fast, slow = rate(ours, seconds), rate(theirs, seconds)
    print(
        f"judge: {fast:.0f}/s   openssl verify: {slow:.0f}/s   ratio {fast / slow:.1f}, expected {EXPECTED}"
    )
    return 0 if fast / slow >= EXPECTED else 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 3.0))
