"""Linear memory that a component wants before it decides anything, found in the sandbox: what a kernel hasn't is refused."""

from __future__ import annotations

from collections.abc import Sequence

import wasmtime

from kernelnet.exporters.errors import ExportError
from kernelnet.workbench.engine import engine
from kernelnet.workbench.errors import ComponentError
from kernelnet.workbench.sandbox import Limits, guarded, loadModule

__all__ = ["memoryWanted", "refuseGreedy"]

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
    module = loadModule(wasm)
    store = wasmtime.Store(engine())
    store.set_limits(memory_size=MOST)
    try:
        with guarded(store, Limits("", 0, FUEL, MOST, SECONDS)):
            store.set_fuel(FUEL)
            exports = wasmtime.Instance(store, module, []).exports(store)
            if (call := exports.get(start)) is not None:
                call(store, *arguments)
            memories = [e.name for e in module.exports if isinstance(e.type, wasmtime.MemoryType)]
            return exports[memories[0]].data_len(store) if memories else 0
    except ComponentError as error:
        raise ExportError(f"the component doesn't start: {error}") from None


def refuseGreedy(name: str, wasm: bytes, room: int, many: str, start: str, arguments: Sequence[float]) -> None:
    """
    Refuse what would run out of memory at once.

    @param name: of the exporter; C{room}: bytes that there are; C{many}: for whom, such as C{4096 threads}.
    @raise ExportError: it wants more; the text has how much, and what would be right.
    """
    wanted = memoryWanted(wasm, start, arguments)
    # Memory comes in pages, of which the last may be hardly touched.
    if wanted - PAGE >= room:
        raise ExportError(
            f"the component wants {wanted:,} bytes of memory for {many}; {name} has {room:,}:"
            f" search for one with `kernelnet bench train … --memory {room}`"
        )
