"""An engine opened and closed, what its errors mean, and what it says of damage and of backups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.integrity import silent
from kernelnet.wire import WireProblem
from tests.hub.databases import InMemory, onEveryEngine
from tests.hub.storage.conformance.support import EngineTestCase
from tests.hub.storage.conformance.test_commits import everything, writeEverywhereAs


@onEveryEngine
class OpenTests(EngineTestCase):
    def test_empty(self) -> None:
        """A database that was just made has a log id, no rows, and the number 1 to give."""
        self.assertEqual((self.identity.head, self.identity.first), (0, 1))
        self.assertGreaterEqual(len(self.identity.logId), 32)
        self.assertEqual(self.append("a", "m").seq, 1)

    def test_itsOwnLog(self) -> None:
        """No two databases have one log id."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        other = type(self.database)(folder).engine()
        other.prepare()
        self.assertNotEqual(self.fired(other.open()).logId, self.identity.logId)
        other.close()

    def test_again(self) -> None:
        """The next engine finds all that was committed, under the same log id, and goes on with the numbers."""
        self.write(writeEverywhereAs("a"))
        self.write(writeEverywhereAs("b"))
        before = self.ask(everything)
        identity = self.again()
        self.assertEqual((identity.logId, identity.head, identity.first), (self.identity.logId, 2, 1))
        self.assertEqual(self.ask(everything), before)
        self.assertEqual(self.append("c", "m").seq, 3)

    def test_whereItStands(self) -> None:
        """The first position and the head stay true when rows were removed, also when all were."""
        for i in range(5):
            self.append("a", f"m{i}")
        self.remove(2)
        identity = self.again()
        self.assertEqual((identity.head, identity.first), (5, 3))
        self.remove(5)
        identity = self.again()
        self.assertEqual((identity.head, identity.first), (5, 6))

    def test_unclean(self) -> None:
        """It is told from an orderly end when the engine that had it last never closed it."""
        self.append("a", "m")
        killed = self.engine
        self.assertTrue(self.database.engine().prepare())
        killed.close()
        self.assertFalse(self.database.engine().prepare())

    def test_repr(self) -> None:
        """Its repr tells what it is."""
        self.assertRegex(repr(self.engine), rf"^<{self.database.name}Engine .* open>$")


@onEveryEngine
class ErrorTests(EngineTestCase):
    def test_words(self) -> None:
        """A sender is told to wait or to give up; what was said in words stays."""
        for error, code, errorClass in (
            (self.database.full, "storage_full", "retry"),
            (self.database.damage, "busy", "retry"),
            (self.database.poison, "invalid_message", "permanent"),
            (ValueError("mine"), "invalid_message", "permanent"),
        ):
            problem = self.engine.problemOf(error)
            self.assertEqual((problem.code, problem.errorClass.value), (code, errorClass), repr(error))
        problem = WireProblem("bad_credentials", "no")
        self.assertIs(self.engine.problemOf(problem), problem)

    def test_damage(self) -> None:
        """Damage is known as such, and nothing else is; the operator is told of it."""
        self.assertTrue(self.engine.isDamage(self.database.damage))
        for error in (self.database.full, self.database.poison, ValueError("mine"), WireProblem("busy", "no")):
            self.assertFalse(self.engine.isDamage(error), repr(error))
        self.assertIsInstance(self.engine.unusable(self.database.full), DatabaseError)
        self.assertIn(str(self.database.damage), str(self.engine.unusable(self.database.damage)))

    def test_remembered(self) -> None:
        """Damage that was written down lets nobody use the database any more."""
        self.append("a", "m")
        self.fired(self.engine.rememberDamage(self.database.damage))
        self.engine.close()
        with self.assertRaisesRegex(DatabaseError, str(self.database.damage)):
            self.database.engine().prepare()


@onEveryEngine
class CheckTests(EngineTestCase):
    def test_rows(self) -> None:
        """All rows are checked in slices from any position; none are left at the end."""
        for i in range(7):
            self.append("a", f"m{i}")
        self.remove(2)
        after: int | None = 0
        seen: list[int | None] = []
        while after is not None:
            after = self.fired(self.engine.checkRows(after))
            seen.append(after)
            self.assertLess(len(seen), 9)
        self.assertEqual(seen[-2:], [7, None])
        self.assertEqual(seen[:-1], sorted(seen[:-1], key=lambda seq: seq or 0))

    def test_none(self) -> None:
        """In an empty log there is nothing to check."""
        self.assertIsNone(self.fired(self.engine.checkRows(0)))


class NoBackupTests(EngineTestCase):
    databaseType = InMemory

    def test_backup(self) -> None:
        """An engine that has no backups says so, and changes nothing."""
        kept = self.append("a", "m")
        file = self.folder / "copy.db"
        nothing: Any = None
        for done in (
            self.engine.backUp(file, silent),
            self.engine.prepareRestore(file, silent),
            self.engine.replace(nothing),
        ):
            self.assertIn("in memory", str(self.failureResultOf(done, DatabaseError).value))
        self.assertFalse(file.exists())
        self.assertEqual(self.head(), kept.seq)

    def test_ofItsOwn(self) -> None:
        """An engine that is given no database has an empty one, which ends with it."""
        own = type(self.engine)()
        self.assertFalse(own.prepare())
        self.assertEqual(self.fired(own.open()).head, 0)
        own.close()
