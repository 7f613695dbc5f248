"""
Many components of one function each, called a great many times: in one compilation unit, beside the sandbox's engine.

Both walk the same rows of arguments in a loop of their own, as a call from Python costs a hundred times as much.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import wasmtime

from kernelnet.exporters.building import build
from kernelnet.exporters.translation import NATIVE, translate
from kernelnet.workbench.engine import engine
from kernelnet.workbench.memory import PLENTY
from kernelnet.workbench.sandbox import loadModule

__all__ = ["inEngine", "together"]

Rows = npt.NDArray[np.float64]
Bits = npt.NDArray[np.uint64]

_FUEL = 1 << 50


class Batch:
    """Translations in one library: numbers are those of the modules."""

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library.resolve()))

    def run(self, number: int, rows: Rows) -> Bits:
        """Bits of what a component says to each row.  @raise AssertionError: it trapped."""
        found = np.zeros(len(rows), np.uint64)
        walk = getattr(self._library, f"walk{number}")
        walk.restype = ctypes.c_char_p
        trapped = walk(
            rows.ctypes.data_as(ctypes.c_void_p), found.ctypes.data_as(ctypes.c_void_p), ctypes.c_uint32(len(rows))
        )
        assert trapped is None, trapped
        return found


def together(modules: Sequence[bytes], function: str, count: int, folder: Path) -> Batch:
    """
    Compile each translation as it is written, the names of its own made others by the preprocessor.

    @param function: takes C{count} doubles, gives one.
    """
    folder.mkdir(parents=True)
    for header in NATIVE:
        (folder / header.name).write_text(header.read_text())
    parts, globals_ = [""], ""
    for number, wasm in enumerate(modules):
        made = translate(wasm, [function])
        (folder / f"c{number}").mkdir()
        (folder / f"c{number}" / "component.h").write_text(made.header)
        (folder / f"c{number}" / "component.c").write_text(made.source)
        found = re.search(r"#define KN_GLOBALS (.*)", made.source)
        assert found is not None
        # one struct for all: that of those who have something in it
        globals_ = max(globals_, found[1], key=len)
        assert found[1].strip() in ("", globals_.strip()), (found[1], globals_)
        names = sorted(set(re.findall(r"\b(?:fn\d+|through\d+_\d+|data\d+|component_\w+|begin)\b", made.source)))
        parts += [f"#define {name} {name}_{number}" for name in names]
        parts.append(f'#undef COMPONENT_H\n#undef KN_GLOBALS\n#include "c{number}/component.c"')
        arguments = ", ".join(f"row[{at}]" for at in range(count))
        parts.append(f"""
__attribute__((visibility("default"))) const char *walk{number}(const f64 *row, u64 *to, u32 rows) {{
    component *m = component_new(1 << 24, {_FUEL}ll);
    for (u32 at = 0; at < rows; at++, row += {count}) to[at] = kn_bits64(component_{function}(m, {arguments}));
    const char *why = component_trapped(m);
    component_free(m);
    return why;
}}
""")
        parts += [f"#undef {name}" for name in names]
    parts[0] = f'#define KN_GLOBALS {globals_}\n#include "native.h"'
    (folder / "all.c").write_text("\n".join(parts))
    build([folder / "all.c"], folder / "all.so", flags=[f"-I{folder}"])
    return Batch(folder / "all.so")


def inEngine(wasm: bytes, function: str, rows: Rows) -> Bits:
    """The same in the sandbox's engine, by a module that walks the rows."""
    store = wasmtime.Store(engine())
    store.set_epoch_deadline(PLENTY)
    store.set_fuel(_FUEL)
    count = rows.shape[1]
    instance = wasmtime.Instance(store, loadModule(wasm), [])
    walker = wasmtime.Instance(store, _walker(count), [instance.exports(store)[function]])
    exports = walker.exports(store)
    memory, walk = exports["memory"], exports["walk"]
    assert isinstance(memory, wasmtime.Memory)
    assert isinstance(walk, wasmtime.Func)
    memory.grow(store, (rows.nbytes + 8 * len(rows)) // 65536 + 1)
    memory.write(store, rows.tobytes())
    walk(store, len(rows))
    found = memory.read(store, rows.nbytes, rows.nbytes + 8 * len(rows))
    store.close()
    return np.frombuffer(bytes(found), np.uint64)


_walkers: dict[int, wasmtime.Module] = {}


def _walker(count: int) -> wasmtime.Module:
    """Rows stand at the beginning of its memory, results behind them."""
    if count not in _walkers:
        loads = "\n".join(f"(f64.load offset={8 * at} (local.get $row))" for at in range(count))
        text = f"""(module
  (import "c" "f" (func $f (param {"f64 " * count}) (result f64)))
  (memory (export "memory") 1)
  (func (export "walk") (param $rows i32) (local $row i32) (local $to i32)
    (local.set $to (i32.mul (local.get $rows) (i32.const {8 * count})))
    (block $end (loop $next
      (br_if $end (i32.eqz (local.get $rows)))
      (f64.store (local.get $to) (call $f {loads}))
      (local.set $row (i32.add (local.get $row) (i32.const {8 * count})))
      (local.set $to (i32.add (local.get $to) (i32.const 8)))
      (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
      (br $next))))
)"""
        _walkers[count] = wasmtime.Module(engine(), text)
    return _walkers[count]
