"""
Attacks on the sandbox, by name: what a hostile module is made of, and the class of error that it ends with.

Each is written for any ABI: its code stands in the function that is called first (`Carrier.make`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kernelnet.workbench import sandbox
from kernelnet.workbench.abi import Abi
from kernelnet.workbench.errors import (
    CompileTooCostly,
    ComponentError,
    ForbiddenImport,
    InvalidModule,
    OutOfFuel,
    OutOfMemory,
    StackOverflow,
    TooLarge,
    Trapped,
    WrongExport,
)
from tests.workbench.wasm import CONSTANTS, I32, MAGIC, ZERO, body, component, leb, section, sleb, vec

__all__ = ["ATTACKS", "Attack", "Carrier"]


@dataclass(frozen=True)
class Carrier:
    """A harmless component of an ABI, to carry attacks."""

    abi: Abi

    @property
    def first(self) -> str:
        """The function that is called first."""
        return "kn_init" if "kn_init" in self.abi.required else self.abi.function

    @property
    def own(self) -> int:
        """The number of the first further function, and of the type without parameters."""
        return len(self.abi.required)

    @property
    def typed(self) -> int:
        """The number of a function that has parameters or a result."""
        return next(number for number, shape in enumerate(self.abi.required.values()) if shape != ((), ()))

    def make(self, code: bytes = b"", locals_: bytes = b"\0", **sections: Any) -> bytes:
        """@param code: run at the begin of the first function; leaves nothing."""
        result = b"".join(CONSTANTS[kind] for kind in self.abi.required[self.first][1])
        return component(self.abi.required, {self.first: code + result}, locals_={self.first: locals_}, **sections)

    def variable(self, number: int) -> bytes:
        """The index of the first function's own variable."""
        return leb(len(self.abi.required[self.first][0]) + number)

    def without(self, name: str) -> bytes:
        required = {("no" + key[2:] if key == name else key): shape for key, shape in self.abi.required.items()}
        return component(required)

    def exporting(self, kind: bytes) -> bytes:
        """Its first function's name is that of something else."""
        name = self.first.encode()
        number = list(self.abi.required).index(self.first)
        globals_ = vec([I32 + b"\0" + ZERO + b"\x0b"])
        wasm = self.make(memory=PAGE, tables=vec([b"\x70\0\1"]), globals_=globals_)
        return wasm.replace(leb(len(name)) + name + b"\0" + leb(number), leb(len(name)) + name + kind)


@dataclass(frozen=True)
class Attack:
    """
    @ivar error: what it ends with.
    @ivar make: the module, for a carrier.
    @ivar words: stand in the message.
    @ivar once: what is done does not depend on the ABI, and takes long: on one is enough.
    """

    error: type[ComponentError]
    make: Callable[[Carrier], bytes]
    words: str = ""
    once: bool = False


PAGE = vec([b"\0\1"])
LARGE = vec([b"\0" + leb(200)])
TABLE = vec([b"\x70\0\4"])
DROP = b"\x1a"


def at(offset: int, data: bytes) -> bytes:
    """A segment of initial data."""
    return b"\0\x41" + sleb(offset) + b"\x0b" + leb(len(data)) + data


def element(offset: int, function: int = 0) -> bytes:
    """A segment of elements: one function, by its number."""
    return b"\0\x41" + sleb(offset) + b"\x0b\1" + leb(function)


def i32(number: int) -> bytes:
    return b"\x41" + sleb(number)


def forever(code: bytes) -> bytes:
    return b"\x03\x40" + code + b"\x0c\0\x0b"


def imported(module: bytes, name: bytes, kind: bytes) -> bytes:
    return vec([leb(len(module)) + module + leb(len(name)) + name + kind])


def craneliftBomb(carrier: Carrier) -> bytes:
    """Deeply nested loops over many variables."""
    depth, count = 4000, 5000
    steps = b"".join(
        b"\x20" + carrier.variable(i) + b"\x41\1\x6a\x22" + carrier.variable(i) + b"\x0d" + leb(i % depth)
        for i in range(depth)
    )
    return carrier.make(b"\x03\x40" * depth + steps + b"\x0b" * depth, locals_=vec([leb(count) + I32]))


def farTables(carrier: Carrier) -> bytes:
    size = 1 << 20
    far = vec([b"\2" + leb(index) + i32(size - 1) + b"\x0b\0\1\0" for index in range(4)])
    return carrier.make(tables=vec([b"\x70\0" + leb(size)] * 4), elements=far)


