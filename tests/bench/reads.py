"""What a plan of a full account waits for, when every answer takes 100 ms; and how many requests it makes.

Waiting is wall time without the process's own CPU. The count is also a test: tests/emulated/test_requests.py.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.bench.accounts import FULL, small_stack, state
from tests.bench.rehearsal import rehearsing
from tests.bench.rounds import PYTHON, Program, interleaved
from tests.bench.table import Ask, Figure, Measured

LATENCY_S = 0.1
TRIP = "one round trip"
ROWS = (
    Ask("full account, requests of a plan", unit="", most=8),
    Ask("full account, waiting of a plan", TRIP, most=2.5),
)


def measure(rounds: int = 5) -> Measured:
    """Requests of one plan, and how long one waits."""
    account = state(**FULL)
    for table in ("apps", "certificates"):
        account[table].pop()  # room for what the plan adds
    late = {"do": "latency", "seconds": LATENCY_S}
    with tempfile.TemporaryDirectory() as folder, rehearsing(account, [late]) as emulator:
        file = small_stack(Path(folder))
        words = [PYTHON, "-m", "cf_mtls", "plan", str(file)]
        taken = interleaved({"plan": Program(words, emulator.env)}, rounds)["plan"]
        seen = len(emulator.lever("requests"))
    return {
        "full account, requests of a plan": Figure(seen / (rounds + 1)),
        "full account, waiting of a plan": Figure(taken.waited_ms, 1000 * LATENCY_S),
    }
