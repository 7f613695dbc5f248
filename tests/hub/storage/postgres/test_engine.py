"""The engine on PostgreSQL: what only a server can do to a hub."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any
from unittest import mock

import psycopg
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.storage.errors import DatabaseBusy, DatabaseError, DatabaseTooNew
from kernelnet.hub.storage.postgres import PostgresEngine, checks, nodes, schema
from kernelnet.hub.storage.postgres import connection as connections
from kernelnet.hub.storage.postgres.connection import checkUrl, connect, withoutPassword
from kernelnet.hub.storage.postgres.offline import OfflinePostgres
from kernelnet.hub.storage.postgres.transaction import PostgresTransaction
from kernelnet.hub.storage.sqlite import schemas as sqliteSchemas
from kernelnet.hub.storage.statements.patterns import NewPattern
from kernelnet.hub.storage.transaction import Transaction
from tests.hub.databases import OnPostgres, OnSqlite
from tests.hub.storage.conformance.support import NOW, EngineTestCase, FunctionWork, append, appends
from tests.postgres import server


class PostgresTestCase(EngineTestCase):
    databaseType = OnPostgres
    database: OnPostgres

    def ended(self, connection: connections.Connection) -> None:
        """Have the server end a connection, as when it is restarted."""
        with psycopg.connect(self.database.url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))


class SeveralHubsTests(PostgresTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(connections, "NAME_PATIENCE", 0.0)

    def test_sameName(self) -> None:
        """A second hub of the same name is told so; once the first has ended it may begin."""
        second = self.database.engine()
        second.prepare()
        error = self.failureResultOf(second.open(), DatabaseBusy).value
        self.assertIn("another hub uses the database", str(error))
        self.assertIn("as node hub", str(error))
        second.close()
        self.engine.close()
        third = self.database.engine()
        self.assertEqual(self.fired(third.open()).logId, self.identity.logId)
        third.close()

    def test_otherName(self) -> None:
        """Hubs of different names use one database; a command that needs it alone waits for the end of all."""
        second = PostgresEngine(self.database.url, self.folder / "second", self.database._pools, "second")
        self.assertEqual(self.fired(second.open()).logId, self.identity.logId)
        offline = OfflinePostgres(self.database.url, self.folder)
        with self.assertRaisesRegex(DatabaseBusy, "another hub uses"), offline.alone():
            self.fail("it is not alone")
        self.engine.close()
        with self.assertRaisesRegex(DatabaseBusy, "another hub uses"), offline.alone():
            self.fail("it is not alone")
        second.close()
        with offline.alone():
            self.engine = self.database.engine()
            error = self.failureResultOf(self.engine.open(), DatabaseBusy).value
            self.assertIn("a command keeps all hubs", str(error))

    def test_unclean(self) -> None:
        """A node that starts beside living ones has nothing to check; after a killed one alone there is."""
        writer = self.database.writer.connection
        about = nodes.About("hub", "", 1.0, "1")
        self.assertEqual(nodes.renew(writer, about, "{}")[:2], (True, False))
        self.assertEqual(nodes.renew(writer, about, "{}")[:2], (False, False))
        self.assertFalse(self.database.engine().prepare())
        writer.execute("UPDATE nodes SET lease_until = 1")
        self.assertTrue(self.database.engine().prepare())
        self.assertTrue(nodes.renew(writer, about, "{}").lost)
        self.engine.close()
        self.assertFalse(self.database.engine().prepare())

    def test_lostConnection(self) -> None:
        """With its connection a hub has lost the right to write: it takes that anew, and not while another has it."""
        self.append("a", "m")
        self.ended(self.database.writer.connection)
        self.failureResultOf(self.engine.commit([FunctionWork(appends("a", "n"))], NOW), psycopg.OperationalError)
        self.database.writer.connection = connect(self.database.url)
        with psycopg.connect(self.database.url, autocommit=True) as other:
            other.execute("SELECT pg_advisory_lock(%s)", (0x6B65726F,))
            self.failureResultOf(self.engine.commit([FunctionWork(appends("a", "n"))], NOW), DatabaseBusy)
            other.execute("SELECT pg_advisory_unlock(%s)", (0x6B65726F,))
        self.assertEqual(self.append("a", "n").seq, 2)


class LostAnswerTests(PostgresTestCase):
    def test_toldLater(self) -> None:
        """
        Where the answer to a commit was lost, nobody was told of it: the next commit tells of its messages, too, once.
        """
        end = PostgresTransaction.end

        def endAndLose(transaction: PostgresTransaction) -> None:
            end(transaction)
            raise psycopg.OperationalError("the connection is lost")

        self.append("a", "first")
        with mock.patch.object(PostgresTransaction, "end", endAndLose):
            works = [FunctionWork(appends("a", f"lost {i}")) for i in range(3)]
            self.failureResultOf(self.engine.commit(works, NOW), psycopg.OperationalError)
        done = self.commit(appends("a", "next"))
        self.assertEqual([event.seq for event in done.committed.events], [2, 3, 4, 5])
        done = self.commit(appends("a", "last"))
        self.assertEqual([event.seq for event in done.committed.events], [6])

    def test_mayNotLast(self) -> None:
        """
        A commit whose wait for a synchronous standby was cancelled is not acknowledged: the row is here, and may be
        gone tomorrow.  The connection is given up, and the next commit tells of the row.
        """
        self.append("a", "first")
        pid = self.database.writer.connection.info.backend_pid
        with psycopg.connect(self.database.url, autocommit=True) as other:
            other.execute("SET synchronous_commit = local")
            canceller = Thread(target=self.cancel, args=(other, pid))
            other.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
            other.execute("SELECT pg_reload_conf()")
            try:
                self.untilItWaits(other)
                canceller.start()
                works = [FunctionWork(appends("a", f"phantom {i}")) for i in range(2)]
                error = self.failureResultOf(self.engine.commit(works, NOW), psycopg.OperationalError).value
            finally:
                canceller.join()
                other.execute("ALTER SYSTEM RESET synchronous_standby_names")
                other.execute("SELECT pg_reload_conf()")
            self.assertEqual(self.engine.problemOf(error).code, "busy")
            self.assertTrue(self.database.writer.connection.closed)
            self.assertEqual(other.execute("SELECT given FROM log_head").fetchone(), (3,))
        self.database.writer.connection = connect(self.database.url)
        done = self.commit(appends("a", "next"))
        self.assertEqual([event.seq for event in done.committed.events], [2, 3, 4])

    def untilItWaits(self, other: psycopg.Connection[Any]) -> None:
        """The server reads its settings anew when it has time."""

        def write() -> None:
            with psycopg.connect(self.database.url, autocommit=True) as connection:
                connection.execute("SELECT pg_logical_emit_message(true, '', '')")

        while True:
            writer = Thread(target=write)
            writer.start()
            writer.join(0.2)
            if writer.is_alive():
                other.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
                writer.join(0.2)
                if not writer.is_alive():
                    return
            writer.join()

    def cancel(self, other: psycopg.Connection[Any], pid: int) -> None:
        """Cancel the wait of the server's process C{pid} for a standby, as soon as it does."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            cancelled = other.execute(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = %s AND wait_event = 'SyncRep'", (pid,)
            ).fetchone()
            if cancelled is not None:
                return
            time.sleep(0.01)


