"""Modules that no C compiler makes: a small writer of the binary format, enough for attacks."""

from __future__ import annotations


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


I32, I64 = b"\x7f", b"\x7e"
TYPES = [
    b"\x60" + vec([I32]) + vec([]),  # kn_init
    b"\x60" + vec([I32, I32]) + vec([]),  # kn_hit
    b"\x60" + vec([I64, I32]) + vec([I32]),  # kn_victim
    b"\x60" + vec([I32, I64, I32]) + vec([]),  # kn_insert
    b"\x60" + vec([]) + vec([]),
]
NAMES = [b"kn_init", b"kn_hit", b"kn_victim", b"kn_insert"]
MAGIC = b"\0asm\1\0\0\0"
ZERO = b"\x41\0"


def policy(  # noqa: PLR0917
    init: bytes = b"",
    victim: bytes = ZERO,
    memory: bytes = b"",
    tables: bytes = b"",
    start: bytes | None = None,
    more: list[bytes] | None = None,
    initLocals: bytes = b"\0",
    elements: bytes = b"",
    data: bytes = b"",
    exports: list[bytes] | None = None,
    types: list[bytes] | None = None,
    globals_: bytes = b"",
) -> bytes:
    """
    A policy that always evicts slot 0.

    @param init, victim, start: code of kn_init, kn_victim and of a start function.
    @param memory, tables, globals_, elements, data: contents of these sections.
    @param exports, types: further entries of these sections.
    @param more: bodies of further functions without parameters.
    """
    more = [*(more or []), *([body(start)] if start is not None else [])]
    functions = [b"\0", b"\1", b"\2", b"\3"] + [b"\4"] * len(more)
    named = [leb(len(name)) + name + b"\0" + leb(index) for index, name in enumerate(NAMES)]
    bodies = [body(init, initLocals), body(b""), body(victim), body(b""), *more]
    return (
        MAGIC
        + section(1, vec(TYPES + (types or [])))
        + section(3, vec(functions))
        + (section(4, tables) if tables else b"")
        + (section(5, memory) if memory else b"")
        + (section(6, globals_) if globals_ else b"")
        + section(7, vec(named + (exports or [])))
        + (section(8, leb(len(functions) - 1)) if start is not None else b"")
        + (section(9, elements) if elements else b"")
        + section(10, vec(bodies))
        + (section(11, data) if data else b"")
    )
