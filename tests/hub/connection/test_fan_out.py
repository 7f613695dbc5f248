"""What connections are told after a commit."""

from __future__ import annotations

from kernelnet.hub.connection.fan_out import FanOut
from kernelnet.hub.connection.log_reader import Broadcast
from kernelnet.hub.storage.engine import Committed
from kernelnet.hub.storage.log_pages import Event
from tests.hub.connection.support import FakeConnection
from tests.hub.databases import onEveryEngine
from tests.hub.support import HubTestCase


@onEveryEngine
class FanOutTests(HubTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.connections = {aiId: FakeConnection(self.hub.log, aiId) for aiId in ("AI_1", "AI_2", "AI_3")}
        self.fanOut = FanOut(self.connections)

    def committed(self, *seqs: int) -> dict[str, list[int | None]]:
        self.fanOut.committed(Committed(events=[Event(seq, "AI_1", None, b"{}", False) for seq in seqs]))
        told = {}
        for aiId, connection in self.connections.items():
            told[aiId] = [detail for _, detail in connection.told]
            connection.told = []
        return told

    def test_events(self) -> None:
        """Everybody is told of what was committed."""
        self.assertEqual(self.committed(1, 2), {"AI_1": [2], "AI_2": [2], "AI_3": [2]})

    def test_acks(self) -> None:
        """A commit that has nothing for others is told to those alone who have acks to send, and once."""
        self.fanOut.acknowledge(self.connections["AI_2"])
        self.assertEqual(self.committed(), {"AI_1": [], "AI_2": [None], "AI_3": []})
        self.assertEqual(self.committed(), {"AI_1": [], "AI_2": [], "AI_3": []})

    def test_order(self) -> None:
        """Those who wait for an ack come first, and nobody is told twice."""
        order = []
        for aiId, connection in self.connections.items():
            self.patch(connection, "committed", lambda broadcast, aiId=aiId: order.append(aiId))
        self.fanOut.acknowledge(self.connections["AI_3"])
        self.committed(1)
        self.assertEqual(order, ["AI_3", "AI_1", "AI_2"])

    def test_failing(self) -> None:
        """Where one can't be told its connection is cut; all others are told."""
        del self.connections["AI_3"]
        broken = self.connections["AI_1"]

        def fails(broadcast: Broadcast | None) -> None:
            raise ValueError("mine")

        self.patch(broken, "committed", fails)
        self.assertEqual(self.committed(1), {"AI_1": [None], "AI_2": [1]})
        self.fanOut.acknowledge(broken)
        self.fanOut.acknowledge(self.connections["AI_2"])
        self.committed()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)

    def test_repr(self) -> None:
        """Its repr says how many it serves."""
        self.fanOut.acknowledge(self.connections["AI_3"])
        self.assertEqual(repr(self.fanOut), "<FanOut to 3 AIs, 1 wait for an ack>")
