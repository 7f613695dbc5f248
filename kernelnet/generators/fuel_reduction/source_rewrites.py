"""
C sources rewritten so that they do the same with fewer instructions.

Each rewriting is safe by what C says of it; whether it pays, and that nothing else has changed, is measured.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

__all__ = ["Rewriting", "conditions", "expected", "inlined", "leaner"]

Rewriting = Callable[[str], str | None]
"""Makes a new source of one; C{None} where there is nothing to do."""

_INCLUDE = re.compile(r'^#include "kn_\w+\.h"[ \t]*\n', re.M)
_HIDDEN = re.compile(
    r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|^[ \t]*#(?:\\\n|[^\n])*", re.S | re.M
)
_IF = re.compile(r"\bif\s*\(")
_INLINE = "#pragma clang attribute push(__attribute__((always_inline)), apply_to = function)\n"
_POP = "#pragma clang attribute pop\n"
_MOST_CONDITIONS = 60


def inlined(source: str) -> str | None:
    """All functions become part of those that call them; C{kn.h}'s too."""
    if _INLINE in source:
        return None
    return f"{_INLINE}{source.rstrip()}\n{_POP}"


def leaner(source: str) -> str | None:
    """C{kn.h}'s queues of ghosts make place for those of C{lean.h}."""
    include = _INCLUDE.search(source)
    if include is None or "kn_ghosts" not in source or "lean_ghosts" in source:
        return None
    library = Path(__file__).with_name("lean.h").read_text(encoding="utf-8")
    return f"{source[: include.end()]}\n{library}{source[include.end() :]}"


def expected(source: str, number: int, outcome: int) -> str | None:
    """
    Tell the compiler what the outcome of a condition mostly is: it lays the code out for that.

    @param number: which C{if} of the source, from 0 on.
    """
    visible = _visible(source)
    found = list(_IF.finditer(visible))
    if number >= len(found):
        return None
    start = found[number].end() - 1
    level = 0
    for at in range(start, len(visible)):
        level += {"(": 1, ")": -1}.get(visible[at], 0)
        if level == 0:
            condition = source[start + 1 : at]
            if condition.startswith("__builtin_expect") or "#" in condition:
                return None
            return f"{source[: start + 1]}__builtin_expect(!!({condition}), {outcome}){source[at:]}"
    return None


def conditions(source: str) -> int:
    """Number of conditions that are worth a try."""
    return min(_MOST_CONDITIONS, len(_IF.findall(_visible(source))))


def _visible(source: str) -> str:
    """As long as the source, with nothing in it that only looks like C."""
    return _HIDDEN.sub(lambda found: " " * len(found.group()), source)
