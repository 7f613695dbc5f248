"""The database file: made, upgraded, refused."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kernelnet import wire
from kernelnet.hub.storage import integrity, sqlite
from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.sql.owners import SqlOwners
from kernelnet.hub.storage.sqlite import checks
from tests.hub.support import TIMESTAMP, anEvent

NEWEST = max(sqlite.schemas())
NEXT = {
    **sqlite.schemas(),
    NEWEST + 1: "-- The next version.\nALTER TABLE ais ADD COLUMN mood TEXT;\nCREATE TABLE more (x);\n",
}


def schema(path: Path) -> set[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return {
            (name, sql) for name, sql in connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
        }


def value(path: Path, sql: str) -> object:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchone()[0]


class PrepareTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        self.path = folder / "hub_data.db"

    def test_fresh(self) -> None:
        """A fresh database has all tables, a version and a random log_id, which stays."""
        sqlite.prepare(self.path)
        self.assertLessEqual(
            {
                "events",
                "shared_patterns",
                "shared_components",
                "performance_reports",
                "observations",
                "collaboration_sessions",
                "ais",
                "tokens",
            },
            {name for name, _ in schema(self.path)},
        )
        logId = value(self.path, "SELECT value FROM meta WHERE key = 'log_id'")
        sqlite.prepare(self.path)
        self.assertEqual(value(self.path, "SELECT value FROM meta WHERE key = 'log_id'"), logId)
        other = self.path.with_name("other.db")
        sqlite.prepare(other)
        self.assertNotEqual(value(other, "SELECT value FROM meta WHERE key = 'log_id'"), logId)

    def test_upgrade(self) -> None:
        """An upgrade keeps what is there, makes a backup of what was, and ends in the schema of a fresh database."""
        sqlite.prepare(self.path)
        logId = value(self.path, "SELECT value FROM meta WHERE key = 'log_id'")
        sqlite.prepare(self.path, NEXT)
        self.assertEqual(value(self.path, "SELECT value FROM meta WHERE key = 'schema_version'"), str(NEWEST + 1))
        self.assertEqual(value(self.path, "SELECT value FROM meta WHERE key = 'log_id'"), logId)
        fresh = self.path.with_name("fresh.db")
        sqlite.prepare(fresh, NEXT)
        self.assertEqual(schema(self.path), schema(fresh))
        backup = self.path.with_name(f"hub_data.db.v{NEWEST}.backup")
        self.assertEqual(value(backup, "SELECT value FROM meta WHERE key = 'schema_version'"), str(NEWEST))
        self.assertEqual(backup.stat().st_mode & 0o777, 0o600)

    def test_fromEachVersion(self) -> None:
        """A database of any earlier version, with rows in it, is upgraded to what a fresh one is; the rows stay."""
        fresh = self.path.with_name("fresh.db")
        sqlite.prepare(fresh)
        steps = sqlite.schemas()
        for version in [*steps][:-1]:
            old = self.path.with_name(f"from{version}.db")
            with closing(sqlite3.connect(old)) as connection, connection:
                for n in steps:
                    if n <= version:
                        connection.executescript(steps[n])
                connection.executemany(
                    "INSERT INTO meta VALUES (?, ?)", [("schema_version", str(version)), ("log_id", "old")]
                )
                body = wire.encode(anEvent("AI_1", "m1", {}))
                connection.execute(
                    "INSERT INTO events (seq, sender_id, message_id, message_type, timestamp, body, digest)"
                    " VALUES (7, 'AI_1', 'm1', 'pattern_share', ?1, ?2, x'00')",
                    (TIMESTAMP, body),
                )
                if version >= 2:
                    connection.execute("UPDATE events SET checksum = ?", (integrity.checksum(body, b"\0", None),))
                connection.execute("UPDATE sqlite_sequence SET seq = 9")  # retention has removed the last rows
                connection.execute("INSERT INTO ais VALUES ('AI_1', '{}', 2, 1.0, NULL)")
            sqlite.prepare(old)
            self.assertEqual(schema(old), schema(fresh), version)
            self.assertEqual(value(old, "SELECT value FROM meta WHERE key = 'schema_version'"), str(NEWEST))
            self.assertEqual(value(old, "SELECT seq FROM events"), 7)
            self.assertEqual(value(old, "SELECT group_concat(name || seq) FROM sqlite_sequence"), "events9")
            with closing(sqlite.connectReader(old)) as connection:
                self.assertEqual(checks.fullCheck(connection), 1)

    def test_voicesOfVersion7(self) -> None:
        """Before version 8 nobody had an owner: each AI has the vote that it had, until the operator names one."""
        steps = {version: sql for version, sql in sqlite.schemas().items() if version < 8}
        sqlite.prepare(self.path, steps)
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(
                "INSERT INTO shared_components (ai_id, component_id, kind, seq, name, feature, digest,"
                " development_level, confirmed, timestamp, body)"
                " VALUES ('a', 'c', 'component', 1, '', '', 'd', 0.5, 2, '', '{}')"
            )
            for seq, aiId in ((2, "b"), (3, "c")):
                connection.execute(
                    "INSERT INTO performance_reports (ai_id, component_id, digest, seq, verdict, timestamp, body)"
                    " VALUES (?, 'c', 'd', ?, 'confirmed', '', '{}')",
                    (aiId, seq),
                )
            connection.execute("INSERT INTO shared_patterns VALUES ('a', 'p', 4, 't', 0.5, '', '', '{}')")
        sqlite.prepare(self.path)
        for table in ("shared_components", "performance_reports", "shared_patterns"):
            self.assertEqual(value(self.path, f"SELECT MIN(voice = ai_id AND owner IS NULL) FROM {table}"), 1)
        self.assertEqual(value(self.path, "SELECT confirmed FROM shared_components"), 2)
        with closing(sqlite.connect(self.path)) as connection:
            owners = SqlOwners(connection.execute)
            for aiId in "bc":
                owners.set(aiId, "one")
        self.assertEqual(value(self.path, "SELECT confirmed FROM shared_components"), 1)

    def test_rulesOfVersion4(self) -> None:
        """From version 4 each claim keeps all that it had, and those under other rules than confirmed last are told."""
        steps = sqlite.schemas()
        with closing(sqlite3.connect(self.path)) as connection, connection:
            for n in range(1, 5):
                connection.executescript(steps[n])
            connection.executemany("INSERT INTO meta VALUES (?, ?)", [("schema_version", "4"), ("log_id", "old")])
            bodies = {
                name: json.dumps({"id": name, "manifest": {"report": {"workbench_digest": rules}}})
                for name, rules in (("a", "r1"), ("b", "r1"), ("c", "r2"), ("d", "r3"))
            }
            bodies |= {"e": json.dumps({"id": "e", "manifest": None}), "f": json.dumps({"id": "f"}), "g": "no JSON"}
            for seq, (name, body) in enumerate(bodies.items(), 1):
                connection.execute(
                    "INSERT INTO shared_components"
                    " VALUES ('AI_1', ?1, 'component', ?2, ?1, 'fs', ?1, 0.5, 1, 0, '', ?3)",
                    (name, seq, body.encode()),
                )
            for seq, (who, name, verdict) in enumerate(
                [
                    ("AI_2", "a", "confirmed"),
                    ("AI_2", "c", "confirmed"),
                    ("AI_2", "b", "refuted"),
                    ("AI_1", "d", "confirmed"),
                ],
                10,
            ):
                connection.execute(
                    "INSERT INTO performance_reports VALUES (?1, ?2, ?2, ?3, ?4, '', '{}')", (who, name, seq, verdict)
                )
        sqlite.prepare(self.path)
        with closing(sqlite3.connect(self.path)) as connection:
            found = connection.execute(
                "SELECT component_id, workbench_digest, older_rules, standing, body FROM shared_components ORDER BY seq"
            ).fetchall()
            self.assertEqual(
                [one[:4] for one in found],
                [
                    ("a", "r1", 1, -2),
                    ("b", "r1", 1, -2),
                    ("c", "r2", 0, 1),
                    ("d", "r3", 1, -2),
                    *[(name, "", 0, 1) for name in "efg"],
                ],
            )
            self.assertEqual([one[4].decode() for one in found], [*bodies.values()])
            self.assertEqual(connection.execute("SELECT * FROM workbench_rules").fetchall(), [("fs", "r2", 0)])
        backup = self.path.with_name("hub_data.db.v4.backup")
        self.assertEqual(value(backup, "SELECT COUNT(*) FROM shared_components"), 7)

    def test_failingUpgrade(self) -> None:
        """An upgrade that fails leaves the database as it was."""
        sqlite.prepare(self.path)
        before = schema(self.path)
        broken = {**NEXT, NEWEST + 2: "CREATE TABLE third (x);\nCREATE TABLE third (x);\n"}
        with self.assertRaisesRegex(DatabaseError, "third"):
            sqlite.prepare(self.path, broken)
        self.assertEqual(schema(self.path), before)
        self.assertEqual(value(self.path, "SELECT value FROM meta WHERE key = 'schema_version'"), str(NEWEST))

    def test_newer(self) -> None:
        """A database of a newer kernelnet is refused and left alone."""
        sqlite.prepare(self.path, NEXT)
        words = f"schema version {NEWEST + 1}, this kernelnet knows {NEWEST}"
        with self.assertRaisesRegex(DatabaseError, words):
            sqlite.prepare(self.path)

    def test_notOurs(self) -> None:
        """A file that is no database, or another's database, is refused."""
        self.path.write_bytes(b"not a database at all, but long enough to look at" * 100)
        with self.assertRaisesRegex(DatabaseError, "not a database"):
            sqlite.prepare(self.path)
        self.path.unlink()
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute("CREATE TABLE mine (x)")
        with self.assertRaisesRegex(DatabaseError, "something else"):
            sqlite.prepare(self.path)

    def test_unwritable(self) -> None:
        """A path that can't be opened is refused in one line."""
        self.path.mkdir()
        with self.assertRaisesRegex(DatabaseError, "can't use the database"):
            sqlite.prepare(self.path)

    def test_commented(self) -> None:
        """Every schema file begins with a comment that says its version."""
        for version, sql in sqlite.schemas().items():
            self.assertTrue(sql.startswith(f"-- Version {version}"), version)
