"""Counting calls: 1200 in five minutes for a token, 200 in a second for an address.

Rules of this file:
- Whoever exceeds the five minutes' budget is blocked for the next five, whatever the call.
- Every answer says what is left.

Source: facts: cloudflare-api 7.5.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cf_mtls.emulator import answers

if TYPE_CHECKING:
    from cf_mtls.emulator.clock import Clock
    from cf_mtls.emulator.http import Answer, Headers
    from cf_mtls.emulator.switches import Switches

WINDOW_S = 300
BLOCK_S = 300


@dataclass(slots=True)
class Budget:
    """One token's calls. Times in the clock's seconds."""

    started: float
    used: int = 0
    blocked_until: float = 0.0
    total: int = 0


@dataclass(slots=True)
class Rates:
    """The budgets of all tokens, and the last second's calls."""

    clock: Clock
    switches: Switches
    budgets: dict[str, Budget] = field(default_factory=dict)
    second: deque[float] = field(default_factory=deque)

    def count(self, who: str) -> Answer | None:
        """Count a call; the 429 when it is one too many, else None."""
        now, budget = self.clock.now(), self.budget(who)
        if now - budget.started >= WINDOW_S:
            budget.started, budget.used = now, 0
        budget.used += 1
        budget.total += 1
        if budget.used > self.switches.number("rate-limit") and now >= budget.blocked_until:
            budget.blocked_until = now + BLOCK_S
        if now < budget.blocked_until:
            return refused(budget.blocked_until - now)
        return refused(1) if self._too_quick(now) else None

    def _too_quick(self, now: float) -> bool:
        self.second.append(now)
        while self.second[0] <= now - 1:
            self.second.popleft()
        return len(self.second) > self.switches.number("rate-per-second")

    def budget(self, who: str) -> Budget:
        """The budget of one token, by its name."""
        return self.budgets.setdefault(who, Budget(self.clock.now()))

    def block(self, who: str, seconds: float = BLOCK_S) -> None:
        """Block a token from now on, as if it had used up its budget."""
        self.budget(who).blocked_until = self.clock.now() + seconds

    def headers(self, who: str) -> Headers:
        """What every answer says about the budget."""
        budget = self.budget(who)
        most = self.switches.number("rate-limit")
        left = max(0, most - budget.used)
        wait = max(0, math.ceil(budget.started + WINDOW_S - self.clock.now()))
        return (
            ("ratelimit", f'"default";r={left};t={wait}'),
            ("ratelimit-policy", f'"default";q={most};w={WINDOW_S}'),
        )


def refused(wait_s: float | None) -> Answer:
    """The 429. wait_s: for Retry-After; None leaves the header out."""
    answer = answers.slow_down().answer()
    return answer if wait_s is None else answer.with_headers(("retry-after", str(max(1, math.ceil(wait_s)))))
