"""Backups: made, gone back to, refused; or the word of an engine that it has none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import TestCase

from kernelnet.hub.storage import group_commit
from kernelnet.hub.storage.engine import Engine, Identity
from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.integrity import silent
from kernelnet.hub.storage.statements.access import StoredAi, StoredToken
from kernelnet.hub.storage.statements.certificates import StoredCertificate
from kernelnet.hub.storage.transaction import Transaction
from tests.hub.databases import HubDatabase, OnSqlite, onEveryEngine
from tests.hub.storage.conformance.support import NOW, FunctionWork, appends


def owns(owner: str) -> Callable[[Transaction], Any]:
    """What gives the AI C{a} an owner, and revokes a certificate of it."""

    def apply(transaction: Transaction) -> None:
        transaction.owners.set("a", owner)
        transaction.certificates.insert(StoredCertificate(owner, "a", NOW, NOW + 9, NOW))

    return apply


def inserts(hash: str) -> Callable[[Transaction], None]:
    """What adds a token with this hash."""
    return lambda transaction: transaction.tokens.insert(StoredToken(hash, hash, "issued", NOW, None, None, None))


def saves(transaction: Transaction) -> None:
    """Save an AI that has read far."""
    transaction.ais.save(StoredAi("a", b"{}", 2, NOW, 99))


@onEveryEngine
class BackupTests(TestCase):
    databaseType: type[HubDatabase] = OnSqlite

    async def begin(self) -> Identity:
        """Open an engine; C{copy} is where its backup is to be."""
        self.patch(group_commit, "MAX_SECONDS", 1e9)  # however busy the machine is
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        self.database = self.databaseType(folder)
        self.engine: Engine = self.database.engine()
        self.engine.prepare()
        self.addCleanup(self.engine.close)
        self.folder, self.copy = folder, folder / "copy.db"
        return await self.engine.open()

    async def commit(self, *functions: Callable[[Transaction], Any]) -> None:
        done = await self.engine.commit([*map(FunctionWork, functions)], NOW)
        self.assertEqual(done.refused, {})

    async def refuses(self, done: Deferred[Any], words: str = "") -> None:
        with self.assertRaisesRegex(DatabaseError, words):
            await done

    def test_backAndForth(self) -> Deferred[None]:
        """
        A backup holds one moment, and is gone back to as often as is wanted.

        The log is another one then, and goes on from there; tokens are today's; nobody has read further than it goes.
        """

        async def run() -> None:
            before = await self.begin()
            await self.commit(appends("a", "removed"), appends("a", "kept"), inserts("then"))
            await self.commit(lambda transaction: transaction.marks.remove(1, 9))
            if not self.database.makesBackups:
                await self.refuses(self.engine.backUp(self.copy, silent), "no backups")
                await self.refuses(self.engine.prepareRestore(self.copy, silent), "no backup")
                self.assertFalse(self.copy.exists())
                return
            told: list[str] = []
            made = await self.engine.backUp(self.copy, lambda what, done, total: told.append(what))
            self.assertEqual((made["file"], made["events"]), (str(self.copy), 1))
            self.assertEqual((made["bytes"], self.copy.stat().st_mode & 0o777), (self.copy.stat().st_size, 0o600))
            self.assertNotEqual(told, [])
            logIds = {before.logId}
            for i in range(2):
                await self.commit(appends("a", f"later {i}"), inserts(f"now {i}"), saves, owns(f"owner {i}"))
                restoration = await self.engine.prepareRestore(self.copy, silent)
                self.assertEqual([row.seq for row in self.database.logged()], [2, 3])
                former = await self.engine.replace(restoration)
                await restoration.discard()
                self.assertTrue(former.exists())
                identity = await self.engine.open()
                logIds.add(identity.logId)
                self.assertEqual((identity.head, identity.first, len(logIds)), (2, 2, i + 2))
                self.assertEqual([row.messageId for row in self.database.logged()], ["kept"])
                tokens = await self.engine.read(lambda reader: reader.tokens.ids())
                self.assertEqual(tokens, {"then", *(f"now {n}" for n in range(i + 1))})
                self.assertEqual(await self.engine.read(lambda reader: reader.owners.all()), {"a": f"owner {i}"})
                revoked = await self.engine.read(lambda reader: reader.certificates.revoked())
                self.assertEqual([one.serial for one in revoked], [f"owner {n}" for n in range(i + 1)])
                self.assertEqual(await self.engine.read(lambda reader: reader.ais.all()), [])
            self.assertEqual(self.database.known, 1)
            await self.commit(appends("a", "next"))
            self.assertEqual([row.seq for row in self.database.logged()], [2, 3])

        return ensureDeferred(run())

    def test_there(self) -> Deferred[None]:
        """No file is written over."""

        async def run() -> None:
            await self.begin()
            self.copy.write_text("mine")
            await self.refuses(self.engine.backUp(self.copy, silent))
            self.assertEqual(self.copy.read_text(), "mine")

        return ensureDeferred(run())

    def test_unusable(self) -> Deferred[None]:
        """What is no backup, or is not there, changes nothing."""

        async def run() -> None:
            identity = await self.begin()
            await self.commit(appends("a", "m"))
            other = self.folder / "other"
            other.write_bytes(b"not a backup at all, but long enough to be looked at" * 100)
            for file in (other, self.copy):
                await self.refuses(self.engine.prepareRestore(file, silent))
            again = await self.engine.open()
            self.assertEqual((again.logId, again.head), (identity.logId, 1))

        return ensureDeferred(run())
