"""What many tests need: one throwaway PKI, and a folder with a plan file in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from cf_mtls.declare.example import GEORGETOWN
from cf_mtls.pki.authority import Authority, root
from tests.produced import Produced

if TYPE_CHECKING:
    from pathlib import Path

    from cf_mtls.pki.identity import Identity


@dataclass(frozen=True)
class Pki:
    """A root, an intermediate below it, a client of that, and a client of somebody else."""

    root: Authority
    clients: Authority
    jean: Identity
    stranger: Identity


Counted = Callable[[str], None]
"""How a test says what it counted: `counted("15 kills survived")`."""


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Counted:
    """Counts go to the end of the run, where they are read, whoever ran the test."""
    return lambda text: record_property("counted", text)


def pytest_configure(config: pytest.Config) -> None:
    """Every run hears which diagnostic codes the program makes; a whole one fails for those that it never made."""
    config.pluginmanager.register(Produced(config), "produced")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the tests counted, one line each."""
    passed = (r for kind in ("passed", "failed") for r in terminalreporter.stats.get(kind, []))
    counts = [(r.nodeid, value) for r in passed for name, value in r.user_properties if name == "counted"]
    if counts:
        terminalreporter.section("counted")
    for nodeid, text in sorted(counts):
        terminalreporter.write_line(f"{nodeid.rpartition('/')[2].partition('::')[0]}: {text}")


@pytest.fixture(scope="session", autouse=True)
def _nowhere_near_ci() -> Iterator[None]:
    """Where the tests run changes nothing of what they see: in CI an alarm is read again after ten seconds."""
    kept = os.environ.pop("CI", None)
    yield
    if kept is not None:
        os.environ["CI"] = kept


@pytest.fixture(scope="session")
def pki() -> Pki:
    now = datetime.now(UTC)
    top = root("Georgetown Root CA", now=now)
    clients = top.intermediate("Georgetown Clients CA", now=now)
    other = root("Georgetown Root CA", now=now)
    return Pki(top, clients, clients.issue("jean", now=now), other.issue("jean", now=now))


@pytest.fixture
def folder(tmp_path: Path, pki: Pki) -> Path:
    """plans/georgetown.yaml with its certificates and the client's key, as a person would have it."""
    certs = tmp_path / "plans" / "certs"
    certs.mkdir(parents=True)
    (tmp_path / "plans" / "georgetown.yaml").write_text(GEORGETOWN, "utf-8")
    (certs / "certchain.pem").write_text(pki.clients.chain.pem, "ascii")
    (certs / "clientcert.pem").write_text(pki.jean.certificate_pem, "ascii")
    (certs / "clientcert.key").write_text(pki.jean.key_pem, "ascii")
    return tmp_path
