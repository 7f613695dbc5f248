"""
The binary format of WebAssembly modules, read into values: sections, types, constants, and bytes of code.

Only modules that `kernelnet.workbench.sandbox.loadModule` has let in are read here: they are valid, and import nothing.
What the engine admits and a translation doesn't is refused by its name.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from kernelnet.exporters.errors import Untranslatable
from kernelnet.exporters.instructions import LOADS, PREFIXED, SIMPLE, STORES, nameOf
from kernelnet.workbench.abi import Signature

__all__ = ["TYPES", "Function", "Global", "Memory", "Module", "Reader", "Segment", "readModule", "readOperands"]

TYPES = {0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64"}
"""Types of numbers, by their codes."""

T = TypeVar("T")
_MASK = {"i32": 0xFFFFFFFF, "i64": 0xFFFFFFFFFFFFFFFF}


class Reader:
    """A place in the bytes of a module, which reading moves on."""

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self.data = data
        self.at = at
        self.end = len(data) if end is None else end

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def _number(self) -> tuple[int, int]:
        """A LEB128: its bits, seven of each byte, and their number; the topmost may be a sign."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value, shift

    def unsigned(self) -> int:
        """An unsigned LEB128."""
        return self._number()[0]

    def signed(self) -> int:
        """A signed LEB128."""
        value, bits = self._number()
        return value - (1 << bits) if value >> (bits - 1) else value

    def take(self, size: int) -> bytes:
        self.at += size
        return self.data[self.at - size : self.at]

    def name(self) -> str:
        return self.take(self.unsigned()).decode("utf-8")

    def type(self) -> str:
        """A type of numbers.  @raise Untranslatable: of a reference."""
        code = self.byte()
        if code not in TYPES:
            raise Untranslatable(
                f"the module has values of a reference type (0x{code:02x}); numbers alone are translated"
            )
        return TYPES[code]


@dataclass(frozen=True)
class Function:
    """
    @ivar locals: types of its own variables, behind the parameters.
    @ivar start, end: where its code stands in the module, without its variables.
    """

    shape: Signature
    locals: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Global:
    """@ivar bits: of its first value, as an unsigned number."""

    type: str
    bits: int


@dataclass(frozen=True)
class Memory:
    """In pages of 64 KiB; C{most}: C{None} if the module sets no bound."""

    least: int
    most: int | None


@dataclass(frozen=True)
class Segment:
    """Bytes that stand in memory from the beginning, or numbers of functions that stand in a table."""

    offset: int
    data: bytes = b""
    functions: tuple[int | None, ...] = ()
    table: int = 0


@dataclass
class Module:
    """
    @ivar tables: number of elements of each.
    @ivar exports: numbers of exported functions, by name.
    @ivar start: the function that runs first of all.
    """

    data: bytes
    types: list[Signature] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    tables: list[int] = field(default_factory=list)
    memory: Memory | None = None
    globals: list[Global] = field(default_factory=list)
    exports: dict[str, int] = field(default_factory=dict)
    start: int | None = None
    elements: list[Segment] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)


def readModule(wasm: bytes) -> Module:
    """
    Read a valid module.

    @raise Untranslatable: it has tables of references that aren't functions, or segments that wait for an instruction.
    """
    module, shapes = Module(wasm), list[int]()
    reader = Reader(wasm, 8)
    while reader.at < len(wasm):
        kind, size = reader.byte(), reader.unsigned()
        section = Reader(wasm, reader.at, reader.at + size)
        reader.at += size
        if kind == 3:
            shapes = _many(section, section.unsigned)
        elif kind == 8:
            module.start = section.unsigned()
        elif kind == 10:
            for number in range(section.unsigned()):
                module.functions.append(_function(module, module.types[shapes[number]], section))
        elif kind in _SECTIONS:
            _SECTIONS[kind](module, section)
    return module


def _many(reader: Reader, read: Callable[[], T]) -> list[T]:
    return [read() for _ in range(reader.unsigned())]


def _types(module: Module, reader: Reader) -> None:
    for _ in range(reader.unsigned()):
        reader.byte()
        parameters = _many(reader, reader.type)
        module.types.append((tuple(parameters), tuple(_many(reader, reader.type))))


def _tables(module: Module, reader: Reader) -> None:
    for _ in range(reader.unsigned()):
        if reader.byte() != 0x70:
            raise Untranslatable("the module has a table of references to the outside; only functions are translated")
        bounded = reader.byte()
        module.tables.append(reader.unsigned())
        if bounded:
            reader.unsigned()


def _memory(module: Module, reader: Reader) -> None:
    for _ in range(reader.unsigned()):
        bounded = reader.byte()
        least = reader.unsigned()
        module.memory = Memory(least, reader.unsigned() if bounded else None)


def _globals(module: Module, reader: Reader) -> None:
    for _ in range(reader.unsigned()):
        kind = reader.type()
        reader.byte()
        module.globals.append(Global(kind, _constant(module, reader)))


def _exports(module: Module, reader: Reader) -> None:
    for _ in range(reader.unsigned()):
        name, kind, number = reader.name(), reader.byte(), reader.unsigned()
        if kind == 0:
            module.exports[name] = number


