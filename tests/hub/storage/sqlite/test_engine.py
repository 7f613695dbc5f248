"""The engine on an SQLite file, with threads of its own."""

from __future__ import annotations

import gc
import os
import sqlite3
import sys
import threading
import time
import unittest
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, TypeVar, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from kernelnet import wire
from kernelnet.hub.auth import tokens
from kernelnet.hub.storage import group_commit
from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.integrity import silent
from kernelnet.hub.storage.sqlite import SqliteEngine, connect, connectReader, engine
from kernelnet.hub.storage.sqlite.connection import LOWER, checkpoint, setUpReader
from kernelnet.hub.storage.sqlite.offline import OfflineSqlite
from kernelnet.hub.storage.transaction import Transaction
from kernelnet.wire import WireProblem
from tests.hub.databases import OnSqlite, Pool
from tests.hub.storage.conformance.support import NOW, FunctionWork, appends
from tests.hub.support import NOON, anEvent

T = TypeVar("T")


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


class BackupsBesideCheckpointsTests(BackupTests):
    """The same while the write-ahead log is copied after each commit."""

    def setUp(self) -> Any:
        self.patch(engine, "CHECKPOINT_BYTES", 1)
        return super().setUp()


class Late(Pool):
    """
    One connection, whose answers come when a test says so.

    @ivar answers: give them.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.answers: list[Callable[[], None]] = []

    def runWithConnection(self, func: Callable[..., T], *args: Any) -> Deferred[T]:
        result = func(self.connection, *args)
        done: Deferred[T] = Deferred()
        self.answers.append(lambda: done.callback(result))
        return done


class ReadTests(SynchronousTestCase):
    def test_givesWay(self) -> None:
        """
        Who reads long in a hub lets all others go first each half millisecond or so; a commit does not, and neither do
        those who read outside of one.
        """
        path = Path(self.mktemp())
        rests: list[float] = []
        self.patch(time, "sleep", rests.append)
        long = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT sum(i) FROM n"
        with closing(connect(path)) as writer, closing(connectReader(path)) as reader:
            writer.execute(long)
            reader.execute(long)
            setUpReader(reader)
            reader.execute("SELECT 1")
            self.assertEqual(rests, [])
            reader.execute(long)
        self.assertEqual(set(rests), {0.0002})
        self.assertTrue(20 < len(rests) < 200, f"{len(rests)} times")  # of 1.5 million instructions
        self.assertIs(SqliteEngine.readClock, time.thread_time, "rests are charged")


class CheckpointTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        self.database = OnSqlite(folder)
        self.engine = self.database.engine()
        self.engine.prepare()
        self.successResultOf(self.engine.open())
        self.addCleanup(self.engine.close)
        self.checkpoints = self.database.checkpoints
        self.numbers = count()

    def commit(self, *sizes: int, data: str = "") -> None:
        """Works of C{sizes} are committed."""
        works = [FunctionWork(appends("AI_1", f"m{next(self.numbers)}", payload={"data": data})) for _ in sizes]
        for work, size in zip(works, sizes, strict=True):
            work.size = size
        self.successResultOf(self.engine.commit(works, NOW))

    def test_copies(self) -> None:
        """The log is copied into the file beside the commits, which are answered whether it was or not."""
        self.checkpoints.held = True
        before = self.database.path.stat().st_size
        self.commit(8_000_000, data="x" * 500_000)
        self.assertEqual(self.checkpoints.calls, 1)
        self.assertEqual(self.database.path.stat().st_size, before)
        self.checkpoints.release()
        self.assertGreater(self.database.path.stat().st_size, before + 400_000)

    def test_bytes(self) -> None:
        """It is copied after 16 MB: twice the bytes of works, and 100 KB for each commit; then it begins anew."""
        for times in (1, 2):
            for size in (7_800_000, 1, 1):
                self.commit(size)
                self.assertEqual(self.checkpoints.calls, times - 1)
            self.commit(1)
            self.assertEqual(self.checkpoints.calls, times)

    def test_oneAtATime(self) -> None:
        """While it is copied nobody begins it again; the next commit does, if enough has come meanwhile."""
        self.checkpoints.held = True
        for _ in range(3):
            self.commit(8_000_000)
        self.assertEqual(self.checkpoints.calls, 1)
        self.checkpoints.release()
        self.commit(1)
        self.commit(1)
        self.assertEqual(self.checkpoints.calls, 2)

    def test_fails(self) -> None:
        """A copy that fails harms no commit, and after as many bytes it is tried again."""
        self.checkpoints.error = sqlite3.OperationalError("disk I/O error")
        self.commit(8_000_000)
        self.commit(1)
        self.assertEqual(self.checkpoints.calls, 1)
        self.commit(8_000_000)
        self.assertEqual(self.checkpoints.calls, 2)
        self.checkpoints.error = None  # and what was raised with it
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(len(self.database.logged()), 3)

    def test_ownFault(self) -> None:
        """A fault that is none of SQLite's is logged, and ends nothing."""
        self.checkpoints.error = ZeroDivisionError("ours")
        self.commit(8_000_000)
        self.checkpoints.error = None
        gc.collect()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.commit(8_000_000)
        self.assertEqual(self.checkpoints.calls, 2)

    def test_doneOnly(self) -> None:
        """What a commit had no time for, and is given again, counts once it is done."""
        self.patch(group_commit, "MAX_SECONDS", -1.0)
        self.commit(1, 8_000_000)
        self.assertEqual(self.checkpoints.calls, 0)
        self.commit(8_000_000)
        self.assertEqual(self.checkpoints.calls, 1)

    def test_failedCommit(self) -> None:
        """A commit that failed has the log copied no sooner."""
        self.database.writer.error = self.database.busy
        self.failureResultOf(self.engine.commit([large := FunctionWork(lambda transaction: None)], NOW))
        large.size = 8_000_000
        self.failureResultOf(self.engine.commit([large], NOW))
        self.database.writer.error = None
        self.commit(1)
        self.assertEqual(self.checkpoints.calls, 0)

    def test_closed(self) -> None:
        """None is begun by a commit whose answer comes after the end."""
        path = self.database.path
        late, reader, checkpoints = Late(connect(path)), Pool(connectReader(path)), Pool(connectReader(path))
        closed = SqliteEngine(path, lambda: (late, reader, checkpoints))
        closed.open()
        work = FunctionWork(lambda transaction: None)
        work.size = 8_000_000
        done = closed.commit([work], NOW)
        closed.close()
        for answer in late.answers:
            answer()
        self.assertEqual(self.successResultOf(done).refused, {})
        self.assertEqual(checkpoints.calls, 0)

    def test_backstop(self) -> None:
        """Where that comes to nothing, SQLite copies it after 64 MB in a commit, as it does by itself."""
        self.assertEqual(self.database.writer.connection.execute("PRAGMA page_size").fetchone(), (4096,))
        self.assertEqual(self.database.writer.connection.execute("PRAGMA wal_autocheckpoint").fetchone(), (16000,))


