"""
C to a shared library, by a C compiler of this machine.

The C is ours: a translation, and what stands beside it.  A stranger has but numbers in it, and its length: so a
compiler has bounded time.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from kernelnet.exporters.errors import ExportError

__all__ = ["FLAGS", "build", "compiler"]

FLAGS = ("-std=gnu11", "-O2", "-fPIC", "-shared", "-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden")
"""Flags of every library: no multiplication is joined with an addition, as that gives other numbers."""

SECONDS = 120
"""Wall clock that a compiler has for one library; a component of the usual kind takes one."""


def compiler() -> list[str] | None:
    """Command of a C compiler: gcc, clang, or the one that comes with the extra C{trainer}; C{None}: there is none."""
    for name in ("gcc", "clang"):
        if found := shutil.which(name):
            return [found]
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc"]
    return None


def build(
    sources: Sequence[Path],
    library: Path,
    *,
    command: Sequence[str] | None = None,
    flags: Sequence[str] = (),
    isProgram: bool = False,
) -> None:
    """
    Compile and link.

    @param command: a compiler's; otherwise that of C{compiler}.
    @param flags: such as libraries to link with, behind all else.
    @param isProgram: it is no library, but a program.
    @raise ExportError: there is no compiler, or it failed; the text has its first error.
    """
    command = command or compiler()
    if command is None:
        raise ExportError("there is no C compiler: install gcc or clang, or pip install 'kernelnet[trainer]'")
    chosen = [flag for flag in FLAGS if not (isProgram and flag == "-shared")]
    full = [*command, *chosen, "-o", str(library), *map(str, sources), *flags, "-lm"]
    try:
        done = subprocess.run(full, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise ExportError(f"{command[-1]} takes more than {SECONDS} s for {library.name}") from None
    except OSError as error:
        raise ExportError(f"can't run {command[0]}: {error.strerror}") from None
    if done.returncode:
        lines = (
            [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines() or ["no word"]
        )
        raise ExportError(f"{command[-1]} refuses {library.name}: {lines[0]}")
