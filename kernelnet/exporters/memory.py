"""Linear memory that a component wants before it decides anything, found in the sandbox; too much is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kernelnet.exporters.errors import ExportError

__all__ = ["Room", "memoryWanted", "refuseGreedy"]

PAGE = 65536
MOST = 1 << 30
"""Bytes that it may take in the sandbox: more than any bench allows on the traces that ship."""

FUEL = 1_000_000_000
SECONDS = 10.0


def memoryWanted(wasm: bytes, start: str, arguments: Sequence[float]) -> int:
    """
    Bytes of linear memory that an instance has after its start.

    @param start: the function that is called first; C{arguments}: of it.
    @raise ExportError: it doesn't start.
    """
    # Here: who only lists exporters needs no sandbox.
    import wasmtime

    from kernelnet.workbench.engine import engine
    from kernelnet.workbench.errors import ComponentError
    from kernelnet.workbench.sandbox import Limits, guarded, loadModule

    module = loadModule(wasm)
    store = wasmtime.Store(engine())
    store.set_limits(memory_size=MOST)
    try:
        with guarded(store, Limits("", 0, FUEL, MOST, SECONDS)):
            store.set_fuel(FUEL)
            exports = wasmtime.Instance(store, module, []).exports(store)
            if isinstance(call := exports.get(start), wasmtime.Func):
                call(store, *arguments)
            memories = [each for each in exports.values() if isinstance(each, wasmtime.Memory)]
            return memories[0].data_len(store) if memories else 0
    except ComponentError as error:
        raise ExportError(f"the component doesn't start: {error}") from None


@dataclass(frozen=True)
class Room:
    """
    Memory that a real system has for an instance.

    @ivar exporter: its name; C{users}: for whom an instance is, such as C{4096 threads}.
    @ivar size: bytes; C{low}: the first address that there is, of those that the component uses.
    """

    exporter: str
    users: str
    size: int
    low: int = 0


def refuseGreedy(wasm: bytes, room: Room, arguments: Sequence[float]) -> None:
    """
    Refuse what would run out of memory at once.

    @param arguments: of C{kn_init}.
    @raise ExportError: it wants more; the text has how much, and what would be right.
    """
    wanted = memoryWanted(wasm, "kn_init", arguments) - room.low
    # Memory comes in pages, of which the last may be hardly touched.
    if wanted - PAGE >= room.size:
        raise ExportError(
            f"the component wants {wanted:,} bytes of memory for {room.users}; {room.exporter} has {room.size:,}:"
            f" search for one with `kernelnet bench train … --memory {-(room.low + room.size) // PAGE * -PAGE}`"
        )
