"""A hub that is a stranger: it has the certificate that trainers trust, and says whatever a test makes it say."""

from __future__ import annotations

import io
import json
import queue
import socket
import ssl
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from kernelnet.identity import StateDirectory

from .abuse import line
from .support import PATIENCE, Process
from .tls_stream import TLSStream

GREETING = {"log_id": "L", "seq": 0, "resumed": False, "active_ais": [], "ai_info": {}, "next": None}


def hubLine(kind: str, payload: Any, sender: str = "hub", seq: int | None = None, id: str = "h") -> bytes:
    """A message of the hub, or of a peer that it passes on, with its newline."""
    return line(kind, payload, sender, id, **({} if seq is None else {"seq": seq}))


class MaliciousHub:
    """
    Listens, and takes one trainer after another, whatever its token.

    @ivar port: where.
    """

    def __init__(self, state: StateDirectory) -> None:
        state.open()
        state.prepareHub([], datetime.now(UTC))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(state.path / "hub.pem", state.path / "hub.key")
        self._listener = context.wrap_socket(
            socket.create_server(("127.0.0.1", 0)), server_side=True, do_handshake_on_connect=False
        )
        self._listener.settimeout(PATIENCE)
        self.port = int(self._listener.getsockname()[1])

    def accept(self, process: Process) -> Victim:
        """The next trainer that has said hello, which is that process."""
        stream, _ = self._listener.accept()
        stream.settimeout(PATIENCE)
        try:
            stream.do_handshake()
            return Victim(stream, process)
        except BaseException:
            stream.close()
            raise

    def close(self) -> None:
        self._listener.close()


class Victim:
    """
    A trainer that took us for its hub.

    @ivar opening: its handshake and its hello.

    @param process: it, whose log tells why it has gone.
    """

    def __init__(self, stream: ssl.SSLSocket, process: Process) -> None:
        self._stream = TLSStream(stream, PATIENCE, None)
        self._process = process
        self._said: queue.Queue[bytes] = queue.Queue()
        self._nonce = 0
        self._end = "it closed"
        self._reads = threading.Event()
        self._reads.set()
        self._file = io.BufferedReader(self._stream)
        self.opening = [json.loads(self._file.readline()) for _ in range(2)]
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while self._reads.wait() and (line := self._file.readline()):
                self._said.put(line)
        except (OSError, ValueError) as error:
            self._end = repr(error)
        self._said.put(b"")

    def deafen(self) -> None:
        """Read nothing more of what it says; what it had said comes first."""
        self._reads.clear()

    def send(self, lines: Iterable[bytes]) -> None:
        """It may have gone meanwhile, of which `answers` tells."""
        try:
            for line in lines:
                self._stream.write(line)
        except OSError as error:
            self._end = repr(error)

    def next(self) -> dict[str, Any]:
        """What it says next; nothing once it has gone."""
        line = self._said.get(timeout=PATIENCE)
        found: dict[str, Any] = json.loads(line) if line else {}
        return found

    def answers(self) -> list[dict[str, Any]]:
        """Ping it until it answers: what was sent before is read by then.  @return: what it said meanwhile."""
        self._nonce += 1
        self.send([hubLine("heartbeat", {"nonce": self._nonce, "seq": 0})])
        said: list[dict[str, Any]] = []
        while message := self.next():
            if message["payload"].get("reply_to") == self._nonce:
                return said
            said.append(message)
        told = "\n".join(self._process.lines[-20:])
        raise AssertionError(f"the trainer has gone: {self._end}; its log ends:\n{told}")

    def close(self) -> None:
        self._reads.set()
        self._stream.hangUp()
        self._reader.join(PATIENCE)
        self._file.close()