class WordTests(PostgresTestCase):
    def test_notTheMessages(self) -> None:
        """What another message would have met, too, drops none: who sent it sends it again."""
        for error in (
            psycopg.errors.ReadOnlySqlTransaction("the server is a standby now"),
            psycopg.errors.IdleInTransactionSessionTimeout("this hub was frozen"),
            psycopg.errors.UndefinedColumn("another version has removed it"),
            psycopg.errors.AdminShutdown("restarted"),
            psycopg.errors.TooManyConnections("53300"),
            psycopg.InterfaceError("the connection is closed"),
        ):
            self.assertEqual(self.engine.problemOf(error).code, "busy", repr(error))
        tooLong = psycopg.errors.ProgramLimitExceeded("index row size exceeds 2704")
        self.assertEqual(self.engine.problemOf(tooLong).code, "invalid_message")

    def test_nul(self) -> None:
        """A word with a NUL, which PostgreSQL's texts can't have, is stored with a sign in its place."""

        def put(transaction: Transaction) -> None:
            event = append(transaction, "a", "m")
            transaction.patterns.put(event, NewPattern("a", "p\0", "t\0", 0.5, "s", "now", b"{\0}"))

        self.write(put)
        self.assertEqual(self.ask(lambda reader: reader.patterns.types(9)), ["t\ufffd"])
        self.assertEqual([one.body for one in self.ask(lambda reader: [*reader.patterns.after(None)])], [b"{\0}"])


