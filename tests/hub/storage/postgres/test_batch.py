"""Statements of a transaction, gathered: when it holds the log's head, and how often it asks the server."""

from __future__ import annotations

from typing import Any
from unittest import mock

import psycopg

from kernelnet.hub.storage.postgres.connection import connect
from kernelnet.hub.storage.statements.patterns import NewPattern
from kernelnet.hub.storage.transaction import Transaction
from tests.hub.databases import OnPostgres
from tests.hub.storage.conformance.support import EngineTestCase, append, appends


def put(transaction: Transaction, i: int, pattern: str, confidence: float = 0.5) -> None:
    event = append(transaction, "a", f"m{i}")
    transaction.patterns.put(event, NewPattern("a", pattern, "t", confidence, "s", "now", b"{}"))


class BatchTests(EngineTestCase):
    databaseType = OnPostgres
    database: OnPostgres

    def isHeadFree(self) -> bool:
        with connect(self.database.url) as other:
            try:
                other.execute("SELECT given FROM log_head FOR UPDATE NOWAIT")
            except psycopg.errors.LockNotAvailable:
                return False
        return True

    def test_headIsFree(self) -> None:
        """The head is held from a transaction's first question on; by one that asks nothing while it is sent only."""
        found = []

        def work(transaction: Transaction) -> None:
            put(transaction, 1, "p")
            found.append(self.isHeadFree())
            transaction.patterns.count()
            found.append(self.isHeadFree())

        self.write(work)
        self.assertEqual(found, [True, False])

    def test_fewCalls(self) -> None:
        """However many messages with a projection are one commit, the server gets as many statements."""
        counts = []
        for size in (3, 300):
            calls = mock.Mock(wraps=psycopg.Connection.execute)

            def execute(connection: Any, *arguments: Any, calls: mock.Mock = calls, **more: Any) -> Any:
                return calls(connection, *arguments, **more)

            with mock.patch.object(psycopg.Connection, "execute", execute):
                self.commit(*(lambda t, i=i, size=size: put(t, size * 1000 + i, f"p{i}") for i in range(size)))
            counts.append(calls.call_count)
        self.assertEqual(counts[0], counts[1])
        self.assertLess(counts[0], 12)

    def test_positions(self) -> None:
        """Messages and their projections have the same positions, whatever was asked between them."""
        self.append("b", "before")

        def asking(transaction: Transaction) -> None:
            put(transaction, 3, "r")
            self.assertEqual(transaction.patterns.count(), 3)
            put(transaction, 4, "s")

        done = self.commit(lambda t: put(t, 1, "p"), lambda t: put(t, 2, "q"), asking, lambda t: put(t, 5, "u"))
        self.assertEqual([event.seq for event in done.committed.events], [2, 3, 4, 5, 6])
        self.assertEqual([one.seq for one in self.ask(lambda reader: [*reader.patterns.after(None)])], [6, 5, 4, 3, 2])
        self.assertEqual([row.seq for row in self.database.logged()], [1, 2, 3, 4, 5, 6])

    def test_sameKey(self) -> None:
        """Of rows with one key in one commit the last one stays, also where a NUL makes keys the same."""
        done = self.commit(lambda t: put(t, 1, "p\0", 0.1), lambda t: put(t, 2, "q"), lambda t: put(t, 3, "p\ufffd", 1))
        self.assertEqual(done.refused, {})
        found = self.ask(lambda reader: [*reader.patterns.after(None)])
        self.assertEqual([(one.seq, one.confidence) for one in found], [(3, 1.0), (2, 0.5)])

    def test_removed(self) -> None:
        """A repetition of a message whose row retention has removed is found with the commit, and not written."""
        self.append("a", "m1")
        self.append("a", "m2")
        self.remove(1)
        found: list[int] = []

        def repeating(transaction: Transaction) -> None:
            if (before := transaction.find("a", "m1")) is None:
                append(transaction, "a", "m1")
            found.append(before[0] if before else 0)

        done = self.commit(repeating, appends("a", "m3"))
        self.assertEqual([event.seq for event in done.committed.events], [3])
        self.assertEqual(found, [0, 1])  # taken for a new one at first
