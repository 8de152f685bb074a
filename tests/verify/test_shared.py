"""Many files share one witness, and its load stays what it is for one."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Barrier, BrokenBarrierError, Lock

from cf_mtls.model.evidence import Evidence, Probe
from cf_mtls.model.people import Expected, Target
from cf_mtls.proving import Subject, ask
from cf_mtls.verify.witness import shared


@dataclass
class Counting:
    """A witness that counts how many ask at the same time; the first `at_once` wait for each other."""

    name: str = "counting"
    can: frozenset[int] = frozenset({1})
    at_once: int = 3
    lock: Lock = field(default_factory=Lock)
    meeting: Barrier = field(default_factory=lambda: Barrier(3))
    under_way: int = 0
    most: int = 0

    def ask(self, probe: Probe, identity: object) -> Evidence:
        with self.lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        with contextlib.suppress(BrokenBarrierError):
            self.meeting.wait(0.2)
        with self.lock:
            self.under_way -= 1
        return Evidence(200)


def test_four_files_make_no_more_requests_at_once_than_one() -> None:
    """Three at a time, though four files with five probes each are proven side by side; and every probe is asked."""
    counting = Counting()
    witness = shared(counting)
    probes = tuple(Probe(Target(f"https://a.net/{n}", "a"), None, Expected.REFUSED, 1) for n in range(5))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: ask(Subject(probes), witness), range(4)))
    assert counting.most == 3
    assert [len(one) for one in found] == [5] * 4
    assert (witness.name, witness.can, witness.at_once) == ("counting", frozenset({1}), 3)