class CheckpointThreadTests(TestCase):
    """Checkpoints in a thread of their own."""

    def setUp(self) -> Any:
        self.patch(engine, "CHECKPOINT_BYTES", 1)
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        self.path = folder / "hub_data.db"
        self.engine = SqliteEngine.onFile(self.path, reactor)
        self.engine.prepare()
        self.addCleanup(self.engine.close)
        return self.engine.open()

    def commit(self) -> Deferred[Any]:
        return self.engine.commit([FunctionWork(appends("AI_1", "m"))], NOW)

    @unittest.skipUnless(sys.platform == "linux", "a thread has no priority of its own")
    def test_priority(self) -> Deferred[None]:
        """Their thread lets all others go first, which keep the priority that they had."""
        found: Deferred[tuple[int, int]] = Deferred()

        def look(connection: sqlite3.Connection) -> None:
            here = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
            found_ = here, os.getpriority(os.PRIO_PROCESS, threading.main_thread().native_id or 0)
            cast(Any, reactor).callFromThread(found.callback, found_)

        self.patch(engine, "checkpoint", look)
        before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

        async def run() -> None:
            await self.commit()
            self.assertEqual(await found, (min(before + LOWER, 19), before))

        return ensureDeferred(run())

    def test_closedMeanwhile(self) -> Deferred[None]:
        """An end while the log is copied waits for that, and all is in the file: there is no log any more."""
        begun: Deferred[None] = Deferred()
        ending = threading.Event()

        def slow(connection: sqlite3.Connection) -> None:
            cast(Any, reactor).callFromThread(begun.callback, None)
            ending.wait(10)
            checkpoint(connection)

        self.patch(engine, "checkpoint", slow)

        async def run() -> None:
            await self.commit()
            await begun
            self.assertGreater(self.path.with_name("hub_data.db-wal").stat().st_size, 0)
            ender = threading.Thread(target=ending.set)
            ender.start()
            self.engine.close()
            ender.join()
            self.assertEqual([file.name for file in self.path.parent.glob("*.db-*")], ["hub_data.db-head"])
            with OfflineSqlite(self.path).reading() as reader:
                self.assertEqual(len(reader.log.headers(0, 9, 9)), 1)

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
