"""The life of issues while GitHub fails: random histories, and a month of days with two stacks of one path.

What should be there is kept by the tests' own books: from what each run was told, never from the program's markers.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from cf_mtls.ci.issue import Done, Run, sync
from cf_mtls.ci.reading import report, told
from cf_mtls.declare import search
from cf_mtls.diagnostics import Failure
from cf_mtls.model.coverage import Part, seen
from cf_mtls.planning.drift import Checked, Class, Finding
from cf_mtls.report.drift_data import drift_data
from tests.ci.fake_github import BOT, Answer, FakeGitHub, inside
from tests.ci.reports import SCOPE
from tests.conftest import Counted
from tests.planning.worlds import BUDGET

HISTORIES, RUNS = 60 * BUDGET, 12
BEGIN = datetime(2026, 11, 1, 5, 23, tzinfo=UTC)
DRIFTS = ("a", "b", "c")


class Killed(BaseException):
    """The job is ended in the middle."""


@dataclass
class Trouble:
    """How GitHub fails, drawn anew for every request: before it did it, after it did it, or the job ends there."""

    draw: random.Random
    rate: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)

    def around(self, request: str, do: Callable[[], Answer]) -> Answer:
        if self.draw.random() >= self.rate:
            status, found = do()
            if self.rate and request == "GET /repos/o/r/issues" and self.draw.random() < 0.1 and found:
                self.counts["stale list"] += 1
                return status, found[1:]  # the newest is not listed yet
            return status, found
        kind = self.draw.choice(["refused", "lost", "unreachable", "killed before", "killed after"])
        self.counts[kind] += 1
        if kind in {"lost", "killed after"}:
            do()
        if kind.startswith("killed"):
            raise Killed
        if kind == "unreachable":
            raise httpx.ConnectError("nobody there")
        return 502, {"message": "Bad Gateway"}


@dataclass
class Book:
    """What one stack was, run by run, as the runs were told: a drift's letter, `clean`, `error`, `gone`."""

    states: list[str] = field(default_factory=list)
    said: Counter[str] = field(default_factory=Counter)

    @property
    def changes(self) -> int:
        """How often it was seen to change, errors left out."""
        seen = [state for state in self.states if state != "error"]
        return sum(one != two for one, two in pairwise(seen))


def finding(letter: str) -> Finding:
    return Finding(Class.DRIFT, "application/jeann.net", f"is not as declared: {letter}", letter)


def checked(file: str, stack: str, state: str) -> Checked:
    """What a check finds of a stack in this state."""
    if state == "error":
        return Checked(file, stack, SCOPE, (Finding(Class.UNCHECKED, "api", "no answer", "x"),))
    return Checked(file, stack, SCOPE, (finding(state),) if state in DRIFTS else (), coverage=seen(Part))


def a_run(fake: FakeGitHub, trouble: Trouble, reports: list[dict[str, Any]], at: datetime) -> Done | None:
    """What a run did; None when it died or could not even begin."""
    read = [report(json.dumps(data).encode(), "r.json", ("drift", "stacks")) for data in reports]
    run = Run(f"{at:%Y-%m-%dT%H:%M:%SZ}", "", BOT, ("cf-mtls",))
    try:
        with inside(fake, trouble.around) as github:
            return sync(github, told(read, "o/r"), run, 10)
    except (Killed, Failure):
        return None


