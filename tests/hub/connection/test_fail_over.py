"""Several hubs on a primary whose synchronous standby takes over, and what they had passed on before."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Thread
from typing import Any

from tests.hub.connection.test_other_nodes import PATTERN, NodesTestCase
from tests.hub.databases import OnPostgres
from tests.hub.support import Client
from tests.postgres import pair


class OnPair(OnPostgres):
    """A database of the tests' pair of servers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = pair().database()


class PhantomTests(NodesTestCase):
    """
    A message whose wait for the standby was cancelled, which a node had followed, and which is gone after a fail-over.
    """

    databaseType = OnPair

    def setUp(self) -> None:
        super().setUp()
        self.pair = pair()
        self.a = self.connect(self.one, "a")
        self.reader, self.further = self.connect(self.two, "reader"), self.connect(self.two, "further")
        self.share(self.a, "p1")
        self.settle()

    def share(self, client: Client, name: str) -> Any:
        """@return: the answer."""
        client.send("pattern_share", {"pattern": {**PATTERN, "id": name}}, message_id=name)
        return client.received("ack", "error")[-1]["payload"]

    def cancelWait(self) -> None:
        """Cancel the next wait for a standby."""
        for _ in range(1000):
            sql = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            if self.pair.primary.execute(sql):
                return
            time.sleep(0.01)

    def makePhantom(self) -> None:
        """Message 2 is followed by node two, acknowledged by nobody, and gone with the primary."""
        self.pair.standby.kill()
        canceller = Thread(target=self.cancelWait)
        canceller.start()
        self.assertEqual(self.share(self.a, "phantom")["code"], "busy")
        canceller.join()
        self.two.cluster.follow()
        self.assertEqual([m["message_id"] for m in self.further.received("pattern_share")], ["p1", "phantom"])
        self.pair.kill()
        self.pair.standby.start()
        self.pair.failOver()
        self.pair.restore()

    def check(self) -> None:
        """Node two has noticed: the log has another id, and who had gone further is told so."""
        before = self.two.log.logId
        self.settle()
        self.settle()
        self.flushLoggedErrors()
        self.assertEqual((self.further.closing, self.reader.closing), (True, True))
        for node in (self.one, self.two):
            node.cutAll()
        self.settle()
        self.assertNotEqual(self.two.log.logId, before)
        self.assertEqual(self.one.log.logId, self.two.log.logId)
        self.assertEqual(self.one.log.head, self.two.log.head)
        for aiId, after, resumed in (("further", 2, False), ("reader", 1, True)):
            client = self.two.client(aiId)
            client.hello(2, log_id=before, resume_after=after)
            answer, *missed = client.received("training_sync", "pattern_share")
            self.assertEqual(answer["payload"]["resumed"], resumed, aiId)
            if resumed:
                self.assertEqual([m["seq"] for m in missed], [*range(2, self.two.log.head + 1)])

    def test_overwritten(self) -> None:
        """Its number was given to another message meanwhile, which is acknowledged, and reaches all."""
        self.makePhantom()
        b = self.one.connect("b")
        while (answer := self.share(b, "other")).get("code") == "busy":
            pass
        self.assertEqual(answer["acked"], [["other", 2]])
        self.check()
        again = self.one.resume("a", 2)
        self.assertEqual(self.share(again, "phantom")["acked"], [["phantom", 3]])

    def test_missing(self) -> None:
        """The log ends before it."""
        self.makePhantom()
        self.check()
        self.assertEqual(self.one.log.head, 1)
        again = self.one.resume("a", 1)
        self.assertEqual(self.share(again, "phantom")["acked"], [["phantom", 2]])

    def test_nothingLost(self) -> None:
        """After a fail-over that lost nothing nobody is disturbed: connections stay, and the log is what it was."""
        self.pair.kill()
        self.pair.failOver()
        self.pair.restore()
        self.settle()
        while (answer := self.share(self.a, "next")).get("code") == "busy":
            pass
        self.assertEqual(answer["acked"], [["next", 2]])
        self.settle()
        self.assertEqual([m["seq"] for m in self.further.received("pattern_share")], [1, 2])
        self.assertFalse(self.further.closing)
        self.assertEqual(self.one.log.logId, self.two.log.logId)
        self.flushLoggedErrors()
