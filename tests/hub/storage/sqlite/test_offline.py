"""The hub's database in the hands of commands."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.auth import tokens
from kernelnet.hub.storage import sqlite
from kernelnet.hub.storage.errors import DatabaseBusy, DatabaseError, DatabaseTooNew
from kernelnet.hub.storage.sqlite.offline import OfflineSqlite
from kernelnet.hub.storage.transaction import Transaction
from tests.hub.support import NOON, HubTestCase, aPattern


class ReadingTests(HubTestCase):
    def test_whileAHubRuns(self) -> None:
        """What a running hub has committed is read, and can't be changed."""
        self.hub.connect("AI_1").send("pattern_share", aPattern("mine"))
        with OfflineSqlite(self.hub.sqlite.path).reading() as reader:
            self.assertEqual([header.sender for header in reader.log.headers(0, 9, 9)], ["AI_1"])
            self.assertEqual(reader.tokens.idsBeginning("AI", 9), ["AI_1"])
        with self.assertRaisesRegex(DatabaseBusy, "readonly"), OfflineSqlite(self.hub.sqlite.path).reading() as reader:
            cast("Transaction", reader).tokens.revoke("AI_1", NOON)

    def test_tooNew(self) -> None:
        """A newer kernelnet's is refused, since its tables may mean something else."""
        self.hub.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
        with self.assertRaisesRegex(DatabaseTooNew, "schema version 99"), OfflineSqlite(self.hub.sqlite.path).reading():
            self.fail("it was read")

    def test_older(self) -> None:
        """Of an older kernelnet's one line says what brings it up to date."""
        self.hub.execute("UPDATE meta SET value = '4' WHERE key = 'schema_version'")
        self.hub.execute("DROP INDEX shared_components_turns")
        for name in ("best", "feature", "name"):
            self.hub.execute(f"DROP INDEX shared_components_{name}")
        self.hub.execute("ALTER TABLE shared_components DROP COLUMN standing")
        self.hub.execute("ALTER TABLE shared_components DROP COLUMN older_rules")
        with (
            self.assertRaisesRegex(DatabaseError, "version 4: start the hub"),
            OfflineSqlite(self.hub.sqlite.path).reading() as r,
        ):
            r.components.named("x")
        with OfflineSqlite(self.hub.sqlite.path).reading() as reader:
            self.assertEqual(reader.ais.all(), [])


class FileTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        self.path = folder / "hub_data.db"

    def test_none(self) -> None:
        """A file that is no database, or another's, is refused in words."""
        self.path.write_bytes(b"not a database at all, but long enough to look at" * 100)
        with self.assertRaisesRegex(DatabaseError, "not a database"), OfflineSqlite(self.path).reading():
            self.fail("it was read")
        self.path.unlink()
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute("CREATE TABLE mine (x)")
        with self.assertRaisesRegex(DatabaseError, "something else"), OfflineSqlite(self.path).reading():
            self.fail("it was read")

    def test_write(self) -> None:
        """One transaction, in a database that is made for it; if it fails nothing of it stays."""
        token = OfflineSqlite(self.path).write(lambda transaction: tokens.issue(transaction, "AI_1"), NOON)

        def fails(transaction: Transaction) -> None:
            tokens.issue(transaction, "AI_2")
            raise ValueError("mine")

        with self.assertRaisesRegex(ValueError, "mine"):
            OfflineSqlite(self.path).write(fails, NOON)
        with OfflineSqlite(self.path).reading() as reader:
            self.assertEqual(reader.tokens.ids(), {"AI_1"})
            self.assertIs(tokens.check(reader, "AI_1", token, "", NOON), tokens.Grant.FIRST_USE)

    def test_busy(self) -> None:
        """While another process has the file for itself it can't be read, but another time."""
        sqlite.prepare(self.path)
        with closing(sqlite3.connect(self.path)) as other:
            other.execute("PRAGMA journal_mode=DELETE")
            other.execute("BEGIN EXCLUSIVE")
            with self.assertRaisesRegex(DatabaseBusy, "locked"), OfflineSqlite(self.path).reading():
                self.fail("it was read")
