"""Bounds of the program: numbers by names in capitals."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["ROOT", "Bound", "bounds"]

ROOT = Path(__file__).resolve().parents[1]

NO_BOUNDS = re.compile(
    r"_?(\w+_)?(LOCK|VERSION|PORT|OLDEST_SERVER|OLDEST_NODE|FIRST_SCHEMA)|"  # names, not sizes
    r"_?(DAY|HOUR|MiB)|"  # units
    r"_RECORD|_ROOM"  # TLS has its records of this size (RFC 8446, 5.1), and our buffer takes one more
)


class Bound(NamedTuple):
    """
    Number in a module.

    @ivar name: C{NAME}, or C{NAME.keyword} of a call.
    @ivar begin, end: where its text is, in bytes.
    """

    module: str
    name: str
    begin: int
    end: int


def isNumber(node: ast.expr) -> bool:
    """Whether it is a number, or reckoned of such, maybe of other bounds."""
    if isinstance(node, ast.Constant):
        return type(node.value) in (int, float)
    if isinstance(node, ast.BinOp):
        return isNumber(node.left) and isNumber(node.right)
    if isinstance(node, ast.Attribute):
        return node.attr.isupper() and isinstance(node.value, ast.Name) and node.value.id.islower()
    return isinstance(node, ast.Name) and (node.id.isupper() or node.id == "MiB")


def isEnum(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and base.id.endswith("Enum") for base in node.bases)


def bounds(module: str) -> Iterator[Bound]:
    """Those of a module."""
    text = (ROOT / module).read_bytes()
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def bound(name: str, node: ast.expr) -> Iterator[Bound]:
        if isNumber(node) and not NO_BOUNDS.fullmatch(name):
            assert node.end_lineno is not None and node.end_col_offset is not None
            begin, end = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
            yield Bound(module, name, begin, end)
        elif isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg is not None and not isinstance(keyword.value, ast.Name):
                    yield from bound(f"{name}.{keyword.arg}", keyword.value)

    tree = ast.parse(text)
    classes = [each for each in tree.body if isinstance(each, ast.ClassDef) and not isEnum(each)]
    for statement in (*tree.body, *(one for each in classes for one in each.body)):
        if isinstance(statement, ast.AnnAssign) and statement.value is not None:
            pairs: list[tuple[ast.expr, ast.expr]] = [(statement.target, statement.value)]
        elif isinstance(statement, ast.Assign):
            target, value = statement.targets[0], statement.value
            pairs = [(target, value)]
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                pairs = list(zip(target.elts, value.elts, strict=True))
        else:
            continue
        for target, value in pairs:
            if isinstance(target, ast.Name) and target.id.isupper():
                yield from bound(target.id, value)
