"""
Expressions made smaller without changing what is decided by them.

`simplified` has the same value for all finite features, but for the sign of a zero, which no operation turns into
anything else and no comparison sees.  So it does only what is exact in IEEE arithmetic: C{x + 0} is C{x}, but
C{(x + y) - y} is not.  Where a rule needs a number (no overflow, no infinity minus infinity) that is proved first.

`reductions` are the bolder steps, which a search tries and measures.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from kernelnet.expressions.syntax import Tree, apply, parts

__all__ = ["reductions", "replaced", "simplified"]


def simplified(tree: Tree) -> Tree:
    """An equal tree, mostly a smaller and cheaper one."""
    if not isinstance(tree, tuple):
        return tree
    node: Tree = (tree[0], *map(simplified, tree[1:]))
    simpler = _step(node)
    # What a rule has made is smaller or has fewer signs, so this ends.
    return node if simpler is node else simplified(simpler)


def _isFinite(tree: Tree) -> bool:
    """Whether it surely is a finite number where all features are."""
    if not isinstance(tree, tuple):
        return True
    # A sum or a product may overflow; the others give back their operands, or something smaller.
    match tree[0]:
        case "add" | "sub" | "mul":
            return False
        case "iflt":
            return _isFinite(tree[3]) and _isFinite(tree[4])
    return all(map(_isFinite, tree[1:]))


def _isNumber(tree: Tree) -> bool:
    """Whether it surely is a number, perhaps an infinite one."""
    if isinstance(tree, tuple) and tree[0] in ("add", "sub", "mul"):
        return all(map(_isFinite, tree[1:]))
    if isinstance(tree, tuple) and tree[0] == "aq":
        # Infinity by infinity is none.
        return _isFinite(tree[1]) and _isNumber(tree[2])
    if isinstance(tree, tuple):
        return all(map(_isNumber, tree[3:] if tree[0] == "iflt" else tree[1:]))
    return True


def _negated(tree: Tree) -> Tree | None:
    """The tree that C{tree} is the negation of, if it is one."""
    if isinstance(tree, tuple) and tree[0] == "neg":
        inner: Tree = tree[1]
        return inner
    if isinstance(tree, tuple) and tree[0] == "mul" and isinstance(tree[2], float) and tree[2] < 0:
        return ("mul", tree[1], -tree[2])
    return -tree if isinstance(tree, float) and tree < 0 else None


def _step(tree: Tree) -> Tree:
    """One rule applied at the root of a tree whose operands are simplified; the same object if none fits."""
    if not isinstance(tree, tuple):
        return tree
    operation: str = tree[0]
    operands: tuple[Tree, ...] = tree[1:]
    if operation == "iflt":
        return _conditional(tree)
    numbers = [operand for operand in operands if isinstance(operand, float)]
    if len(numbers) == len(operands):
        value = apply(operation, numbers)
        return value if math.isfinite(value) else tree
    first, last = operands[0], operands[-1]
    match operation:
        case "add":
            return _sum(tree, first, last)
        case "sub":
            return _difference(tree, first, last)
        case "mul":
            return _product(tree, first, last)
        case "neg":
            return _negation(tree, first)
        case "min" | "max":
            return _extreme(tree, first, last)
        case "sqrt" | "lg" if (inner := _negated(first)) is not None:
            return (operation, inner)
        case "aq" if (inner := _negated(last)) is not None:
            return ("aq", first, inner)
        case "aq" if last == 0.0:
            return first
        case "aq" if first == 0.0 and _isNumber(last):
            return 0.0
    return tree


def _sum(tree: Tree, a: Tree, b: Tree) -> Tree:
    if a == 0.0:
        return b
    if b == 0.0:
        return a
    if (inner := _negated(b)) is not None:
        return ("sub", a, inner)
    if (inner := _negated(a)) is not None:
        return ("sub", b, inner)
    return tree


def _difference(tree: Tree, a: Tree, b: Tree) -> Tree:
    if b == 0.0:
        return a
    if a == 0.0:
        return ("neg", b)
    if a == b and _isFinite(a):
        return 0.0
    if isinstance(b, tuple) and b[0] == "neg":
        return ("add", a, b[1])
    return tree


def _product(tree: Tree, a: Tree, b: Tree) -> Tree:
    if isinstance(a, float) and not isinstance(b, float):
        return ("mul", b, a)
    if b == 1.0:
        return a
    if b == -1.0:
        return ("neg", a)
    if b == 0.0 and _isFinite(a):
        return 0.0
    x, y = _negated(a), _negated(b)
    if x is not None and y is not None:
        return ("mul", x, y)
    if x is not None and isinstance(b, float):
        return ("mul", x, -b)
    return tree


def _negation(tree: Tree, a: Tree) -> Tree:
    if isinstance(a, tuple) and a[0] == "neg":
        inner: Tree = a[1]
        return inner
    if isinstance(a, tuple) and a[0] == "sub":
        return ("sub", a[2], a[1])
    if isinstance(a, tuple) and a[0] == "mul":
        factor: Tree = a[2]
        if isinstance(factor, float):
            return ("mul", a[1], -factor)
    return tree


def _extreme(tree: Tree, a: Tree, b: Tree) -> Tree:
    operation = tree[0] if isinstance(tree, tuple) else ""
    if a == b:
        return a
    other = "max" if operation == "min" else "min"
    for x, y in ((a, b), (b, a)):
        if isinstance(y, tuple) and y[0] == operation and x in y[1:]:
            return y
        # min(x, max(x, z)) is x, unless z is none.
        if isinstance(y, tuple) and y[0] == other and x in y[1:] and all(map(_isNumber, y[1:])):
            return x
    p, q = _negated(a), _negated(b)
    if p is not None and q is not None and not isinstance(a, float) and not isinstance(b, float):
        return ("neg", (other, p, q))
    return tree


def _conditional(tree: tuple[Any, ...]) -> Tree:
    a: Tree
    b: Tree
    yes: Tree
    no: Tree
    _, a, b, yes, no = tree
    if yes == no:
        return yes
    if a == b:
        return no
    if isinstance(a, float) and isinstance(b, float):
        return yes if a < b else no
    if _isNumber(a) and _isNumber(b):
        if (yes, no) == (a, b):
            return ("min", a, b)
        if (yes, no) == (b, a):
            return ("max", a, b)
    # The same question again has the same answer.
    if isinstance(yes, tuple) and yes[0] == "iflt" and yes[1:3] == (a, b):
        return ("iflt", a, b, yes[3], no)
    if isinstance(no, tuple) and no[0] == "iflt" and no[1:3] == (a, b):
        return ("iflt", a, b, yes, no[4])
    return tree


# --- bolder steps ----------------------------------------------------------------------------------------------


def replaced(tree: Tree, at: int, new: Tree) -> Tree:
    """The tree with its node number C{at}, in the order of `parts`, replaced."""
    left = at

    def walk(node: Tree) -> Tree:
        nonlocal left
        if left == 0:
            left -= 1
            return new
        left -= 1
        if not isinstance(node, tuple):
            return node
        return (node[0], *(walk(operand) if left >= 0 else operand for operand in node[1:]))

    return walk(tree)


def reductions(tree: Tree) -> Iterator[Tree]:
    """Smaller trees that may decide the same or not: each node replaced by one of its operands, or by a constant."""
    seen = {repr(tree)}
    for at, node in enumerate(parts(tree)):
        if not isinstance(node, tuple):
            continue
        operands = node[3:] if node[0] == "iflt" else node[1:]
        for new in (*operands, ("neg", operands[-1]), 0.0, 1.0):
            smaller = simplified(replaced(tree, at, new))
            if repr(smaller) not in seen:
                seen.add(repr(smaller))
                yield smaller
