"""How long and how large an answer may be: a server on loopback that never ends, in every way it can.

Time is counted, not waited for: each look at the clock is three seconds.
"""

from __future__ import annotations

import gzip
import itertools
import socket
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import httpcore
import httpx
import pytest

from cf_mtls.diagnostics import Failure
from cf_mtls.model.asked import EMULATOR_HEADER
from cf_mtls.remote import bounds
from cf_mtls.remote.bounds import LIMITS, MB, BeyondLimit, Limits, Run
from cf_mtls.remote.errors import failure
from cf_mtls.remote.gateway import Answer, NoAnswer, Reader, client_for
from tests.remote.fakes import BASE, TOKEN, FakeTime

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
ENVELOPE = b'{"success": true, "result": []}'


@contextmanager
def server(pieces: Callable[[], Iterable[bytes]]) -> Iterator[str]:
    """A server that answers each connection with these pieces, as long as anybody listens; its base URL."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65536)
                    for piece in pieces():
                        connection.sendall(piece)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)


def ticking(seconds: float = 3.0) -> Callable[[], float]:
    """A clock that goes forward with each look."""
    ticks = itertools.count()
    return lambda: next(ticks) * seconds


def asked(
    pieces: Callable[[], Iterable[bytes]], limits: Limits = LIMITS, times: int = 1
) -> list[Answer | NoAnswer]:
    with server(pieces) as url, client_for(TOKEN, url, Run(limits)) as client:
        return [Reader(client).get("/x") for _ in range(times)]


def chunked(pieces: Iterable[bytes], more: bytes = b"") -> Iterator[bytes]:
    yield HEAD + more + b"transfer-encoding: chunked\r\n\r\n"
    for piece in pieces:
        yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    yield b"0\r\n\r\n"


DRIPS: dict[str, Callable[[], Iterable[bytes]]] = {
    "body": lambda: chunked(itertools.repeat(b" ")),
    "headers": lambda: itertools.chain([HEAD], itertools.cycle([b"x-a", b": b\r\n"])),
    "status line": lambda: itertools.chain([b"HTTP/1.1 200 "], itertools.repeat(b"O")),
    "one header": lambda: itertools.chain([HEAD, b"x-a: "], itertools.repeat(b"b")),
    "chunk size": lambda: itertools.chain([HEAD, b"transfer-encoding: chunked\r\n\r\n"], itertools.repeat(b"0")),
    "informational": lambda: itertools.repeat(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"),
    "gzip": lambda: chunked(itertools.chain([gzip.compress(b"")[:10]], itertools.repeat(b"\x00\x00\x00\xff\xff")),
                            b"content-encoding: gzip\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("what", DRIPS)
def test_an_answer_that_drips_ends_at_the_deadline(what: str) -> None:
    """Wherever in the answer it drips: twenty looks at a clock are a minute, and the limit is named."""
    (outcome,) = asked(DRIPS[what], replace(LIMITS, now=ticking()))
    assert isinstance(outcome, NoAnswer)
    if outcome.is_beyond_limit:
        assert "60 s" in outcome.why
        (found,) = failure(outcome, "reading", "/x").diagnostics
        assert found.code.code == "api.beyond-limit"
    else:  # h11 has limits of its own, which may come first
        assert what in {"headers", "status line", "one header", "chunk size"}
        assert "RemoteProtocolError" in outcome.why


def test_the_connections_own_timeout_is_no_deadline() -> None:
    """A read that waits in vain is a lost answer, tried again; it is not the whole answer's deadline."""
    (outcome,) = asked(list, replace(LIMITS, answer_s=0.2))
    assert isinstance(outcome, NoAnswer)


BODIES: dict[str, Callable[[], Iterable[bytes]]] = {
    "plain": lambda: chunked(itertools.repeat(b" " * 60_000)),
    "without end": lambda: itertools.chain([HEAD + b"\r\n"], itertools.repeat(b" " * 60_000)),
    "gzip": lambda: chunked([BOMB], b"content-encoding: gzip\r\n"),
    "gzip in small pieces": lambda: chunked((BOMB[n : n + 7] for n in range(0, len(BOMB), 7)),
                                            b"content-encoding: gzip\r\n"),
}  # fmt: skip


