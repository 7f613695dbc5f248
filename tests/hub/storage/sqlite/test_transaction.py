"""Statements of a transaction: how much each of them takes at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from kernelnet.hub.storage.sql.execution import PIECE
from kernelnet.hub.storage.sql.transaction import SqlReader
from kernelnet.hub.storage.sqlite import transaction
from kernelnet.hub.storage.sqlite.transaction import DIALECT
from tests.hub.support import HubTestCase


class StatementTests(HubTestCase):
    def test_rows(self) -> None:
        """Many rows are written by few statements, which all have the same text, and the rest one by one."""
        rows = [(i, str(i)) for i in range(2 * transaction._ROWS + 3)]
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.execute("CREATE TABLE t (a, b)")
            said: list[str] = []
            connection.set_trace_callback(said.append)
            transaction._executeMany(connection, "INSERT INTO t (a, b) VALUES (?, ?)", [*rows])
            connection.set_trace_callback(None)
            self.assertEqual(connection.execute("SELECT a, b FROM t ORDER BY a").fetchall(), rows)
        written = [one.count("(") - 1 for one in said if one.startswith("INSERT")]
        self.assertEqual(written, [transaction._ROWS, transaction._ROWS, 1, 1, 1])

    def test_pieces(self) -> None:
        """However many things are asked for, a statement names only so many."""
        named: list[int] = []

        def execute(sql: str, parameters: Sequence[Any] = (), /) -> sqlite3.Cursor:
            named.append(len(parameters))
            return self.hub.sqlite.reader.connection.execute(sql, parameters)

        components = SqlReader(execute, DIALECT).components
        self.assertEqual(components.heldDigests({f"{i:064x}" for i in range(2 * PIECE + 1)}), set())
        self.assertEqual(named, [PIECE, PIECE, 1])
