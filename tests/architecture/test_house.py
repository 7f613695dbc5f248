"""The tree keeps the rules of the house."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.architecture import checks
from tests.architecture.__main__ import ROOT
from tests.architecture.imports import Tree, readTree


class HouseTests(SynchronousTestCase):
    tree: Tree

    @classmethod
    def setUpClass(cls) -> None:
        """The tree is read once."""
        cls.tree = readTree(ROOT)

    def assertNone(self, lines: list[str]) -> None:
        """There is nothing to tell."""
        self.assertEqual(lines, [], "\n" + "\n".join(lines))

    def test_circles(self) -> None:
        """No modules import each other, neither at once nor by a detour."""
        self.assertNone(checks.circles(self.tree))

    def test_arrows(self) -> None:
        """Each room imports only what it stands on."""
        self.assertNone(checks.againstRules(self.tree))

    def test_neverMeet(self) -> None:
        """Hub and trainer don't import each other, nor do generators and learning."""
        self.assertNone(checks.meetings(self.tree))

    def test_private(self) -> None:
        """A private module is for its own package."""
        self.assertNone(checks.privateImports(self.tree))

    def test_sqlite(self) -> None:
        """Only the storages know SQLite, and programs that record traces."""
        self.assertNone(checks.sqliteImports(self.tree))

    def test_engines(self) -> None:
        """Only who opens a database knows by which engine."""
        self.assertNone(checks.engineImports(self.tree))

    def test_long(self) -> None:
        """A module is short, or has its reason not to be."""
        self.assertNone(checks.longModules(self.tree))

    def test_docstrings(self) -> None:
        """A docstring begins with its noun or its verb."""
        self.assertNone(checks.questions(self.tree))

    def test_typed(self) -> None:
        """Scenarios, benches and problems are called by their interfaces."""
        self.assertNone(checks.untypedParameters(self.tree))
