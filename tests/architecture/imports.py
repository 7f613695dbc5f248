"""
A tree of Python modules as its sources tell it, without importing any of them.

An import counts wherever it stands: at the top, in a function, under C{TYPE_CHECKING}, relative or not.  A name of a
module in a string, as lazy plugins give it, is no import.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

__all__ = ["AnyParameter", "Import", "Module", "Tree", "readTree"]


@dataclass(frozen=True, order=True)
class Import:
    """
    One module's import of another.

    @ivar source: the module that imports.
    @ivar target: what it imports: a module of the tree, or else the dotted name as it stands there.
    @ivar line: where, from 1.
    """

    source: str
    target: str
    line: int


@dataclass(frozen=True, order=True)
class AnyParameter:
    """
    A parameter of a function, or a field of a dataclass, that is annotated C{Any} or C{Any | None}.

    @ivar path: the file, from the tree's root.
    @ivar line: where, from 1.
    @ivar function: name of the function or the dataclass.
    @ivar name: the parameter's.
    """

    path: str
    line: int
    function: str
    name: str


@dataclass(frozen=True)
class Module:
    """
    One file.

    @ivar name: its dotted name; that of a package's C{__init__} is the package's.
    @ivar path: from the tree's root.
    @ivar text: its source.
    """

    name: str
    path: str
    text: str

    @property
    def package(self) -> str:
        """The package that relative imports start from."""
        return self.name if self.path.endswith("__init__.py") else self.name.rpartition(".")[0]

    @cached_property
    def parsed(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.text, self.path)

    @property
    def lines(self) -> int:
        """Number of lines."""
        return len(self.text.splitlines())

    @property
    def docstring(self) -> str:
        """Its docstring; empty without one."""
        return ast.get_docstring(self.parsed) or ""

    @property
    def summary(self) -> str:
        """First line of its docstring."""
        return self.docstring.partition("\n")[0]

    def docstrings(self) -> Iterator[tuple[int, str]]:
        """Strings that stand alone, which explain what is around or before them: line and text."""
        for node in ast.walk(self.parsed):
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                yield node.lineno, node.value.value.strip()

    def anyParameters(self) -> Iterator[AnyParameter]:
        """Parameters that are annotated with nothing but C{Any}."""
        for node in ast.walk(self.parsed):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                given = node.args
                for one in (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg):
                    if one is not None and one.annotation is not None and _isAny(one.annotation):
                        yield AnyParameter(self.path, one.lineno, node.name, one.arg)
            elif isinstance(node, ast.ClassDef) and any(
                "dataclass" in ast.unparse(each) for each in node.decorator_list
            ):
                for field in node.body:
                    if (
                        isinstance(field, ast.AnnAssign)
                        and isinstance(field.target, ast.Name)
                        and _isAny(field.annotation)
                    ):
                        yield AnyParameter(self.path, field.lineno, node.name, field.target.id)


@dataclass(frozen=True)
class Tree:
    """
    Modules and their imports.

    @ivar modules: by name.
    @ivar imports: of several of one module by another the first.
    """

    modules: Mapping[str, Module]
    imports: tuple[Import, ...]

    def inside(self) -> Iterator[Import]:
        """Imports of modules of the tree."""
        return (each for each in self.imports if each.target in self.modules)

    def renamed(self, names: Mapping[str, str]) -> Tree:
        """The same tree, its modules called by other names, such as those that they got when they moved."""
        return Tree(
            {names.get(name, name): module for name, module in self.modules.items()},
            tuple(
                Import(names.get(each.source, each.source), names.get(each.target, each.target), each.line)
                for each in self.imports
            ),
        )


def readTree(root: Path, package: str = "kernelnet") -> Tree:
    """All C{.py} files of C{root}'s folder C{package}."""
    modules = {}
    for path in sorted((root / package).rglob("*.py")):
        relative = path.relative_to(root)
        name = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
        modules[name] = Module(name, relative.as_posix(), path.read_text("utf-8"))
    first: dict[tuple[str, str], int] = {}
    for module in modules.values():
        for target, line in sorted(_importsOf(module, modules), key=lambda each: each[1]):
            first.setdefault((module.name, target), line)
    return Tree(modules, tuple(Import(source, target, line) for (source, target), line in sorted(first.items())))


def _importsOf(module: Module, modules: Mapping[str, Module]) -> Iterator[tuple[str, int]]:
    for node in ast.walk(module.parsed):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.package.split(".")
                base = ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [base])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield (inner if inner in modules else base), node.lineno


def _isAny(annotation: ast.expr) -> bool:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        sides = [annotation.left, annotation.right]
        return any(map(_isAny, sides)) and all(_isAny(side) or _isNone(side) for side in sides)
    if isinstance(annotation, ast.Subscript):
        return ast.unparse(annotation.value).endswith("Optional") and _isAny(annotation.slice)
    return ast.unparse(annotation) in {"Any", "typing.Any"}


def _isNone(annotation: ast.expr) -> bool:
    return isinstance(annotation, ast.Constant) and annotation.value is None
