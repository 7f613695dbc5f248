"""
The memory that a trusted program of ours walks: laid out by the host, filled once, and used again.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import wasmtime

from kernelnet.workbench.engine import engine, isMetered
from kernelnet.workbench.errors import NoResources

__all__ = ["PLENTY", "Arena", "Layout", "Memory", "touched"]

PLENTY = 1 << 62
"""Fuel, or ticks, that no program uses up."""

_PAGE = 64 << 10


def touched(store: wasmtime.Store, memory: wasmtime.Memory) -> int:
    """Bytes of a linear memory that are in use: those of pages of 4 KiB in which anything but zeros stands."""
    address = ctypes.addressof(memory.data_ptr(store).contents)
    data = np.frombuffer(ctypes.string_at(address, memory.data_len(store)), np.uint64)
    return int(np.count_nonzero(data.reshape(-1, 512).any(axis=1))) * 4096


class Layout:
    """Places arrays one after the other in a linear memory."""

    def __init__(self) -> None:
        # Stack and data of our programs lie below: the linker gives them 1 MiB and some bytes.
        self.end = 2 << 20

    def place(self, size: int) -> int:
        """@return: the address of C{size} bytes, aligned to 64."""
        start = self.end
        self.end = (start + size + 63) & ~63
        return start

    @property
    def pages(self) -> int:
        return -(-self.end // _PAGE)


class Memory:
    """
    A store with one memory of ours, zeroed.

    @ivar size: its bytes.
    @ivar isMetered: whether what runs in the store uses fuel.
    """

    def __init__(self, layout: Layout) -> None:
        self.store = wasmtime.Store(engine())
        self.isMetered = isMetered()
        self.size = layout.pages * _PAGE
        # Our own memory is made under no limit; those of policies come later, under theirs.
        kind = wasmtime.MemoryType(wasmtime.Limits(layout.pages, layout.pages))
        try:
            self.memory = wasmtime.Memory(self.store, kind)
        except wasmtime.WasmtimeError as error:
            raise NoResources(f"no memory for the trace: {error}".splitlines()[0]) from None
        self._base = ctypes.addressof(self.memory.data_ptr(self.store).contents)

    def close(self) -> None:
        """Give the memory back now: wasmtime's objects are in cycles, and would wait for a garbage collection."""
        self.store.close()

    def setFuel(self, fuel: int) -> None:
        """Let what runs from now on use so much."""
        if self.isMetered:
            self.store.set_fuel(fuel)

    def fuelLeft(self) -> int:
        """The rest of it; 0 where none is counted."""
        return self.store.get_fuel() if self.isMetered else 0

    def write(self, address: int, array: npt.NDArray[Any]) -> None:
        """@param array: contiguous, of the width and byte order that the C program reads."""
        ctypes.memmove(self._base + address, array.ctypes.data, array.nbytes)

    def writeBytes(self, address: int, data: bytes) -> None:
        ctypes.memmove(self._base + address, data, len(data))

    def fill(self, address: int, value: int, size: int) -> None:
        ctypes.memset(self._base + address, value, size)

    def read(self, address: int, count: int, kind: str = "<u4") -> npt.NDArray[Any]:
        """A copy of C{count} numbers of numpy type C{kind}."""
        return np.frombuffer(ctypes.string_at(self._base + address, np.dtype(kind).itemsize * count), kind)

    def instance(self, module: wasmtime.Module, policies: Sequence[Any] = ()) -> Any:
        """
        The exports of an instance of one of our own programs, on this memory and policies' exports.

        It imports from the modules C{policy}, which is the first, C{policy1}, …; after the last they begin anew.
        """

        def found(name: str, of: str) -> Any:
            return policies[int(of.removeprefix("policy") or 0) % len(policies)][name]

        imports = [self.memory if i.module == "env" else found(i.name or "", i.module) for i in module.imports]
        return wasmtime.Instance(self.store, module, imports).exports(self.store)

    def alone(self, module: wasmtime.Module) -> Any:
        """The same for a program that runs without a policy, and so without limits."""
        self.setFuel(PLENTY)
        self.store.set_epoch_deadline(PLENTY)
        return self.instance(module)


@dataclass
class Arena:
    """
    A `Memory` with a trace in it, for one run at a time.

    @ivar at: the addresses of what was placed in it, by names that the bench chose.
    @ivar salted: for the bench: whose keys are in it.
    @ivar waste: bytes of memory that past policies hold on to.
    """

    memory: Memory
    at: dict[str, int]
    salted: tuple[bytes, int] = (b"", 0)
    runs: int = 0
    waste: int = 0

    @classmethod
    def holding(cls, columns: Mapping[str, npt.NDArray[Any]], room: Mapping[str, int] | None = None) -> Arena:
        """
        A new one with these arrays in it, each at the address that C{at} has under its name.

        @param room: bytes that are kept free besides, zeroed, by name.
        """
        layout = Layout()
        sizes = {name: column.nbytes for name, column in columns.items()}
        at = {name: layout.place(size) for name, size in {**sizes, **(room or {})}.items()}
        arena = cls(Memory(layout), at)
        for name, column in columns.items():
            arena.memory.write(at[name], column)
        return arena
