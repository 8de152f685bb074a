"""How soon the program answers: whole processes beside an interpreter that does nothing.

That nothing heavy is imported is a test, on `sys.modules`: tests/cli/test_small_verbs.py.
"""

from __future__ import annotations

from tests.bench.rounds import PYTHON, Program, interleaved
from tests.bench.table import Ask, Figure, Measured

NOTHING = "python -c pass"
ROWS = (
    Ask("cf-mtls --version", NOTHING, most=2),
    Ask("cf-mtls --help", NOTHING, most=8),
    Ask("cf-mtls completion bash", NOTHING),
)


def measure(rounds: int = 15) -> Measured:
    """Wall time of whole processes."""
    words = {ask.what: ask.what.removeprefix("cf-mtls ").split() for ask in ROWS}
    programs = {what: Program([PYTHON, "-m", "cf_mtls", *rest]) for what, rest in words.items()}
    taken = interleaved({NOTHING: Program([PYTHON, "-c", "pass"]), **programs}, rounds)
    return {what: Figure(taken[what].wall_ms, taken[NOTHING].wall_ms) for what in words}
