"""Many plan files of one call: none declares another's stack, and jobs share them evenly."""

from __future__ import annotations

from pathlib import Path

import pytest

from cf_mtls.declare.fleet import matrix, twice

A, B, C = (Path(name) for name in ("a.yaml", "b.yaml", "c.yaml"))
ONE, TWO = "account:1", "account:2"


@pytest.mark.parametrize(
    ("files", "refused"),
    [
        ([(A, "s", ONE), (B, "t", ONE)], set()),
        ([(A, "s", ONE), (B, "s", ONE)], {A, B}),
        ([(A, "s", ONE), (B, "s", TWO)], set()),
        ([(A, "s", ONE), (B, "s", ONE), (C, "t", ONE)], {A, B}),
        ([(A, "", ONE), (B, "", ONE)], set()),
    ],
)
def test_two_files_of_one_stack_in_one_account_are_both_refused(
    files: list[tuple[Path, str, str]], refused: set[Path]
) -> None:
    """Each names both. A stack of the same name elsewhere is another, and of an unknown name nothing is said."""
    found = twice(files)
    assert set(found) == refused
    for problem in found.values():
        assert problem.is_error
        assert [str(path) in problem.detail for path in refused] == [True] * len(refused)


@pytest.mark.parametrize("jobs", [0, 1, 2, 3, 4, 9])
@pytest.mark.parametrize("count", [0, 1, 4, 7])
def test_jobs_share_the_files_evenly(count: int, jobs: int) -> None:
    """Every file in one job, no more jobs than asked, none without a file, none with two more than another."""
    files = [(Path(f"{n}.yaml"), f"s{n}") for n in range(count)]
    jobs_made = matrix(files, jobs)["include"]
    shares = [job["files"].splitlines() for job in jobs_made]
    assert sorted(file for share in shares for file in share) == [str(path) for path, _ in files]
    assert len(shares) == min(count, max(jobs, 1))
    assert max(map(len, shares), default=0) - min(map(len, shares), default=0) <= 1
    assert len({job["name"] for job in jobs_made}) == len(jobs_made)


def test_a_job_of_one_stack_is_called_by_its_name() -> None:
    """Others by their number, and where a name would be no label."""
    assert [job["name"] for job in matrix([(A, "s"), (B, "$(x)")])["include"]] == ["1-s", "2-part"]
    assert [job["name"] for job in matrix([(A, "s"), (B, "t")], 1)["include"]] == ["1-part"]
