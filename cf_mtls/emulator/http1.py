"""HTTP/1.1 over a channel: h11 does the parsing, this file the turn-taking.

Rules of this file:
- One request at a time; a request is handed over only with its whole body.
- Nothing a client sends raises out of `receive`: it is answered 4xx and the connection closed.
- `patience_s` runs from the first byte wanted to the last byte of the request, so a slow-loris is dropped.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

import h11

from cf_mtls.emulator.http import Answer, Cut, Limits, Request

if TYPE_CHECKING:
    from cf_mtls.emulator.http import Channel, Handler, Head

GRACE_S = 0.5
"""How long a new connection may take to its first request once it is to be closed."""

_NO_BODY = {204, 304}


class Http1:
    """One HTTP/1.1 connection."""

    def __init__(
        self, channel: Channel, handler: Handler, limits: Limits, head: Head = lambda _: False
    ) -> None:
        """head: asked before the body is read; true resets the connection."""
        self._channel, self._handler, self._limits, self._head = channel, handler, limits, head
        self._h11 = h11.Connection(h11.SERVER)
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._request: Request | None = None
        self._body = bytearray()
        self._draining = self._gone = self._served = False
        self._timer = self._loop.call_later(limits.patience_s, self._impatient)

    def receive(self, data: bytes) -> None:
        """Bytes from the client; empty bytes at its end."""
        try:
            self._h11.receive_data(data)
        except h11.RemoteProtocolError:  # bytes after the end
            self._channel.close()
            return
        self._advance()

    def drain(self) -> None:
        """Close: at once when idle, else after the answer under way.

        A connection that has not asked yet gets a moment to do so, for its first request may be on its way.
        """
        self._draining = True
        if self._task is None and self._request is None:
            self._timer.cancel()
            self._timer = self._loop.call_later(0 if self._served else GRACE_S, self._impatient)

    def lost(self) -> None:
        """Stop the timer and write nothing more; work under way is finished, as a server would."""
        self._gone = True
        self._timer.cancel()

    def _advance(self) -> None:
        while self._task is None and not self._gone:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError as error:
                self._refuse(error.error_status_hint)
                return
            if event is h11.NEED_DATA or event is h11.PAUSED:
                self._go_on()
                return
            self._on(event)

    def _on(self, event: object) -> None:
        match event:
            case h11.Request():
                self._begin(event)
            case h11.Data():
                self._body += event.data
                if len(self._body) > self._limits.body_bytes:
                    self._refuse(413)
            case h11.EndOfMessage():
                self._hand_over()
            case _:  # the client closed
                self.lost()
                self._channel.close()

    def _begin(self, event: h11.Request) -> None:
        headers = tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in event.headers)
        host = next((v for k, v in headers if k == "host"), "")
        target = event.target.decode("latin-1")
        if "://" in target.partition("?")[0]:  # absolute form (RFC 9112, 3.2.2): its authority wins
            host, slash, rest = target.partition("://")[2].partition("/")
            target = slash + rest or "/"
        self._request = Request(event.method.decode("latin-1"), target, headers, b"", host)
        self._body.clear()
        if self._head(self._request):
            self.lost()
            self._channel.reset()

    def _go_on(self) -> None:
        if self._request is not None and self._h11.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
            self._channel.write(self._h11.send(go_on) or b"")

    def _hand_over(self) -> None:
        request = self._request
        if request is None:
            return
        whole = Request(request.method, request.target, request.headers, bytes(self._body), request.authority)
        self._timer.cancel()
        self._task = self._loop.create_task(self._answer(whole))

    async def _answer(self, request: Request) -> None:
        answer = await answered(self._handler, request)
        self._task = self._request = None
        self._served = True
        if self._gone:
            return
        if answer.cut is not Cut.WHOLE:
            self._send(answer, request.method, half=True) if answer.cut is Cut.HALF else None
            self.lost()
            self._channel.reset()
            return
        self._send(answer, request.method)
        if self._draining or self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
            self.lost()
            self._channel.close()
            return
        self._h11.start_next_cycle()
        self._timer = self._loop.call_later(self._limits.patience_s, self._impatient)
        self._advance()

    def _send(self, answer: Answer, method: str, *, half: bool = False) -> None:
        headers = [*answer.headers, ("content-length", str(len(answer.body)))]
        if answer.status in _NO_BODY:
            headers.pop()
        if self._draining:
            headers.append(("connection", "close"))
        head = h11.Response(status_code=answer.status, headers=headers, reason=_reason(answer.status))
        self._channel.write(self._h11.send(head) or b"")
        if half:
            self._channel.write(answer.body[: len(answer.body) // 2])
            return
        if method != "HEAD" and answer.status not in _NO_BODY and answer.body:
            self._channel.write(self._h11.send(h11.Data(data=answer.body)) or b"")
        self._channel.write(self._h11.send(h11.EndOfMessage()) or b"")

    def _refuse(self, status: int) -> None:
        if self._h11.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self._draining = True
            self._send(Answer(status, (("content-type", "text/plain"),), b"bad request\n"), "GET")
        self.lost()
        self._channel.close()

    def _impatient(self) -> None:
        if self._request is not None:
            self._refuse(408)
        else:
            self.lost()
            self._channel.close()


def _reason(status: int) -> bytes:
    return HTTPStatus(status).phrase.encode() if status in set(HTTPStatus) else b""


async def answered(handler: Handler, request: Request) -> Answer:
    """The handler's answer; a handler that raises is our bug, told to the loop and answered with 500."""
    try:
        return await handler(request)
    except Exception as error:  # noqa: BLE001 - the last door of a connection
        loop = asyncio.get_running_loop()
        loop.call_exception_handler({"message": f"{request.method} {request.path}", "exception": error})
        return Answer(500, (("content-type", "text/plain"),), b"the emulator failed\n")
