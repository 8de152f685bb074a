"""A slow edge: apply waits for it between phases, so that nobody is refused on the way; seen by a prober all along."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cf_mtls.emulator.server import Options, Ready, running
from tests.conftest import Pki
from tests.drift.inside import run
from tests.emulated.edge import Asking, Prober, files
from tests.emulated.test_main_job import PLAN, URL

HOST, PATH = "jeann.net", "/georgetown-penang-malaysia"
SLOW_S = 1.2
"""How long the edge takes here; the pauses between an apply's own calls are far shorter."""


@pytest.fixture
def slow() -> Iterator[Ready]:
    delays = {"association-delay": SLOW_S, "detach-delay": 0.1, "app-delay": SLOW_S, "settings-delay": 0.0}
    with running(Options(switches=delays)) as emulator:
        yield emulator.ready


def prober(ready: Ready, folder: Path, pki: Pki) -> Prober:
    jean = files(folder, [("jean", pki.jean)])["jean"]
    return Prober(ready, [Asking(HOST, PATH, "nobody"), Asking(HOST, PATH, "jean", jean)])


def test_nothing_is_demanded_before_the_edge_asks(folder: Path, slow: Ready, pki: Pki) -> None:
    """The hostname is associated late: jean, who may enter before and after, is never refused in between."""
    with prober(slow, folder, pki) as watching:
        applied = run(folder, slow, "apply", PLAN, "-y")
    assert applied.returncode == 0, applied.stderr
    seen = {asking.who: statuses for asking, statuses in watching.outcomes.items()}
    assert seen == {"nobody": [200, 403], "jean": [200]}


def test_no_trust_is_taken_before_the_edge_has_let_go(folder: Path, slow: Ready, pki: Pki) -> None:
    """At the end the application goes late: until then the CA stays, so jean is never refused."""
    assert run(folder, slow, "apply", PLAN, "-y").returncode == 0
    with prober(slow, folder, pki) as watching:
        gone = run(
            folder, slow, "apply", PLAN, "-y", "--destroy", "--allow-delete", "2", "--allow-weaken", URL
        )
    assert gone.returncode == 0, gone.stderr
    seen = {asking.who: statuses for asking, statuses in watching.outcomes.items()}
    assert seen == {"nobody": [403, 200], "jean": [200]}


def test_an_edge_that_never_asks_stops_the_run_before_the_demand(folder: Path, pki: Pki) -> None:
    """The deadline passes: exit 1, nothing is demanded, and the same command may be run again."""
    with running(Options(switches={"association-delay": 600.0, "settings-delay": 0.0})) as emulator:
        stopped = run(folder, emulator.ready, "apply", PLAN, "-y", "--deadline", "1")
        assert stopped.returncode == 1
        assert "[apply.edge-does-not-ask]" in stopped.stderr
        with prober(emulator.ready, folder, pki) as watching:
            pass
        assert {tuple(statuses) for statuses in watching.outcomes.values()} == {(200,)}


def test_an_edge_that_cannot_be_seen_is_said_and_waited_for(folder: Path, pki: Pki) -> None:
    """Without a way to the edge a fixed pause stands in, said aloud; the proof afterwards could not be told."""
    with running(Options()) as emulator:
        applied = run(
            folder, emulator.ready, "apply", PLAN, "-y", "--deadline", "1", CF_MTLS_CONNECT_TO="::127.0.0.1:9"
        )
        assert "cannot see the edge of jeann.net from here" in applied.stderr
        assert "Not proven" in applied.stdout
        assert run(folder, emulator.ready, "verify", PLAN).returncode == 0
