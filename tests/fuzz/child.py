"""`python -m tests.fuzz.child SEED COUNT READER...`: mutated inputs through each reader, measured, in one process.

Prints one JSON object, of all the readers together. CPU seconds decide what is slow, so that a busy machine does not;
memory is the process's own peak, interpreter and libraries included.
"""

from __future__ import annotations

import base64
import json
import resource
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from cf_mtls.diagnostics import Failure
from tests.fuzz.readers import READERS, Fuzzed

SLOWEST_S = 2.0
WARM = 5
MOST_FOUND = 20
"""Findings of one process; more of them say nothing more."""


@dataclass
class Counts:
    """What became of the inputs."""

    inputs: int = 0
    understood: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    peak_mb: float = 0.0
    uncaught: list[dict[str, Any]] = field(default_factory=list)
    slow: list[dict[str, Any]] = field(default_factory=list)


class TooSlow(BaseException):
    """Raised where an input has used its time."""


def _stop(*_: object) -> None:
    raise TooSlow


def peak_mb() -> float:
    """The most memory that this process held; getrusage would count what its parent held when it was started."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    held = next(
        line for line in status.read_text("ascii", "replace").splitlines() if line.startswith("VmHWM:")
    )
    return int(held.split()[1]) / 1000


def one(counts: Counts, reader: Fuzzed, seed: str, slowest_s: float = SLOWEST_S) -> None:
    """One input: made, read, counted. slowest_s: CPU seconds after which it is stopped."""
    data = reader.make(Random(seed))
    began = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, slowest_s)
    try:
        counts.understood += reader.do(data)
    except Failure:
        counts.refused += 1
    except TooSlow:
        counts.slow.append(shown(seed, data, "more than two seconds"))
    except BaseException as error:  # noqa: BLE001 - that is what is looked for
        where = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__} at {where.filename.rpartition('/')[2]}:{where.lineno}: {str(error)[:100]}"
        counts.uncaught.append(shown(seed, data, said))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    spent = time.process_time() - began
    counts.inputs += 1
    counts.slowest_s = max(counts.slowest_s, round(spent, 3))
    if spent > slowest_s and not (counts.slow and counts.slow[-1]["seed"] == seed):
        counts.slow.append(shown(seed, data, f"{spent:.1f} s"))


def shown(seed: str, data: bytes, what: str) -> dict[str, Any]:
    return {"seed": seed, "what": what, "size": len(data), "begins": base64.b64encode(data[:300]).decode()}


def main(seed: str, count: int, names: Sequence[str]) -> Counts:
    """What became of `count` inputs of each reader."""
    signal.signal(signal.SIGPROF, _stop)
    warm = Counts()
    for name in names:  # what is made once, keys and folders, is not an input's time
        for number in range(min(WARM, count)):
            one(warm, READERS[name], f"warm/{number}")
    counts = Counts()
    for name in names:
        for number in range(count):
            one(counts, READERS[name], f"{name}/{seed}/{number}")
            if len(counts.uncaught) + len(counts.slow) >= MOST_FOUND:
                break
    counts.peak_mb = round(peak_mb(), 1)
    return counts


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))) + "\n")
