"""
Counts of a module's sections, made before anything else looks at it.

A few hundred bytes can declare much: wasmtime's compiler writes out each table with its initial elements (four tables
of a million take 24 MB in every process that loads the module), and its lists of exports hold every parameter of every
function.  The limits that wasmtime has itself come later, or are those of a store, which other instances share.
"""

from __future__ import annotations

from kernelnet.workbench.errors import OutOfMemory, TooLarge

__all__ = ["MAX_ELEMENTS", "MAX_EXPORTS", "MAX_TABLES", "checkCounts"]

MAX_TABLES = 4
"""Of a component's module; a C compiler makes one at most."""

MAX_ELEMENTS = 10_000
"""Of one table."""

MAX_EXPORTS = 64
"""Of a component's module; it needs five, and a C compiler adds its memory."""

_TABLES, _EXPORTS = 4, 7
_MAX_LEB = 5


def checkCounts(wasm: bytes) -> None:
    """
    C{wasm} need not be valid: what can't be read here is left to the translator to refuse.

    @raise OutOfMemory: its tables are too many or too large.
    @raise TooLarge: it has too many exports.
    """
    try:
        at = 8
        while at < len(wasm):
            kind = wasm[at]
            size, at = _number(wasm, at + 1)
            if kind == _TABLES:
                _checkTables(wasm, at)
            elif kind == _EXPORTS and _number(wasm, at)[0] > MAX_EXPORTS:
                raise TooLarge(f"the module has more than {MAX_EXPORTS} exports")
            at += size
    except (IndexError, ValueError):
        return


def _checkTables(wasm: bytes, at: int) -> None:
    count, at = _number(wasm, at)
    if count > MAX_TABLES:
        raise OutOfMemory(f"the module has more than {MAX_TABLES} tables")
    for _ in range(count):
        # One byte of type, one that tells whether a maximum follows; whatever else there may be is switched off.
        bounded = wasm[at + 1]
        least, at = _number(wasm, at + 2)
        if least > MAX_ELEMENTS:
            raise OutOfMemory(f"the module has a table of more than {MAX_ELEMENTS} elements")
        if bounded:
            _, at = _number(wasm, at)


def _number(wasm: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128, and where it ends."""
    value = 0
    for index in range(_MAX_LEB):
        byte = wasm[at + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, at + index + 1
    raise ValueError("a number without an end")
