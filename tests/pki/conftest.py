"""What the certificate tests share: one clock, one budget, one small family of authorities."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from cf_mtls.pki.authority import Authority, root

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
"""The tests' clock: verdicts are asked for this moment, so no test depends on the day it runs."""

BUDGET = int(os.environ.get("CF_MTLS_BUDGET", "1"))


@pytest.fixture(scope="session")
def now() -> datetime:
    """The tests' clock."""
    return NOW


@pytest.fixture(scope="session")
def budget() -> int:
    """How many times the default number of examples to run."""
    return BUDGET


@pytest.fixture(scope="session")
def family() -> Authority:
    """Root -> intermediate; the intermediate is returned, its chain holds both."""
    return root("test root", now=NOW).intermediate("test clients", now=NOW)
