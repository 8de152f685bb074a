"""One line that says what is waited for.

Rules of this file:
- Rewritten in place only on a terminal; elsewhere plain lines, at most one a second, never the same twice.
- It goes to stderr; what comes after it starts on a line of its own.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from cf_mtls.report.terminal import harmless

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY_S = 1.0
"""How often a plain line may come."""


@dataclass(slots=True)
class LiveLine:
    """The line. now: seconds that only go forward."""

    stream: TextIO
    now: Callable[[], float] = time.monotonic
    _said: str = ""
    _at: float = float("-inf")

    def say(self, text: str) -> None:
        """Show this in place of what was shown."""
        text = harmless(text)
        if self.stream.isatty():
            columns = shutil.get_terminal_size().columns
            self._put(f"\r\x1b[K{text[: columns - 1]}")
        elif text != self._said and self.now() - self._at >= EVERY_S:
            self._put(text + "\n")
        else:
            return
        self._said, self._at = text, self.now()

    def end(self) -> None:
        """Take the line away from a terminal; elsewhere nothing is left to do."""
        if self._said and self.stream.isatty():
            self._put("\r\x1b[K")
        self._said = ""

    def _put(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()
