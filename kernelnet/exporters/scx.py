"""The exporter C{scx}: a component as a scheduler of Linux, loaded into the kernel by BPF (sched_ext)."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.exporters.bpf_building import BPF_FLAGS, buildBpf, lackingClang
from kernelnet.exporters.bpf_translation import FILES, translateForBpf
from kernelnet.exporters.errors import ExportError
from kernelnet.exporters.memory import Room, refuseGreedy
from kernelnet.interfaces import IExporter
from kernelnet.workbench.abi import Abi

__all__ = ["ROOM", "SLOTS", "Scx", "makeScheduler", "nameOf", "writeScheduler"]

ROOM = 4 << 20
"""Bytes that the one instance has at most."""

SLOTS = 4096
"""Threads that may be ready at once: C{KN_SLOTS} of C{scx.c}."""

CPUS = 256
"""See C{scx.c}."""

QUANTUM = 10_000
"""Microseconds: C{KN_QUANTUM_US}."""

_HERE = Path(__file__).parent
_OWN = ("scx.c", "scx_kernel.h")


def nameOf(wasm: bytes) -> str:
    """Name of a module as a scheduler."""
    return "kn_" + hashlib.sha256(wasm).hexdigest()[:8]


def writeScheduler(wasm: bytes, abi: Abi, folder: Path) -> int:
    """
    Write into a folder a module's translation, and all that it stands on.

    @return: bytes of the instance's memory.
    @raise ExportError: it can't be made of this module.
    """
    if abi.function:
        raise ExportError(
            f"scx takes components of process_manager/full; this one is of {abi.identifier}, which asks for a past that"
            " only the bench keeps"
        )
    made = translateForBpf(wasm, [*abi.required, "kn_forget"], ROOM, "a scheduler's memory")
    (folder / "component.wasm").write_bytes(wasm)
    (folder / "component.c").write_text(made.source, encoding="utf-8")
    for path in (*FILES, *(_HERE / own for own in _OWN)):
        shutil.copyfile(path, folder / path.name)
    return made.window.size


def makeScheduler(wasm: bytes, abi: Abi, folder: Path, flags: Sequence[str] = ()) -> tuple[Path, int]:
    """
    Write it, and compile it.

    @param flags: further ones of the compiler's.
    @return: the program, and bytes of the instance's memory.
    @raise ExportError: it can't be made of this module, or not on this machine.
    """
    size = writeScheduler(wasm, abi, folder)
    name = nameOf(wasm)
    program = folder / f"{name}.o"
    buildBpf(folder / "scx.c", program, [f"-DKN_NAME={name}", *flags])
    return program, size


@implementer(IPlugin, IExporter)
class Scx:
    """See `IExporter`."""

    name = "scx"
    description = "a scheduler of the Linux kernel (sched_ext); compiled, never loaded yet"
    workbenches: Sequence[str] = ("process_manager",)
    needs = "clang; to load it bpftool, Linux 6.12 or newer with SCHED_CLASS_EXT, and root"

    def missing(self) -> Sequence[str]:
        return lackingClang()

    def export(self, wasm: bytes, abi: Abi, folder: Path) -> Mapping[str, Any]:
        refuseGreedy(wasm, Room(self.name, f"{SLOTS} threads", ROOM), (SLOTS, CPUS, QUANTUM))
        name = nameOf(wasm)
        _, size = makeScheduler(wasm, abi, folder)
        sources = " ".join(sorted(path.name for path in folder.glob("*.[ch]")))
        command = " ".join(["clang", *BPF_FLAGS, f"-DKN_NAME={name}", "$(FLAGS)", "-c", "scx.c", "-o", "$@"])
        (folder / "Makefile").write_text(
            "# FLAGS=-DKN_PARTIAL: of threads that ask for it alone (SCHED_EXT); -DKN_QUANTUM_US=, -DKN_TICK_US=.\n\n"
            f"{name}.o: {sources}\n\t{command}\n",
            encoding="utf-8",
        )
        (folder / "README").write_text(_README.replace("NAME", name), encoding="utf-8")
        return {"program": f"{name}.o", "scheduler": name, "bytes": size}


_README = """\
A component of kernelnet as a scheduler of Linux (6.12 or newer, with CONFIG_SCHED_CLASS_EXT).

Made and compiled on a machine, but never yet loaded by its makers: they had no kernel with sched_ext.  Try it where a
freeze of some seconds does no harm.

    bpftool struct_ops register NAME.o       load it; all threads are scheduled by it from now on (root)
    cat /sys/kernel/sched_ext/root/ops       NAME, as long as it is
    bpftool struct_ops unregister name NAME  take it out again
    SysRq-S                                  the same, from the keyboard

The kernel takes it out by itself when a thread has to wait for 30 seconds, or when the component goes wrong, and says
so in its log.  `make FLAGS=-DKN_PARTIAL` makes one for threads alone that ask for it (chrt --ext 0 COMMAND).
manifest.json says what the component is.
"""

exporter = Scx()
