"""
C to a program of the kernel's BPF machine, by clang.

The C is ours: a translation, and what stands beside it.  It is compiled against a few types of our own; the loader
finds where their members are in the kernel that runs (CO-RE).
"""

from __future__ import annotations

import functools
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from kernelnet.exporters.errors import ExportError

__all__ = [
    "BPF_FLAGS",
    "BTF",
    "CONTROL_OF_TWO",
    "bpftool",
    "buildBpf",
    "controlFlags",
    "kernelVersion",
    "lackingBpf",
    "lackingClang",
]

BPF_FLAGS = (
    *("-target", "bpf", "-mcpu=v3", "-std=gnu11", "-O2", "-g", "-fno-strict-aliasing", "-fno-jump-tables"),
    "-fdebug-compilation-dir=.",
    *("-Wall", "-Wno-unused"),
)
"""The machine has no jump through a table."""

BTF = Path("/sys/kernel/btf/vmlinux")
"""The running kernel's own types."""

CONTROL_OF_TWO = r"(*cong_control)(struct sock *, const struct rate_sample *)"
"""Kernels before 6.10 give C{cong_control} these two, later ones the acknowledgement too."""

SECONDS = 120
"""Wall clock for one program; a component of the usual kind takes one."""


def kernelVersion() -> tuple[int, int]:
    """Of the running kernel; (0, 0): it isn't Linux, or doesn't say."""
    found = re.match(r"(\d+)\.(\d+)", platform.release())
    return (int(found[1]), int(found[2])) if found and platform.system() == "Linux" else (0, 0)


@functools.cache
def _isBpfClang(clang: str) -> bool:
    command = [clang, "-target", "bpf", "-x", "c", "-c", "-o", "/dev/null", "-"]
    try:
        return not subprocess.run(command, input=b"int x;", capture_output=True, timeout=30, check=False).returncode
    except (OSError, subprocess.TimeoutExpired):
        return False


def lackingClang() -> list[str]:
    """See `kernelnet.interfaces.IExporter.missing`: what it takes to compile."""
    clang = shutil.which("clang")
    if clang is None:
        return ["there is no clang: install clang (Debian: clang)"]
    if not _isBpfClang(clang):
        return ["clang has no BPF: install one of LLVM's own build (Debian: clang)"]
    return []


def lackingBpf(least: tuple[int, int]) -> list[str]:
    """The same, and to load it.  @param least: the oldest kernel."""
    lacking = lackingClang()
    if bpftool() is None:
        lacking.append("there is no bpftool: install it (Debian: bpftool)")
    if (version := kernelVersion()) < least:
        wanted = ".".join(map(str, least))
        lacking.append(f"the kernel is {version[0]}.{version[1]}; Linux {wanted} or newer is needed")
    elif not BTF.exists():
        lacking.append(f"the kernel has no {BTF}: one with CONFIG_DEBUG_INFO_BTF is needed")
    return lacking


def bpftool() -> str | None:
    """Where bpftool is; a user's PATH often lacks /usr/sbin."""
    return shutil.which("bpftool") or shutil.which("bpftool", path="/usr/sbin:/sbin")


@functools.cache
def controlFlags() -> tuple[str, ...]:
    """Flags by which a congestion control fits the running kernel, as its own types say."""
    tool = bpftool()
    if tool is None:
        return ()
    command = [tool, "btf", "dump", "file", str(BTF), "format", "c"]
    try:
        types = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return ("-DKN_CONTROL_OF_TWO",) if CONTROL_OF_TWO in types else ()


def buildBpf(source: Path, made: Path, flags: Sequence[str]) -> None:
    """
    Compile.

    @raise ExportError: clang is missing or failed; the text has its first error.
    """
    command = ["clang", *BPF_FLAGS, *flags, "-c", source.name, "-o", str(made.resolve())]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=source.parent)
    except subprocess.TimeoutExpired:
        raise ExportError(f"clang takes more than {SECONDS} s for {made.name}") from None
    except OSError as error:
        raise ExportError(f"can't run clang: {error.strerror}") from None
    lines = [line for line in done.stderr.splitlines() if "error" in line]
    if "BPF stack limit" in done.stderr or "stack size" in done.stderr:
        raise ExportError("a function of the component needs more than 512 bytes of stack, which is the kernel's bound")
    if done.returncode:
        raise ExportError(f"clang refuses {made.name}: {(lines or ['no word'])[0][:300]}")
