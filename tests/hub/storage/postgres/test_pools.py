"""The engine's own threads and connections: a server that hangs, restarts, or is asked for more than is good."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from kernelnet.hub.storage.postgres import PostgresEngine
from tests.hub.storage.conformance.support import NOW, FunctionWork, appends
from tests.postgres import server


class PoolTestCase(TestCase):
    timeout = 60

    def setUp(self) -> Any:
        self.server = server()
        self.url = self.server.database()
        folder = Path(self.mktemp())
        folder.mkdir()
        self.engine = PostgresEngine.at(self.url, folder, reactor)
        self.engine.prepare()
        return self.engine.open().addCallback(lambda _: self.addCleanup(self.engine.close))

    def append(self, messageId: str) -> Deferred[Any]:
        return self.engine.commit([FunctionWork(appends("a", messageId))], NOW)


class PoolTests(PoolTestCase):
    async def test_lockedOnce(self) -> None:
        """The hub's lock is asked for once for a connection, and not in each commit."""
        asked = []
        execute = psycopg.Connection.execute

        def heard(connection: Any, sql: Any, *arguments: Any, **more: Any) -> Any:
            asked.append(str(sql))
            return execute(connection, sql, *arguments, **more)

        with mock.patch.object(psycopg.Connection, "execute", heard):
            for i in range(3):
                await self.append(f"m{i}")
        self.assertEqual([sql for sql in asked if "advisory" in sql], [])

    async def test_restart(self) -> None:
        """After the server was restarted, what writes and what reads are both connected anew."""
        await self.append("before")
        self.assertEqual(len((await self.engine.page(0, 9, "b")).events), 1)
        self.server.kill()
        self.server.start()
        with self.assertRaises(psycopg.OperationalError):
            await self.append("lost")
        self.flushLoggedErrors()
        self.assertEqual([event.seq for event in (await self.append("after")).committed.events], [2])
        self.assertEqual(len((await self.engine.page(0, 9, "b")).events), 2)


class FrozenTests(PoolTestCase):
    def closed(self) -> float:
        """Seconds that it took."""
        began = time.monotonic()
        self.engine.close()
        return time.monotonic() - began

    async def test_close(self) -> None:
        """A hub's end waits for no server that says nothing."""
        with self.server.frozen():
            self.assertLess(self.closed(), 4)
        self.flushLoggedErrors()

    async def test_closeAtWork(self) -> None:
        """Neither in the middle of a commit, nor of a question."""
        with self.server.frozen():
            works = [
                self.append("m"),
                self.engine.read(lambda reader: reader.tokens.ids()),
                self.engine.page(0, 9, "b"),
            ]
            await deferToThread(time.sleep, 0.3)
            self.assertLess(self.closed(), 4)
        for work in works:
            work.addErrback(lambda _: None)
        self.flushLoggedErrors()
