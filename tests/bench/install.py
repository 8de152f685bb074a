"""What an installation weighs: packages and megabytes of `pip install .` in a fresh environment.

Slow, and it needs the package index: only made when it is named.
"""

from __future__ import annotations

import subprocess
import tempfile
import venv
from pathlib import Path

from tests.bench.rounds import ROOT
from tests.bench.table import Ask, Figure, Measured

BARE = "cloudflare alone"
ROWS = (
    Ask("packages installed", BARE, ""),
    Ask("size installed, with bytecode", BARE, "MB"),
)


def measure() -> Measured:
    """Two fresh environments, pip and setuptools themselves not counted."""
    with tempfile.TemporaryDirectory() as folder:
        ours, bare = (
            _installed(Path(folder, n), what) for n, what in (("a", str(ROOT)), ("b", "cloudflare"))
        )
    return {
        "packages installed": Figure(ours[0], bare[0]),
        "size installed, with bytecode": Figure(ours[1], bare[1]),
    }


def _installed(folder: Path, what: str) -> tuple[int, float]:
    venv.create(folder, with_pip=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    before = _weighed(packages)
    subprocess.run([folder / "bin/python", "-m", "pip", "install", "--quiet", what], check=True, cwd=ROOT)
    after = _weighed(packages)
    return after[0] - before[0], after[1] - before[1]


def _weighed(packages: Path) -> tuple[int, float]:
    size = sum(file.stat().st_size for file in packages.rglob("*") if file.is_file())
    return len(list(packages.glob("*.dist-info"))), size / 2**20