def _elements(module: Module, reader: Reader) -> None:
    """Bit 0: not placed by itself; bit 1: with a table's number (or declared only); bit 2: expressions for numbers."""
    for _ in range(reader.unsigned()):
        flags = reader.unsigned()
        if flags & 1:
            raise Untranslatable("the module has elements that wait for table.init, which is not translated")
        table = reader.unsigned() if flags & 2 else 0
        offset = _constant(module, reader)
        if flags & 2:
            reader.byte()
        functions = _many(reader, lambda: _reference(reader)) if flags & 4 else _many(reader, reader.unsigned)
        module.elements.append(Segment(offset, functions=tuple(functions), table=table))


def _reference(reader: Reader) -> int | None:
    """A constant expression that gives a function, or none."""
    code = reader.byte()
    if code == 0xD0:  # ref.null
        reader.byte()
        number = None
    elif code == 0xD2:  # ref.func
        number = reader.unsigned()
    else:
        raise Untranslatable("the module has elements that are computed, which is not translated")
    reader.byte()
    return number


def _data(module: Module, reader: Reader) -> None:
    for _ in range(reader.unsigned()):
        flags = reader.unsigned()
        if flags & 1:
            raise Untranslatable("the module has data that waits for memory.init, which is not translated")
        if flags & 2:
            reader.unsigned()
        offset = _constant(module, reader)
        module.segments.append(Segment(offset, reader.take(reader.unsigned())))


def _constant(module: Module, reader: Reader) -> int:
    """The bits of a constant expression's value; i32.add, i64.sub and their like are allowed in it."""
    stack = list[tuple[str, int]]()
    while (code := reader.byte()) != 0x0B:
        if code in (0x41, 0x42):
            kind = "i32" if code == 0x41 else "i64"
            stack.append((kind, reader.signed() & _MASK[kind]))
        elif code == 0x43:
            stack.append(("f32", struct.unpack("<I", reader.take(4))[0]))
        elif code == 0x44:
            stack.append(("f64", struct.unpack("<Q", reader.take(8))[0]))
        elif code == 0x23:
            found = module.globals[reader.unsigned()]
            stack.append((found.type, found.bits))
        elif code in _CONSTANT:
            (_, second), (kind, first) = stack.pop(), stack.pop()
            stack.append((kind, _CONSTANT[code](first, second) & _MASK[kind]))
        else:
            raise Untranslatable(f"the module has the instruction 0x{code:02x} in a constant, which is not translated")
    return stack[-1][1]


_CONSTANT: dict[int, Callable[[int, int], int]] = {
    **dict.fromkeys((0x6A, 0x7C), lambda a, b: a + b),
    **dict.fromkeys((0x6B, 0x7D), lambda a, b: a - b),
    **dict.fromkeys((0x6C, 0x7E), lambda a, b: a * b),
}


def _function(module: Module, shape: Signature, reader: Reader) -> Function:
    size = reader.unsigned()
    end = reader.at + size
    variables = list[str]()
    for _ in range(reader.unsigned()):
        count = reader.unsigned()
        variables += [reader.type()] * count
    start, reader.at = reader.at, end
    return Function(shape, tuple(variables), start, end)


_SECTIONS: dict[int, Callable[[Module, Reader], None]] = {
    1: _types,
    4: _tables,
    5: _memory,
    6: _globals,
    7: _exports,
    9: _elements,
    11: _data,
}
"""Readers of sections that need nothing of others, by number; the rest names, or counts, what others have."""


_BARE = (0x00, 0x01, 0x05, 0x0B, 0x0F, 0x1A, 0x1B)
_SIGNED = (0x02, 0x03, 0x04, 0x41, 0x42)
_UNSIGNED = (0x0C, 0x0D, 0x10, 0x20, 0x21, 0x22, 0x23, 0x24, 0x3F, 0x40)


def readOperands(reader: Reader, code: int) -> tuple[int, ...]:
    """
    Operands that stand behind an instruction's code; behind 0xfc the first is the rest of its code.

    @raise Untranslatable: the instruction isn't translated; it is named.
    """
    if code in SIMPLE or code in _BARE:
        return ()
    if code in _SIGNED:
        return (reader.signed(),)
    if code in _UNSIGNED:
        return (reader.unsigned(),)
    if code in LOADS or code in STORES or code == 0x11:
        return reader.unsigned(), reader.unsigned()
    if code == 0x0E:  # br_table
        return tuple(reader.unsigned() for _ in range(reader.unsigned() + 1))
    if code == 0x1C:  # select, with its type
        _many(reader, reader.type)
        return ()
    if code == 0x43:
        return (int.from_bytes(reader.take(4), "little"),)
    if code == 0x44:
        return (int.from_bytes(reader.take(8), "little"),)
    behind = reader.unsigned() if code == 0xFC else 0
    if code == 0xFC and behind in PREFIXED:
        return (behind,)
    if code == 0xFC and behind in (10, 11):  # memory.copy, memory.fill
        return behind, *(reader.unsigned() for _ in range(12 - behind))
    raise Untranslatable(f"the module has the instruction {nameOf(code, behind)}, which is not translated")
