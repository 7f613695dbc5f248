"""The account of who is connected."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from kernelnet.hub.connection.connections import Connections
from kernelnet.wire import WireProblem
from tests.hub.connection.support import FakeConnection
from tests.hub.databases import onEveryEngine
from tests.hub.support import HubTestCase, captureLog

GONE = Failure(ConnectionDone())
AWAY = WireProblem("shutting_down", "away")


@onEveryEngine
class ConnectionsTests(HubTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.drained: Deferred[None] = Deferred()
        self.connections = Connections(lambda: self.drained)
        self.left: list[str] = []
        self.connections.left = self.left.append

    def connect(self, aiId: str, version: int = 2) -> FakeConnection:
        connection = FakeConnection(self.hub.log, aiId, version)
        self.connections.connected(connection)
        self.connections.authenticated(connection)
        return connection

    def test_comeAndGo(self) -> None:
        """A connection counts once it is open, has an AI once it is authenticated, and leaves nothing behind."""
        seen = captureLog(self)
        connection = FakeConnection(self.hub.log)
        self.connections.connected(connection)
        self.assertEqual((self.connections.count, dict(self.connections.byId)), (1, {}))
        self.connections.authenticated(connection)
        self.assertEqual(self.connections.byId, {"AI_1": connection})
        self.assertEqual(self.connections.everyone(), [connection])
        self.connections.disconnected(connection, GONE)
        self.assertEqual((self.connections.count, self.connections.byId, self.left), (0, {}, ["AI_1"]))
        self.assertEqual(len([line for line in seen if line.startswith("AI_1 left: ")]), 1)

    def test_takeover(self) -> None:
        """The older connection of an AI ends; that changes nothing for the newer one, and nobody has left."""
        older, newer = self.connect("AI_1"), self.connect("AI_1")
        self.assertEqual((older.told, newer.told), ([("close", "taken_over")], []))
        self.connections.disconnected(older, GONE)
        self.assertIs(self.connections.byId["AI_1"], newer)
        self.assertEqual(self.left, [])

    def test_greeted(self) -> None:
        """Only who has said hello is here for others."""
        connection = self.connect("AI_1")
        self.assertIs(self.connections.greeted("AI_1"), connection)
        connection.greeted = False
        self.assertIsNone(self.connections.greeted("AI_1"))
        self.assertIsNone(self.connections.greeted("AI_2"))

    def test_readers(self) -> None:
        """Who is behind the log, and how far each version 2 AI says that it has read."""
        live, behind, old = self.connect("LIVE"), self.connect("BEHIND"), self.connect("OLD", 1)
        live.reader.live = old.reader.live = True
        self.assertEqual(self.connections.lagging(), [behind])
        live.readSeq, old.readSeq = 7, 8
        self.assertEqual(self.connections.readPositions(), [(7, "LIVE")])

    def test_disconnect(self) -> None:
        """An operator can end the connection of an AI that has one."""
        connection = self.connect("AI_1")
        self.assertTrue(self.connections.disconnect("AI_1", WireProblem("bad_credentials", "revoked")))
        self.assertFalse(self.connections.disconnect("AI_2", WireProblem("bad_credentials", "revoked")))
        self.assertEqual(connection.told, [("close", "bad_credentials")])

    def test_suspend(self) -> None:
        """Nobody is read any more at once, all are closed when the log is drained, and it ends when all have gone."""
        connection = self.connect("AI_1")
        stopped = self.connections.suspend(AWAY)
        self.assertEqual((connection.kinds(), self.connections.suspended), (["hold"], True))
        self.drained.callback(None)
        self.assertEqual(connection.kinds(), ["close"])
        self.assertNoResult(stopped)
        self.connections.disconnected(connection, GONE)
        self.successResultOf(stopped)
        self.connections.resume()
        self.assertFalse(self.connections.suspended)

    def test_twice(self) -> None:
        """While it stands still nobody else can have that; who wants it to end waits until it goes on."""
        self.drained.callback(None)
        connection = self.connect("AI_1")
        suspended = self.connections.suspend(AWAY)
        stopped = self.connections.stop(AWAY)
        self.assertEqual(self.failureResultOf(self.connections.suspend(AWAY), WireProblem).value.code, "busy")
        self.connections.disconnected(connection, GONE)
        self.successResultOf(suspended)
        self.assertNoResult(stopped)
        self.drained = succeed(None)
        self.connections.resume()
        self.successResultOf(stopped)
        self.assertTrue(self.connections.suspended)
        self.failureResultOf(self.connections.suspend(AWAY), WireProblem)

    def test_suspendNobody(self) -> None:
        """Where nobody is connected only the log is waited for."""
        stopped = self.connections.suspend(AWAY)
        self.assertNoResult(stopped)
        self.drained.callback(None)
        self.successResultOf(stopped)

    def test_repr(self) -> None:
        """Its repr says how many there are."""
        self.connect("AI_1")
        self.connections.connected(FakeConnection(self.hub.log, ""))
        self.assertEqual(repr(self.connections), "<Connections 1 AIs, 2 open>")
