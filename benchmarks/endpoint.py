"""An endpoint that answers every chat request with the same tool call after a fixed time, as cheaply as Python can.

``python -m benchmarks.endpoint PORT SECONDS [TEXT]``. With a text it answers that instead of the call. At its end
(SIGTERM) it says in a line of JSON when each request came and when it was answered, in seconds since 1970. It stands
for the endpoint-limited ideal: whatever a client needs beyond requests / parallelism x SECONDS is the client's own.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from array import array
from typing import Any

ARGUMENTS = '{"a": 1, "b": "two"}'
CALL = {
    "content": None,
    "tool_calls": [{"id": "1", "type": "function", "function": {"name": "calc", "arguments": ARGUMENTS}}],
}


def response(message: dict[str, Any]) -> bytes:
    """The whole HTTP response with this message of the assistant."""
    body = json.dumps(
        {
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **message}}],
            "usage": {"prompt_tokens": 300, "completion_tokens": 20},
        }
    ).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


class Answering(asyncio.Protocol):
    """One connection. Reads just enough of HTTP to know where a request ends."""

    def __init__(self, seconds: float, response: bytes, arrived: array[float], answered: array[float]) -> None:
        self._seconds = seconds
        self._response = response
        self._arrived = arrived
        self._answered = answered
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            length = int(self._received[:end].lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
            if len(self._received) < end + 4 + length:
                return
            self._received = self._received[end + 4 + length :]
            self._arrived.append(time.time())
            asyncio.get_running_loop().call_later(self._seconds, self._answer)

    def _answer(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._response)
            self._answered.append(time.time())


async def serve(port: int, seconds: float, text: str | None) -> None:
    """Listen on loopback, say so on standard output, and go on until told to end."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    arrived, answered = array("d"), array("d")
    whole = response(CALL if text is None else {"content": text})
    server = await loop.create_server(lambda: Answering(seconds, whole, arrived, answered), "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await ended.wait()
    print(json.dumps({"arrived": arrived.tolist(), "answered": answered.tolist()}), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None))
