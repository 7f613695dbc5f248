"""The exporter C{bpf-tcp}: a component as a congestion control of Linux, loaded into the kernel by BPF's struct_ops."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.exporters.bpf_building import BPF_FLAGS, BTF, CONTROL_OF_TWO, buildBpf, controlFlags, lackingBpf
from kernelnet.exporters.bpf_translation import FILES, MOST_WINDOW, translateForBpf
from kernelnet.exporters.memory import Room, refuseGreedy
from kernelnet.interfaces import IExporter
from kernelnet.workbench.abi import Abi

__all__ = ["OLDEST", "PREFIX", "BpfTcp", "makeProgram", "nameOf"]

OLDEST = (6, 9)
"""Oldest kernel: its verifier takes our word that a loop ends (may_goto)."""

PREFIX = "kn_"
"""Beginning of the names of our congestion controls."""

_HERE = Path(__file__).parent
_OWN = ("bpf_tcp.c", "bpf_tcp_rank.h", "bpf_kernel.h")


def nameOf(wasm: bytes, prefix: str = PREFIX) -> str:
    """Name of a module as a congestion control; Linux allows 15 characters."""
    return prefix + hashlib.sha256(wasm).hexdigest()[:8]


def makeProgram(wasm: bytes, abi: Abi, folder: Path, name: str) -> tuple[Path, int]:
    """
    Write into a folder a module's translation and all that it stands on, and compile it.

    @param name: of the congestion control.
    @return: the program, and bytes of kernel memory that a socket takes for the module's own memory.
    @raise ExportError: it can't be made of this module, or not on this machine.
    """
    made = translateForBpf(wasm, abi.required)
    if made.window.size >= MOST_WINDOW:  # a smaller one has all that its code names
        refuseGreedy(wasm, Room("bpf-tcp", "a socket", MOST_WINDOW, made.window.low), ())
    (folder / "component.wasm").write_bytes(wasm)
    (folder / "component.c").write_text(made.source, encoding="utf-8")
    for path in (*FILES, *(_HERE / own for own in _OWN)):
        shutil.copyfile(path, folder / path.name)
    program = folder / f"{name}.o"
    buildBpf(folder / "bpf_tcp.c", program, [f"-DKN_NAME={name}", *controlFlags()])
    return program, made.window.size


@implementer(IPlugin, IExporter)
class BpfTcp:
    """See `IExporter`."""

    name = "bpf-tcp"
    description = "a congestion control of the Linux kernel (BPF struct_ops)"
    workbenches: Sequence[str] = ("network_stack",)
    needs = "clang, bpftool; Linux 6.9 or newer with BTF; root to load it"

    def missing(self) -> Sequence[str]:
        return lackingBpf(OLDEST)

    def export(self, wasm: bytes, abi: Abi, folder: Path) -> Mapping[str, Any]:
        name = nameOf(wasm)
        _, size = makeProgram(wasm, abi, folder, name)
        sources = " ".join(sorted(path.name for path in folder.glob("*.[ch]")))
        command = " ".join(["clang", *BPF_FLAGS, f"-DKN_NAME={name}", "$(FLAGS)", "-c", "bpf_tcp.c", "-o", "$@"])
        (folder / "Makefile").write_text(
            f"# What cong_control is given, as the kernel's own types say.\n"
            f"FLAGS := $(shell bpftool btf dump file {BTF} format c | grep -qF '{CONTROL_OF_TWO}'"
            f" && echo -DKN_CONTROL_OF_TWO)\n\n{name}.o: {sources}\n\t{command}\n",
            encoding="utf-8",
        )
        (folder / "README").write_text(_README.replace("NAME", name), encoding="utf-8")
        return {"program": f"{name}.o", "congestion_control": name, "bytes_by_socket": size}


_README = """\
A component of kernelnet as a congestion control of Linux (6.9 or newer).

    kernelnet deploy measure .                        beside the kernel's own, in network namespaces of its own (root)
    kernelnet deploy status                           what is loaded
    bpftool struct_ops register NAME.o                load it; every program may be given it from now on (root)
    ip route change … congctl NAME                    … for the connections of one route
    kernelnet deploy unload NAME                      take it out again

docs/howto/try-a-congestion-control.rst says what can go wrong.  `make` builds NAME.o anew; manifest.json says what
the component is.
"""

exporter = BpfTcp()
