"""The exporter C{sqlite}: a component as the page cache of SQLite, in any program that loads it as a shared library."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.exporters.c_library import COMPILER_NEEDED, lackingCompiler
from kernelnet.exporters.eviction import exportEviction
from kernelnet.interfaces import IExporter
from kernelnet.workbench.abi import Abi

__all__ = ["LIBRARY", "OLDEST", "Sqlite"]

LIBRARY = "kernelnet_sqlite.so"
"""File that is loaded before SQLite."""

OLDEST = 3_035_000
"""Number of the oldest SQLite that it is made for."""


@implementer(IPlugin, IExporter)
class Sqlite:
    """See `IExporter`."""

    name = "sqlite"
    description = "the page cache of SQLite, in any program that loads SQLite as a shared library"
    workbenches: Sequence[str] = ("file_system",)
    needs = f"{COMPILER_NEEDED}; SQLite 3.35 or newer (libsqlite3.so.0)"

    def missing(self) -> Sequence[str]:
        lacking = lackingCompiler()
        try:
            found = int(ctypes.CDLL("libsqlite3.so.0").sqlite3_libversion_number())
        except OSError:
            lacking.append("there is no libsqlite3.so.0: install SQLite's shared library (Debian: libsqlite3-0)")
        else:
            if found < OLDEST:
                lacking.append(f"SQLite is {found // 1_000_000}.{found // 1000 % 1000}; 3.35 or newer is needed")
        return lacking

    def export(self, wasm: bytes, abi: Abi, folder: Path) -> Mapping[str, Any]:
        (folder / "README").write_text(_README, encoding="utf-8")
        return exportEviction(wasm, abi, folder, LIBRARY, own=["pcache.c"], flags=["-DCOMPONENT_HIDDEN", "-ldl"])


_README = f"""\
A component of kernelnet as SQLite's page cache.

    LD_PRELOAD=$PWD/{LIBRARY} sqlite3 my.db       any program that loads SQLite as a shared library
    KERNELNET_REPORT=report.json LD_PRELOAD=…     requests, misses and what went wrong, written when it ends
    kernelnet deploy trace . -- COMMAND           the requests of its SQLite, as `kernelnet bench train` reads them

In Python, before sqlite3 is imported anywhere:

    from kernelnet.deploy.sqlite import install
    install("{{folder}}")

`make` builds {LIBRARY} anew; manifest.json says what the component is.
""".replace("{folder}", "this folder")

exporter = Sqlite()
