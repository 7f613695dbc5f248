"""The trainer's file: all or nothing, in order, and patient with a full disk."""

import json
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from kernelnet.trainer.storage import database as module
from kernelnet.trainer.storage.database import RETRY_SECONDS, Changes, Store, StoreError

VERSION_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE outbox (position INTEGER PRIMARY KEY AUTOINCREMENT, message_id TEXT NOT NULL UNIQUE, line BLOB NOT NULL);
CREATE TABLE patterns (source TEXT, id TEXT, body TEXT NOT NULL, PRIMARY KEY (source, id));
CREATE TABLE blocks (source TEXT, id TEXT, body TEXT NOT NULL, PRIMARY KEY (source, id));
CREATE TABLE components (digest TEXT PRIMARY KEY, source TEXT NOT NULL, body TEXT NOT NULL, verdict TEXT);
CREATE TABLE benchmarks (component_id TEXT, reporter TEXT, timestamp TEXT, body TEXT NOT NULL,
                         PRIMARY KEY (component_id, reporter));
CREATE TABLE jobs (key TEXT PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE sessions (session_id TEXT PRIMARY KEY, body TEXT NOT NULL);
PRAGMA user_version=1;
"""
"""The first schema as it was, without its comments."""


def schemaOf(path: Path) -> list[tuple[str, str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        found = connection.execute("SELECT type, name, COALESCE(sql, '') FROM sqlite_master ORDER BY name").fetchall()
    return [("version", str(version), ""), *found]


class UpgradeTests(TestCase):
    def old(self, *statements: tuple[str, tuple[Any, ...]]) -> Path:
        """A file of version 1 in which C{statements} were made."""
        path = Path(self.mktemp())
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(VERSION_1)
            for sql, parameters in statements:
                connection.execute(sql, parameters)
            connection.commit()
        return path

    def opened(self, path: Path) -> Store:
        store = Store(path, Clock())
        self.addCleanup(store.close)
        store.open()
        return store

    def test_likeAFreshOne(self) -> None:
        """A file of version 1 becomes what a fresh one is."""
        old, fresh = self.old(), Path(self.mktemp())
        for path in (old, fresh):
            self.opened(path)
        self.assertEqual(schemaOf(old), schemaOf(fresh))
        self.assertEqual(schemaOf(old)[0], ("version", "4", ""))

    @inlineCallbacks
    def test_jobsGetTheirSources(self) -> Any:
        """Each job is kept, in its order, with whom it is for; whom nobody knows any more is nobody."""
        asked = {"original_request": {"feature": "file_system"}, "requestor": "AI_3"}
        jobs = [
            ("measure:d1", "measure", "d1"),
            ("feature:m1", "feature", asked),
            ("collaborate:s1", "collaborate", "s1"),
            ("measure:gone", "measure", "gone"),
            ("collaborate:gone", "collaborate", "gone"),
        ]
        path = self.old(
            ("INSERT INTO components VALUES ('d1', 'AI_2', '{}', NULL)", ()),
            ("INSERT INTO sessions VALUES ('s1', ?)", (json.dumps({"session_id": "s1", "peer": "AI_4"}),)),
            *(("INSERT INTO jobs VALUES (?, ?, ?)", (key, kind, json.dumps(body))) for key, kind, body in jobs),
        )
        rows = yield self.opened(path).read("SELECT key, kind, source, body FROM jobs ORDER BY rowid")
        self.assertEqual([(key, kind, json.loads(body)) for key, kind, _, body in rows], jobs)
        self.assertEqual([source for _, _, source, _ in rows], ["AI_2", "AI_3", "AI_4", "", ""])

    @inlineCallbacks
    def test_theRestStays(self) -> Any:
        """What is said and not acked, and the cursor, are there after the upgrade, too."""
        path = self.old(
            ("INSERT INTO meta VALUES ('cursor', '7')", ()),
            ("INSERT INTO outbox (message_id, line) VALUES ('m', x'7b7d')", ()),
        )
        store = self.opened(path)
        self.assertEqual((yield store.read("SELECT * FROM meta")), [("cursor", "7")])
        self.assertEqual((yield store.read("SELECT message_id, line FROM outbox")), [("m", b"{}")])

    def test_allOrNothing(self) -> None:
        """An upgrade that fails leaves the file as it was."""
        path = self.old(("INSERT INTO jobs VALUES ('k', 'feature', 'no json')", ()))
        before = schemaOf(path)
        self.assertRaises(StoreError, Store(path, Clock()).open)
        self.assertEqual(schemaOf(path), before)


class StoreTests(TestCase):
    def make(self, path: Path | None = None) -> Store:
        self.path = path or Path(self.mktemp())
        self.clock = Clock()
        store = Store(self.path, self.clock)
        store.open()
        self.addCleanup(store.close)
        return store

    @inlineCallbacks
    def test_allOrNothing(self) -> Any:
        """If one of several changes can't be made, none is."""
        store = self.make()
        changes = Changes()
        changes.add("INSERT INTO meta VALUES ('a', '1')")
        changes.add("INSERT INTO meta VALUES ('a', '2')")
        yield self.assertFailure(store.commit(changes), sqlite3.IntegrityError)
        self.assertEqual((yield store.read("SELECT * FROM meta")), [])

    @inlineCallbacks
    def test_lastOne(self) -> Any:
        """After one that can't be written nothing more is: a later cursor would make it look as if it had been."""
        store = self.make()
        wrong, later = Changes(), Changes()
        wrong.add("INSERT INTO meta VALUES ('a', NULL)")
        later.add("INSERT INTO meta VALUES ('cursor', '9')")
        done = [store.commit(wrong), store.commit(later)]
        yield self.assertFailure(done[0], sqlite3.IntegrityError)
        yield self.assertFailure(done[1], StoreError)
        yield self.assertFailure(store.commit(later), StoreError)
        self.assertEqual((yield store.read("SELECT * FROM meta")), [])
        yield store.commit(Changes())  # which is nothing

    @inlineCallbacks
    def test_durable(self) -> Any:
        """Each commit is synced before it is said to be made."""
        store = self.make()
        for pragma, value in (("synchronous", 2), ("journal_mode", "wal")):
            self.assertEqual((yield store.read(f"PRAGMA {pragma}")), [(value,)])

    def test_private(self) -> None:
        """The file is for its user alone, whatever the umask, and whatever it was before."""
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        path = Path(self.mktemp())
        for _ in range(2):
            self.make(path)
            files = path.parent.glob(f"{path.name}*")
            self.assertEqual({stat.S_IMODE(file.stat().st_mode) for file in files}, {0o600})
            path.chmod(0o666)

    @inlineCallbacks
    def test_survives(self) -> Any:
        """What was committed is there for the next process."""
        store = self.make()
        changes = Changes()
        changes.add("INSERT INTO meta VALUES ('a', '1')")
        yield store.commit(changes)
        yield store.close()
        self.assertEqual((yield self.make(self.path).read("SELECT * FROM meta")), [("a", "1")])

    @inlineCallbacks
    def test_passingFaultIsRetriedInOrder(self) -> Any:
        """A full disk is tried again until there is room, and later changes wait their turn."""
        store = self.make()
        run, failures = module._run, [sqlite3.OperationalError("database or disk is full")]

        def failOnce(transaction: Any, statements: Any) -> None:
            if failures:
                raise failures.pop()
            run(transaction, statements)

        self.patch(module, "_run", failOnce)
        first, second = Changes(), Changes()
        first.add("INSERT INTO meta VALUES ('a', '1')")
        second.add("UPDATE meta SET value = '2' WHERE key = 'a'")
        paused: Deferred[None] = Deferred()
        callLater = self.clock.callLater

        def noted(*arguments: Any, **keywords: Any) -> Any:
            call = callLater(*arguments, **keywords)
            paused.callback(None)
            return call

        self.patch(self.clock, "callLater", noted)
        done = [store.commit(first), store.commit(second)]
        yield paused
        self.assertEqual((yield store.read("SELECT * FROM meta")), [])
        self.clock.advance(RETRY_SECONDS)
        yield done[0]
        yield done[1]
        self.assertEqual((yield store.read("SELECT * FROM meta")), [("a", "2")])

    def test_otherSchemaIsRefused(self) -> None:
        """A file of a newer kernelnet, or of no version that there ever was, is left alone, with a word on it."""
        for version in (99, -1):
            path = Path(self.mktemp())
            with closing(sqlite3.connect(path)) as connection:
                connection.execute(f"PRAGMA user_version={version}")
            error = self.assertRaises(StoreError, Store(path, Clock()).open)
            self.assertIn("install a newer kernelnet", str(error))

    def test_noDatabase(self) -> None:
        """A file that is no database is refused, with a word on what to do."""
        path = Path(self.mktemp())
        path.write_text("x" * 4096)
        error = self.assertRaises(StoreError, Store(path, Clock()).open)
        self.assertIn("move it away", str(error))
