"""A connection without a client: it writes down what it is told."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.python.failure import Failure

from kernelnet import wire
from kernelnet.hub.auth.tokens import Grant
from kernelnet.hub.connection.log_reader import Broadcast, LogReader
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.message import AiInfo, MessageType
from kernelnet.wire import WireProblem

__all__ = ["FakeConnection"]


class FakeConnection:
    """
    A `kernelnet.hub.connection.interfaces.Connection` that has said hello.

    @ivar told: (what, with what) in order.
    """

    def __init__(self, log: EventLog, aiId: str = "AI_1", version: int = 2) -> None:
        self.aiId = aiId
        self.address = "192.0.2.1"
        self.peer = "192.0.2.1:4000"
        self.version = version
        self.greeted = True
        self.closing = False
        self.syncing = False
        self.isKeptWaiting = False
        self.since = 0.0
        self.grant = Grant.OWN
        self.readSeq = 0
        self.lastHeard = 0.0
        self.lastPing = 0.0
        self.reader = LogReader(self, log)
        self.told: list[tuple[str, Any]] = []

    @property
    def mayRenew(self) -> bool:
        return self.version >= 2

    def kinds(self) -> list[str]:
        """What it was told since the last call, without the details."""
        told, self.told = self.told, []
        return [what for what, _ in told]

    def abort(self) -> None:
        self.told.append(("abort", None))

    def send(self, messageType: MessageType, payload: msgspec.Struct) -> None:
        self.sendPayload(messageType, wire.encodePayload(payload))

    def sendPayload(self, messageType: MessageType, payload: dict[str, Any]) -> None:
        self.told.append((messageType.value, payload))

    def tellNews(self, data: bytes, info: dict[str, AiInfo]) -> None:
        self.told.append(("news", info))

    def committed(self, broadcast: Broadcast | None) -> None:
        self.told.append(("committed", None if broadcast is None else broadcast.upTo))

    def hold(self, why: str) -> None:
        self.told.append(("hold", why))

    def charge(self, seconds: float) -> None:
        pass

    def close(self, problem: WireProblem) -> None:
        self.closing = True
        self.told.append(("close", problem.code))

    def failed(self, failure: Failure) -> None:
        self.told.append(("failed", failure.value))

    # --- as the sink of its reader

    def writeLines(self, data: bytes) -> None:
        self.told.append(("lines", data))

    def outputChanged(self, paused: bool) -> None:
        pass
