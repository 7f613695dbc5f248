"""The exporter C{libcachesim}: a component under the PluginCache of that PyPI package, an independent referee."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.exporters import plugin_cache
from kernelnet.exporters.c_library import COMPILER_NEEDED, lackingCompiler
from kernelnet.exporters.eviction import exportEviction
from kernelnet.interfaces import IExporter
from kernelnet.workbench.abi import Abi

__all__ = ["LibCacheSim"]


@implementer(IPlugin, IExporter)
class LibCacheSim:
    """See `IExporter`."""

    name = "libcachesim"
    description = "a cache of libCacheSim (PluginCache), to measure a policy in another simulator"
    workbenches: Sequence[str] = ("file_system",)
    needs = f"{COMPILER_NEEDED}; pip install libcachesim"

    def missing(self) -> Sequence[str]:
        lacking = lackingCompiler()
        if importlib.util.find_spec("libcachesim") is None:
            lacking.append("the package libcachesim is missing: pip install libcachesim")
        return lacking

    def export(self, wasm: bytes, abi: Abi, folder: Path) -> Mapping[str, Any]:
        shutil.copyfile(plugin_cache.__file__, folder / "plugin_cache.py")
        (folder / "README").write_text(_README, encoding="utf-8")
        return exportEviction(wasm, abi, folder, "eviction.so")


_README = """\
A component of kernelnet as a cache of libCacheSim.

    python3 plugin_cache.py TRACE --capacity 1000      misses on a trace: a text file, a block's number in each line

In a program of one's own: `plugin_cache.cache(1000)` is a libcachesim.PluginCache.  All objects have the same size:
give readers ignore_obj_size=True.  `make` builds eviction.so anew; manifest.json says what the component is.
"""

exporter = LibCacheSim()
