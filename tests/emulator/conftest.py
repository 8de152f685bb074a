"""One PKI for the whole run; emulators are started where they are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from emulator_kit import Api, Pki, emulating

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def pki() -> Pki:
    """One root, its intermediate, and clients."""
    return Pki()


@pytest.fixture
def api() -> Iterator[Api]:
    """A fresh emulator whose writes are felt at once."""
    with emulating() as started:
        yield started
