"""What a plan of a full account waits for, when every answer takes 100 ms; and how many requests it makes.

Waiting is wall time without the process's own CPU, less the same beside an emulator that answers at once: the time that
the emulator needs for 500 applications is in both. The count is also a test: tests/emulated/test_requests.py.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
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


def measure(rounds: int = 7) -> Measured:
    """Requests of one plan, and how long one waits."""
    account = state(**FULL)
    for table in ("apps", "certificates"):
        account[table].pop()  # room for what the plan adds
    late = {"do": "latency", "seconds": LATENCY_S}
    with ExitStack() as stack:
        file = small_stack(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        words = [PYTHON, "-m", "cf_mtls", "plan", str(file)]
        slow = stack.enter_context(rehearsing(account, [late]))
        quick = stack.enter_context(rehearsing(account))
        taken = interleaved({"slow": Program(words, slow.env), "quick": Program(words, quick.env)}, rounds)
        seen = len(slow.lever("requests"))
    waited = taken["slow"].waited_ms - taken["quick"].waited_ms
    return {
        "full account, requests of a plan": Figure(seen / (rounds + 1)),
        "full account, waiting of a plan": Figure(waited, 1000 * LATENCY_S),
    }
