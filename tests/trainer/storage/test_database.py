"""The trainer's file: all or nothing, in order, and patient with a full disk."""

import sqlite3
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from kernelnet.trainer.storage import database as module
from kernelnet.trainer.storage.database import RETRY_SECONDS, Changes, Store, StoreError


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

    def test_newerSchemaIsRefused(self) -> None:
        """A file of a newer kernelnet is left alone, with a word on what to do."""
        path = Path(self.mktemp())
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA user_version=99")
        connection.close()
        error = self.assertRaises(StoreError, Store(path, Clock()).open)
        self.assertIn("install a newer kernelnet", str(error))

    def test_noDatabase(self) -> None:
        """A file that is no database is refused, with a word on what to do."""
        path = Path(self.mktemp())
        path.write_text("x" * 4096)
        error = self.assertRaises(StoreError, Store(path, Clock()).open)
        self.assertIn("move it away", str(error))
