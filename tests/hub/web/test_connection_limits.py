"""Connections that the dashboard keeps; `tests.hub.web.test_server` has who goes for whom."""

from __future__ import annotations

import itertools
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from kernelnet.hub.web.connection_limits import LimitingFactory


class ConnectionsTests(SynchronousTestCase):
    def test_all(self) -> None:
        """There are 512 at most, though each were of another network and allowed; when one goes another may come."""
        factory = LimitingFactory(Site(Resource(), reactor=Clock()))
        came: list[Any] = []
        numbers = itertools.count()

        def come() -> bool:
            number = next(numbers)
            address = IPv4Address("TCP", f"192.{number >> 8}.{number & 255}.1", 4000)
            connection = factory.buildProtocol(address)
            if connection is None:
                return False
            connection.makeConnection(StringTransport(peerAddress=address))
            factory.limiter.proved(connection)
            came.append(connection)
            return True

        self.assertEqual([come() for _ in range(513)], [True] * 512 + [False])
        came.pop(7).connectionLost(Failure(ConnectionDone()))
        self.assertEqual([come(), come()], [True, False])
        for connection in came:
            connection.connectionLost(Failure(ConnectionDone()))