class BoundTests(PostgresTestCase):
    def bytesOf(self, question: Callable[[], object]) -> int:
        """Bytes of the largest answer that the server sent for it."""
        most = 0
        execute = psycopg.Connection.execute

        def heard(connection: Any, *arguments: Any, **more: Any) -> Any:
            nonlocal most
            cursor = execute(connection, *arguments, **more)
            result = cursor.pgresult
            if result is not None:
                size = sum(
                    len(result.get_value(row, column) or b"")
                    for row in range(result.ntuples)
                    for column in range(result.nfields)
                )
                most = max(most, size)
            return cursor

        with mock.patch.object(psycopg.Connection, "execute", heard):
            question()
        return most

    def test_largeMessages(self) -> None:
        """Of the largest messages, of which a stranger may fill the log, few are fetched at once."""
        for i in range(12):
            self.append("a", f"m{i}", payload={"x": "y" * 500_000})
        page = self.bytesOf(lambda: self.assertEqual(len(self.fired(self.engine.page(0, 12, "b")).events), 1))
        self.assertLess(page, 1_600_000)
        checked = self.bytesOf(lambda: self.assertIsNotNone(self.fired(self.engine.checkRows(0))))
        self.assertLess(checked, 1_600_000)
        self.assertLess(self.bytesOf(lambda: checks.quickCheck(self.database.reader.connection)), 1_600_000)
        with connect(self.database.url) as connection:
            self.assertEqual(checks.fullCheck(connection), 12)


class UrlTests(SynchronousTestCase):
    def test_password(self) -> None:
        """A password in the address is refused, and shown nowhere."""
        for url in (
            "postgresql://me:secret@h/x",
            "postgres://me@h/x?password=secret",
            "postgres://me@h/x?%70assword=secret",
        ):
            with self.assertRaisesRegex(DatabaseError, "PGPASSFILE") as raised:
                checkUrl(url)
            self.assertNotIn("secret", str(raised.exception))
            self.assertNotIn("secret", withoutPassword(url))
        self.assertNotIn("secret", withoutPassword("postgres://me@h/x?sslmode=require&sslpassword=secret"))

    def test_other(self) -> None:
        """What is no address of a PostgreSQL database is told, with the right form."""
        for url in ("mysql://h/x", "hub_data.db", "host=h dbname=x"):
            with self.assertRaisesRegex(DatabaseError, "give postgresql://"):
                checkUrl(url)
        with self.assertRaisesRegex(DatabaseError, "no address of a database"):
            checkUrl("postgresql://h/x?nonsense=1")
        for odd in ("\n", " ", "\0", "\udce9", "\x1b"):
            with self.assertRaisesRegex(DatabaseError, "give postgresql://"):
                checkUrl(f"postgresql://h/x{odd}y")
        checkUrl("postgresql://me@h:5432/x?sslmode=verify-full")
        checkUrl("postgresql://m%20e@h/größe")


class SchemaTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.url = server().database()

    def columns(self, sql: str, parameters: tuple[Any, ...] = ()) -> set[tuple[str, str]]:
        with connect(self.url) as connection:
            return {(table, column) for table, column in connection.execute(sql, parameters).fetchall()}

    def test_alike(self) -> None:
        """Both engines have the same tables with the same columns, under the same version."""
        schema.prepare(self.url)
        folder = Path(self.mktemp())
        folder.mkdir()
        sqlite = OnSqlite(folder)
        engine = sqlite.engine()
        engine.prepare()
        self.successResultOf(engine.open())
        self.addCleanup(engine.close)
        connection = sqlite.writer.connection
        tables = connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        theirs = {(table, row[1]) for (table,) in tables for row in connection.execute(f"PRAGMA table_xinfo({table})")}
        ours = self.columns(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
        )
        self.assertEqual(ours - {("log_head", "given")}, theirs)
        self.assertEqual(max(schema.schemas()), max(sqliteSchemas()))

    def test_refused(self) -> None:
        """A database of something else, of a newer kernelnet, or on a server that forgets is refused in words."""
        with connect(self.url) as connection:
            connection.execute("CREATE TABLE mine (x integer)")
            with self.assertRaisesRegex(DatabaseError, "something else"):
                schema.prepare(self.url)
            connection.execute("DROP TABLE mine")
            schema.prepare(self.url)
            schema.prepare(self.url)
            connection.execute("UPDATE meta SET value = '99' WHERE key IN ('schema_version', 'min_node_version')")
            with self.assertRaisesRegex(DatabaseTooNew, "schema version 99"):
                schema.prepare(self.url)
        with mock.patch.object(schema, "OLDEST_SERVER", 10**9), self.assertRaisesRegex(DatabaseError, "oldest"):
            schema.prepare(self.url)

    def version(self) -> tuple[str, str]:
        """Schema version of the database, and the oldest whose nodes may use it."""
        with connect(self.url) as connection:
            found = dict(connection.execute("SELECT key, value FROM meta").fetchall())
        return found["schema_version"], found["min_node_version"]

    def test_newerNode(self) -> None:
        """
        What a newer node has only added to is left as it is by an older one, which uses it, but makes no backup that
        would lack the rest.
        """
        schema.prepare(self.url)
        newest = max(schema.schemas())
        self.assertEqual(self.version(), (str(newest), str(schema.OLDEST_NODE)))
        with mock.patch.object(schema, "schemas", lambda: dict.fromkeys(range(8, newest + 3), "SELECT 1")):
            schema.prepare(self.url)
        self.assertEqual(self.version(), (str(newest + 2), str(schema.OLDEST_NODE)))
        schema.prepare(self.url)
        self.assertEqual(self.version(), (str(newest + 2), str(schema.OLDEST_NODE)))
        folder = Path(self.mktemp())
        folder.mkdir()
        offline = OfflinePostgres(self.url, folder)
        self.assertEqual(offline.write(lambda transaction: append(transaction, "a", "m").seq + 0, NOW), 1)
        with self.assertRaisesRegex(DatabaseError, "use the newer kernelnet"):
            offline.backUp(folder / "backup.db", lambda *_: None)

    def test_contracted(self) -> None:
        """
        A step after which older nodes can't use the tables waits until none lives; then they are refused, and told so.
        """
        schema.prepare(self.url)
        newest = max(schema.schemas())
        newer = mock.patch.multiple(schema, schemas=lambda: {newest + 1: "SELECT 1"}, OLDEST_NODE=newest + 1)
        with connect(self.url) as connection:
            about = nodes.About("old", "", 1.0, "1", newest)
            nodes.renew(connection, about, f'{{"schema": {newest}}}')
            with newer, self.assertRaisesRegex(DatabaseError, "old can't use the tables of this kernelnet"):
                schema.prepare(self.url)
            self.assertEqual(self.version(), (str(newest), str(schema.OLDEST_NODE)))
            nodes.leave(connection, "old")
        with newer:
            schema.prepare(self.url)
        with self.assertRaisesRegex(DatabaseTooNew, f"schema version {newest + 1}"):
            schema.prepare(self.url)

    def test_forgets(self) -> None:
        """A server that doesn't sync is refused: what is acknowledged would be lost with the power."""
        asked = "SELECT current_setting($1)"
        execute = psycopg.Connection.execute

        def off(connection: Any, sql: Any, parameters: Any = None, **more: Any) -> Any:
            if sql == asked:
                return execute(connection, "SELECT 'off'")
            return execute(connection, sql, parameters, **more)

        with mock.patch.object(psycopg.Connection, "execute", off), self.assertRaisesRegex(DatabaseError, "fsync"):
            schema.prepare(self.url)