def _bomb(size: int) -> bytes:
    """Gzip that unpacks to so many bytes."""
    pack = zlib.compressobj(9, wbits=31)
    piece = b"[" * MB
    return b"".join(pack.compress(piece) for _ in range(size // MB)) + pack.flush()


BOMB = _bomb(200 * MB)


@pytest.mark.parametrize("what", BODIES)
def test_an_answer_is_never_larger_here_than_its_limit(what: str) -> None:
    """However it is packed: what is held at any time stays near the limit, and the limit is named."""
    tracemalloc.start()
    try:
        (outcome,) = asked(BODIES[what])
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(outcome, NoAnswer)
    assert outcome.is_beyond_limit
    assert "16 MB" in outcome.why
    assert most < 40 * MB


def test_an_answer_beyond_a_limit_is_asked_for_once() -> None:
    """It would be as large again; a lost one is asked for again."""
    time, requests = FakeTime(), []

    def pieces() -> Iterable[bytes]:
        requests.append(1)
        return chunked(itertools.repeat(b" " * 60_000))

    with server(pieces) as url, client_for(TOKEN, url, Run(replace(LIMITS, answer_bytes=MB))) as client:
        time.pace().persist("GET", lambda: Reader(client).get("/x"))
    assert (len(requests), time.slept) == (1, [])


def test_a_packed_answer_is_unpacked() -> None:
    """Whole, in pieces of any size, and also where nothing is packed."""
    packed = gzip.compress(ENVELOPE)
    pieces: list[Callable[[], Iterable[bytes]]] = [
        lambda: chunked([packed], b"content-encoding: gzip\r\n"),
        lambda: chunked([packed[n : n + 1] for n in range(len(packed))], b"content-encoding: GZIP\r\n"),
        lambda: chunked([ENVELOPE]),
    ]
    for answer in pieces:
        (outcome,) = asked(answer)
        assert isinstance(outcome, Answer)
        assert outcome.ok


@pytest.mark.parametrize(
    ("packing", "body"),
    [
        (b"br", ENVELOPE),
        (b"gzip", b"no gzip"),
        (b"gzip", gzip.compress(ENVELOPE, mtime=0)[:-9]),
        (b"gzip, gzip", b""),
    ],
)
def test_what_cannot_be_unpacked_is_no_answer(packing: bytes, body: bytes) -> None:
    """A packing that was not asked for, one that is none, one that is cut short."""
    (outcome,) = asked(lambda: chunked([body] if body else [], b"content-encoding: " + packing + b"\r\n"))
    assert isinstance(outcome, NoAnswer)
    assert outcome.sent


@pytest.mark.parametrize(
    ("limits", "said"),
    [(replace(LIMITS, run_bytes=100), "together"), (replace(LIMITS, run_s=100, now=ticking()), "100 s")],
)
def test_all_answers_of_a_run_have_a_limit_together(limits: Limits, said: str) -> None:
    """Each is small and quick; when they are too much together the next request is not sent, and that is said."""
    outcomes = asked(lambda: chunked([ENVELOPE]), limits, times=12)
    assert isinstance(outcomes[0], Answer)
    last = outcomes[-1]
    assert isinstance(last, NoAnswer)
    assert (last.sent, last.is_beyond_limit) == (False, True)
    assert said in last.why
    with pytest.raises(Failure, match="beyond the limits"):
        raise failure(last, "reading", "/x")


def test_what_is_left_of_the_answer_is_left_to_each_read() -> None:
    """Never more than that, however long a read by itself may take; nothing once it is over."""
    at = [0.0]
    deadline = bounds._Deadline(Run(replace(LIMITS, answer_s=10, now=lambda: at[0])))
    deadline.start()
    at[0] = 8.0
    assert [deadline.within(timeout) for timeout in (5.0, 1.0, None)] == [2.0, 1.0, 2.0]
    at[0] = 10.0
    with pytest.raises(httpcore.ReadTimeout):
        deadline.within(5.0)


def test_the_time_of_a_run_is_the_clocks_however_many_wait_side_by_side() -> None:
    """Eight answers that take twenty seconds together cost the run twenty, not eight times twenty; then it is over."""
    at, under_way = [0.0], threading.Barrier(8, action=lambda: at.__setitem__(0, at[0] + 20))
    limits = replace(LIMITS, run_s=100, now=lambda: at[0])

    def reply(_: httpx.Request) -> httpx.Response:
        under_way.wait(10)
        return httpx.Response(200, content=ENVELOPE)

    run = Run(limits)
    clients = [client_for(TOKEN, BASE, run, httpx.MockTransport(reply)) for _ in range(2)]
    readers = [Reader(client) for client in clients for _ in range(4)]

    def rounds(reader: Reader) -> list[bool]:
        return [isinstance(reader.get("/x"), Answer) for _ in range(4)]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(rounds, readers)) == [[True] * 4] * 8
    assert (at[0], run.left()) == (80, 20)
    at[0] = 100
    for reader in readers:
        last = reader.get("/x")
        assert isinstance(last, NoAnswer)
        assert (last.sent, last.is_beyond_limit) == (False, True)
        assert "100 s" in last.why


def test_the_bytes_of_a_run_are_those_of_all_its_clients() -> None:
    """Whoever counts by client reads without end, with a new one each time."""
    run = Run(replace(LIMITS, run_bytes=3 * len(ENVELOPE)))
    outcomes = []
    for _ in range(5):
        with client_for(
            TOKEN, BASE, run, httpx.MockTransport(lambda _: httpx.Response(200, content=ENVELOPE))
        ) as one:
            outcomes.append(isinstance(Reader(one).get("/x"), Answer))
    assert outcomes == [True, True, True, True, False]


def test_the_end_of_the_run_ends_an_answer_that_is_under_way() -> None:
    """With ten seconds left an answer has ten, not its minute, and what is said is the run's limit."""
    at = [0.0]
    run = Run(replace(LIMITS, answer_s=60, run_s=100, now=lambda: at[0]))
    deadline, uncut = bounds._Deadline(run), bounds._Deadline(run, is_cut=False)
    at[0] = 90.0
    deadline.start()
    uncut.start()
    assert (deadline.left(), uncut.left()) == (10, 60)
    at[0] = 100.0
    with pytest.raises(httpcore.ReadTimeout, match="100 s"):
        deadline.within(5.0)
    assert uncut.within(5.0) == 5.0


def test_what_is_written_is_not_cut_by_the_end_of_the_run() -> None:
    """Else an old CA could be gone and its successor never come; the bytes count all the same."""
    at = [0.0]
    run = Run(replace(LIMITS, run_s=100, run_bytes=1, now=lambda: at[0]))
    at[0] = 500.0
    run.check(by_clock=False)
    with pytest.raises(BeyondLimit):
        run.check(by_clock=True)
    run.heard(2, emulated=False)
    with pytest.raises(BeyondLimit):
        run.check(by_clock=False)
    assert run.again().left() == 100


@pytest.mark.parametrize(("headers", "emulated"), [({}, False), ({EMULATOR_HEADER: "1"}, True)])
def test_an_api_is_an_emulator_when_it_says_so(headers: dict[str, str], emulated: bool) -> None:
    """Wherever it is; an error says it too."""
    for status in (200, 403, 500):
        run = Run()
        reply = httpx.Response(status, content=ENVELOPE, headers=headers)
        with client_for(TOKEN, BASE, run, httpx.MockTransport(lambda _, reply=reply: reply)) as client:
            Reader(client).get("/x")
        assert run.is_emulated is emulated
