"""When to try again, how long to wait, and when to stop: the only retry policy of the program.

Rules of this file:
- What may be retried is a row of `PATIENCE`; everything else is final at once.
- The clock is passed in. Every wait says what it waits for and until when.
- A policy that gives up returns the last answer; it never goes on as if it had succeeded.
- A POST whose fate is unknown is never repeated here: the caller looks whether it landed. Nor is one that conflicts.
- However long Cloudflare asks to be waited for, each wait ends: nothing waits longer than its row, or than the block.
"""

from __future__ import annotations

import threading
import time
from dataclasses import field
from typing import TYPE_CHECKING

from cf_mtls.quick import dataclass
from cf_mtls.remote.bounds import Run
from cf_mtls.remote.conflicts import Conflict, conflict
from cf_mtls.remote.gateway import Answer, NoAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from cf_mtls.remote.gateway import Method

RESERVE = 20
"""Requests left over for others who use the same token, the dashboard among them."""

SHARE = 20
"""Of a large budget one in so many is left over: 60 of 1,200, for seven runs with eight requests under way each."""

SHORTEST_S = 0.5
"""Seconds that are waited at least before the same request: `Retry-After: 0` would be asked without end."""

BLOCK_S = 300.0
"""Seconds that Cloudflare blocks every call once the budget is spent: facts 7.5."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Seconds that only go forward, and a way to let them pass."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Patience:
    """What may be waited out: a name, when it is that, for which methods, how long in all, and the pauses."""

    what: str
    matches: Callable[[Answer | NoAnswer], bool]
    methods: frozenset[Method]
    deadline_s: float
    pauses_s: tuple[float, ...]
    """The last one repeats."""


_ANY: frozenset[Method] = frozenset({"GET", "POST", "PUT", "DELETE"})
_SAFE: frozenset[Method] = frozenset({"GET", "PUT", "DELETE"})  # the same request again has the same effect


def _throttled(outcome: Answer | NoAnswer) -> bool:
    return isinstance(outcome, Answer) and (outcome.status == 429 or outcome.has(971))


def _in_conflict(kind: Conflict) -> Callable[[Answer | NoAnswer], bool]:
    return lambda outcome: isinstance(outcome, Answer) and conflict(outcome) is kind


def _broken(outcome: Answer | NoAnswer) -> bool:
    if isinstance(outcome, NoAnswer):
        return not outcome.is_beyond_limit
    return outcome.status >= 500


def _never_sent(outcome: Answer | NoAnswer) -> bool:
    return isinstance(outcome, NoAnswer) and not outcome.sent and not outcome.is_beyond_limit


PATIENCE: tuple[Patience, ...] = (
    Patience("Cloudflare asks for slower requests", _throttled, _ANY, 2 * BLOCK_S, (5, 15, 30, 60)),
    *(
        Patience(what, _in_conflict(kind), _SAFE, 120, (0.5, 1, 2, 4, 5))
        for kind, what in (
            (Conflict.ASSOCIATED, "the CA is still associated with hostnames"),
            (Conflict.BUSY, "the previous settings are still being updated"),
            (Conflict.UNKNOWN, "Cloudflare reports a conflict"),
        )
    ),
    Patience("Cloudflare cannot be reached", _never_sent, _ANY, 8, (0.5, 1, 2, 4)),
    Patience("Cloudflare's API is failing", _broken, _SAFE, 20, (0.5, 1, 2, 4, 8)),
)


class Budget:
    """How many requests are left, shared by all threads; whoever would take the last ones waits for the renewal.

    Going over blocks every call, the dashboard's included, for five minutes: facts 7.5.
    """

    def __init__(self) -> None:
        """Nothing is known before the first answer."""
        self._lock = threading.Lock()
        self._left: int | None = None
        self._renewed_at = 0.0
        self._reserve = RESERVE

    def heard(self, answer: Answer | NoAnswer, now: float) -> None:
        """Take in what an answer says about the budget."""
        if isinstance(answer, Answer) and answer.remaining is not None:
            with self._lock:
                self._left, self._renewed_at = answer.remaining, now + min(answer.renewed_s or 0, BLOCK_S)
                self._reserve = max(RESERVE, (answer.quota or 0) // SHARE)

    def pause(self, now: float) -> float:
        """Seconds to wait before the next request; it is counted as made."""
        with self._lock:
            if self._left is None or now >= self._renewed_at:
                self._left = None
                return 0.0
            self._left -= 1
            return self._renewed_at - now if self._left < self._reserve else 0.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Carries the clock, the budget of requests, the limits of the run, and where to say what is waited for."""

    clock: Clock = field(default_factory=Clock)
    say: Callable[[str], None] = lambda _: None
    stopping: Callable[[], bool] = lambda: False
    """Whether somebody wants the run to end: waits end at once, the call under way is finished."""
    budget: Budget = field(default_factory=Budget)
    run: Run = field(default_factory=Run)
    """What this run may take, shared by all its clients."""

    def persist(self, method: Method, call: Callable[[], Answer | NoAnswer]) -> Answer | NoAnswer:
        """The outcome of a call, tried again while a row of `PATIENCE` allows it.

        Each row has its own deadline, counted from the first time that it matched.
        """
        started: dict[str, tuple[float, int]] = {}
        while True:
            self._keep_within()
            outcome = call()
            self.budget.heard(outcome, self.clock.now())
            row = next((p for p in PATIENCE if method in p.methods and p.matches(outcome)), None)
            if row is None:
                return outcome
            since, tries = started.get(row.what, (self.clock.now(), 0))
            started[row.what] = (since, tries + 1)
            pause = self._pause(row, outcome, tries)
            left = since + row.deadline_s - self.clock.now()
            if pause > left or self.stopping():
                return outcome
            self.say(f"waiting {pause:g} s: {row.what} (giving up in {left:.0f} s)")
            self.clock.sleep(pause)

    def _keep_within(self) -> None:
        pause = self.budget.pause(self.clock.now())
        if pause > 0:
            self.say(f"waiting {pause:.0f} s: the request budget of this token is almost spent")
            self.clock.sleep(pause)

    @staticmethod
    def _pause(row: Patience, outcome: Answer | NoAnswer, tries: int) -> float:
        asked = outcome.retry_after_s if isinstance(outcome, Answer) else None
        return (
            max(asked, SHORTEST_S) if asked is not None else row.pauses_s[min(tries, len(row.pauses_s) - 1)]
        )

    def until(self, what: str, deadline_s: float, holds: Callable[[], bool]) -> bool:
        """Whether a condition came to hold before the deadline; asked again with growing pauses."""
        start = self.clock.now()
        pause = 0.25
        while not holds():
            left = start + deadline_s - self.clock.now()
            if left <= 0 or self.stopping():
                return False
            self.say(f"waiting {pause:g} s: {what} (giving up in {left:.0f} s)")
            self.clock.sleep(min(pause, left))
            pause = min(pause * 2, 5.0)
        return True
