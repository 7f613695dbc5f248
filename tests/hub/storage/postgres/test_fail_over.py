"""The engine on a primary that is killed, and whose synchronous standby takes over, or is away."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from kernelnet.hub.storage.engine import Place, Standing
from kernelnet.hub.storage.postgres import PostgresEngine
from kernelnet.hub.storage.postgres import connection as connections
from kernelnet.hub.storage.postgres.blobs import PostgresBlobs
from kernelnet.hub.storage.postgres.connection import argumentsFor, connect
from kernelnet.hub.storage.postgres.continuity import prove
from kernelnet.hub.storage.postgres.link import Link
from kernelnet.hub.storage.postgres.log import follow
from kernelnet.hub.storage.postgres.pools import ownPool
from kernelnet.hub.storage.transaction import Transaction
from tests.hub.storage.conformance.support import NOW, FunctionWork, append
from tests.postgres import pair

MOMENT = 0.4
"""Seconds after which what waits for a standby is taken to go on waiting."""


class PairTestCase(TestCase):
    timeout = 60

    def setUp(self) -> Any:
        self.pair = pair()
        self.name = self.pair.primary.create()
        self.url = self.pair.url(self.name)
        self.engine = self.makeEngine()
        self.engine.prepare()
        return self.engine.open()

    def makeEngine(self) -> PostgresEngine:
        folder = Path(self.mktemp())
        folder.mkdir()
        engine = PostgresEngine.at(self.url, folder, reactor)
        self.addCleanup(engine.close)
        return engine

    def append(self, messageId: str) -> Deferred[int]:
        """Fires with the number that an acknowledgement would have."""

        def say(transaction: Transaction) -> Callable[[], int]:
            before = transaction.find("a", messageId)
            if before is not None:
                return lambda: before[0]
            event = append(transaction, "a", messageId)
            return lambda: event.seq

        work = FunctionWork(say)
        done: Deferred[int] = self.engine.commit([work], NOW).addCallback(lambda _: work.result())
        return done

    async def appendAgain(self, messageId: str) -> int:
        """As a sender does: until it is acknowledged."""
        for _ in range(300):
            try:
                return await self.append(messageId)
            except psycopg.Error as error:
                self.assertEqual(self.engine.problemOf(error).code, "busy", error)
                self.flushLoggedErrors()
            await self.moment(0.02)
        raise AssertionError(f"{messageId} is never acknowledged")

    def moment(self, seconds: float = MOMENT) -> Deferred[None]:
        return deferToThread(time.sleep, seconds)

    def logged(self) -> list[tuple[int, str]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute("SELECT seq, message_id FROM events ORDER BY seq").fetchall()

    async def waits(self, done: Deferred[Any]) -> None:
        """See that it has not fired, and does not within a moment."""
        await self.moment()
        self.assertFalse(done.called)


class FailOverTests(PairTestCase):
    async def test_acked(self) -> None:
        """
        The primary is killed under load: what was acknowledged is on the standby, under its number, once; the hub finds
        it by the same address and goes on there.
        """
        acked: dict[str, int] = {}

        def failOver() -> None:
            time.sleep(0.2)
            self.pair.kill()
            time.sleep(0.1)
            self.pair.failOver()

        # Servers end with the thread that started them.
        failing = deferToThread(failOver).addCallback(lambda _: self.pair.restore())
        number = after = 0
        while after < 20:
            number += 1
            acked[f"m{number}"] = await self.appendAgain(f"m{number}")
            after += failing.called
        await failing
        self.assertEqual(self.logged(), [(seq, messageId) for messageId, seq in acked.items()])
        self.assertEqual([*acked.values()], [*range(1, number + 1)])
        self.assertEqual(len((await self.engine.page(number - 9, number, "b")).events), 9)

    def test_readOnly(self) -> None:
        """A server that is a standby now drops no message: its sender is told to send it again."""
        here = self.pair.standby.url(self.name)
        with connect(here) as connection, self.assertRaises(psycopg.Error) as raised:
            prove(connection, lambda: None)
        self.assertEqual(self.engine.problemOf(raised.exception).code, "busy", raised.exception)

    def test_address(self) -> None:
        """Of several hosts the primary is the one that is asked; what the address says goes before."""
        attributes = "target_session_attrs"
        self.assertEqual(argumentsFor("postgresql://a:1,b:2/x")[attributes], "read-write")
        self.assertNotIn(attributes, argumentsFor("postgresql://a/x"))
        self.assertNotIn(attributes, argumentsFor(f"postgresql://a,b/x?{attributes}=any"))
        for hosts in ([self.pair.standby, self.pair.primary], [self.pair.primary, self.pair.standby]):
            places = ",".join(str(one.folder) for one in hosts)
            with connect(f"postgresql://kernelnet@/{self.name}?host={places}") as connection:
                self.assertEqual(connection.info.host, str(self.pair.primary.folder))


class StandbyAwayTests(PairTestCase):
    """The primary lives, and its standby does not answer."""

    async def test_repetition(self) -> None:
        """
        A message whose commit somebody let go without the standby's word is not acknowledged, nor is its repetition,
        until the standby has it.
        """
        await self.append("first")
        self.pair.standby.kill()
        cancelled = self.append("m")
        await self.waits(cancelled)
        self.cancelWait()
        with self.assertRaisesRegex(psycopg.OperationalError, "may not last|closed"):
            await cancelled
        self.flushLoggedErrors()
        self.assertEqual(self.logged(), [(1, "first"), (2, "m")])
        again = self.append("m")
        await self.waits(again)
        self.pair.standby.start()
        self.assertEqual(await again, 2)

    async def test_payload(self) -> None:
        """What is kept of a blob, by a commit that somebody let go without the standby's word, is not told as kept."""
        store, digest = PostgresBlobs(self.url, time.time), "ab" * 32
        self.addCleanup(store.close)

        def begin(author: str) -> None:
            with store.alone():
                store.begin(digest, author, b"said")

        begin("AI_1")
        self.pair.standby.kill()
        for change in (lambda: store.write(digest, "AI_1", 0, b"part"), lambda: begin("AI_2")):
            cancelled: Deferred[object] = deferToThread(change)
            await self.waits(cancelled)
            self.cancelWait()
            with self.assertRaisesRegex(psycopg.OperationalError, "may not last"):
                await cancelled
        again = deferToThread(store.write, digest, "AI_1", 0, b"part")
        await self.waits(again)
        self.pair.standby.start()
        self.assertTrue(await again)

    def cancelWait(self) -> None:
        self.pair.primary.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")

    async def test_foundAgain(self) -> None:
        """
        What a primary finds in its own files when it starts again, and its standby never had, is passed on to nobody
        before that has it.
        """
        await self.append("first")
        self.pair.standby.kill()
        lost = self.append("m")
        await self.waits(lost)
        self.pair.kill()
        with self.assertRaises(psycopg.OperationalError):
            await lost
        self.flushLoggedErrors()
        self.pair.start()
        self.assertEqual(self.logged(), [(1, "first"), (2, "m")])
        ((logId,),) = self.pair.primary.execute("SELECT value FROM meta WHERE key = 'log_id'", self.name)
        standing = Standing(logId, Place(1), Place(1))
        found: list[int] = []
        link = Link(ownPool(self.url, reactor), lambda: standing)
        self.addCleanup(link.close)
        asked = link.run(
            lambda connection: follow(connection, standing), lambda heard: found.extend(e.seq for e in heard.events)
        )
        await self.waits(asked)
        self.pair.standby.start()
        await asked
        self.assertEqual(found, [2])

    async def test_splitBrain(self) -> None:
        """
        An old primary that lives on after its standby took over hangs, however long, and acknowledges nothing; when it
        is gone the hub goes on at the new one, and nothing acknowledged is missing.
        """
        self.patch(connections, "_SETTINGS", {**connections._SETTINGS, "statement_timeout": "100ms"})
        self.engine.cut()
        acked = {"first": await self.appendAgain("first")}
        self.pair.standby.promote()
        nobodys = self.append("nobody's")
        await self.waits(nobodys)
        second = self.append("another's")
        self.assertEqual(
            self.pair.primary.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"), [(1,)]
        )
        self.pair.kill()
        with self.assertRaises(psycopg.OperationalError):
            await nobodys
        self.flushLoggedErrors()
        await self.waits(second)  # the new primary has no standby yet
        self.pair.primary, self.pair.standby = self.pair.standby, self.pair.primary
        self.pair.restore()
        acked["another's"] = await second
        acked["nobody's"] = await self.appendAgain("nobody's")
        self.assertEqual(self.logged(), [(seq, messageId) for messageId, seq in acked.items()])
        self.assertEqual([*acked], ["first", "another's", "nobody's"])
