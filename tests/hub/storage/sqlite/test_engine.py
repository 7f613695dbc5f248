"""The engine on an SQLite file, with threads of its own."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from kernelnet import wire
from kernelnet.hub.auth import tokens
from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.integrity import silent
from kernelnet.hub.storage.sqlite import SqliteEngine, connect
from kernelnet.hub.storage.sqlite.offline import OfflineSqlite
from kernelnet.hub.storage.transaction import Transaction
from kernelnet.wire import WireProblem
from tests.hub.support import NOON, anEvent


class BackupTests(TestCase):
    def setUp(self) -> Any:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)
        self.engine = SqliteEngine.onFile(self.folder / "hub_data.db", reactor)
        self.assertFalse(self.engine.prepare())
        clock: Any = reactor
        self.log = EventLog(self.engine, clock, lambda: NOON)
        self.addCleanup(self.engine.close)
        return self.log.open()

    def append(self, name: str) -> Deferred[str]:
        def append(transaction: Transaction) -> str:
            message = anEvent("AI_1", name, {})
            transaction.append(message, wire.encode(message), None)
            return tokens.issue(transaction, name)

        return self.log.write(append)

    def test_backAndForth(self) -> Deferred[None]:
        """A backup is gone back to: its messages, another log id, today's tokens; nothing is left beside it."""

        async def run() -> None:
            await self.append("a")
            copy, logId = self.folder / "copy.db", self.log.logId
            self.assertEqual((await self.engine.backUp(copy, silent))["events"], 1)
            await self.append("b")
            restoration = await self.engine.prepareRestore(copy, silent)
            former = await self.engine.replace(restoration)
            await self.log.open()
            await restoration.discard()
            self.assertEqual((self.log.head, self.log.first), (1, 1))
            self.assertNotEqual(self.log.logId, logId)
            self.assertEqual(await self.log.read(lambda reader: reader.tokens.ids()), {"a", "b"})
            with OfflineSqlite(former).reading() as reader:
                self.assertEqual(len(reader.log.headers(0, 9, 9)), 2)
            names = {file.name for file in self.folder.iterdir() if file.suffix not in (".db-wal", ".db-shm")}
            self.assertEqual(names, {"hub_data.db", "hub_data.db-head", "copy.db", former.name})

        return ensureDeferred(run())

    def test_there(self) -> Deferred[None]:
        """No file is overwritten by a backup."""

        async def run() -> None:
            copy = self.folder / "copy.db"
            copy.write_text("mine")
            with self.assertRaisesRegex(DatabaseError, "is there already"):
                await self.engine.backUp(copy, silent)
            self.assertEqual(copy.read_text(), "mine")

        return ensureDeferred(run())

    def test_unusableBackup(self) -> Deferred[None]:
        """A file that is no backup changes nothing."""

        async def run() -> None:
            other = self.folder / "other"
            other.write_bytes(b"not a database at all, but long enough to look at" * 100)
            with self.assertRaisesRegex(DatabaseError, "is no backup of a kernelnet hub"):
                await self.engine.prepareRestore(other, silent)
            self.assertEqual(list(self.folder.glob(".restore*")), [])

        return ensureDeferred(run())


class StateTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        self.path = folder / "hub_data.db"
        self.engine = SqliteEngine.onFile(self.path, reactor)

    def test_repr(self) -> None:
        """Its repr shows its file, and whether that is open."""
        self.assertEqual(repr(self.engine), f"<SqliteEngine {self.path} closed>")

    def test_unclean(self) -> None:
        """It says whether the hub that had the file last was killed."""
        self.assertFalse(self.engine.prepare())
        connection = connect(self.path)
        self.addCleanup(connection.close)
        connection.execute("INSERT INTO meta VALUES ('a', 'b')")
        self.assertTrue(self.engine.prepare())

    def test_words(self) -> None:
        """An operator is told what to do about damage, and what is wrong otherwise."""
        damage = sqlite3.DatabaseError("database disk image is malformed")
        self.assertTrue(self.engine.isDamage(damage))
        self.assertIn("kernelnet restore FILE", str(self.engine.unusable(damage)))
        locked = sqlite3.OperationalError("database is locked")
        self.assertFalse(self.engine.isDamage(locked))
        self.assertEqual(str(self.engine.unusable(locked)), f"can't use the database {self.path}: database is locked")

    def test_problems(self) -> None:
        """Errors become what a sender can act upon; one that it can't help is not held against its message."""
        for error, code in (
            (sqlite3.OperationalError("database or disk is full"), "storage_full"),
            (sqlite3.OperationalError("database is locked"), "busy"),
            (sqlite3.DatabaseError("database disk image is malformed"), "busy"),
            (sqlite3.IntegrityError("NOT NULL constraint failed"), "invalid_message"),
            (ValueError("mine"), "invalid_message"),
        ):
            self.assertEqual(self.engine.problemOf(error).code, code, error)
        problem = WireProblem("bad_credentials", "no")
        self.assertIs(self.engine.problemOf(problem), problem)
