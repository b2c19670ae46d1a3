"""An endpoint that answers every chat request with the same tool call after a fixed time, as exactly as Python can.

``python -m benchmarks.endpoint PORT SECONDS [TEXT]``. With a text it answers that instead of the call. At its end
(SIGTERM) it says in a line of JSON when each request came and when it was answered, in seconds since 1970. It stands
for the endpoint-limited ideal: whatever a client needs beyond requests / parallelism x SECONDS is the client's own.

A thread for each connection: the system wakes a thread that sleeps within a tenth of a millisecond, whatever the others
do; a timer of an event loop rings up to a whole one late, and together with its neighbours.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
import threading
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


SWITCH_SECONDS = 0.0005
"""How long a thread that has something to do waits at most for one that is at work (Python's own: 5 ms)."""


class Endpoint:
    """Answers on all connections, and knows when each request came and was answered, in seconds since 1970."""

    def __init__(self, seconds: float, response: bytes) -> None:
        self.arrived, self.answered = array("d"), array("d")
        self._seconds = seconds
        self._response = response

    def accept(self, server: socket.socket) -> None:
        """Take connections until the process ends."""
        while True:
            connection, _ = server.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection: socket.socket) -> None:
        """Serve one connection until its other end closes it. Reads just enough of HTTP to know a request's end."""
        received = b""
        while data := connection.recv(65536):
            due = time.monotonic() + self._seconds
            received += data
            while (end := received.find(b"\r\n\r\n")) >= 0:
                length = int(received[:end].lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
                if len(received) < end + 4 + length:
                    break
                received = received[end + 4 + length :]
                self.arrived.append(time.time())
                time.sleep(max(0.0, due - time.monotonic()))
                connection.sendall(self._response)
                self.answered.append(time.time())
        connection.close()


def serve(port: int, seconds: float, text: str | None) -> None:
    """Listen on loopback, say so on standard output, and go on until told to end."""
    sys.setswitchinterval(SWITCH_SECONDS)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    endpoint = Endpoint(seconds, response(CALL if text is None else {"content": text}))
    server = socket.create_server(("127.0.0.1", port), backlog=256)
    threading.Thread(target=endpoint.accept, args=(server,), daemon=True).start()
    print(server.getsockname()[1], flush=True)
    signal.sigwait({signal.SIGTERM})
    print(json.dumps({"arrived": endpoint.arrived.tolist(), "answered": endpoint.answered.tolist()}), flush=True)


if __name__ == "__main__":
    serve(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
