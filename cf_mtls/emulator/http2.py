"""HTTP/2 over a channel: h2 keeps the state, this file the bodies and the flow control.

Rules of this file:
- A body is sent as the client's windows allow, never more; what is left waits for a WINDOW_UPDATE.
- Draining answers what is under way, then says GOAWAY: an idle connection is told at once.
- Nothing a client sends raises out of `receive`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RequestReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import ProtocolError

from cf_mtls.emulator.http import Answer, Cut, Limits, Request
from cf_mtls.emulator.http1 import GRACE_S, answered

if TYPE_CHECKING:
    from cf_mtls.emulator.http import Channel, Handler

_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection"}


@dataclass(slots=True)
class _Stream:
    request: Request
    body: bytearray = field(default_factory=bytearray)
    task: asyncio.Task[None] | None = None
    left: memoryview | None = None


class Http2:
    """One HTTP/2 connection."""

    def __init__(self, channel: Channel, handler: Handler, limits: Limits) -> None:
        self._channel, self._handler, self._limits = channel, handler, limits
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding="latin-1"))
        self._h2.initiate_connection()
        self._loop = asyncio.get_running_loop()
        self._streams: dict[int, _Stream] = {}
        self._draining = self._gone = self._served = False
        self._timer = self._loop.call_later(limits.patience_s, self._impatient)
        self._flush()

    def receive(self, data: bytes) -> None:
        """Bytes from the client; empty bytes at its end."""
        if not data:
            self._end()
            return
        try:
            for event in self._h2.receive_data(data):
                self._on(event)
            self._pump()
        except ProtocolError:
            self._flush()  # h2 has put a GOAWAY with the reason in its buffer
            self._end()
            return
        self._flush()

    def drain(self) -> None:
        """Say GOAWAY: at once when idle, else after the streams that are open; see `Http1.drain`."""
        self._draining = True
        if not self._streams:
            self._timer.cancel()
            self._timer = self._loop.call_later(0 if self._served else GRACE_S, self._impatient)

    def lost(self) -> None:
        """Stop the timer and write nothing more."""
        self._gone = True
        self._timer.cancel()

    def _on(self, event: Event) -> None:
        match event:
            case RequestReceived():
                self._begin(event)
            case DataReceived():
                self._data(event)
            case StreamEnded():
                self._hand_over(event.stream_id or 0)
            case StreamReset():
                self._streams.pop(event.stream_id or 0, None)
            case ConnectionTerminated():
                self._end()
            case _:
                pass  # windows and settings are h2's own business; `_pump` looks at them

    def _begin(self, event: RequestReceived) -> None:
        headers = tuple((str(k), str(v)) for k, v in event.headers or [])
        pseudo = {k: v for k, v in headers if k.startswith(":")}
        plain = tuple(h for h in headers if not h[0].startswith(":"))
        authority = pseudo.get(":authority") or next((v for k, v in plain if k == "host"), "")
        request = Request(
            pseudo.get(":method", ""), pseudo.get(":path", "/"), plain, b"", authority, version="2"
        )
        self._streams[event.stream_id or 0] = _Stream(request)
        self._patient()
        if request.header("expect") == "100-continue":
            self._h2.send_headers(event.stream_id or 0, [(":status", "100")])

    def _data(self, event: DataReceived) -> None:
        number = event.stream_id or 0
        stream = self._streams.get(number)
        if stream is None or stream.task is not None:
            self._h2.acknowledge_received_data(event.flow_controlled_length or 0, number)
            return
        stream.body += event.data or b""
        if len(stream.body) > self._limits.body_bytes:
            del self._streams[number]
            self._h2.reset_stream(number, ErrorCodes.ENHANCE_YOUR_CALM)
            return
        self._h2.acknowledge_received_data(event.flow_controlled_length or 0, number)

    def _hand_over(self, number: int) -> None:
        stream = self._streams.get(number)
        if stream is None:
            return
        r = stream.request
        whole = Request(r.method, r.target, r.headers, bytes(stream.body), r.authority, r.version)
        stream.task = self._loop.create_task(self._answer(number, whole))

    async def _answer(self, number: int, request: Request) -> None:
        answer = await answered(self._handler, request)
        stream = self._streams.get(number)
        if stream is None or self._gone:
            return
        if answer.cut is not Cut.WHOLE:
            self.lost()
            self._channel.reset()
            return
        try:
            self._send(number, stream, answer, request.method)
            self._pump()
        except ProtocolError:  # the stream was closed under us
            self._streams.pop(number, None)
        self._flush()

    def _send(self, number: int, stream: _Stream, answer: Answer, method: str) -> None:
        headers = [(":status", str(answer.status))]
        headers += [(k, v) for k, v in answer.headers if k not in _HOP]
        headers.append(("content-length", str(len(answer.body))))
        if method == "HEAD" or not answer.body:
            self._h2.send_headers(number, headers, end_stream=True)
            self._finish(number)
            return
        self._h2.send_headers(number, headers)
        stream.left = memoryview(answer.body)

    def _pump(self) -> None:
        for number, stream in list(self._streams.items()):
            while stream.left is not None and self._window(number) > 0:
                size = min(self._window(number), self._h2.max_outbound_frame_size, len(stream.left))
                last = size == len(stream.left)
                self._h2.send_data(number, bytes(stream.left[:size]), end_stream=last)
                stream.left = None if last else stream.left[size:]
                if last:
                    self._finish(number)

    def _window(self, number: int) -> int:
        return self._h2.local_flow_control_window(number)

    def _finish(self, number: int) -> None:
        self._served = True
        self._streams.pop(number, None)
        self._patient()
        if self._draining and not self._streams:
            self._goaway()

    def _goaway(self) -> None:
        if not self._gone:
            self._h2.close_connection()
            self._end()

    def _end(self) -> None:
        if not self._gone:
            self._flush()
            self.lost()
            self._channel.close()

    def _flush(self) -> None:
        if not self._gone:
            data = self._h2.data_to_send()
            if data:
                self._channel.write(data)

    def _patient(self) -> None:
        self._timer.cancel()
        if not self._gone:
            self._timer = self._loop.call_later(self._limits.patience_s, self._impatient)

    def _impatient(self) -> None:
        if any(s.task is not None and not s.task.done() for s in self._streams.values()):
            self._patient()  # it is we who are slow
            return
        self._goaway()
