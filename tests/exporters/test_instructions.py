"""Each instruction, translated, has the value that the sandbox's engine gives it, to the bit, or traps as it does."""

from __future__ import annotations

import ctypes
import itertools
import random
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.exporters import bpf_translation
from kernelnet.exporters.errors import Untranslatable
from kernelnet.exporters.instructions import LOADS, PREFIXED, SIMPLE, STORES, Simple
from kernelnet.exporters.translation import translate
from kernelnet.workbench.abi import Signature
from tests.exporters.bpf_twins import BpfTwin, bpfTwin
from tests.exporters.twins import Native, compiled, differences, oddNumbers
from tests.workbench.wasm import component, leb, sleb, vec

_BITS = {"f32": "i32", "f64": "i64"}
_TO_FLOAT = {"f32": b"\xbe", "f64": b"\xbf"}
_TO_BITS = {"f32": b"\xbc", "f64": b"\xbd"}


def carried(kind: str) -> str:
    """As integers: Python's own numbers would make a NaN that signals a quiet one."""
    return _BITS.get(kind, kind)


def wrapped(each: Simple, code: bytes) -> tuple[Signature, bytes]:
    """A function of an instruction: numbers with a point come and go as their bits."""
    body = b"".join(b"\x20" + leb(at) + _TO_FLOAT.get(kind, b"") for at, kind in enumerate(each.takes))
    shape = tuple(carried(kind) for kind in each.takes), (carried(each.gives),)
    return shape, body + code + _TO_BITS.get(each.gives, b"")


def operands(kinds: tuple[str, ...], rng: random.Random, count: int) -> list[tuple[int, ...]]:
    """All pairs of odd numbers, then random ones: of bits, and of bits that are near each other."""
    bits = [32 if carried(kind) == "i32" else 64 for kind in kinds]
    found = list(itertools.product(*(oddNumbers(each) for each in bits)))
    if len(found) > count:
        found = rng.sample(found, count)
    for _ in range(count):
        row = [rng.getrandbits(each) >> rng.choice((0, 0, 0, each - 9)) for each in bits]
        if rng.random() < 0.3:
            row = [row[0]] * len(row) if len(set(bits)) == 1 else row
        found.append(tuple(row))
    return found


_ARITHMETIC = {
    *(f"{kind}.{name}" for kind in ("f32", "f64") for name in ("add", "sub", "mul", "div", "sqrt")),
    "f32.demote_f64",
}


