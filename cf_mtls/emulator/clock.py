"""The emulator's own clock: everything that happens later happens by its tick, never by being read.

Rules of this file:
- `now` only reads. What is due runs in `tick`, in the order of due time, then of being asked for.
- The source of time comes in as an argument, so that tests and rehearsals can stand still or jump.
"""

from __future__ import annotations

import heapq
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """Seconds since 1970 UTC, and a list of things that are due."""

    def __init__(self, source: Callable[[], float], start: float | None = None) -> None:
        """source: seconds that never run back. start: what `now` says first; None takes the source's."""
        self._source = source
        self._offset = 0.0 if start is None else start - source()
        self._frozen_at: float | None = None
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._asked = 0
        self.wake: Callable[[], None] = lambda: None
        """Called whenever the next due time may have moved; the server's ticker sets it."""

    def now(self) -> float:
        """The emulator's time in seconds."""
        return self._frozen_at if self._frozen_at is not None else self._source() + self._offset

    def stamp(self) -> str:
        """The time as the API writes it: RFC 3339, whole seconds, Z (facts: cloudflare-api 1.3)."""
        return text_of(self.now())

    def after(self, delay_s: float, act: Callable[[], None]) -> None:
        """Do it `delay_s` from now; without a delay at once, in this very call."""
        if delay_s <= 0:
            act()
            return
        self._asked += 1
        heapq.heappush(self._due, (self.now() + delay_s, self._asked, act))
        self.wake()

    def next_due(self) -> float | None:
        """Seconds until something is due, None when nothing ever will be."""
        if not self._due or self._frozen_at is not None:
            return None
        return max(0.0, self._due[0][0] - self.now())

    def tick(self) -> None:
        """Run what is due by now, things that became due on the way included."""
        while self._due and self._due[0][0] <= self.now():
            heapq.heappop(self._due)[2]()

    def forget(self) -> None:
        """Drop everything that is due: the world it was meant for is gone."""
        self._due.clear()

    def advance(self, seconds: float) -> None:
        """Jump forward and run what became due."""
        self._offset += seconds
        if self._frozen_at is not None:
            self._frozen_at += seconds
        self.tick()
        self.wake()

    def freeze(self) -> None:
        """Stand still until `thaw`; `advance` still moves it."""
        self._frozen_at = self.now()

    def thaw(self) -> None:
        """Run again from where it stands."""
        if self._frozen_at is not None:
            self._offset = self._frozen_at - self._source()
            self._frozen_at = None
            self.wake()

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        return self._frozen_at is not None


def text_of(seconds: float) -> str:
    """RFC 3339 with whole seconds and Z."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