def _code(code: bytes, **sections: Any) -> Callable[[Carrier], bytes]:
    return lambda carrier: carrier.make(code, **sections)


def _sections(**sections: Any) -> Callable[[Carrier], bytes]:
    return lambda carrier: carrier.make(**sections)


def _bytes(data: bytes) -> Callable[[Carrier], bytes]:
    return lambda carrier: data


def _importing(module: bytes, name: bytes, kind: bytes) -> Callable[[Carrier], bytes]:
    def make(carrier: Carrier) -> bytes:
        shape = b"\0" + leb(carrier.own) if kind == b"function" else kind
        return carrier.make(imports=imported(module, name, shape))

    return make


NOT_A_MODULE: dict[str, bytes] = {
    "empty": b"",
    "one byte": b"\0",
    "an ELF program": b"\x7fELF" * 99,
    "text format": b"(module)",
    "another version": MAGIC[:4] + b"\2\0\0\0",
    "a WebAssembly component": MAGIC[:4] + b"\x0d\0\1\0",
    "a section without an end": MAGIC + b"\x04\xff\xff\xff\xff\xff\xff",
    "a number without an end": MAGIC + b"\x04\x80\x80\x80\x80\x80\x00",
    "a section beyond the end": MAGIC + b"\x07\xff\xff\xff\xff\x0f",
    "a section that stops": MAGIC + b"\x04",
    "more tables said than there are": MAGIC + section(4, leb(3) + b"\x70"),
}

FEATURES: dict[str, Callable[[Carrier], bytes]] = {
    "64-bit memory": _sections(memory=vec([b"\x04\x01"])),
    "64-bit table": _sections(tables=vec([b"\x70\4\1"])),
    "shared memory": _sections(memory=vec([b"\x03\x01\x02"])),
    "several memories": _sections(memory=vec([b"\x00\x01", b"\x00\x01"])),
    "memory with pages of one byte": _sections(memory=vec([b"\x08\x01\x00"])),
    "SIMD": _code(b"\xfd\x0c" + bytes(16) + DROP),
    "SIMD, relaxed": _code((b"\xfd\x0c" + bytes(16)) * 2 + b"\xfd\x80\x02" + DROP),
    "SIMD, from a number": _code(ZERO + b"\xfd\x0f" + DROP),
    "threads: a fence": _code(b"\xfe\x03\x00", memory=PAGE),
    "threads: an atomic load": _code(ZERO + b"\xfe\x10\x02\x00" + DROP, memory=PAGE),
    "threads: waiting": _code(ZERO + ZERO + b"\x42\x7f\xfe\x01\x02\x00" + DROP, memory=PAGE),
    "tail calls": lambda c: c.make(b"\x12" + leb(c.own), more=[body(b"")]),
    "exceptions, old": _code(b"\x06\x40\x19\x0b"),
    "exceptions": _code(b"\x1f\x40\0\x0b"),
    "garbage collection: structures": _sections(types=[b"\x5f\0"]),
    "garbage collection: arrays": _sections(types=[b"\x5e\x7f\1"]),
    "garbage collection: small numbers": _code(ZERO + b"\xfb\x1c" + DROP),
    "stack switching": lambda c: c.make(types=[b"\x5d" + leb(c.own)]),
    "typed references": lambda c: c.make(b"\xd0" + leb(c.own) + DROP),
    "wide arithmetic": _code(b"\x42\0" * 4 + b"\xfc\x13" + DROP + DROP),
}

MALFORMED: dict[str, Callable[[Carrier], bytes]] = {
    "cut off": lambda c: c.make()[:-9],
    "something behind the end": lambda c: c.make() + b"\xff",
    "a section twice": lambda c: c.make() + section(7, vec([])),
    "sections out of order": lambda c: c.make() + section(1, vec([])),
    "a section of no kind": lambda c: c.make() + section(99, b""),
    "a call of no function": _code(b"\x10\x63"),
    "a variable that isn't there": _code(b"\x20\xff\1" + DROP),
    "an empty stack": _code(DROP),
    "too many ends": _code(b"\x0b\x0b"),
    "a start function with a result": _sections(start=ZERO),
    "fifty thousand variables": _sections(locals_=vec([leb(50_001) + I32])),
    "more variables than fit": _sections(locals_=vec([leb(0xFFFFFFFF) + I32] * 2)),
    "a memory whose least is above its most": _sections(memory=vec([b"\1\2\1"])),
    "a memory beyond 4 GiB": _sections(memory=vec([b"\0" + leb(65537)])),
    "data without a memory": _sections(data=vec([at(0, b"x")])),
    "a name exported twice": lambda c: c.make(exports=[leb(len(c.first)) + c.first.encode() + b"\0\0"]),
    "a name that isn't UTF-8": _sections(exports=[b"\2\xff\xfe\0\0"]),
    "an export of what isn't there": _sections(exports=[b"\1x\0\x7f"]),
}

