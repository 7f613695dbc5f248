"""A hub's database moved from a file to a server and back."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

from kernelnet.hub.admin import control_client
from kernelnet.hub.auth import tokens
from kernelnet.hub.storage import offline
from kernelnet.hub.storage.blobs.shelf import BlobBounds, Shelf
from kernelnet.hub.storage.blobs.store import BlobStore
from kernelnet.hub.storage.postgres.connection import HUB_LOCK, connect
from kernelnet.hub.storage.postgres.offline import OfflinePostgres
from kernelnet.hub.storage.sqlite.backup import contentOf
from kernelnet.hub.storage.sqlite.offline import OfflineSqlite
from kernelnet.hub.storage.statements.components import NewComponent
from kernelnet.hub.storage.transaction import Transaction
from kernelnet.identity import StateDirectory
from tests.cli.support import CliTestCase
from tests.hub.storage.conformance.support import NOW, append
from tests.postgres import server


def used(transaction: Transaction) -> None:
    """What a hub leaves: messages, one of which retention has removed, a component, a token."""
    for i in range(700):
        event = append(transaction, "AI_1", f"m{i}", payload={"n": i})
    component = NewComponent("AI_1", "c", "component", "n", "f", "d", 0.5, "now", b"{}")
    transaction.components.put(event, component)
    transaction.marks.remove(1, 1)
    tokens.issue(transaction, "AI_1")


def put(store: BlobStore, data: bytes) -> None:
    digest = hashlib.sha256(data).hexdigest()
    shelf = Shelf(store, BlobBounds(), lambda: NOW, lambda: 10**12)
    shelf.begin(digest, "AI_1", None, len(data), "cd" * 32)
    shelf.write(digest, "AI_1", 0, data)
    shelf.end(digest, "AI_1")


class MigrateTests(CliTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.url = server().database()
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.file = self.folder / "hub_data.db"
        OfflineSqlite(self.file).write(used, NOW)

    def test_thereAndBack(self) -> None:
        """Everything is on the server, under the same log id, and in the file that it is moved back to."""
        back = self.folder / "back" / "back.db"
        with OfflineSqlite(self.file).blobs() as store:
            put(store, b"a trace")
            notes = store.notes()
        told = self.succeed("migrate", "--from", self.file, "--to", self.url)
        self.assertIn("699 messages", told)
        self.assertIn("; 1 blobs", told)
        back.parent.mkdir()
        self.succeed("migrate", "--from", self.url, "--to", back)
        with OfflineSqlite(back).blobs() as store:
            self.assertEqual((store.notes(), store.read(next(iter(notes)), 0)), (notes, b"a trace"))
        self.assertEqual(contentOf(back), contentOf(self.file))
        found = [offline.databaseAt(str(where), self.folder).examine(lambda *_: None) for where in (self.url, back)]
        self.assertEqual(found[0]["log_id"], found[1]["log_id"])
        with offline.databaseAt(self.url, self.folder).reading() as reader:
            self.assertEqual(reader.tokens.ids(), {"AI_1"})

    def test_differs(self) -> None:
        """A difference in any column, such as whether a token is revoked, is told by its table; a NUL is none."""
        with closing(sqlite3.connect(self.file)) as connection:
            connection.execute("UPDATE shared_components SET name = 'n' || char(0)")
            connection.commit()
        take = OfflinePostgres.take

        def revoking(database: OfflinePostgres, *arguments: Any) -> None:
            take(database, *arguments)
            with connect(self.url) as connection:
                connection.execute("UPDATE tokens SET revoked_at = 1")

        with mock.patch.object(OfflinePostgres, "take", revoking):
            told = self.refused(1, "don't use it", "migrate", "--from", self.file, "--to", self.url)
        self.assertIn(f"differs from {self.file} in tokens:", told)

    def test_nothingIsWrittenOver(self) -> None:
        """A database that is in use, or a file that is there, is left as it is."""
        self.succeed("migrate", "--from", self.file, "--to", self.url)
        for source, target, words in (
            (self.file, self.url, "has used"),
            (self.url, self.file, "is there already"),
            (self.folder / "none.db", self.folder / "new.db", "there is no database"),
            (self.file, "mysql://h/x", "give postgresql://"),
        ):
            self.refused(1, words, "migrate", "--from", source, "--to", target)

    def test_hubRuns(self) -> None:
        """While a hub runs on either, nothing is moved: what it acknowledges meanwhile would be missing."""
        lock = StateDirectory(self.folder).lock(control_client.LOCK)
        self.refused(1, "another process is using", "migrate", "--from", self.file, "--to", self.url)
        StateDirectory.unlock(lock)
        with connect(self.url) as connection:
            connection.execute("SELECT pg_advisory_lock($1)", (HUB_LOCK,))
            self.refused(1, "another hub uses", "migrate", "--from", self.file, "--to", self.url)
            self.refused(1, "another hub uses", "migrate", "--from", self.url, "--to", self.folder / "new.db")
        self.succeed("migrate", "--from", self.file, "--to", self.url)

    def test_commands(self) -> None:
        """Commands find the database that the hub of a state directory uses, and back it up and restore it."""
        self.succeed("migrate", "--from", self.file, "--to", self.url)
        state, copy = self.folder / "state", self.folder / "copy.db"
        made = StateDirectory(state)
        made.open()
        made.prepareHub([], datetime.fromtimestamp(NOW, UTC))
        offline.remember(state, self.url)
        self.assertIn("AI_1", self.succeed("tokens", "list", "--state", state))
        self.assertIn("699 messages, checked", self.succeed("backup", copy, "--state", state))
        self.assertIn("restored", self.succeed("restore", copy, "--state", state))
        with offline.databaseOf(state).blobs() as store:
            put(store, b"a trace")
        told = self.succeed("backup", self.folder / "another.db", "--state", state)
        self.assertIn("it holds none of the 1 blobs, such as shared traces (7 bytes): pg_dump copies them", told)
        self.succeed("restore", copy, "--state", state)
        self.assertIn("1 of 7 bytes, all as their digests say", self.call("doctor", "--state", state).stdout)
        self.succeed("tokens", "issue", "AI_2", "--state", state)
        with offline.databaseOf(state).reading() as reader:
            self.assertEqual(reader.tokens.ids(), {"AI_1", "AI_2"})
