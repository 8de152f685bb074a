"""One emulator with a plan of many shapes, for all tests that only look at it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cf_mtls.emulator.server import running
from tests.conftest import Pki
from tests.verify import stage as kit


@pytest.fixture(scope="session")
def stage(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[kit.Stage]:
    fleet = pki.clients.issue("fleet", now=datetime.now(UTC))
    plan = kit.write(tmp_path_factory.mktemp("shapes"), pki.clients, pki.jean, fleet)
    with running(kit.options()) as emulator:
        yield kit.apply(emulator, plan)


@pytest.fixture
def folder(tmp_path: Path, pki: Pki) -> Path:
    """The plan of many shapes in a folder of its own."""
    fleet = pki.clients.issue("fleet", now=datetime.now(UTC))
    return kit.write(tmp_path, pki.clients, pki.jean, fleet).parent