IMPORTS: dict[str, Callable[[Carrier], bytes]] = {
    "WASI: writing": _importing(b"wasi_snapshot_preview1", b"fd_write", b"function"),
    "WASI: opening files": _importing(b"wasi_snapshot_preview1", b"path_open", b"function"),
    "the driver's memory": _importing(b"env", b"memory", b"\2\0\1"),
    "the driver's function": _importing(b"driver", b"wb_run", b"function"),
    "another instance's function": _importing(b"policy", b"kn_init", b"function"),
    "a table": _importing(b"env", b"__indirect_function_table", b"\1\x70\0\1"),
    "a global": _importing(b"env", b"__stack_pointer", b"\3\x7f\1"),
    "a long, unprintable name": _importing(b"m", b"\x1b[31m\n" + b"x" * 5000, b"function"),
}

TRAPS: dict[str, tuple[Callable[[Carrier], bytes], str]] = {
    "unreachable": (_code(b"\0"), "unreachable"),
    "division by zero": (_code(i32(1) + ZERO + b"\x6d" + DROP), "divide by zero"),
    "remainder by zero": (_code(b"\x42\1\x42\0\x82" + DROP), "divide by zero"),
    "division that overflows": (_code(i32(-(1 << 31)) + i32(-1) + b"\x6d" + DROP), "overflow"),
    "conversion of not-a-number": (_code(b"\x43\0\0\xc0\x7f\xa8" + DROP), "conversion"),
    "conversion of infinity": (_code(b"\x44" + bytes(6) + b"\xf0\x7f\xaa" + DROP), "overflow"),
    "reading beyond memory": (_code(i32(65533) + b"\x28\2\0" + DROP, memory=PAGE), "out of bounds"),
    "reading far beyond": (_code(i32(-1) + b"\x28\2" + leb(0xFFFFFFFF) + DROP, memory=PAGE), "out of bounds"),
    "writing beyond memory": (_code(i32(1 << 30) + ZERO + b"\x36\2\0", memory=PAGE), "out of bounds"),
    "writing below memory": (_code(i32(-16) + ZERO + b"\x36\2\0", memory=PAGE), "out of bounds"),
    "filling beyond memory": (_code(i32(65000) + ZERO + i32(65536) + b"\xfc\x0b\0", memory=PAGE), "out of bounds"),
    "copying beyond memory": (_code(ZERO + i32(65000) + i32(999) + b"\xfc\x0a\0\0", memory=PAGE), "out of bounds"),
    "calling nothing": (lambda c: c.make(ZERO + b"\x11" + leb(c.own) + b"\0", tables=TABLE), "uninitialized"),
    "calling beyond the table": (lambda c: c.make(i32(77777) + b"\x11" + leb(c.own) + b"\0", tables=TABLE), "table"),
    "calling as another type": (
        lambda c: c.make(ZERO + b"\x11" + leb(c.own) + b"\0", tables=TABLE, elements=vec([element(0, c.typed)])),
        "type",
    ),
    "reading beyond a table": (_code(i32(-1) + b"\x25\0" + DROP, tables=TABLE), "table"),
    "elements beyond the table, later": (
        _code(ZERO + ZERO + i32(7) + b"\xfc\x0c\0\0", tables=TABLE, elements=vec([element(0)])),
        "table",
    ),
    "initial data beyond memory": (_sections(memory=PAGE, data=vec([at(65536, b"x")])), "out of bounds"),
    "initial data below memory": (_sections(memory=PAGE, data=vec([at(-1, b"x")])), "out of bounds"),
    "initial elements beyond the table": (_sections(tables=TABLE, elements=vec([element(4)])), "out of bounds"),
    "a start function that gives up": (_sections(start=b"\0"), "unreachable"),
}