def of(fake: FakeGitHub, stack: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The issues that people see as this stack's."""
    return ((n, i) for n, i in sorted(fake.issues.items()) if i["title"] == f"cf-mtls: {stack} drifted")


def sayings(fake: FakeGitHub, number: int) -> list[str]:
    """What was said, in order: twelve digits of the drift with which it was made, then of each comment, or its word."""
    found = [digits[:12] for digits in re.findall(r" said=([0-9a-f]+) ", fake.issues[number]["made"])]
    for comment in fake.comments.get(number, []):
        text = comment["body"].partition("\n")[2]
        digits = re.search(r"`([0-9a-f]{12})`", text)
        found.append(digits[1] if digits else text.split()[0].strip(":").lower())
    return found


def print_of(state: str) -> str:
    return checked("", "", state).fingerprint


def opens(fake: FakeGitHub) -> set[int]:
    return {number for number, issue in fake.issues.items() if issue["state"] == "open"}


def assert_no_wrong_close(fake: FakeGitHub, before: set[int], stack: str, state: str) -> None:
    """While a stack drifts or could not be checked, its open issue is not closed, whatever fails."""
    if state in {"clean", "gone"}:
        return
    mine = [number for number, _ in of(fake, stack)]
    if before & set(mine):
        assert opens(fake) & set(mine), (stack, state)
    if state == "error":
        assert before & set(mine) == opens(fake) & set(mine)


def assert_converged(fake: FakeGitHub, stack: str, book: Book) -> None:
    """After a run that GitHub did all of: one open issue with the right body and the last word, or none open."""
    issues = list(of(fake, stack))
    open_ones = [(n, i) for n, i in issues if i["state"] == "open"]
    state = book.states[-1]
    if state == "error":
        return
    if state not in DRIFTS:
        assert open_ones == []
    else:
        ((number, issue),) = open_ones
        assert f"is not as declared: {state}" in issue["body"]
        assert ([print_of(state)[:12]] if not sayings(fake, number) else sayings(fake, number))[
            -1
        ] == print_of(state)[:12]
    for number, _ in issues:
        words = sayings(fake, number)
        assert not [pair for pair in pairwise(words) if pair[0] == pair[1]], words
        assert len(words) <= book.changes + 2  # the first drift, and a word for a duplicate


def test_random_failures_converge(counted: Counted) -> None:
    """Random runs with random failures at any request: at every clean run's end exactly what should be there is."""
    total, troubles, converged, commented = Counter[str](), Counter[str](), 0, 0
    for seed in range(HISTORIES):
        draw = random.Random(seed)
        fake, trouble, books = FakeGitHub(), Trouble(draw), {"east": Book(), "west": Book()}
        for day in range(RUNS):
            calm = day == RUNS - 1 or draw.random() < 0.3
            trouble.rate = 0.0 if calm else draw.choice([0.05, 0.2, 0.5])
            now = {stack: draw.choice([*DRIFTS[:2], *DRIFTS, "clean", "clean", "error"]) for stack in books}
            if calm and draw.random() < 0.2:
                now["west"] = "gone"
            there = {stack: state for stack, state in now.items() if state != "gone"}
            for stack, state in now.items():
                if books[stack].states[-1:] != [state]:
                    books[stack].states.append(state)
            names = [f"plans/{stack}.yaml" for stack in there]
            account = {"whole": True, "folders": ["plans"], "plan_files": names, "says": ""}
            found = [checked(f"plans/{stack}.yaml", stack, state) for stack, state in there.items()]
            data = drift_data(found, BEGIN, (), files=account)
            before = opens(fake)
            done = a_run(fake, trouble, [data], BEGIN + timedelta(days=day))
            for stack, state in now.items():
                assert_no_wrong_close(fake, before, stack, state)
            total["runs"] += 1
            if calm:
                assert done
                assert done.problems == []
                for stack, book in books.items():
                    assert_converged(fake, stack, book)
                converged += 1
            else:
                total["with trouble"] += done is None or bool(done.problems)
        troubles += trouble.counts
        commented += sum(map(len, fake.comments.values()))
    assert set(troubles) == {"refused", "lost", "unreachable", "killed before", "killed after", "stale list"}
    counted(
        f"{HISTORIES} histories, {total['runs']} runs, {total['with trouble']} of them failed, {dict(troubles)};"
        f" {converged} times exactly right, {commented} comments, 0 said twice, 0 wrongly closed"
    )


DAYS = 30
STATES: dict[str, list[tuple[int, str]]] = {
    "east": [
        (1, "clean"),
        (4, "a"),
        (10, "b"),
        (13, "clean"),
        (20, "a"),
        (24, "error"),
        (26, "b"),
        (28, "clean"),
    ],
    "west": [
        (1, "clean"),
        (2, "a"),
        (6, "clean"),
        (9, "error"),
        (10, "a"),
        (14, "b"),
        (25, "clean"),
        (26, "b"),
    ],
    "melaka": [(1, "clean"), (5, "c"), (15, "gone")],
    "penang": [(1, "b"), (19, "clean"), (22, "c")],
}
"""From which day on a stack is in which state."""
FILES: dict[str, list[tuple[int, str]]] = {
    "east": [(1, "east/plans/edge.yaml"), (7, "east/plans/door.yaml"), (21, "east/plans/new/door.yml")],
    "west": [(1, "west/plans/edge.yaml"), (11, "west/plans/door.yaml")],
    "melaka": [(1, "east/plans/melaka.yaml")],
    "penang": [(1, "west/plans/penang.yaml"), (23, "east/plans/penang.yaml")],
}
"""From which day on its file is where: east and west begin with one relative path, penang moves to the other folder."""
BROKEN = range(15, 18)
"""Days on which a file beside melaka's cannot be read, so that nobody can tell whether melaka is gone."""
RATES = {**dict.fromkeys(range(8, 13), 0.3), **dict.fromkeys(range(20, 25), 0.4), 11: 1.0, 21: 1.0}
"""Days with trouble at GitHub, and two on which nothing works."""


def on(day: int, rows: list[tuple[int, str]]) -> str:
    return [value for first, value in rows if first <= day][-1]


def laid_out(root: Path, day: int) -> None:
    """The checkout of a day."""
    for old in sorted(root.rglob("*.y*ml")):
        old.unlink()
    for stack, rows in FILES.items():
        path = root / on(day, rows)
        path.parent.mkdir(parents=True, exist_ok=True)
        if on(day, STATES[stack]) != "gone":
            path.write_text(f'{{version: 1, "stack": {stack}}}\n')
    if day in BROKEN:
        (root / "east/plans/other.yaml").write_text("a: [\n")


def a_report(root: Path, directory: str, day: int) -> dict[str, Any]:
    """A day's check in a working directory: files as they are found, verdicts as the day has them."""
    found = search.plan_files(["plans"])
    verdicts = [
        Checked(str(path), "", "", (Finding(Class.UNCHECKED, "yaml.syntax", "broken", "x"),))
        if path in found.unread
        else checked(str(path), search.outline_of(path).stack, on(day, STATES[search.outline_of(path).stack]))
        for path in found.paths
    ]
    data = drift_data(verdicts, BEGIN + timedelta(days=day), (), files=found.data)
    return {**data, "where": {"repository": "o/r", "directory": directory}}


def test_a_month_with_renames_outages_and_two_stacks_of_one_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: Counted
) -> None:
    """30 days, two working directories, four stacks: every evening that GitHub worked, exactly what should be there."""
    for seed in range(2 * BUDGET):
        fake, trouble = FakeGitHub(), Trouble(random.Random(seed))
        books, counts = {stack: Book() for stack in STATES}, Counter[str]()
        for day in range(1, DAYS + 1):
            laid_out(tmp_path, day)
            trouble.rate = RATES.get(day, 0.0)
            for directory in ("east", "west"):
                monkeypatch.chdir(tmp_path / directory)
                here = [s for s in STATES if on(day, FILES[s]).startswith(directory)]
                evening(
                    fake,
                    trouble,
                    a_report(tmp_path, directory, day),
                    day,
                    {s: books[s] for s in here},
                    counts,
                )
        assert_month(fake)
        counts |= Counter({"issues": len(fake.issues), "comments": sum(map(len, fake.comments.values()))})
        counted(f"month {seed}: {dict(counts)}, trouble {dict(trouble.counts)}")


