"""An endpoint that answers every chat request with the same tool call after a fixed time, as cheaply as Python can.

``python -m benchmarks.endpoint PORT SECONDS``. It stands for the endpoint-limited ideal: whatever a client needs beyond
requests / parallelism x SECONDS is the client's own.
"""

from __future__ import annotations

import asyncio
import json
import sys

ARGUMENTS = '{"a": 1, "b": "two"}'
BODY = json.dumps(
    {
        "choices": [
            {
                "index": 0,
                "finish_reason": "tool_calls",
                "message": {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "1",
                            "type": "function",
                            "function": {"name": "calc", "arguments": '{"a": 1, "b": "two"}'},
                        }
                    ],
                },
            }
        ],
        "usage": {"prompt_tokens": 300, "completion_tokens": 20},
    }
).encode()
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY


class Answering(asyncio.Protocol):
    """One connection. Reads just enough of HTTP to know where a request ends."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
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
            asyncio.get_running_loop().call_later(self._seconds, self._answer)

    def _answer(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(RESPONSE)


async def serve(port: int, seconds: float) -> None:
    """Listen on loopback, say so on standard output, and go on until killed."""
    server = await asyncio.get_running_loop().create_server(lambda: Answering(seconds), "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))
