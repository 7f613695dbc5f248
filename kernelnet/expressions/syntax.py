"""
Expressions over the features of a rank ABI: read, printed, reckoned, and written as C or as WebAssembly.

A tree is a feature's name (C{str}), a finite number (C{float}), or a tuple of an operation and its operands.  As text::

    expression = term { ("+" | "-") term }           add, sub: from the left
    term       = factor { "*" factor }               mul
    factor     = "-" factor | number | feature | "(" expression ")"
               | "min(a, b)" | "max(a, b)" | "sqrt(a)" | "lg(a)" | "aq(a, b)" | "iflt(a, b, c, d)"

C{sqrt}, C{lg} (about a logarithm) and C{aq} (about a quotient) are the functions of C{kn.h}, defined for all
numbers; C{iflt(a, b, c, d)} is C{c} where C{a < b}, else C{d}.  All is IEEE arithmetic of 64 bits, operation by
operation, so that a tree has the same value as C, as WebAssembly written directly, and in Python.

Text may be a stranger's: it is at most `MAX_TEXT` characters, `MAX_NODES` nodes and `MAX_DEPTH` deep.
"""

from __future__ import annotations

import math
import re
import struct
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kernelnet.workbench.abi import Abi

__all__ = [
    "ARITY",
    "MAX_DEPTH",
    "MAX_NODES",
    "MAX_TEXT",
    "ExpressionError",
    "Tree",
    "apply",
    "depth",
    "evaluate",
    "fromSource",
    "parse",
    "parts",
    "size",
    "text",
    "textIn",
    "toC",
]

Tree = float | str | tuple[Any, ...]

ARITY: Mapping[str, int] = {
    "add": 2,
    "sub": 2,
    "mul": 2,
    "neg": 1,
    "min": 2,
    "max": 2,
    "sqrt": 1,
    "lg": 1,
    "aq": 2,
    "iflt": 4,
}
"""Number of operands of each operation."""

MAX_TEXT = 16_000
MAX_NODES = 1000
MAX_DEPTH = 60

_CALLS = ("min", "max", "sqrt", "lg", "aq", "iflt")
_WORD = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)|(?P<name>[A-Za-z_][A-Za-z_0-9]*)|(?P<sign>[-+*(),]))"
)
_LABEL = "expression: "


class ExpressionError(ValueError):
    """The text is no expression over these features; the message says where and what would be right."""


def size(tree: Tree) -> int:
    """Number of nodes."""
    return sum(1 for _ in parts(tree))


def depth(tree: Tree) -> int:
    """Number of nodes from the root to the farthest leaf."""
    deepest, waiting = 0, [(tree, 1)]
    while waiting:
        node, level = waiting.pop()
        deepest = max(deepest, level)
        if isinstance(node, tuple):
            waiting.extend((operand, level + 1) for operand in node[1:])
    return deepest


