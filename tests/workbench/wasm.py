"""Modules that no C compiler makes: a small writer of the binary format, enough for attacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kernelnet.workbench.abi import Signature
from kernelnet.workbench.file_system.abis import ABIS


def leb(number: int) -> bytes:
    """Unsigned LEB128."""
    result = bytearray()
    while True:
        low, number = number & 0x7F, number >> 7
        result.append(low | (0x80 if number else 0))
        if not number:
            return bytes(result)


def sleb(number: int) -> bytes:
    """Signed LEB128."""
    result = bytearray()
    while True:
        low, number = number & 0x7F, number >> 7
        if number == (-1 if low & 0x40 else 0):
            return bytes([*result, low])
        result.append(low | 0x80)


def vec(items: list[bytes]) -> bytes:
    return leb(len(items)) + b"".join(items)


def section(number: int, content: bytes) -> bytes:
    return bytes([number]) + leb(len(content)) + content


def body(code: bytes, locals_: bytes = b"\0") -> bytes:
    content = locals_ + code + b"\x0b"
    return leb(len(content)) + content


I32, I64, F32, F64 = b"\x7f", b"\x7e", b"\x7d", b"\x7c"
KINDS = {"i32": I32, "i64": I64, "f32": F32, "f64": F64}
MAGIC = b"\0asm\1\0\0\0"
ZERO = b"\x41\0"
CONSTANTS = {"i32": ZERO, "i64": b"\x42\0", "f32": b"\x43" + bytes(4), "f64": b"\x44" + bytes(8)}

FILE_SYSTEM = ABIS[0].required


def component(
    required: Mapping[str, Signature],
    code: Mapping[str, bytes] | None = None,
    *,
    locals_: Mapping[str, bytes] | None = None,
    imports: bytes = b"",
    memory: bytes = b"",
    tables: bytes = b"",
    start: bytes | None = None,
    more: Sequence[bytes] = (),
    elements: bytes = b"",
    data: bytes = b"",
    exports: Sequence[bytes] = (),
    types: Sequence[bytes] = (),
    globals_: bytes = b"",
) -> bytes:
    """
    A module that exports C{required}, as functions 0, 1, … of types 0, 1, …; the type behind them has no parameters.

    @param code: by name, what a function does; it leaves its result.  Without, a function does nothing and gives 0.
    @param locals_: by name, a function's own variables.
    @param start: code of a start function.
    @param imports, memory, tables, globals_, elements, data: contents of these sections; imported functions come first.
    @param exports, types: further entries of these sections.
    @param more: bodies of further functions without parameters; the first has the number C{len(required)}.
    """
    code, locals_, own = code or {}, locals_ or {}, len(required)
    plain = {name: b"".join(CONSTANTS[result] for result in results) for name, (_, results) in required.items()}
    bodies = [body(code.get(name, plain[name]), locals_.get(name, b"\0")) for name in required]
    bodies += [*more, *([body(start)] if start is not None else [])]
    shapes = [b"\x60" + vec([KINDS[p] for p in ps]) + vec([KINDS[r] for r in rs]) for ps, rs in required.values()]
    named = [leb(len(name)) + name.encode() + b"\0" + leb(index) for index, name in enumerate(required)]
    functions = [leb(min(index, own)) for index in range(len(bodies))]
    return (
        MAGIC
        + section(1, vec([*shapes, b"\x60\0\0", *types]))
        + (section(2, imports) if imports else b"")
        + section(3, vec(functions))
        + (section(4, tables) if tables else b"")
        + (section(5, memory) if memory else b"")
        + (section(6, globals_) if globals_ else b"")
        + section(7, vec([*named, *exports]))
        + (section(8, leb(len(functions) - 1)) if start is not None else b"")
        + (section(9, elements) if elements else b"")
        + section(10, vec(bodies))
        + (section(11, data) if data else b"")
    )


def policy(init: bytes = b"", victim: bytes = ZERO, initLocals: bytes = b"\0", **sections: Any) -> bytes:
    """A page cache's policy that always evicts slot 0; see `component`."""
    code = {"kn_init": init, "kn_victim": victim}
    return component(FILE_SYSTEM, code, locals_={"kn_init": initLocals}, **sections)