def evening(
    fake: FakeGitHub,
    trouble: Trouble,
    data: dict[str, Any],
    day: int,
    books: dict[str, Book],
    counts: Counter[str],
) -> None:
    """One run in one working directory, and what must be true after it."""
    for stack, book in books.items():
        state = on(day, STATES[stack])
        state = "error" if state == "gone" and day in BROKEN else state  # nobody can tell
        if book.states[-1:] != [state]:
            book.states.append(state)
    before = opens(fake)
    done = a_run(fake, trouble, [data], BEGIN + timedelta(days=day))
    counts["runs"] += 1
    for stack, book in books.items():
        assert_no_wrong_close(fake, before, stack, book.states[-1])
    if done is None or done.problems:
        counts["failed"] += 1
        return
    counts["evenings exactly right"] += len(books)
    if day not in RATES:  # a stale list makes a second issue, which the next calm day closes
        for stack, book in books.items():
            assert_converged(fake, stack, book)
            for _, issue in of(fake, stack):
                if issue["state"] == "open" and book.states[-1] in DRIFTS:
                    directory, _, file = on(day, FILES[stack]).partition("/")
                    assert f"`{file}`" in issue["body"]
                    assert f"file={directory}/{file} " in issue["body"]


def assert_month(fake: FakeGitHub) -> None:
    """One issue a stack, but for second ones of a stale list, which are closed; melaka's says why it ended."""
    last = {stack: on(DAYS, rows) for stack, rows in STATES.items()}
    for stack, state in last.items():
        found = [number for number, _ in of(fake, stack)]
        extra = [number for number in found if sayings(fake, number)[-1] == "the"]  # the same as #1
        assert len(found) - len(extra) == 1
        assert bool(opens(fake) & set(found)) is (state in DRIFTS)
    ((number, _), *_) = of(fake, "melaka")
    assert "the stack is gone" in fake.comments[number][-1]["body"]
