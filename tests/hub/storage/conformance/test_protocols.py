"""An engine, its reader and its transaction have all that is asked for."""

from __future__ import annotations

import inspect
from typing import get_type_hints

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.storage.engine import Engine
from kernelnet.hub.storage.memory import MemoryEngine
from kernelnet.hub.storage.memory.transaction import MemoryReader, MemoryTransaction
from kernelnet.hub.storage.postgres import PostgresEngine
from kernelnet.hub.storage.postgres.transaction import PostgresReader, PostgresTransaction
from kernelnet.hub.storage.sqlite import SqliteEngine
from kernelnet.hub.storage.sqlite.transaction import SqliteReader, SqliteTransaction
from kernelnet.hub.storage.transaction import Reader, Transaction
from tests.hub.databases import onEveryEngine
from tests.hub.storage.conformance.support import EngineTestCase

ENGINES: tuple[type[Engine], ...] = (SqliteEngine, MemoryEngine, PostgresEngine)
READERS: tuple[type[Reader], ...] = (SqliteReader, MemoryReader, PostgresReader)
TRANSACTIONS: tuple[type[Transaction], ...] = (SqliteTransaction, MemoryTransaction, PostgresTransaction)
"""What the type checker finds to be what is asked for, by these assignments."""


def methods(protocol: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(function)
        for one in protocol.__mro__
        for name, function in vars(one).items()
        if inspect.isfunction(function) and not name.startswith("_")
    }


def verify(case: SynchronousTestCase, protocol: type, one: object) -> None:
    """See that an object has each method of a protocol, with the same parameters."""
    for name, asked in methods(protocol).items():
        there = inspect.signature(getattr(type(one), name))
        case.assertEqual(str(there), str(asked), f"{type(one).__name__}.{name}")


@onEveryEngine
class ProtocolTests(EngineTestCase):
    def test_engine(self) -> None:
        """The engine has each method of its interface, with the same parameters."""
        self.assertGreater(len(methods(Engine)), 12)
        verify(self, Engine, self.engine)

    def test_reader(self) -> None:
        """A reader has each group of statements, and each of them its queries."""

        def check(reader: Reader) -> int:
            groups = {
                name: get_type_hints(one.fget)["return"] for name, one in vars(Reader).items() if hasattr(one, "fget")
            }
            for name, protocol in groups.items():
                verify(self, protocol, getattr(reader, name))
            return len(groups)

        self.assertEqual(self.ask(check), 11)

    def test_transaction(self) -> None:
        """A transaction's groups have what writes, too."""

        def check(transaction: Transaction) -> int:
            groups = {name: one for name, one in get_type_hints(Transaction).items() if isinstance(one, type)}
            found = {name: protocol for name, protocol in groups.items() if hasattr(transaction, name)}
            statements = {name: one for name, one in found.items() if one.__module__.startswith(STATEMENTS)}
            for name, protocol in statements.items():
                verify(self, protocol, getattr(transaction, name))
            return len(statements)

        self.assertEqual(self.write(check), 11)


STATEMENTS = "kernelnet.hub.storage.statements."
