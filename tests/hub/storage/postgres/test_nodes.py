"""Nodes that are told of; `tests.hub.connection.test_other_nodes` has what becomes of them."""

from __future__ import annotations

from kernelnet.hub.storage.postgres import nodes
from tests.hub.databases import OnPostgres
from tests.hub.storage.conformance.support import EngineTestCase


class NodesBoundsTests(EngineTestCase):
    databaseType = OnPostgres
    database: OnPostgres

    def test_most(self) -> None:
        """The 200 are told of that were here last, by name: a container that is made anew has another one each time."""
        writer = self.database.writer.connection
        writer.execute("DELETE FROM nodes")
        writer.execute(
            "INSERT INTO nodes SELECT 'n' || i, '', 2000 - i, 1, '1', 0, '{}' FROM generate_series(1000, 1200) i"
        )
        found = [row.name for row in nodes.nodes(writer)]
        self.assertEqual(found, [f"n{number}" for number in range(1000, 1200)])
