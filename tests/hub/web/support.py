"""A hub's dashboard without a port: requests are bytes that go in, answers bytes that come out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from kernelnet.hub.auth import tokens
from tests.hub.support import HubTestCase, Transport

__all__ = ["Answer", "WebTestCase"]


@dataclass
class Answer:
    code: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class WebTestCase(HubTestCase):
    """
    @ivar token: of a viewer.
    """

    def setUp(self) -> None:
        super().setUp()
        self.dashboard = self.hub.dashboard(self.hub.clock, ("127.0.0.1", 0))
        self.dashboard.url = "http://127.0.0.1:6080/"
        self.channels: list[Any] = []
        self.token = self.hub.transact(lambda transaction: tokens.issueViewer(transaction, "test"))

    def tearDown(self) -> None:
        self.dashboard.streams.stop()
        for channel in self.channels:
            channel.connectionLost(Failure(ConnectionDone()))
        super().tearDown()

    def open(self, path: str, method: str = "GET", host: str = "192.0.2.1", **headers: str) -> Transport:
        """Send a request; what is answered is in the transport."""
        transport = Transport(peerAddress=IPv4Address("TCP", host, 4000))
        channel = self.dashboard.limited.buildProtocol(transport.getPeer())
        channel.makeConnection(transport)
        lines = [f"{method} {path} HTTP/1.1", "Host: hub", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        channel.dataReceived("\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape"))
        self.channels.append(channel)
        return transport

    def ask(self, path: str, token: str | None = "", **options: str) -> Answer:
        """
        @param token: C{""}: a viewer's; C{None}: none.
        """
        if token is not None:
            options["Authorization"] = f"Bearer {token or self.token}"
        data = self.open(path, **options).value()
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return Answer(int(first.split()[1]), headers, body)
