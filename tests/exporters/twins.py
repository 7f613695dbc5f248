"""One component twice: translated and compiled beside the sandbox's own engine, called with the same arguments."""

from __future__ import annotations

import ctypes
import itertools
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import wasmtime

from kernelnet.exporters.building import build
from kernelnet.exporters.translation import NATIVE, translate
from kernelnet.workbench.abi import Signature
from kernelnet.workbench.engine import engine
from kernelnet.workbench.memory import PLENTY
from kernelnet.workbench.sandbox import loadModule

__all__ = ["ROOM", "Native", "Sandboxed", "Trap", "compiled", "differences", "oddNumbers"]

ROOM = 256 << 20
"""Bytes of memory that either instance may have."""

FUEL = 40_000_000
"""Of one call."""

_C = {"i32": ctypes.c_uint32, "i64": ctypes.c_uint64, "f32": ctypes.c_float, "f64": ctypes.c_double}
_numbers = itertools.count()


class Trap(Exception):
    """A call went wrong; the text says what, shortly."""


def compiled(
    wasm: bytes,
    names: Mapping[str, Signature],
    folder: Path,
    flags: Sequence[str] = (),
    command: Sequence[str] | None = None,
) -> Path:
    """The library of a component."""
    made = translate(wasm, names)
    folder = folder / f"component{next(_numbers)}"
    folder.mkdir(parents=True)
    (folder / "component.c").write_text(made.source)
    (folder / "component.h").write_text(made.header)
    for header in NATIVE:
        (folder / header.name).write_text(header.read_text())
    build([folder / "component.c"], folder / "component.so", command=command, flags=[f"-I{folder}", *flags])
    return folder / "component.so"


class Native:
    """
    An instance of a library.

    @cvar prefix: of its functions' names.
    """

    prefix = "component"

    def __init__(self, library: Path, names: Mapping[str, Signature], *, room: int = ROOM, fuel: int = FUEL) -> None:
        self._library = ctypes.CDLL(str(library.resolve()))
        self._fuel = fuel
        new = self._function("new")
        new.restype, new.argtypes = ctypes.c_void_p, [ctypes.c_uint64, ctypes.c_int64]
        self._function("trapped").restype = ctypes.c_char_p
        self._function("memory").restype = ctypes.c_uint64
        self._pointer = ctypes.c_void_p(new(room, fuel))
        if not self._pointer:
            raise Trap("memory")
        self._calls: dict[str, Callable[..., Any]] = {}
        for name, (parameters, results) in names.items():
            if (call := getattr(self._library, f"{self.prefix}_{name}", None)) is not None:
                call.argtypes = [ctypes.c_void_p, *(_C[kind] for kind in parameters)]
                call.restype = _C[results[0]] if results else None
                self._calls[name] = call
        self._check()

    def _function(self, name: str) -> Any:
        return getattr(self._library, f"{self.prefix}_{name}")

    def _check(self) -> None:
        why = self._function("trapped")(self._pointer)
        if why:
            raise Trap(why.decode())

    def call(self, name: str, arguments: Sequence[float]) -> Any:
        self._function("refuel")(self._pointer, ctypes.c_int64(self._fuel))
        result = self._calls[name](self._pointer, *arguments)
        self._check()
        return result

    def memory(self) -> bytes:
        address = ctypes.c_void_p.from_address(self._pointer.value or 0).value
        return ctypes.string_at(address or 0, self._function("memory")(self._pointer))

    def part(self, memory: bytes) -> bytes:
        """What an instance has of the module's memory."""
        return memory

    def close(self) -> None:
        self._function("free")(self._pointer)


class Sandboxed:
    """An instance in the sandbox's engine."""

    def __init__(self, wasm: bytes, *, room: int = ROOM, fuel: int = FUEL) -> None:
        module = loadModule(wasm)
        self._fuel = fuel
        self._store = wasmtime.Store(engine())
        self._store.set_limits(memory_size=room)
        self._store.set_epoch_deadline(PLENTY)
        self._memory = next((e.name for e in module.exports if isinstance(e.type, wasmtime.MemoryType)), None)
        self._exports: Any = self._guarded(lambda: wasmtime.Instance(self._store, module, []).exports(self._store))

    def _guarded(self, run: Callable[[], Any]) -> Any:
        self._store.set_fuel(self._fuel)
        try:
            return run()
        except wasmtime.Trap as trap:
            raise Trap(trap.message.strip().splitlines()[-1]) from None
        except wasmtime.WasmtimeError as error:
            raise Trap(str(error)) from None

    def call(self, name: str, arguments: Sequence[float]) -> Any:
        return self._guarded(lambda: self._exports[name](self._store, *arguments))

    def memory(self) -> bytes:
        if self._memory is None:
            return b""
        memory = self._exports[self._memory]
        return ctypes.string_at(memory.data_ptr(self._store), memory.data_len(self._store))

    def close(self) -> None:
        self._store.close()


