"""The end of a demo with several nodes: what was acknowledged, looked for among what is stored."""

from __future__ import annotations

import sqlite3
from contextlib import closing, nullcontext
from pathlib import Path
from unittest import mock

from kernelnet.cli import demo_hubs, demo_postgres
from kernelnet.cli.demo import Demo
from kernelnet.cli.demo_hubs import Nodes, compared
from kernelnet.cli.demo_processes import DemoError, Processes
from kernelnet.hub.storage.offline import DATABASE, checkChoice, remember, remembered
from kernelnet.identity import StateDirectory
from kernelnet.trainer.storage import database
from tests.cli.support import CliTestCase
from tests.hub.databases import OnSqlite
from tests.hub.support import Hub, aComponent, aPattern

DIGEST = "ab" * 32


class ComparedTests(CliTestCase):
    def setUp(self) -> None:
        super().setUp()
        (self.folder / "trainers" / "A").mkdir(parents=True)
        self.file = self.folder / "trainers" / "A" / "trainer.db"
        hub = Hub(OnSqlite(self.folder))
        client = hub.connect("A")
        client.send("pattern_share", aPattern("p1"))
        client.send("os_component_share", aComponent("c1"))
        (self.digest,) = [one.digest for one in hub.stored.components.inOrder()]
        hub.kill()

    def trainer(self, *statements: tuple[str, tuple[object, ...]]) -> None:
        database._prepare(self.file)
        with closing(sqlite3.connect(self.file)) as connection, connection:
            for sql, parameters in statements:
                connection.execute(sql, parameters)

    def test_all(self) -> None:
        """What is stored is not lost; neither is what waits for its ack, or another AI's."""
        self.trainer(
            ("INSERT INTO patterns VALUES ('A', 'p1', '{}')", ()),
            ("INSERT INTO patterns VALUES ('A', 'p-waiting', '{}')", ()),
            ("INSERT INTO patterns VALUES ('B', 'p-of-b', '{}')", ()),
            ("INSERT INTO components VALUES (?, 'A', '{}', NULL, NULL)", (self.digest,)),
            ("INSERT INTO outbox (message_id, line) VALUES ('m', ?)", (b'{"payload":{"pattern":{"id":"p-waiting"}}}',)),
        )
        said = compared(self.folder, ["A", "NEVER_STARTED"])
        self.assertEqual(said, "2 patterns, components and verdicts of the trainers were acknowledged; lost 0")

    def test_lost(self) -> None:
        """What was acknowledged and is not stored is counted, and named."""
        self.trainer(
            ("INSERT INTO patterns VALUES ('A', 'p2', '{}')", ()),
            ("INSERT INTO components VALUES (?, 'A', '{}', NULL, NULL)", (DIGEST,)),
            ("INSERT INTO benchmarks VALUES ('c1', 'A', '', '{}')", ()),
        )
        said = compared(self.folder, ["A"])
        self.assertIn("lost 3: A's pattern p2, A's component abababababab, A's verdict on c1", said)
        self.assertTrue((self.folder / DATABASE).exists())

    def test_failed(self) -> None:
        """A demo that fails leaves no directory behind that tells of its server, which is gone: a hub may run there."""
        url = "postgresql://kernelnet@/postgres?host=/tmp/gone"

        def command(nodes: Nodes, what: str, *words: str) -> None:
            folder = Path(words[-1] if what == "init" else words[words.index("--out") + 1])
            folder.mkdir(exist_ok=True)
            remember(folder, url)
            if what == "add-node":
                raise DemoError("it failed")

        self.patch(demo_hubs, "OwnPostgres", mock.Mock())
        self.patch(Nodes, "_command", command)
        folder = self.folder / "new"
        nodes = Nodes(StateDirectory(folder), Processes(folder, nullcontext), 2)
        self.assertRaises(DemoError, nodes.start)
        for each in (folder, folder / "east"):
            self.assertEqual(remembered(each), url)
        nodes.close()
        for each in (folder, folder / "east"):
            checkChoice(each, None)
        nodes.close()

    def test_noServer(self) -> None:
        """Without PostgreSQL one line says what is missing, before anything is made."""
        with mock.patch.object(demo_postgres, "_programs", return_value=None):
            error = self.assertRaises(DemoError, Demo, 1.0, [], 6, self.folder / "new", nodes=2)
        self.assertIn("apt install postgresql", str(error))
        self.assertFalse((self.folder / "new").exists())
