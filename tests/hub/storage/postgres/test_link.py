"""A node that hears nothing of its database: whether it waits, or looks for another connection."""

from __future__ import annotations

import time
from typing import Any

import psycopg
from twisted.internet import reactor

from kernelnet.hub.storage.engine import Place, Standing
from kernelnet.hub.storage.postgres.link import HANGS, Link, serverOf, whoIsThere
from kernelnet.hub.storage.postgres.pools import ownPool
from tests.hub.storage.postgres.test_fail_over import PairTestCase
from tests.hub.support import captureLog
from tests.postgres_proxy import Proxy


class LinkTests(PairTestCase):
    def makeEngine(self) -> Any:
        self.proxy = Proxy(self.pair.primary.folder)
        self.addCleanup(self.proxy.close)
        hosts = f"{self.proxy.folder},{self.pair.standby.folder}"
        self.url = f"postgresql://kernelnet@/{self.name}?host={hosts}&connect_timeout=2"
        engine = super().makeEngine()
        standing = Standing("", Place(0), Place(0))
        loop: Any = reactor
        self.link = Link(ownPool(self.url, reactor), lambda: standing, lambda: whoIsThere(self.url, loop), engine.cut)
        self.addCleanup(self.link.close)
        self.said = captureLog(self)
        return engine

    async def test_partition(self) -> None:
        """
        Where the way to the primary ends without a word, the node says so, and gives all connections up within the time
        that an attempt to connect has; it goes on at the standby once that has taken over.
        """
        self.assertEqual(await self.append("first"), 1)
        await self.link.run(serverOf, lambda found: None)
        self.proxy.stall()
        lost, began = self.append("m"), time.monotonic()
        self.link.run(serverOf, lambda found: None)
        await self.waits(lost)
        self.link.watch(HANGS - 1)
        await self.waits(lost)
        self.link.watch(HANGS + 1)
        with self.assertRaises(psycopg.OperationalError):
            await lost
        self.flushLoggedErrors()
        self.assertLess(time.monotonic() - began, 20)  # some 5 on a machine with time
        self.assertIn("says nothing: all connections to it end", "\n".join(self.said))
        self.pair.kill()
        self.pair.failOver()
        self.pair.restore()
        self.assertEqual(await self.appendAgain("m"), 2)
        heard: list[str] = []
        for _ in range(2):
            await self.link.run(serverOf, heard.append)
        self.assertIn(str(self.pair.primary.folder), heard[-1])

    async def test_waits(self) -> None:
        """Where the server lives, and only waits for its standby, its connections stay, and that is said once."""
        self.assertEqual(await self.append("first"), 1)
        self.pair.standby.kill()
        waiting = self.append("m")
        self.link.run(serverOf, lambda found: None)
        for _ in range(3):
            await self.waits(waiting)
            self.link.watch(HANGS + 1)
        self.assertEqual(len([line for line in self.said if "waits, such as for its synchronous standby" in line]), 1)
        self.pair.standby.start()
        self.assertEqual(await waiting, 2)