def _bits(kind: str, value: float) -> int:
    if kind == "f64":
        return int(struct.unpack("<Q", struct.pack("<d", value))[0])
    if kind == "f32":
        return int(struct.unpack("<I", struct.pack("<f", value))[0])
    return int(value) & (0xFFFFFFFF if kind == "i32" else 0xFFFFFFFFFFFFFFFF)


def oddNumbers(bits: int) -> list[int]:
    """Bits of numbers at the edges: zeros, ones, subnormals, the largest, infinities, and what is no number."""
    if bits == 32:
        codes = [0, 1, 2, 0x7FFFFF, 0x800000, 0x3F800000, 0x3F000000, 0x3FC00000, 0x40200000, 0x4B000000, 0x4B800000]
        codes += [0x4F000000, 0x4EFFFFFF, 0x4F800000, 0x4F7FFFFF, 0x5F000000, 0x5EFFFFFF, 0x5F800000, 0x5F7FFFFF]
        codes += [0x7F7FFFFF, 0x7F800000, 0x7FC00000, 0x7F800001, 0x7FC12345, 31, 32, 33, 63, 0x7FFFFFFF]
    else:
        codes = [0, 1, 2, 0xFFFFFFFFFFFFF, 0x10000000000000, 0x3FF << 52, 0x3FE << 52, 0x3FF8 << 48, 0x4004 << 48]
        codes += [_bits("f64", value) for power in (24, 31, 32, 52, 53, 63, 64) for value in _around(2.0**power)]
        codes += [(0x7FF << 52) - 1, 0x7FF << 52, 0x7FF8 << 48, (0x7FF << 52) + 1, 0x7FF8123456789ABC]
        codes += [0x380 << 52, 0x36A0 << 48, 0x47EFFFFFE0000000, 0x47EFFFFFF0000000, 31, 32, 33, 63, 64, (1 << 63) - 1]
    return [*codes, *((code | 1 << (bits - 1)) for code in codes), (1 << bits) - 1]


def _around(value: float) -> tuple[float, ...]:
    return value - 1, value - 0.5, value, value + 0.5, value + 1


def differences(
    wasm: bytes,
    names: Mapping[str, Signature],
    library: Path,
    rounds: Sequence[Sequence[tuple[str, Sequence[float]]]],
    twin: type[Native] = Native,
) -> tuple[int, list[str]]:
    """
    Let both answer the same calls, from fresh instances in each round, until one goes wrong.

    @param rounds: the calls of each.
    @return: number of calls, and where results, memory, or the way in which they go wrong differ.
    """
    found, made = list[str](), 0
    for round_, calls in enumerate(rounds):
        ours, theirs = twin(library, names), Sandboxed(wasm)
        asked = "the beginning"
        for name, arguments in calls:
            made += 1
            asked = f"round {round_}, call {made}: {name}{tuple(arguments)}"
            answers = [_answer(each, name, arguments, names[name][1]) for each in (ours, theirs)]
            if any(isinstance(answer, str) for answer in answers):
                # Fuel isn't the same, and stack neither: who lacks them says nothing of values.
                isSpent = any("fuel" in str(answer) or "nested" in str(answer) for answer in answers)
                isSame = isinstance(answers[1], str) and str(answers[0]) in answers[1]
                if not isSpent and not isSame:
                    found.append(f"{asked}: {answers}")
                break
            if answers[0] != answers[1]:
                found.append(f"{asked}: {answers}")
                break
        else:
            if (memory := theirs.memory()) and ours.memory() != ours.part(memory):
                found.append(f"memory after {asked}")
        ours.close()
        theirs.close()
    return made, found


def _answer(
    instance: Native | Sandboxed, name: str, arguments: Sequence[float], results: tuple[str, ...]
) -> int | str | None:
    try:
        value = instance.call(name, arguments)
    except Trap as trap:
        return str(trap)
    return _bits(results[0], value) if results else None
