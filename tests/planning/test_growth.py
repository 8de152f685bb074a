"""A plan's work grows no faster than n·log n: counted in calls, so that no clock decides."""

from __future__ import annotations

import cProfile
import pstats
from typing import TYPE_CHECKING

import pytest

from tests.bench.growth import HOSTS, folder_with_chain, n_log_n, work

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Counted

SMALL, LARGE = 40, 320


def calls(apps: int, shape: str, folder: Path) -> dict[str, int]:
    found = {}
    for name, act in work(apps, shape, folder):
        profiler = cProfile.Profile()
        profiler.runcall(act)
        found[name] = pstats.Stats(profiler).total_calls  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("shape", HOSTS)
def test_eight_times_the_applications_are_about_eight_times_the_work(
    shape: str, tmp_path: Path, counted: Counted
) -> None:
    """More than that would be a loop over all applications inside a loop over all applications."""
    folder = folder_with_chain(tmp_path)
    calls(SMALL, shape, folder)  # so that what is remembered for good is remembered
    small, large = calls(SMALL, shape, folder), calls(LARGE, shape, folder)
    grown = {name: large[name] / small[name] for name in small}
    counted(f"{shape}: {LARGE} applications make {', '.join(f'{n} ×{g:.1f}' for n, g in grown.items())}")
    assert {name: g for name, g in grown.items() if g > n_log_n(SMALL, LARGE)} == {}
