"""
Trees written as WebAssembly directly: for the inner loop of a search, which has no 50 ms for a C compiler.

The module scores what the compiled C scores (the arithmetic is the same, operation by operation), and uses other fuel.
What is published is always the compiled C, measured again.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from kernelnet.expressions.syntax import Tree
from kernelnet.workbench.abi import Abi

__all__ = ["toWasm"]

# The WebAssembly core specification, chapter 5: binary format.
_F64 = b"\x7c"
_GET, _SET_AND_KEEP = b"\x20", b"\x22"
_IF_F64, _ELSE, _END = b"\x04\x7c", b"\x05", b"\x0b"
_LESS, _ABS, _SQRT, _ADD, _SUB, _MUL, _DIV = b"\x63", b"\x99", b"\x9f", b"\xa0", b"\xa1", b"\xa2", b"\xa3"
_BITS, _FROM_U64 = b"\xbd", b"\xba"
_SIMPLE = {
    "add": _ADD,
    "sub": _SUB,
    "mul": _MUL,
    "neg": b"\x9a",
    "min": b"\xa4",
    "max": b"\xa5",
    "sqrt": _ABS + _SQRT,
}


def _count(number: int) -> bytes:
    """LEB128."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _vector(items: Iterable[bytes]) -> bytes:
    listed = list(items)
    return _count(len(listed)) + b"".join(listed)


def _section(number: int, content: bytes) -> bytes:
    return bytes([number]) + _count(len(content)) + content


def _number(value: float) -> bytes:
    return b"\x44" + struct.pack("<d", value)


def toWasm(tree: Tree, abi: Abi) -> bytes:
    """A module of a rank ABI."""
    index = {feature: _count(at) for at, feature in enumerate(abi.features)}
    count = len(abi.features)
    spare = _count(count)

    def code(tree: Tree) -> bytes:
        if isinstance(tree, float):
            return _number(tree)
        if isinstance(tree, str):
            return _GET + index[tree]
        operands = [code(operand) for operand in tree[1:]]
        match tree[0]:
            case "iflt":
                less, than, yes, no = operands
                return less + than + _LESS + _IF_F64 + yes + _ELSE + no + _END
            case "aq":
                square = operands[1] + _SET_AND_KEEP + spare + _GET + spare + _MUL
                return operands[0] + _number(1.0) + square + _ADD + _SQRT + _DIV
            case "lg":
                bits = operands[0] + _ABS + _number(1.0) + _ADD + _BITS + _FROM_U64
                return bits + _number(2.0**-52) + _MUL + _number(1023.0) + _SUB
            case operation:
                return b"".join(operands) + _SIMPLE[operation]

    body = _vector([_count(1) + _F64]) + code(tree) + _END
    kind = b"\x60" + _vector([_F64] * count) + _vector([_F64])
    name = abi.function.encode("ascii")
    return b"".join(
        (
            b"\0asm\1\0\0\0",
            _section(1, _vector([kind])),
            _section(3, _vector([_count(0)])),
            _section(7, _vector([_count(len(name)) + name + b"\x00" + _count(0)])),
            _section(10, _vector([_count(len(body)) + body])),
        )
    )
