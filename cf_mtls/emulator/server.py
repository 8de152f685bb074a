"""Running the emulator: in a thread beside other work, or alone until it is told to stop.

Rules of this file:
- `running` and `serve` leave nothing behind, however they end.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from cf_mtls.emulator.machine import Emulator
from cf_mtls.emulator.options import Options, Ready, Unusable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Emulator", "Options", "Ready", "Running", "Unusable", "running", "serve"]
T = TypeVar("T")


def _built(options: Options) -> Emulator:
    try:
        return Emulator(options)
    except ValueError as error:
        raise Unusable(str(error)) from error


@dataclass(frozen=True, slots=True)
class Running:
    """An emulator in a thread of its own."""

    ready: Ready
    emulator: Emulator
    loop: asyncio.AbstractEventLoop

    def do(self, act: Callable[[Emulator], T]) -> T:
        """What `act` returns, called in the emulator's own thread."""

        async def inside() -> T:
            return act(self.emulator)

        return asyncio.run_coroutine_threadsafe(inside(), self.loop).result(timeout=30)


@contextmanager
def running(options: Options | None = None) -> Iterator[Running]:
    """A running emulator, stopped and cleaned up at the end. Errors: `Unusable`, OSError."""
    emulator = _built(options or Options())
    started: list[Running | BaseException] = []
    serving, over = threading.Event(), threading.Event()
    stop: list[Callable[[], object]] = []

    async def life() -> None:
        end = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(end.set))
        started.append(Running(await emulator.start(), emulator, loop))
        serving.set()
        await end.wait()
        await emulator.stop()

    def thread() -> None:
        try:
            asyncio.run(life())
        except BaseException as error:  # noqa: BLE001 - told to the one who waits
            started.insert(0, error)
        finally:
            serving.set()
            over.set()

    worker = threading.Thread(target=thread, name="cf-mtls-emulator", daemon=True)
    worker.start()
    serving.wait()
    first = started[0]
    if isinstance(first, BaseException):
        raise first
    try:
        yield first
    finally:
        if not over.is_set():
            stop[0]()
        worker.join(timeout=10)


def serve(options: Options, announce: Callable[[Ready], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; `announce` is called once it does. Errors: `Unusable`, OSError."""
    asyncio.run(_served(options, announce))


async def _served(options: Options, announce: Callable[[Ready], None]) -> None:
    emulator = _built(options)
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    ready = await emulator.start()
    try:
        announce(ready)
        await end.wait()
    finally:
        await emulator.stop()
