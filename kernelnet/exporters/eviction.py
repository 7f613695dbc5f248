"""Exports for page caches: a component, and around it C{eviction.c}, which calls it as the bench does."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kernelnet.exporters.building import build
from kernelnet.exporters.folder import makeLibrary, writeComponent
from kernelnet.exporters.plugin_cache import Policy
from kernelnet.workbench.abi import Abi

__all__ = ["exportEviction"]


def exportEviction(
    wasm: bytes, abi: Abi, folder: Path, library: str, *, own: Sequence[str] = (), flags: Sequence[str] = ()
) -> Mapping[str, Any]:
    """
    Write the component, and build the library.

    @param own: further C files of this package's; C{flags}: of the compiler's.
    @return: for the manifest: the library, and bytes that a component takes by the number of slots.
    @raise kernelnet.exporters.errors.ExportError: it can't be.
    """
    writeComponent(wasm, abi, folder)
    sources = ["eviction.c", *own]
    makeLibrary(folder, library, ["component.c", *sources], ["eviction.h", *sources], flags)
    return {"library": library, "bytes_by_slots": _memoryTaken(folder)}


def _memoryTaken(folder: Path) -> dict[str, int]:
    """
    Bytes that a component of a page cache takes once it is made, by the number of the cache's slots.

    @param folder: has what C{writeComponent} wrote, and the files of C{eviction.c}.
    """
    with tempfile.TemporaryDirectory(prefix="kernelnet-memory-") as temporary:
        library = Path(temporary, "eviction.so")
        build([folder / "component.c", folder / "eviction.c"], library)
        taken = {}
        for slots in (1_000, 100_000):
            policy = Policy(slots, 0, library)
            taken[str(slots)] = policy.memory
            policy.free()
        return taken
