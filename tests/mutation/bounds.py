"""
Make one bound after the other a thousand times larger wherever the program uses it, and see whether a test notices::

    python -m tests.mutation.bounds [MODULE …]

A bound is a number by a name in capitals: of a module, of a class, or of a call there (`Bounds(connections=…)`).  What
is made larger is each use in the program, not the number itself: so a test that says the number, one that says the
name, and one that has put a smaller number in its place, all see whether anybody keeps to it.  The number itself
is held by the table of the reference (`tests.docs.test_reference`), which is not asked here.

Its tests are those that say its name or mirror its module, then those of the module's folder, then those of whoever
uses it; on SQLite alone, unless it is PostgreSQL's.  Each bound is tried in a process of its own, forked before the
program was imported.  It is printed with the test that noticed, or C{NOT HELD}.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import os
import re
import signal
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from unittest import mock

import pytest

from tests.bounds import ROOT, Bound, bounds
from tests.mutation.run import modules, testsOf

FACTOR = 1000

PATIENCE = 120
"""Seconds that the tests of one bound may take; who takes longer has noticed it."""

OPTIONS = ["-q", "-x", "-n0", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:schemathesis", "-p", "no:anyio"]

QUICK = ["-k", "not ostgres and not OnMemory"]
"""Not of what is about PostgreSQL itself."""

LIBRARIES = (
    *("OpenSSL.SSL", "cryptography.x509", "msgspec", "numpy", "service_identity"),
    *("twisted.internet.testing", "twisted.logger", "twisted.protocols.tls", "wasmtime"),
)
"""Imported once, before the forks; none of them may import the reactor."""


def stages(bound: Bound) -> list[list[str]]:
    """Which tests are run one after the other, until one notices: the nearest first."""
    path = Path(bound.module)
    mirrored = Path("tests", *path.parts[1:-1], f"test_{path.name}")
    word = re.compile(rf"\b{bound.name.partition('.')[0]}\b")
    named = [
        str(test.relative_to(ROOT))
        for folder in ("hub", "trainer")
        for test in (ROOT / "tests" / folder).rglob("test_*.py")
        if word.search(test.read_text())
    ]
    near = dict.fromkeys([*([str(mirrored)] if (ROOT / mirrored).exists() else []), *named])
    folder = [name for name in testsOf(bound.module).split() if (ROOT / name).exists()]
    if len(path.parts) == 3:  # of all of a hub, or of a trainer: what is not about a part of it
        folder = [str(test.relative_to(ROOT)) for test in (ROOT / folder[0]).glob("test_*.py")]
    users = [
        name
        for module in modules()
        if module != bound.module and word.search((ROOT / module).read_text())
        if nameOf(bound.module).rpartition(".")[2] in (ROOT / module).read_text()
        for name in testsOf(module).split()
    ]
    return [stage for stage in ([*near], folder, [*dict.fromkeys(users)]) if stage]


def nameOf(module: str) -> str:
    """C{kernelnet/a/b.py} as it is imported."""
    return module.removesuffix(".py").replace("/", ".")


class Enlarged(ast.NodeTransformer):
    """
    A module with all that uses a bound made larger.

    @ivar names: names that the bound has in this module; C{holders}: those of what has it as an attribute.
    """

    def __init__(self, bound: Bound, module: str, tree: ast.Module) -> None:
        self._name, _, self._keyword = bound.name.partition(".")
        home = nameOf(bound.module)
        package, _, last = home.rpartition(".")
        self._isHome = module == home
        self.names: set[str] = set()
        self.holders: set[str] = set()
        if self._isHome:
            self.names.add(self._name)
            self.holders |= {"self", "cls", *(each.name for each in tree.body if isinstance(each, ast.ClassDef))}
        for statement in ast.walk(tree):
            if isinstance(statement, ast.ImportFrom):
                for each in statement.names:
                    if statement.module == home:
                        # A class may have the bound as well as the module.
                        (self.names if each.name == self._name else self.holders).add(each.asname or each.name)
                    elif (statement.module, each.name) == (package, last):
                        self.holders.add(each.asname or each.name)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        # That a text says another number holds nothing, unless it is SQL.
        isSql = any("LIMIT" in str(part.value) for part in node.values if isinstance(part, ast.Constant))
        return self.generic_visit(node) if isSql else node

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        if node.arg is not None and node.arg == self._keyword and self._isHome:
            node.value = larger(node.value)
            return node
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        isUse = isinstance(node.ctx, ast.Load) and node.id in self.names and not self._keyword
        return larger(node) if isUse else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        isUse = isinstance(node.ctx, ast.Load) and node.attr == self._name and not self._keyword
        return larger(node) if isUse and isinstance(node.value, ast.Name) and node.value.id in self.holders else node


def larger(node: ast.expr) -> ast.expr:
    made = ast.BinOp(ast.Constant(FACTOR), ast.Mult(), node)
    return ast.fix_missing_locations(ast.copy_location(made, node))


def enlarging(bound: Bound) -> contextlib.AbstractContextManager[object]:
    """While it lasts, what is imported of the program has a larger bound."""
    word = bound.name.partition(".")[0].encode()
    unchanged = SourceFileLoader.get_code

    def code(loader: SourceFileLoader, name: str) -> CodeType | None:
        if name.startswith("kernelnet.") and word in (text := loader.get_data(loader.path)):
            tree = ast.parse(text)
            return compile(Enlarged(bound, name, tree).visit(tree), loader.path, "exec")
        return unchanged(loader, name)

    return mock.patch.object(SourceFileLoader, "get_code", code)


class _First:
    """The first test that failed."""

    def __init__(self) -> None:
        self.name = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.name = self.name or report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.name = self.name or f"{report.nodeid} can't be imported"


def noticed(tests: list[str], bound: Bound) -> str:
    """The first test that fails; empty: none does."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            nowhere = os.open(os.devnull, os.O_RDWR)
            for descriptor in range(3):
                os.dup2(nowhere, descriptor)
            signal.alarm(PATIENCE)
            first = _First()
            with enlarging(bound):
                quick = QUICK if "postgres" not in bound.module else []
                pytest.main([*OPTIONS, *quick, *tests], plugins=[first])
            os.write(writing, f"{first.name}\n".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading) as answer:
        said = answer.read()
    _, status = os.waitpid(child, 0)
    if not said and os.WTERMSIG(status) != signal.SIGALRM:
        return f"pytest itself failed on {' '.join(tests)}"
    return said.strip() if said else f"over {PATIENCE} s"


def main(wanted: list[str]) -> None:
    os.chdir(ROOT)
    for library in LIBRARIES:
        importlib.import_module(library)
    missing = 0
    for module in wanted or modules():
        for bound in bounds(module):
            why = next((found for stage in stages(bound) if (found := noticed(stage, bound))), "")
            missing += not why
            sys.stdout.write(f"{module} {bound.name}: {why or 'NOT HELD'}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{missing} bounds are not held\n")


if __name__ == "__main__":
    main(sys.argv[1:])