def parts(tree: Tree) -> Iterator[Tree]:
    """The tree and all that are in it, the root first."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, tuple):
            waiting.extend(reversed(node[1:]))


# --- from text -------------------------------------------------------------------------------------------------


class _Parser:
    """Reads one expression; recursive, to a bounded depth."""

    def __init__(self, source: str, features: Sequence[str]) -> None:
        if len(source) > MAX_TEXT:
            raise ExpressionError(f"the expression has {len(source)} characters; at most {MAX_TEXT} are read")
        self._source, self._features = source, frozenset(features)
        self._at = self._nodes = self._depth = 0
        self._kind, self._word = "", ""
        self._next()

    def whole(self) -> Tree:
        tree = self._sum()
        if self._kind:
            raise self._wrong("an operator or the end")
        # Chains of operators are deep without being nested.
        if depth(tree) > MAX_DEPTH:
            raise ExpressionError(f"the expression is more than {MAX_DEPTH} deep")
        return tree

    def _next(self) -> None:
        found = _WORD.match(self._source, self._at)
        if found is None:
            if self._source[self._at :].strip():
                raise self._wrong("a number, a feature or an operator", self._source[self._at :].strip()[0])
            self._kind = self._word = ""
            return
        self._at = found.end()
        self._kind = str(found.lastgroup)
        self._word = found.group(self._kind)

    def _wrong(self, right: str, word: str | None = None) -> ExpressionError:
        seen = self._word if word is None else word
        what = repr(seen[:40]) if seen else "the end"
        return ExpressionError(f"character {self._at}: there is {what}; it should be {right}")

    def _take(self, sign: str) -> None:
        if self._word != sign:
            raise self._wrong(repr(sign))
        self._next()

    def _node(self, *node: Any) -> Tree:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise ExpressionError(f"the expression has more than {MAX_NODES} nodes")
        return node if len(node) > 1 else node[0]

    def _sum(self) -> Tree:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(f"the expression is more than {MAX_DEPTH} deep")
        tree = self._product()
        while self._word in ("+", "-"):
            operation = "add" if self._word == "+" else "sub"
            self._next()
            tree = self._node(operation, tree, self._product())
        self._depth -= 1
        return tree

    def _product(self) -> Tree:
        tree = self._factor()
        while self._word == "*":
            self._next()
            tree = self._node("mul", tree, self._factor())
        return tree

    def _factor(self) -> Tree:
        signs = 0
        while self._word == "-":
            self._next()
            signs += 1
        negative = signs and self._kind == "number"
        tree = self._primary()
        if negative:
            # A sign before a number is part of it.
            assert isinstance(tree, float)
            tree, signs = -tree, signs - 1
        for _ in range(signs):
            tree = self._node("neg", tree)
        return tree

    def _primary(self) -> Tree:
        kind, word = self._kind, self._word
        if kind == "number":
            value = float(word)
            if math.isinf(value):
                raise self._wrong("a number below 1.8e308")
            self._next()
            return self._node(value)
        if word == "(":
            self._next()
            tree = self._sum()
            self._take(")")
            return tree
        if kind != "name":
            raise self._wrong("a number, a feature or a parenthesis")
        if word in self._features:
            self._next()
            return self._node(word)
        if word not in _CALLS:
            raise self._wrong(f"one of {', '.join([*sorted(self._features), *_CALLS])}")
        self._next()
        self._take("(")
        operands = [self._sum()]
        for _ in range(ARITY[word] - 1):
            self._take(",")
            operands.append(self._sum())
        self._take(")")
        return self._node(word, *operands)


def parse(source: str, features: Sequence[str]) -> Tree:
    """
    @param features: the names that may be used.
    @raise ExpressionError: it is no expression, or too large a one.
    """
    return _Parser(source, features).whole()


# --- to text ---------------------------------------------------------------------------------------------------

_SUM, _PRODUCT, _FACTOR = range(3)
_INFIX = {"add": (" + ", _SUM), "sub": (" - ", _SUM), "mul": (" * ", _PRODUCT)}


def _infix(tree: Tree, least: int, call: Any) -> str:
    """@param least: what binds less tightly is put into parentheses.  @param call: prints the other operations."""
    if isinstance(tree, float):
        return repr(tree)
    if isinstance(tree, str):
        return tree
    operation = tree[0]
    if operation in _INFIX:
        sign, binds = _INFIX[operation]
        printed = f"{_infix(tree[1], binds, call)}{sign}{_infix(tree[2], binds + 1, call)}"
        return f"({printed})" if binds < least else printed
    if operation == "neg":
        inner = _infix(tree[1], _FACTOR, call)
        # A number takes a sign for its own, and C takes two for another operator.
        return f"-({inner})" if isinstance(tree[1], float) or inner.startswith("-") else f"-{inner}"
    printed = call(operation, tree[1:])
    return str(printed)


def text(tree: Tree) -> str:
    """The expression on one line; `parse` makes the same tree of it."""

    def call(operation: str, operands: Sequence[Tree]) -> str:
        return f"{operation}({', '.join(_infix(o, _SUM, call) for o in operands)})"

    return _infix(tree, _SUM, call)


# --- C ---------------------------------------------------------------------------------------------------------


def _c(tree: Tree) -> str:
    def call(operation: str, operands: Sequence[Tree]) -> str:
        printed = [_infix(o, _SUM, call) for o in operands]
        if operation == "iflt":
            return f"({printed[0]} < {printed[1]} ? {printed[2]} : {printed[3]})"
        return f"kn_{operation}({', '.join(printed)})"

    return _infix(tree, _SUM, call)


def _statements(tree: Tree, indent: str) -> Iterator[str]:
    """A cascade of conditions reads better as one."""
    while isinstance(tree, tuple) and tree[0] == "iflt":
        _, less, than, yes, tree = tree
        if isinstance(yes, tuple) and yes[0] == "iflt":
            yield f"{indent}if ({_c(less)} < {_c(than)}) {{"
            yield from _statements(yes, indent + "    ")
            yield f"{indent}}}"
        else:
            yield f"{indent}if ({_c(less)} < {_c(than)}) return {_c(yes)};"
    yield f"{indent}return {_c(tree)};"


def toC(tree: Tree, abi: Abi, header: str, remark: str = "") -> str:
    """
    The C source of a component, as it is published; `fromSource` finds the tree in it.

    @param abi: a rank ABI.
    @param header: the file to include, such as C{"kn_file_system.h"}.
    @param remark: what it is, for people.
    """
    lines = [f"/*\n * {abi.identifier}" + (f": {' '.join(remark.replace('*/', '').split())}" if remark else ""), " *"]
    lines += [f" * {_LABEL}{first}" if not at else f" *     {first}" for at, first in enumerate(_wrapped(text(tree)))]
    lines += [" */", f'#include "{header}"', ""]
    lines += _folded(f"f64 {abi.function}({', '.join(f'f64 {feature}' for feature in abi.features)}) {{")
    for statement in _statements(tree, "    "):
        lines += _folded(statement)
    return "\n".join([*lines, "}", ""])


def _folded(line: str) -> list[str]:
    """A line of C as several where it is long."""
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.wrap(
        line.strip(),
        118,
        initial_indent=indent,
        subsequent_indent=f"{indent}        ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _wrapped(printed: str) -> list[str]:
    return textwrap.wrap(printed, 100, break_long_words=False, break_on_hyphens=False) or [printed]


def textIn(source: str) -> str | None:
    """The text of the expression that a source says it was written from, on one line; C{None}: it says none."""
    start = source.find(_LABEL)
    if start < 0:
        return None
    # To the end of the comment; each further line begins with " *".
    comment = source[start + len(_LABEL) : start + len(_LABEL) + 2 * MAX_TEXT].partition("*/")[0]
    return " ".join(re.sub(r"\n[ \t]*\*", "\n", comment).split())[:MAX_TEXT]


def fromSource(source: str, features: Sequence[str]) -> Tree | None:
    """
    The tree that a source says it was written from.

    Nothing proves that the C code is this tree: who needs that measures both.

    @return: C{None}: it says none, or none over these features.
    """
    found = textIn(source)
    try:
        return None if found is None else parse(found, features)
    except ExpressionError:
        return None


# --- values ----------------------------------------------------------------------------------------------------


def evaluate(tree: Tree, values: Mapping[str, float]) -> float:
    """Its value where the features have these values: what C{kn.h} and WebAssembly give, to the bit (but of NaN)."""
    if isinstance(tree, float):
        return tree
    if isinstance(tree, str):
        return values[tree]
    if tree[0] == "iflt":
        yes = evaluate(tree[1], values) < evaluate(tree[2], values)
        return evaluate(tree[3] if yes else tree[4], values)
    return apply(tree[0], [evaluate(operand, values) for operand in tree[1:]])


def apply(operation: str, operands: Sequence[float]) -> float:
    """The value of an operation other than iflt."""
    a, b = operands[0], operands[-1]
    match operation:
        case "add":
            return a + b
        case "sub":
            return a - b
        case "mul":
            return a * b
        case "neg":
            return -a
        case "min" | "max":
            return _extreme(a, b, operation == "min")
        case "sqrt":
            return math.sqrt(abs(a))
        case "lg":
            bits: int = struct.unpack("<Q", struct.pack("<d", abs(a) + 1.0))[0]
            return float(bits) * 2.0**-52 - 1023.0
        case "aq":
            return a / math.sqrt(1.0 + b * b)
    raise ValueError(f"there is no operation {operation!r}")


def _extreme(a: float, b: float, least: bool) -> float:
    """As WebAssembly has it: NaN if either is, and -0 < 0."""
    if math.isnan(a) or math.isnan(b):
        return math.nan
    if a == b:
        negative = math.copysign(1.0, a) < 0
        return a if negative is least else b
    return min(a, b) if least else max(a, b)
