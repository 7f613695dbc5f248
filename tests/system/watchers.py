"""
Many readers in one process, for the soak: each is connected to some hub, comes back to another when that is lost, and
counts what it hears, in order.

``python -m tests.system.watchers STATE TOKENS PORT…``, where STATE is the folder of a hub and TOKENS a file with an id
and its token in each line.  Each second it prints one line of JSON: ``connected``, and ``heard``, a list of what each
has heard: its first position, its last one, how many messages, how many twice or out of order, how often it could not
go on where it was.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

AT_ONCE = 32
"""Handshakes at the same time."""
ALIVE = 20.0
"""Seconds between two signs of life."""


class Line(msgspec.Struct):
    message_type: str
    payload: msgspec.Raw
    seq: int = 0


class Sync(msgspec.Struct):
    log_id: str = ""
    seq: int = 0
    resumed: bool = False


_line = msgspec.json.Decoder(Line)
_sync = msgspec.json.Decoder(Sync)


class Watcher:
    """One reader.  @ivar last: the last position that it heard; C{wrong}: how often one did not follow the last."""

    def __init__(self, aiId: str, token: str, number: int) -> None:
        self.aiId = aiId
        self.token = token
        self.isConnected = False
        self.first = self.last = self.heard = self.wrong = self.strange = 0
        self._logId = ""
        self._turns = count(number)

    async def run(self, ports: list[int], context: ssl.SSLContext, entering: asyncio.Semaphore) -> None:
        while True:
            writer = None
            try:
                async with entering:
                    port = ports[next(self._turns) % len(ports)]
                    reader, writer = await asyncio.open_connection(
                        "127.0.0.1", port, ssl=context, server_hostname="localhost", limit=1 << 21
                    )
                    writer.write(json.dumps({"ai_id": self.aiId, "token": self.token}).encode() + b"\n")
                    hello: dict[str, Any] = {"specialization": "general", "protocol": 2}
                    if self._logId:
                        hello |= {"log_id": self._logId, "resume_after": self.last}
                    self._say(writer, "hello", hello)
                    await self._greeted(reader)
                alive = asyncio.create_task(self._live(writer))
                try:
                    await self._listen(reader)
                finally:
                    alive.cancel()
            except (OSError, EOFError, ValueError, asyncio.IncompleteReadError):
                pass  # such as a hub that is down, and the line that it was writing
            finally:
                self.isConnected = False
                if writer is not None:
                    writer.transport.abort()
            await asyncio.sleep(0.2)

    def _say(self, writer: asyncio.StreamWriter, kind: str, payload: dict[str, Any]) -> None:
        message = {"message_id": f"{self.aiId}-{kind}", "sender_id": self.aiId, "message_type": kind, "target_ai": None}
        line = json.dumps({**message, "timestamp": "2026-11-22T12:00:00", "payload": payload})
        writer.write(line.encode() + b"\n")

    async def _live(self, writer: asyncio.StreamWriter) -> None:
        while True:
            await asyncio.sleep(ALIVE)
            self._say(writer, "heartbeat", {"nonce": 1})

    async def _greeted(self, reader: asyncio.StreamReader) -> None:
        while True:
            line = _line.decode(await self._next(reader))
            if line.message_type == "error":
                raise EOFError
            if line.message_type == "training_sync" and (sync := _sync.decode(line.payload)).log_id:
                break
        if self._logId and not sync.resumed:
            self.strange += 1
        if not self._logId:
            self.first = self.last = sync.seq
        self._logId = sync.log_id
        self.isConnected = True

    async def _next(self, reader: asyncio.StreamReader) -> bytes:
        line = await reader.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        return line

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while True:
            line = _line.decode(await self._next(reader))
            if line.message_type == "pattern_share":
                self.wrong += line.seq <= self.last
                self.heard += 1
                self.last = max(self.last, line.seq)


async def watch(state: Path, tokens: Path, ports: list[int]) -> None:
    context = ssl.create_default_context(cafile=str(state / "ca.pem"))
    entering = asyncio.Semaphore(AT_ONCE)
    known = [line.split() for line in tokens.read_text("utf-8").splitlines()]
    watchers = [Watcher(aiId, token, i) for i, (aiId, token) in enumerate(known)]
    running = [asyncio.create_task(watcher.run(ports, context, entering)) for watcher in watchers]
    while not any(task.done() for task in running):
        await asyncio.sleep(1)
        heard = [(w.first, w.last, w.heard, w.wrong, w.strange) for w in watchers]
        told = {"connected": sum(w.isConnected for w in watchers), "heard": heard}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
    await asyncio.gather(*running)  # one has failed: say why


if __name__ == "__main__":
    asyncio.run(watch(Path(sys.argv[1]), Path(sys.argv[2]), [int(port) for port in sys.argv[3:]]))
