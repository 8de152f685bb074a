"""Mutated inputs through every reader: 0 uncaught, 0 beyond two seconds, 0 beyond 200 MB.

A sample in the quick run, a million with CF_MTLS_BUDGET above 1; the counts are printed. The sample is drawn anew by
each commit; `python -m tests.fuzz` runs as many as asked for, and says by which seed something was found.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from random import Random

import pytest

from cf_mtls.diagnostics import Code, Failure, Fault, Severity
from tests.conftest import Counted
from tests.fuzz import child
from tests.fuzz.__main__ import MOST_MB, line, names, run, summed
from tests.fuzz.__main__ import child as measured
from tests.fuzz.mutate import VALUES, mutated, mutated_json
from tests.fuzz.readers import ANSWERS, READERS, Fuzzed, envelope
from tests.mutants.__main__ import seed
from tests.planning.worlds import BUDGET

SAMPLE, MANY = 1_110, 1_000_000


def test_no_reader_lets_anything_out(counted: Counted) -> None:
    """Every reader, in child processes, by the work that they did and the memory that they took."""
    if BUDGET == 1:
        found = [measured(seed(), -(-SAMPLE // len(READERS)), *names())]
    else:
        found = [counts for _, counts in run(MANY, seed(), os.cpu_count() or 1, names())]
    total = summed(found)
    counted(f"{len(READERS)} readers: {line(total)}")
    assert total["uncaught"] == []
    assert total["slow"] == []
    assert 10 < total["peak_mb"] < MOST_MB
    assert total["inputs"] >= (SAMPLE if BUDGET == 1 else MANY)
    assert 0.1 < total["understood"] / total["inputs"] < 0.95


def refused(_: bytes) -> bool:
    raise Failure([Code("x.y", Severity.ERROR, Fault.FILE, "no").found("no")])


def broken(_: bytes) -> bool:
    raise RecursionError


def endless(_: bytes) -> bool:
    while True:
        pass


@pytest.mark.parametrize(
    ("do", "counts"),
    [
        (refused, (1, 0, 1, 0, 0)),
        (broken, (1, 0, 0, 1, 0)),
        (endless, (1, 0, 0, 0, 1)),
        (lambda _: True, (1, 1, 0, 0, 0)),
    ],
)
def test_what_is_looked_for_is_found(do: object, counts: tuple[int, ...]) -> None:
    """A failure is an answer; an exception and an input that never ends are counted, with the seed."""
    child.signal.signal(child.signal.SIGPROF, child._stop)
    made = child.Counts()
    child.one(made, Fuzzed(lambda _: b"x", do), "s", 0.05)  # type: ignore[arg-type]
    assert (made.inputs, made.understood, made.refused, len(made.uncaught), len(made.slow)) == counts


@pytest.mark.parametrize("name", READERS)
def test_the_good_input_is_understood(name: str) -> None:
    """Or the mutated ones would be refused for nothing."""
    reader = READERS[name]
    calm = (reader.make(Random(number)) for number in range(300))

    def understood(data: bytes) -> bool:
        try:
            return reader.do(data)
        except Failure:
            return False

    assert any(map(understood, calm))


def test_mutations_are_many_and_the_same_for_the_same_seed() -> None:
    """Of bytes and of JSON: no seed twice the same, every value somewhere in the place of another."""
    value = envelope(ANSWERS["/access/apps"])
    assert mutated_json(Random(1), value) == mutated_json(Random(1), value)
    assert len({mutated_json(Random(n), value) for n in range(300)}) > 290
    assert len({mutated(Random(n), b"some bytes to change") for n in range(300)}) > 200
    before = json.dumps(VALUES)
    assert len({mutated_json(Random(n), {"a": {}}) for n in range(3000)}) > 100
    assert json.dumps(VALUES) == before, "an input was altered that others are made of"
    kinds = Counter[str]()
    for number in range(300):
        try:
            kinds[type(json.loads(mutated_json(Random(number), {"a": 1}))["a"]).__name__] += 1
        except (ValueError, KeyError, TypeError, RecursionError):
            kinds["none"] += 1
    assert {type(v).__name__ for v in VALUES} <= set(kinds)
