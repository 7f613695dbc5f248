"""A server without room: nothing is acknowledged that is not kept, senders wait, and readers go on."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import ClassVar
from unittest import SkipTest

import psycopg
from twisted.python.failure import Failure

from kernelnet.hub.storage.engine import Commit
from tests.hub.connection.test_other_nodes import PATTERN, NodesTestCase
from tests.hub.databases import OnPostgres
from tests.hub.storage.conformance.support import NOW, FunctionWork, appends
from tests.hub.storage.postgres.test_engine import PostgresTestCase
from tests.postgres import Server, freshServer

NO_ROOM = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
END $$;
CREATE TRIGGER no_room BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION no_room();
"""


class NodesTests(NodesTestCase):
    def test_full(self) -> None:
        """Who sends to whichever node is told that there is no room, and is acknowledged once there is."""
        clients = self.connect(self.one, "a"), self.connect(self.two, "b")
        reader = self.connect(self.two, "reader")
        messages = [client.message("pattern_share", {"pattern": {**PATTERN, "id": client.aiId}}) for client in clients]
        self.execute(NO_ROOM)
        for client, message in zip(clients, messages, strict=True):
            client.line(message)
            self.assertEqual(client.errors(), ["storage_full"])
            self.assertFalse(client.closing)
        self.settle()
        self.flushLoggedErrors()
        self.assertEqual(self.execute("SELECT given FROM log_head"), [(0,)])
        self.execute("DROP TRIGGER no_room ON events")
        for seq, (client, message) in enumerate(zip(clients, messages, strict=True), 1):
            client.line(message)
            self.assertEqual(client.payloads("ack")[0]["acked"], [[message["message_id"], seq]])
        self.settle()
        self.assertEqual([m["seq"] for m in reader.received("pattern_share")], [1, 2])


class OnFresh(OnPostgres):
    """A database of a server that a test may break."""

    server: ClassVar[Server | None] = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        assert self.server is not None
        self.url = self.server.database()


class SmallDiskTests(PostgresTestCase):
    databaseType = OnFresh

    def setUp(self) -> None:
        if os.geteuid() != 0:
            raise SkipTest("only root may mount a small file system")
        self.server = freshServer()
        self.addCleanup(self.server.end)
        self.place = folder = self.server.folder / "small"
        folder.mkdir()
        mounted = self.mount("-t", "tmpfs", "-o", "size=2m,mode=0700,uid=postgres", "tmpfs")
        if mounted.returncode:
            raise SkipTest(f"a small file system can't be mounted here: {mounted.stderr.strip()}")
        self.addCleanup(lambda: subprocess.run(["umount", "-l", folder], check=True))
        self.patch(OnFresh, "server", self.server)
        super().setUp()

    def mount(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["mount", *arguments, self.place], capture_output=True, text=True, check=False)

    def test_full(self) -> None:
        """The disk of the log is really full: all that was acknowledged is there, and it goes on with more room."""
        with psycopg.connect(self.database.url, autocommit=True) as other:
            other.execute(f"CREATE TABLESPACE small LOCATION '{self.place}'".encode())
            other.execute("ALTER TABLE events SET TABLESPACE small")
        said = 0
        while (error := self.say(f"m{said}")) is None:
            said += 1
            self.assertLess(said, 100)
        self.assertIsInstance(error, psycopg.errors.DiskFull)
        self.assertEqual(self.engine.problemOf(error).code, "storage_full")
        self.assertEqual([row.messageId for row in self.database.logged()], [f"m{i}" for i in range(said)])
        self.assertEqual(self.mount("-o", "remount,size=20m").returncode, 0)
        self.assertIsNone(self.say(f"m{said}"))
        self.assertEqual([row.seq for row in self.database.logged()], [*range(1, said + 2)])

    def say(self, messageId: str) -> BaseException | None:
        """@return: why it is not acknowledged."""
        outcomes: list[Commit | Failure] = []
        work = FunctionWork(appends("a", messageId, payload={"x": os.urandom(50_000).hex()}))
        self.engine.commit([work], NOW).addBoth(outcomes.append)
        (outcome,) = outcomes
        return outcome.value if isinstance(outcome, Failure) else outcome.refused.get(0)
