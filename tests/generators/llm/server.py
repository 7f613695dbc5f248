"""A server that speaks as OpenAI's does, over loopback: it plays what it is given, failures included."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Served", "completion", "serving"]

Reply = Callable[["BaseHTTPRequestHandler", dict[str, Any]], None]


def completion(text: str, usage: object = None, finish: str = "stop", model: str = "recorded", **more: object) -> Reply:
    """An answer.  @param usage: C{None}: 100 and 50 tokens; C{False}: none is told."""
    told = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150} if usage is None else usage
    body: dict[str, Any] = {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
        **more,
    }
    if told is not False:
        body["usage"] = told
    return raw(json.dumps(body).encode())


def raw(data: bytes, status: int = 200, headers: Sequence[tuple[str, str]] = ()) -> Reply:
    """Bytes as they are."""

    def reply(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    return reply


def breaksOff(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
    """Closes in the middle."""
    handler.send_response(200)
    handler.send_header("Content-Length", "10000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')


def drips(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
    """A byte now and then, for longer than anybody waits."""
    handler.send_response(200)
    handler.send_header("Content-Length", "10000")
    handler.end_headers()
    for _each in range(100):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


class Served:
    """
    @ivar url: of the server, as C{base_url}.
    @ivar requests: bodies that came; C{keys}: what stood in their Authorization.
    """

    def __init__(self, replies: Sequence[Reply], last: Reply | None = None) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.url = ""
        self._replies, self._last = list(replies), last
        self._lock = threading.Lock()

    def next(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        with self._lock:
            self.requests.append(body)
            self.keys.append(handler.headers["Authorization"])
            reply = self._replies.pop(0) if self._replies else self._last
        (reply or raw(b'{"error": {"message": "nothing is left to play"}}', 400))(handler, body)


@contextmanager
def serving(*replies: Reply, last: Reply | None = None) -> Any:
    """
    A server while the context lasts.

    @param replies: one for each request; C{last}: for all that come after.
    """
    served = Served(replies, last)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            with suppress(BrokenPipeError, ConnectionResetError):
                served.next(self)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
