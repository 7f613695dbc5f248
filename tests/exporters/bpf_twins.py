"""The form of a component that the kernel's BPF machine runs, compiled for this machine: a twin to compare with."""

from __future__ import annotations

import ctypes
import itertools
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from kernelnet.exporters.bpf_translation import FILES, translateForBpf
from kernelnet.exporters.building import build
from kernelnet.workbench.abi import Signature
from tests.exporters.twins import Native

__all__ = ["BPF_FLAGS", "BpfTwin", "bpfTwin"]

BPF_FLAGS = ("-fno-strict-aliasing", "-Wall", "-Werror", "-Wno-unused")

_FRAME = """
#include <stdlib.h>
#include <string.h>
#include "component.c"
__attribute__((visibility("default"))) component *twin_new(u64 bytes, i64 fuel) {
    component *m = calloc(1, sizeof *m);
    m->fuel = fuel;
    component_begin(m);
    return m;
}
#define SHOWN __attribute__((visibility("default")))
SHOWN void twin_free(component *m) { free(m); }
SHOWN void twin_refuel(component *m, i64 fuel) { m->fuel = fuel; }
SHOWN u64 twin_memory(const component *m) { return KN_HIGH - KN_LOW; }
SHOWN const u8 *twin_bytes(const component *m) { return m->memory; }
SHOWN u64 twin_low(void) { return KN_LOW; }
SHOWN const char *twin_trapped(const component *m) {
    static const char *const words[] = {
        0, "unreachable", "out of bounds", "integer divide by zero", "integer overflow",
        "invalid conversion to integer", "a call of what is no such function", "out of fuel",
    };
    return words[m->trapped];
}
static u64 of_f64(double a) { u64 bits; memcpy(&bits, &a, 8); return bits; }
static u32 of_f32(float a) { u32 bits; memcpy(&bits, &a, 4); return bits; }
static double to_f64(u64 bits) { double a; memcpy(&a, &bits, 8); return a; }
static float to_f32(u32 bits) { float a; memcpy(&a, &bits, 4); return a; }
"""
_C = {"i32": "u32", "i64": "u64", "f32": "float", "f64": "double"}
_numbers = itertools.count()


def _entry(name: str, shape: Signature) -> str:
    parameters = "".join(f", {_C[kind]} l{at}" for at, kind in enumerate(shape[0]))
    arguments = "".join(f", of_{kind}(l{at})" if kind[0] == "f" else f", l{at}" for at, kind in enumerate(shape[0]))
    call = f"component_{name}(m{arguments})"
    if not shape[1]:
        return f"SHOWN void twin_{name}(component *m{parameters}) {{ {call}; }}\n"
    if shape[1][0][0] == "f":
        call = f"to_{shape[1][0]}({call})"
    return f"SHOWN {_C[shape[1][0]]} twin_{name}(component *m{parameters}) {{ return {call}; }}\n"


def bpfTwin(
    wasm: bytes, names: Mapping[str, Signature], folder: Path, command: Sequence[str] | None = None, extra: str = ""
) -> Path:
    """
    The library of a component in its BPF form.

    @param extra: C that is compiled behind it.
    """
    made = translateForBpf(wasm, names)
    folder = folder / f"bpf{next(_numbers)}"
    folder.mkdir(parents=True)
    (folder / "component.c").write_text(made.source)
    for path in FILES:
        shutil.copyfile(path, folder / path.name)
    entries = "".join(_entry(name, names[name]) for name in made.names)
    (folder / "twin.c").write_text(_FRAME + entries + extra)
    build([folder / "twin.c"], folder / "twin.so", command=command, flags=[f"-I{folder}", *BPF_FLAGS])
    return folder / "twin.so"


class BpfTwin(Native):
    """An instance of that library."""

    prefix = "twin"

    def memory(self) -> bytes:
        self._function("bytes").restype = ctypes.c_void_p
        return ctypes.string_at(self._function("bytes")(self._pointer), self._function("memory")(self._pointer))

    def part(self, memory: bytes) -> bytes:
        self._function("low").restype = ctypes.c_uint64
        low = self._function("low")()
        # Pages that the module hasn't taken yet are zeros here.
        return memory[low : low + self._function("memory")(self._pointer)].ljust(
            self._function("memory")(self._pointer), b"\0"
        )
