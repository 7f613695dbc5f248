"""The exporter C{c}: a component as a C library, for a program of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.exporters.building import compiler
from kernelnet.exporters.folder import makeLibrary, writeComponent
from kernelnet.interfaces import IExporter
from kernelnet.workbench.abi import Abi

__all__ = ["COMPILER_NEEDED", "CLibrary", "lackingCompiler"]

COMPILER_NEEDED = "a C compiler; Linux on x86-64 or aarch64"


def lackingCompiler() -> list[str]:
    """See `IExporter.missing`."""
    return [] if compiler() else ["no C compiler: install gcc or clang, or pip install 'kernelnet[trainer]'"]


@implementer(IPlugin, IExporter)
class CLibrary:
    """See `IExporter`."""

    name = "c"
    description = "a C library with the component's functions, for a program of one's own"
    workbenches: Sequence[str] = ()
    needs = COMPILER_NEEDED

    def missing(self) -> Sequence[str]:
        return lackingCompiler()

    def export(self, wasm: bytes, abi: Abi, folder: Path) -> Mapping[str, Any]:
        writeComponent(wasm, abi, folder)
        makeLibrary(folder, "component.so", ["component.c"])
        (folder / "README").write_text(_README, encoding="utf-8")
        return {"library": "component.so"}


_README = """\
A component of kernelnet as a C library: component.h says what to call, component.so is to be linked with; `make` builds
it anew.  manifest.json says what it is.  component.wasm is the module that was measured, component.c its translation.
"""

exporter = CLibrary()
