"""What an apply leaves behind for people, and how it is asked to stop.

Rules of this file:
- A journal is JSON lines, each written out before the next step begins; nothing ever reads it back.
- A step is written down before its call and after it: what a run that was killed had begun may be in the account.
- Ctrl-C or SIGTERM once: the call under way is finished and the rest is listed. Twice: the program ends at once.
"""

from __future__ import annotations

import json
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from cf_mtls import output_file
from cf_mtls.cli import console
from cf_mtls.diagnostics import Code, Exit, Failure, Fault, Severity

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from cf_mtls.model.plan import Step

UNWRITABLE = Code("apply.journal", Severity.ERROR, Fault.INVOCATION, "the journal cannot be written there")


class Journal:
    """Writes down each step. Raises Failure (usage) on entering when the file cannot be opened."""

    def __init__(self, file: str | None) -> None:
        """file: None writes nothing."""
        self._file = file
        self._open: BinaryIO | None = None
        self._began = time.monotonic()
        self.outcome = "done"
        """How the run ended, when no error ends it."""

    def __enter__(self) -> Self:
        if self._file:
            try:
                self._open = output_file.appending(Path(self._file), UNWRITABLE)
            except Failure as failure:
                raise Failure(failure.diagnostics, Exit.USAGE) from None
        self.write("begin")
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        self.write(
            "end", outcome="failed" if error else self.outcome, **({"why": str(error)} if error else {})
        )
        if self._open:
            self._open.close()

    def doing(self, step: Step) -> None:
        """A step whose call comes next; without a `step` line behind it, nobody knows whether it was done."""
        self.write("doing", phase=step.phase.name.lower(), address=str(step.address))

    def step(self, step: Step) -> None:
        """A step that was done."""
        self.write("step", phase=step.phase.name.lower(), address=str(step.address))

    def write(self, event: str, **more: Any) -> None:
        """One line."""
        if self._open:
            line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **more}
            self._open.write(json.dumps(line).encode("ascii") + b"\n")

    def elapsed(self) -> str:
        """Since the journal was begun, such as `3.2 s`."""
        return f"{time.monotonic() - self._began:.1f} s"


class Stop:
    """While entered, the first interrupt is a wish and the second an order."""

    def __init__(self) -> None:
        """Nothing is asked yet."""
        self._asked = False
        self._before: dict[int, Any] = {}

    def asked(self) -> bool:
        """Whether the run should end after the call under way."""
        return self._asked

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, _: int, __: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        console.say("stopping after the call under way; again to stop at once")
