"""The benches: what counts as kept, and that the README shows what they show. Nothing here is timed."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from tests.bench.__main__ import BENCHES, MARKS, SLOW, bench, section
from tests.bench.rounds import PYTHON, Program, interleaved
from tests.bench.table import HEAD, Ask, Figure, Row, aligned, markdown, rows

README = Path(__file__).parent.parent / "README.md"


@pytest.mark.parametrize(
    ("ask", "found", "holds"),
    [
        (Ask("a", "b", most=2), Figure(20, 10), True),
        (Ask("a", "b", most=2), Figure(21, 10), False),
        (Ask("a", "b", least=2), Figure(20, 10), True),
        (Ask("a", "b", least=2), Figure(19, 10), False),
        (Ask("a", most=8), Figure(8), True),
        (Ask("a", most=8), Figure(9), False),
        (Ask("a", most=0), Figure(0), True),
        (Ask("a", "b"), Figure(9, 1), None),
        (Ask("a", "b", most=2), "it is not installed", None),
    ],
)
def test_a_bound_is_on_the_ratio_else_on_the_count(ask: Ask, found: Figure | str, holds: bool | None) -> None:
    """Kept up to the bound itself, broken beyond it; neither without a figure or without a bound."""
    assert Row("x", ask, found).holds is holds


def test_a_broken_bound_and_a_missing_figure_are_said_aloud() -> None:
    """In every form of the table, with the reason."""
    asked = (Ask("slow", "base", most=2), Ask("gone", "base", most=2))
    found = rows("x", asked, {"slow": Figure(30, 10), "gone": "nginx is not installed"})
    for text in (aligned(found), markdown(found)):
        assert re.search(r"slow .*base: 10 ms .*at most 2 .*\*\*no\*\*", text)
        assert re.search(r"gone .*nginx is not installed .*not measured", text)
    assert [row.data()["skipped"] for row in found] == [None, "nginx is not installed"]


def test_a_bench_must_measure_what_it_shows() -> None:
    """A row without a figure or a reason is a mistake, not an empty cell."""
    with pytest.raises(KeyError):
        rows("x", (Ask("a"),), {})


def test_a_program_that_fails_ends_the_run() -> None:
    """The time of an error message is no figure."""
    with pytest.raises(SystemExit, match="failed with 3"):
        interleaved({"x": Program([PYTHON, "-c", "raise SystemExit(3)"])}, 1)


def test_the_readme_shows_every_row_that_the_benches_make() -> None:
    """Row by row, with the baseline in words and the bound; figures, machine and date are those of its own run."""
    text = README.read_text("utf-8").partition(MARKS[0])[2].partition(MARKS[1])[0]
    shown = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line[:1] == "|"
    ]
    assert shown[0] == list(HEAD)
    asked = [Row(name, ask, Figure(1)) for name in BENCHES for ask in bench(name).ROWS]
    assert [(line[0], line[1], line[3].partition(": ")[0], line[5]) for line in shown[2:]] == [
        (row.bench, row.ask.what, row.ask.beside, row.bound) for row in asked
    ]
    assert re.search(
        r"^Measured on \d{4}-\d\d-\d\d: .+, \d+ cores, .+, Python 3\.\d+\.\d+\.$", text, re.MULTILINE
    )
    assert "python -m tests.bench all" in README.read_text("utf-8")


def test_a_whole_run_leaves_out_only_what_is_slow() -> None:
    """What needs the network is made when it is named."""
    assert set(BENCHES) >= SLOW == {"install"}
    assert section([], "a machine", date(2026, 1, 2)).endswith("Measured on 2026-01-02: a machine.\n")
