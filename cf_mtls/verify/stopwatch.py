"""How long a probe took, measured by every witness alike."""

from __future__ import annotations

import time


def ms_since(began: float) -> int:
    """Whole milliseconds since a moment of `time.monotonic`."""
    return round((time.monotonic() - began) * 1000)
