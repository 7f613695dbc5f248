"""Damage to the database: found at the start, by the full check, and before anything of it goes out."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.storage import disk_space, sqlite
from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.integrity import Damaged
from kernelnet.hub.storage.sqlite import checks
from tests.hub.support import HubTestCase, aPattern


class DamageTests(HubTestCase):
    def setUp(self) -> None:
        super().setUp()
        author = self.hub.connect("AI_1")
        self.reader = self.hub.connect("AI_2")
        for i in range(20):
            author.send("pattern_share", aPattern(f"p{i}", data="x" * 3000), message_id=f"m{i}")

    def change(self, sql: str, *parameters: Any) -> None:
        with closing(sqlite3.connect(self.hub.sqlite.path)) as connection, connection:
            connection.execute(sql, parameters)

    def check(self, words: str) -> None:
        """Both checks find it."""
        for check in (checks.quickCheck, checks.fullCheck):
            with self.assertRaisesRegex(Damaged, words):
                check(self.hub.sqlite.reader.connection)

    def test_sound(self) -> None:
        """What the hub wrote is sound."""
        checks.quickCheck(self.hub.sqlite.reader.connection)
        self.assertEqual(checks.fullCheck(self.hub.sqlite.reader.connection), 20)
        self.assertEqual(checks.checkRows(self.hub.sqlite.reader.connection, 0, 15), 15)
        self.assertIsNone(checks.checkRows(self.hub.sqlite.reader.connection, 20))

    def test_quickRows(self) -> None:
        """The quick check reads the log's last rows, and a sample of what is before them."""
        self.patch(checks, "LAST_ROWS", 3)
        self.patch(checks, "SAMPLES", 4)
        read: list[int] = []
        self.patch(checks, "checkRow", lambda row, checksumsFrom: read.append(row[0]))
        checks.quickCheck(self.hub.sqlite.reader.connection)
        self.assertEqual(read, [20, 19, 18, 1, 5, 9, 13])

    def test_slices(self) -> None:
        """All rows are read in slices, and after each it is told how far it is."""
        self.patch(checks, "SLICE", 8)
        told: list[tuple[int, int | None]] = []
        checks.fullCheck(self.hub.sqlite.reader.connection, lambda what, done, total: told.append((done, total)))
        self.assertEqual(told, [(0, None), (8, 20), (16, 20), (20, 20)])

    def test_body(self) -> None:
        """One changed letter in a message."""
        self.change("UPDATE events SET body = CAST(replace(body, 'loop', 'l00p') AS BLOB) WHERE seq = 7")
        self.check("row 7 of the log does not fit its checksum")

    def test_recipients(self) -> None:
        """A changed list of whom it is for."""
        self.change("UPDATE events SET recipients = '[\"AI_9\"]' WHERE seq = 7")
        self.check("row 7 of the log does not fit its checksum")

    def test_digest(self) -> None:
        """A changed digest, by which repetitions are known."""
        self.change("UPDATE events SET digest = zeroblob(16) WHERE seq = 7")
        self.check("row 7 of the log does not fit its checksum")

    def test_columns(self) -> None:
        """Columns that say something else than the message."""
        self.change("UPDATE events SET sender_id = 'AI_9' WHERE seq = 7")
        self.check("row 7 of the log: its columns differ")

    def test_noChecksum(self) -> None:
        """A checksum that was taken away."""
        self.change("UPDATE events SET checksum = NULL WHERE seq = 7")
        self.check("row 7 of the log has no checksum")

    def test_numbers(self) -> None:
        """A log that is longer than the numbers that were given out."""
        self.change("UPDATE sqlite_sequence SET seq = 5 WHERE name = 'events'")
        self.check("its log ends at 20, but only 5 numbers")

    def test_projections(self) -> None:
        """A projection of what the log never had: only the full check looks."""
        self.change("UPDATE shared_patterns SET seq = 99 WHERE seq = 7")
        with self.assertRaisesRegex(Damaged, "1 rows of shared_patterns"):
            checks.fullCheck(self.hub.sqlite.reader.connection)

    def test_notDelivered(self) -> None:
        """A damaged row is never handed to a reader: its connection ends instead."""
        self.hub = self.restart()  # nothing in memory any more
        self.change("UPDATE events SET body = CAST(replace(body, 'loop', 'l00p') AS BLOB) WHERE seq = 7")
        reader = self.hub.resume("AI_2", 5)
        self.assertNotIn(b"l00p", b"".join(reader.lines()))
        self.assertTrue(reader.closing)
        self.assertEqual(len(self.flushLoggedErrors(Damaged)), 1)

    def checkAll(self) -> Deferred[int]:
        return Deferred.fromCoroutine(disk_space.checkAll(self.hub.engine, self.hub.log.head, self.hub.clock))

    def test_checkAll(self) -> None:
        """After an unclean end all rows are checked in slices; what was found is remembered by the database."""
        self.patch(checks, "SLICE", 3)
        found: list[object] = []
        self.checkAll().addBoth(found.append)
        self.hub.clock.pump([disk_space.PAUSE] * 30)
        self.assertEqual(found, [20])
        self.change("UPDATE events SET body = CAST(replace(body, 'loop', 'l00p') AS BLOB) WHERE seq = 17")
        checked = self.checkAll()
        self.hub.clock.pump([disk_space.PAUSE] * 30)
        failure = self.failureResultOf(checked, Damaged)
        checks.remember(self.hub.sqlite.writer.connection, failure.value)
        self.change("UPDATE events SET body = CAST(replace(body, 'l00p', 'loop') AS BLOB) WHERE seq = 17")
        with self.assertRaisesRegex(DatabaseError, "damaged: row 17"):
            sqlite.prepare(self.hub.sqlite.path)

    def test_refused(self) -> None:
        """A hub refuses to start on it, and says what to do."""
        self.change("UPDATE events SET body = CAST(replace(body, 'loop', 'l00p') AS BLOB) WHERE seq = 7")
        with self.assertRaisesRegex(DatabaseError, "damaged: row 7.*kernelnet restore FILE"):
            sqlite.prepare(self.hub.sqlite.path)