def nearTie(kinds: tuple[str, ...], rng: random.Random) -> tuple[int, ...]:
    """Bits of numbers with few significant bits, or almost so, whose exponents are near each other or near an end."""
    row: list[int] = []
    for kind in kinds:
        bits, fraction = (32, 23) if kind == "i32" else (64, 52)
        most = (1 << (bits - 1 - fraction)) - 1
        if row and rng.random() < 0.6:
            exponent = max(0, min(most, (row[0] >> fraction & most) + rng.randint(-fraction - 3, fraction + 3)))
        else:
            exponent = rng.choice((0, 0, 1, 2, most // 2, most - 1, rng.randrange(most), most // 2 - fraction))
        significand = rng.getrandbits(fraction) >> (shift := rng.randrange(fraction)) << shift
        row.append(rng.getrandbits(1) << (bits - 1) | exponent << fraction | significand ^ rng.choice((0, 0, 1)))
    return tuple(row)


class InstructionTests(SynchronousTestCase):
    twin: type[Native] = Native

    def library(self, wasm: bytes, shapes: dict[str, Signature]) -> Path:
        return compiled(wasm, shapes, Path(self.mktemp()))

    def test_values(self) -> None:
        """All that compute and compare, on odd numbers and on random ones."""
        table = [(bytes([code]), each) for code, each in SIMPLE.items()]
        table += [(b"\xfc" + leb(code), each) for code, each in PREFIXED.items()]
        self.assertEqual(len(table), 123 + 5 + 8)
        for at in range(0, len(table), 46):
            self.check({each.name: wrapped(each, code) for code, each in table[at : at + 46]})

    def check(self, functions: dict[str, tuple[Signature, bytes]]) -> None:
        # a name has to be one in C too
        named = {f"kn_{name.replace('.', '_')}": value for name, value in functions.items()}
        shapes = {name: shape for name, (shape, _) in named.items()}
        wasm = component(shapes, {name: code for name, (_, code) in named.items()})
        library = self.library(wasm, shapes)
        for name, (kinds, _) in shapes.items():
            # each on its own where it may go wrong, which ends an instance
            mayTrap = (
                "i32_div" in name or "i64_div" in name or "rem" in name or ("trunc_" in name and "sat" not in name)
            )
            rows = operands(kinds, random.Random(name), 100 if mayTrap else 400)
            batches = [[row] for row in rows] if mayTrap else [rows]
            turns = [[(name, row) for row in batch] for batch in batches]
            _, found = differences(wasm, shapes, library, turns, self.twin)
            self.assertEqual(found, [], name)

    def test_memory(self) -> None:
        """Loads and stores of each width, at any offset, to the last byte and beyond it."""
        functions = {}
        for code, load in LOADS.items():
            shape: Signature = (("i32",), (carried(load.gives),))
            functions[load.name] = shape, b"\x20\0" + bytes([code]) + b"\0\7" + _TO_BITS.get(load.gives, b"")
        for code, store in STORES.items():
            shape = (("i32", carried(store.takes)), ())
            functions[store.name] = shape, b"\x20\0\x20\1" + _TO_FLOAT.get(store.takes, b"") + bytes([code]) + b"\0\7"
        functions["memory.fill"] = (("i32", "i32", "i32"), ()), b"\x20\0\x20\1\x20\2\xfc\x0b\0"
        functions["memory.copy"] = (("i32", "i32", "i32"), ()), b"\x20\0\x20\1\x20\2\xfc\x0a\0\0"
        functions["memory.size"] = ((), ("i32",)), b"\x3f\0"
        functions["memory.grow"] = (("i32",), ("i32",)), b"\x20\0\x40\0"
        named = {f"kn_{name.replace('.', '_')}": value for name, value in functions.items()}
        shapes = {name: shape for name, (shape, _) in named.items()}
        data = vec([b"\0\x41" + sleb(60) + b"\x0b" + leb(256) + bytes(range(256))])
        wasm = component(
            shapes, {n: c for n, (_, c) in named.items()}, memory=vec([b"\1\1\3"]), data=data, exports=[b"\6memory\2\0"]
        )
        library = self.library(wasm, shapes)

        def calls(rng: random.Random) -> list[tuple[str, tuple[int, ...]]]:
            asked = []
            for _ in range(60):
                name = rng.choice(list(shapes))
                kinds = shapes[name][0]
                near = [
                    rng.choice((rng.randrange(65536), 65536 - rng.randrange(30), rng.randrange(400))) for _ in kinds
                ]
                if name == "kn_memory_grow":
                    near = [rng.choice((0, 1, 1, 2, 70000))]
                elif "store" in name:
                    near[1] = rng.getrandbits(32 if kinds[1] == "i32" else 64)
                elif rng.random() < 0.02:
                    near = [rng.getrandbits(32) for _ in kinds]
                asked.append((name, tuple(near)))
            return asked

        rng = random.Random(1)
        made, found = differences(wasm, shapes, library, [calls(rng) for _ in range(100)], self.twin)
        self.assertGreater(made, 500)
        self.assertEqual(found, [])

    def test_nearTies(self) -> None:
        """Arithmetic on numbers that are near each other, near ties and near the least of numbers."""
        table = [each for each in SIMPLE.items() if each[1].name in _ARITHMETIC]
        self.assertEqual(len(table), len(_ARITHMETIC))
        functions = {f"kn_{each.name.replace('.', '_')}": wrapped(each, bytes([code])) for code, each in table}
        shapes = {name: shape for name, (shape, _) in functions.items()}
        wasm = component(shapes, {name: code for name, (_, code) in functions.items()})
        library = self.library(wasm, shapes)
        for name, (kinds, _) in shapes.items():
            rng = random.Random(name)
            rows = [nearTie(kinds, rng) for _ in range(20_000)]
            _, found = differences(wasm, shapes, library, [[(name, row) for row in rows]], self.twin)
            self.assertEqual(found, [], name)

    def test_host(self) -> None:
        """A host that flushes subnormals to zero, and rounds down, gets the same values, and keeps its ways."""
        functions = {
            "kn_div": ((("i64", "i64"), ("i64",)), b"\x20\0\xbf\x20\1\xbf\xa3\xbd"),
        }
        shapes = {name: shape for name, (shape, _) in functions.items()}
        wasm = component(shapes, {name: code for name, (_, code) in functions.items()})
        folder = Path(self.mktemp())
        folder.mkdir()
        host = folder / "host.c"
        host.write_text(HOST)
        library = compiled(wasm, shapes, folder, [str(host)])
        call = ctypes.CDLL(str(library.resolve())).changed
        call.restype = ctypes.c_uint64
        self.assertEqual(call(), 1)

    def test_refused(self) -> None:
        """What isn't translated is refused by name, also where it is never reached."""
        for code, name in (
            (b"\xd0\x70\x1a", "ref.null"),
            (b"\x41\0\x25\0\x1a", "table.get"),
            (b"\xfc\x10\0\x1a", "table.size"),
            (b"\x0c\0\xfc\x10\0\x1a", "table.size"),
        ):
            wasm = _withTable(code)
            error = self.assertRaises(Untranslatable, translate, wasm, ["kn_x"])
            self.assertIn(name, str(error))


class BpfInstructionTests(InstructionTests):
    """
    The same, in the form of the kernel's BPF machine, compiled for this one.

    So its numbers with a point, made of whole ones, stand beside the hardware's.
    """

    twin = BpfTwin

    def library(self, wasm: bytes, shapes: dict[str, Signature]) -> Path:
        # All of the module's memory, so that a window's bound is none of the differences.
        self.patch(bpf_translation, "MOST_WINDOW", 3 << 16)
        return bpfTwin(wasm, shapes, Path(self.mktemp()))

    test_host = None  # type: ignore[assignment]
    test_refused = None  # type: ignore[assignment]


HOST = """
#include <xmmintrin.h>
#include "component.h"
__attribute__((visibility("default"))) uint64_t changed(void) {
    component *m = component_new(1 << 20, 1000000);
    /* the least normal number by two, and one by three: a subnormal, and one that rounds */
    uint64_t small = 0x0010000000000000ull, two = 0x4000000000000000ull;
    uint64_t one = 0x3ff0000000000000ull, three = 0x4008000000000000ull;
    uint64_t before = component_kn_div(m, small, two), third = component_kn_div(m, one, three), same;
    _mm_setcsr(0xffc0);
    same = component_kn_div(m, small, two) == before && component_kn_div(m, one, three) == third;
    same = same && (_mm_getcsr() & ~0x3f) == 0xffc0;
    _mm_setcsr(0x1f80);
    return same && before == 0x0008000000000000ull;
}
"""


def _withTable(code: bytes) -> bytes:
    shapes: dict[str, Signature] = {"kn_x": ((), ())}
    return component(shapes, {"kn_x": code}, tables=vec([b"\x70\0\1"]), memory=vec([b"\0\1"]), data=vec([]))