ENDLESS: dict[str, Callable[[Carrier], bytes]] = {
    "a loop": _code(forever(b"")),
    "a loop in the start function": _sections(start=forever(b"")),
    "calling by pointer": lambda c: c.make(
        forever(i32(1) + b"\x11" + leb(c.own) + b"\0"), more=[body(b"")], tables=TABLE, elements=_pointer(c)
    ),
    "filling memory": _code(forever((ZERO + ZERO + i32(12 << 20) + b"\xfc\x0b\0") * 9), memory=LARGE),
    "copying memory": _code(forever((ZERO + ZERO + i32(12 << 20) + b"\xfc\x0a\0\0") * 9), memory=LARGE),
    "growing memory that is full": _code(forever(i32(1) + b"\x40\0" + DROP), memory=PAGE),
    "asking for the memory's size": _code(forever(b"\x3f\0" + DROP), memory=PAGE),
    "growing a table that is full": _code(forever(b"\xd0\x70" + i32(1) + b"\xfc\x0f\0" + DROP), tables=TABLE),
    "filling a table": _code(
        forever(ZERO + b"\xd0\x70" + i32(10_000) + b"\xfc\x11\0"), tables=vec([b"\x70\0" + leb(10_000)])
    ),
    "copying a table": _code(
        forever(ZERO + ZERO + i32(10_000) + b"\xfc\x0e\0\0"), tables=vec([b"\x70\0" + leb(10_000)])
    ),
    "square roots": _code(forever((b"\x44" + bytes(8) + b"\x9f" + DROP) * 50)),
}


def _pointer(carrier: Carrier) -> bytes:
    return vec([b"\0" + i32(1) + b"\x0b\1" + leb(carrier.own)])


GREEDY: dict[str, Callable[[Carrier], bytes]] = {
    "memory of 4 GiB": _sections(memory=vec([b"\0" + leb(65536)])),
    "memory of 300 MiB": _sections(memory=vec([b"\0" + leb(4800)])),
    "taking memory for ever": _code(
        forever(i32(16) + b"\x40\0" + i32(-1) + b"\x46\x04\x40\0\x0b"), memory=PAGE, exports=[b"\6memory\2\0"]
    ),
    "a table of ten million": _sections(tables=vec([b"\x70\0" + leb(10_000_000)])),
    "a table above the limit": _sections(tables=vec([b"\x70\0\1"] * 2 + [b"\x70\0" + leb(20_000)])),
    "five tables": _sections(tables=vec([b"\x70\0" + leb(9_000)] * 5)),
    "tables with an element at their far end": farTables,
}

ATTACKS: dict[str, Attack] = {
    **{f"no module: {name}": Attack(InvalidModule, _bytes(data)) for name, data in NOT_A_MODULE.items()},
    **{f"switched off: {name}": Attack(InvalidModule, make) for name, make in FEATURES.items()},
    **{f"malformed: {name}": Attack(InvalidModule, make) for name, make in MALFORMED.items()},
    **{f"import: {name}": Attack(ForbiddenImport, make, "nothing may be imported") for name, make in IMPORTS.items()},
    **{f"trap: {name}": Attack(Trapped, make, words) for name, (make, words) in TRAPS.items()},
    **{f"endless: {name}": Attack(OutOfFuel, make) for name, make in ENDLESS.items()},
    **{f"greedy: {name}": Attack(OutOfMemory, make) for name, make in GREEDY.items()},
    "recursion": Attack(
        StackOverflow, lambda c: c.make(b"\x10" + leb(c.own), more=[body(b"\x10" + leb(c.own))]), "stack"
    ),
    "recursion: of two": Attack(
        StackOverflow,
        lambda c: c.make(b"\x10" + leb(c.own), more=[body(b"\x10" + leb(c.own + 1)), body(b"\x10" + leb(c.own))]),
    ),
    "recursion: by pointer": Attack(
        StackOverflow,
        lambda c: c.make(
            b"\x10" + leb(c.own),
            more=[body(i32(1) + b"\x11" + leb(c.own) + b"\0")],
            tables=TABLE,
            elements=_pointer(c),
        ),
    ),
    "large: too many bytes": Attack(TooLarge, lambda c: c.make() + section(0, b"\1x" + bytes(sandbox.MAX_MODULE))),
    "large: thousands of exports": Attack(
        TooLarge, _sections(exports=[b"\4%04x" % number + b"\0\0" for number in range(7000)]), "exports"
    ),
    "export: a memory": Attack(WrongExport, lambda c: c.exporting(b"\2\0")),
    "export: a table": Attack(WrongExport, lambda c: c.exporting(b"\1\0")),
    "export: a global": Attack(WrongExport, lambda c: c.exporting(b"\3\0")),
    "export: kn_param with other parameters": Attack(
        WrongExport, lambda c: c.make(exports=[b"\x08kn_param\0" + leb(c.own)], more=[body(b"")]), "kn_param"
    ),
    "bomb for Cranelift": Attack(CompileTooCostly, craneliftBomb, "1 s", once=True),
}