class FileTests(SynchronousTestCase):
    """Damage below SQLite: bytes of the file."""

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        self.path = folder / "hub_data.db"
        sqlite.prepare(self.path)
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.executemany(
                "INSERT INTO tokens (hash, ai_id, kind, created_at) VALUES (?, ?, 'issued', 1.0)",
                [(f"{i:064}", f"AI_{i}") for i in range(2000)],
            )

    def refused(self) -> None:
        with self.assertRaisesRegex(DatabaseError, "is damaged.*kernelnet restore FILE"):
            sqlite.prepare(self.path)

    def test_truncated(self) -> None:
        """A file that lost its end."""
        data = self.path.read_bytes()
        self.path.write_bytes(data[: len(data) // 2])
        self.refused()

    def test_page(self) -> None:
        """A page in its middle that was overwritten."""
        data = bytearray(self.path.read_bytes())
        middle = len(data) // 2 // 4096 * 4096
        data[middle : middle + 4096] = b"\xaa" * 4096
        self.path.write_bytes(bytes(data))
        self.refused()

    def test_large(self) -> None:
        """Of a larger file the start does not read all: such damage is found by the full check."""
        self.test_page()
        size = self.path.stat().st_size
        self.patch(checks, "SMALL", size)
        self.refused()
        self.patch(checks, "SMALL", size - 1)
        sqlite.prepare(self.path)
        with closing(sqlite3.connect(self.path)) as connection, self.assertRaises(Damaged):
            checks.fullCheck(connection)

    def test_clean(self) -> None:
        """An orderly end leaves no write-ahead log; a killed process does."""
        self.assertFalse(checks.endedUncleanly(self.path))
        connection = sqlite.connect(self.path)
        self.addCleanup(connection.close)
        connection.execute("INSERT INTO meta VALUES ('a', 'b')")
        self.assertTrue(checks.endedUncleanly(self.path))
