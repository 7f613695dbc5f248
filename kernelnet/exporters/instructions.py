"""
Instructions of WebAssembly as data: the name of each, what it takes and gives, and the C expression that computes it.

A few that steer (blocks, branches, calls) or touch variables are known by name here, and are written out by
C{translation}.  Values stand in C variables of their own width, unsigned; C{native.h} has the functions that are named,
and so has C{bpf.h} for a processor without numbers with a point.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LOADS", "NAMES", "PREFIXED", "SIMPLE", "STORES", "Load", "Simple", "Store", "nameOf"]


@dataclass(frozen=True)
class Simple:
    """
    An instruction that takes values, gives one, and does nothing else, unless it traps.

    @ivar expression: in C; C{a} and C{b} are its operands in braces, C{m} is the instance.
    """

    name: str
    takes: tuple[str, ...]
    gives: str
    expression: str


@dataclass(frozen=True)
class Load:
    """@ivar stored: C type of what stands in memory; C{cast}: the C types that widen it, applied in order."""

    name: str
    gives: str
    stored: str
    cast: str = ""


@dataclass(frozen=True)
class Store:
    """@ivar stored: C type of what is put into memory."""

    name: str
    takes: str
    stored: str


def _comparisons(kind: str, first: int, names: tuple[str, ...]) -> dict[int, Simple]:
    """Of integers with a sign or without, by the end of the name; or of numbers with a point."""
    operators = {"eq": "==", "ne": "!=", "lt": "<", "gt": ">", "le": "<=", "ge": ">="}
    found = {}
    for number, name in enumerate(names):
        if kind[0] == "f":
            expression = f"kn_{name}{kind[1:]}({{a}}, {{b}})"
        else:
            cast = f"({kind})" if name.endswith("_s") else ""
            operator = operators[name.removesuffix("_s").removesuffix("_u")]
            expression = f"({cast}{{a}} {operator} {cast}{{b}})"
        found[first + number] = Simple(f"{kind}.{name}", (kind, kind), "i32", expression)
    return found


def _integers(kind: str, first: int, bits: int) -> dict[int, Simple]:
    """Arithmetic of one width; shifts take their count modulo the bits, division traps."""
    mask, signed = bits - 1, f"i{bits}"
    unary = {"clz": f"kn_clz{bits}({{a}})", "ctz": f"kn_ctz{bits}({{a}})", "popcnt": f"kn_popcnt{bits}({{a}})"}
    binary = {
        "add": "({a} + {b})",
        "sub": "({a} - {b})",
        "mul": "({a} * {b})",
        "div_s": f"kn_div_s{bits}(m, {{a}}, {{b}})",
        "div_u": f"kn_div_u{bits}(m, {{a}}, {{b}})",
        "rem_s": f"kn_rem_s{bits}(m, {{a}}, {{b}})",
        "rem_u": f"kn_rem_u{bits}(m, {{a}}, {{b}})",
        "and": "({a} & {b})",
        "or": "({a} | {b})",
        "xor": "({a} ^ {b})",
        "shl": f"({{a}} << ({{b}} & {mask}))",
        "shr_s": f"(u{bits})(({signed}){{a}} >> ({{b}} & {mask}))",
        "shr_u": f"({{a}} >> ({{b}} & {mask}))",
        "rotl": f"kn_rotl{bits}({{a}}, {{b}})",
        "rotr": f"kn_rotr{bits}({{a}}, {{b}})",
    }
    found = [Simple(f"{kind}.{name}", (kind,), kind, text) for name, text in unary.items()]
    found += [Simple(f"{kind}.{name}", (kind, kind), kind, text) for name, text in binary.items()]
    return {first + number: each for number, each in enumerate(found)}


def _floats(kind: str, first: int, bits: int) -> dict[int, Simple]:
    """Arithmetic gives the one NaN of the sandbox; moving a sign gives the bits as they are."""
    unary = ("abs", "neg", "ceil", "floor", "trunc", "nearest", "sqrt")
    binary = ("add", "sub", "mul", "div", "min", "max", "copysign")
    found = [Simple(f"{kind}.{name}", (kind,), kind, f"kn_{name}{bits}({{a}})") for name in unary]
    found += [Simple(f"{kind}.{name}", (kind, kind), kind, f"kn_{name}{bits}({{a}}, {{b}})") for name in binary]
    return {first + number: each for number, each in enumerate(found)}


def _conversions() -> dict[int, Simple]:
    rows = (
        ("i32.wrap_i64", "i64", "(u32){a}"),
        *((f"i32.trunc_{f}_{s}", f, f"kn_trunc_i32_{f}_{s}(m, {{a}})") for f in ("f32", "f64") for s in "su"),
        ("i64.extend_i32_s", "i32", "(u64)(i64)(i32){a}"),
        ("i64.extend_i32_u", "i32", "(u64){a}"),
        *((f"i64.trunc_{f}_{s}", f, f"kn_trunc_i64_{f}_{s}(m, {{a}})") for f in ("f32", "f64") for s in "su"),
        *(row for kind in ("f32", "f64") for row in _toFloat(kind)),
        ("i32.reinterpret_f32", "f32", "kn_bits32({a})"),
        ("i64.reinterpret_f64", "f64", "kn_bits64({a})"),
        ("f32.reinterpret_i32", "i32", "kn_f32({a})"),
        ("f64.reinterpret_i64", "i64", "kn_f64({a})"),
        ("i32.extend8_s", "i32", "(u32)(i32)(i8){a}"),
        ("i32.extend16_s", "i32", "(u32)(i32)(i16){a}"),
        ("i64.extend8_s", "i64", "(u64)(i64)(i8){a}"),
        ("i64.extend16_s", "i64", "(u64)(i64)(i16){a}"),
        ("i64.extend32_s", "i64", "(u64)(i64)(i32){a}"),
    )
    return {0xA7 + at: Simple(name, (taken,), name[:3], text) for at, (name, taken, text) in enumerate(rows)}


def _toFloat(kind: str) -> list[tuple[str, str, str]]:
    rows = [
        (f"{kind}.convert_{source}_{sign}", source, f"kn_convert_{kind}_{source}_{sign}({{a}})")
        for source in ("i32", "i64")
        for sign in "su"
    ]
    if kind == "f32":
        return [*rows, ("f32.demote_f64", "f64", "kn_demote({a})")]
    return [*rows, ("f64.promote_f32", "f32", "kn_promote({a})")]


_INTEGER = ("eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u")
_FLOAT = ("eq", "ne", "lt", "gt", "le", "ge")

SIMPLE: dict[int, Simple] = {
    0x45: Simple("i32.eqz", ("i32",), "i32", "({a} == 0)"),
    **_comparisons("i32", 0x46, _INTEGER),
    0x50: Simple("i64.eqz", ("i64",), "i32", "({a} == 0)"),
    **_comparisons("i64", 0x51, _INTEGER),
    **_comparisons("f32", 0x5B, _FLOAT),
    **_comparisons("f64", 0x61, _FLOAT),
    **_integers("i32", 0x67, 32),
    **_integers("i64", 0x79, 64),
    **_floats("f32", 0x8B, 32),
    **_floats("f64", 0x99, 64),
    **_conversions(),
}
"""By code."""

PREFIXED: dict[int, Simple] = {
    4 * (to == "i64") + 2 * (of == "f64") + (sign == "u"): Simple(
        f"{to}.trunc_sat_{of}_{sign}", (of,), to, f"kn_sat_{to}_{of}_{sign}({{a}})"
    )
    for to in ("i32", "i64")
    for of in ("f32", "f64")
    for sign in "su"
}
"""Conversions that never trap, by the number behind 0xfc."""

LOADS: dict[int, Load] = {
    0x28: Load("i32.load", "i32", "u32"),
    0x29: Load("i64.load", "i64", "u64"),
    0x2A: Load("f32.load", "f32", "f32"),
    0x2B: Load("f64.load", "f64", "f64"),
    0x2C: Load("i32.load8_s", "i32", "i8", "(u32)(i32)"),
    0x2D: Load("i32.load8_u", "i32", "u8"),
    0x2E: Load("i32.load16_s", "i32", "i16", "(u32)(i32)"),
    0x2F: Load("i32.load16_u", "i32", "u16"),
    0x30: Load("i64.load8_s", "i64", "i8", "(u64)(i64)"),
    0x31: Load("i64.load8_u", "i64", "u8"),
    0x32: Load("i64.load16_s", "i64", "i16", "(u64)(i64)"),
    0x33: Load("i64.load16_u", "i64", "u16"),
    0x34: Load("i64.load32_s", "i64", "i32", "(u64)(i64)"),
    0x35: Load("i64.load32_u", "i64", "u32"),
}

STORES: dict[int, Store] = {
    0x36: Store("i32.store", "i32", "u32"),
    0x37: Store("i64.store", "i64", "u64"),
    0x38: Store("f32.store", "f32", "f32"),
    0x39: Store("f64.store", "f64", "f64"),
    0x3A: Store("i32.store8", "i32", "u8"),
    0x3B: Store("i32.store16", "i32", "u16"),
    0x3C: Store("i64.store8", "i64", "u8"),
    0x3D: Store("i64.store16", "i64", "u16"),
    0x3E: Store("i64.store32", "i64", "u32"),
}

NAMES: dict[int, str] = {
    0x00: "unreachable",
    0x01: "nop",
    0x02: "block",
    0x03: "loop",
    0x04: "if",
    0x05: "else",
    0x0B: "end",
    0x0C: "br",
    0x0D: "br_if",
    0x0E: "br_table",
    0x0F: "return",
    0x10: "call",
    0x11: "call_indirect",
    0x1A: "drop",
    0x1B: "select",
    0x1C: "select",
    0x20: "local.get",
    0x21: "local.set",
    0x22: "local.tee",
    0x23: "global.get",
    0x24: "global.set",
    0x25: "table.get",
    0x26: "table.set",
    0x3F: "memory.size",
    0x40: "memory.grow",
    0x41: "i32.const",
    0x42: "i64.const",
    0x43: "f32.const",
    0x44: "f64.const",
    0xD0: "ref.null",
    0xD1: "ref.is_null",
    0xD2: "ref.func",
    **{code: each.name for table in (SIMPLE, LOADS, STORES) for code, each in table.items()},
}
"""Of all that the sandbox admits, but for those behind 0xfc."""

_BEHIND_FC = {
    **{code: each.name for code, each in PREFIXED.items()},
    8: "memory.init",
    9: "data.drop",
    10: "memory.copy",
    11: "memory.fill",
    12: "table.init",
    13: "elem.drop",
    14: "table.copy",
    15: "table.grow",
    16: "table.size",
    17: "table.fill",
}


def nameOf(code: int, behind: int = 0) -> str:
    """Name of an instruction, for people; C{behind}: the number behind 0xfc."""
    if code == 0xFC:
        return _BEHIND_FC.get(behind, f"0xfc 0x{behind:02x}")
    return NAMES.get(code, f"0x{code:02x}")
