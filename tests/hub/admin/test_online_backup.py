"""Backups that are made, and gone back to, while a hub runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import TestCase

from kernelnet.hub.admin import online_backup
from kernelnet.hub.connection import admission
from kernelnet.hub.connection.interfaces import Suspendable
from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.wire import WireProblem
from tests.hub.admin.support import aState
from tests.hub.support import Hub, aPattern


class Connections:
    """@ivar calls: what was asked of it, in order."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def suspend(self, why: WireProblem) -> Deferred[None]:
        self.calls.append(f"suspend: {why.code}")
        return succeed(None)

    def resume(self) -> None:
        self.calls.append("resume")


class OnlineBackupTests(TestCase):
    def setUp(self) -> None:
        self.state = aState(self)
        self.patch(admission, "WORK_AT_ONCE", 1e9)  # however busy the machine is
        self.hub = Hub(self.state.database)
        self.addCleanup(self.hub.kill)
        self.connections = Connections()
        self.file = self.state.path / "copy.db"

    def restore(self, file: Path, connections: Suspendable | None = None) -> Deferred[dict[str, Any]]:
        hub = self.hub
        return Deferred.fromCoroutine(
            online_backup.restore(
                file, log=hub.log, directory=hub.directory, connections=connections or self.connections
            )
        )

    async def test_goBack(self) -> None:
        """All that came after the backup is gone, the log is another one, and the AIs known are those of then."""
        author = self.hub.connect("AI_1")
        author.send("pattern_share", aPattern("p1"))
        made = await online_backup.backUp(self.hub.engine, self.file)
        self.assertEqual((made["events"], made["file"]), (1, str(self.file)))
        author.send("pattern_share", aPattern("p2"))
        self.hub.connect("AI_2")
        before = self.hub.log.logId
        told = await self.restore(self.file)
        self.assertEqual((told["events"], self.hub.log.head), (1, 1))
        self.assertEqual(told["log_id"], self.hub.log.logId)
        self.assertNotEqual(before, self.hub.log.logId)
        self.assertTrue(Path(told["former"]).exists())
        self.assertEqual(list(self.hub.directory.ais), ["AI_1"])
        self.assertEqual(self.connections.calls, ["suspend: shutting_down", "resume"])

    async def test_whenOpened(self) -> None:
        """What is to be written at each start is written to the backup that is gone back to as well."""
        await online_backup.backUp(self.hub.engine, self.file)
        self.hub.log.whenOpened = lambda transaction: transaction.components.setRules({"fs": "1"})
        await self.restore(self.file)
        self.assertEqual(self.hub.stored.components.rules(), {"fs": "1"})

    async def test_notNow(self) -> None:
        """Where the hub stands still already, as at its end, nothing changes, and nothing is left."""
        await online_backup.backUp(self.hub.engine, self.file)
        before, files = self.hub.log.logId, set(self.state.path.iterdir())
        await self.hub.connections.stop(WireProblem("shutting_down", "the end"))
        with self.assertRaises(WireProblem):
            await self.restore(self.file, self.hub.connections)
        self.assertEqual((self.hub.log.logId, set(self.state.path.iterdir())), (before, files))
        self.assertTrue(self.hub.connections.suspended)

    async def test_unusable(self) -> None:
        """A file that is no backup disturbs nobody."""
        self.file.write_bytes(b"nonsense")
        with self.assertRaises(DatabaseError):
            await self.restore(self.file)
        self.assertEqual(self.connections.calls, [])
