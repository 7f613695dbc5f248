"""
C to WebAssembly, with the compiler in a jail of its own.

The compiler is the C{ziglang} package (U{https://pypi.org/project/ziglang/}): clang and wasm-ld in one static
program.  C source can make a compiler read any file (C{#include}, C{#embed}, C{.incbin}), so it runs in the jail of
C{_jail}: it reads its own folder, with the ABI header in it, and zig's folder, has no network, and ends after two
seconds of CPU time.  (Landlock hides what is in files, not that they exist.)  A fresh zig cache for each compilation
costs nothing measurable (50 ms with and without) and leaves nothing through which one compilation could meet another.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from kernelnet.artifacts import MAX_SOURCE
from kernelnet.workbench import _jail
from kernelnet.workbench.errors import CompileError
from kernelnet.workbench.kept_modules import keep, kept

__all__ = ["FLAGS", "LIBRARY", "canJail", "compileC", "compileOwn", "compilerVersion"]

FLAGS = (
    *("-std=c11", "-target", "wasm32-freestanding", "-mcpu=generic", "-nostdlib", "-ffreestanding"),
    *("-O2", "-s", "-fno-ident", "-Wl,--no-entry"),
    *("-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-unused-function"),
)
"""Flags that every component is compiled with: optimised, without names or paths in the bytes."""

LIBRARY = Path(__file__).with_name("kn.h")
"""The C library of components, which every bench's header includes."""

CPU_SECONDS = 2
WALL_SECONDS = 20
"""Only a compiler that sleeps meets it; one that works meets the CPU limit first, however busy the machine is."""

_LIMITS = {"CPU": CPU_SECONDS, "AS": 1 << 30, "FSIZE": 4 << 20}
_MAX_OUTPUT = 1 << 20
_MESSAGE = 2000


def canJail() -> bool:
    """Whether this machine can compile strangers' source: whether it has Landlock."""
    return _jail.landlockVersion() > 0


@functools.cache
def compilerVersion() -> str:
    """Such as C{"ziglang 0.17.1"}, for manifests.  @raise CompileError: it isn't installed."""
    try:
        return f"ziglang {importlib.metadata.version('ziglang')}"
    except importlib.metadata.PackageNotFoundError:
        raise CompileError("the C compiler is missing; pip install 'kernelnet[trainer]' brings it") from None


@functools.cache
def _zig() -> Path:
    compilerVersion()
    spec = importlib.util.find_spec("ziglang")
    if spec is None or spec.origin is None:
        raise CompileError("the C compiler is missing; pip install 'kernelnet[trainer]' brings it")
    return Path(spec.origin).resolve().parent / "zig"


def compileC(
    source: str, header: Path, *, trusted: bool = False, flags: tuple[str, ...] = (), also: tuple[Path, ...] = ()
) -> bytes:
    """
    Compile one C file; C{#include "<header's name>"} finds the header, which finds C{kn.h}.

    The same source gives the same bytes.

    @param trusted: the source was written on this machine (by us or by a generator): without Landlock it is
        compiled with resource limits only, where a stranger's is refused.
    @param flags: further compiler flags, such as C{-Wl,--import-memory}; never a stranger's.
    @param also: further files that it may include; never for a stranger's.
    @return: the module.
    @raise CompileError: with the compiler's message, or why it was stopped.
    """
    encoded = source.encode("utf-8", errors="surrogatepass")
    if len(encoded) > MAX_SOURCE:
        raise CompileError(f"the source has {len(encoded)} bytes; at most {MAX_SOURCE} are compiled")
    if not trusted and not canJail():
        raise CompileError("no jail for a stranger's source: the kernel has no Landlock (Linux 5.13 or newer has)")
    zig = _zig()
    # The folder that the module is found in is never writable for the compiler's neighbours: mkdtemp is 0700.
    with tempfile.TemporaryDirectory(prefix="kernelnet-cc-") as folder:
        Path(folder, "component.c").write_bytes(encoded)
        for included in (LIBRARY, header, *also):
            Path(folder, included.name).write_bytes(included.read_bytes())
        request = {
            "limits": _LIMITS,
            "readable": [str(zig.parent), "/dev/null"],
            "writable": [folder],
            "demanded": not trusted,
            "cwd": folder,
            # Zig looks for a home or cache folder nowhere but here.
            "environment": {"ZIG_GLOBAL_CACHE_DIR": f"{folder}/zig", "ZIG_LOCAL_CACHE_DIR": f"{folder}/zig"},
        }
        command = [sys.executable, "-I", "-S", _jail.__file__, json.dumps(request), "--"]
        command += [str(zig), "cc", *FLAGS, *flags, "-I.", "-o", "component.wasm", "component.c"]
        code, message = _run(command)
        message = message.replace(f"{folder}/", "")
        if code == _jail.EXIT_NO_JAIL:
            raise CompileError(f"no jail for a stranger's source: {message}")
        if code != 0:
            raise CompileError(_why(code, message))
        return _output(Path(folder, "component.wasm"))


def _run(command: list[str]) -> tuple[int, str]:
    """Run to the end or to the wall clock's; nothing that it started is left."""
    with tempfile.TemporaryFile() as messages:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=messages, stderr=messages, env={}, start_new_session=True
        )
        try:
            code = process.wait(WALL_SECONDS)
        except subprocess.TimeoutExpired:
            code = -signal.SIGKILL
        finally:
            # The session may outlive its leader: the compiler's own children are in it.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        messages.seek(0)
        return code, messages.read(_MESSAGE).decode("utf-8", errors="replace")


def _why(code: int, message: str) -> str:
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line]
    if errors:
        return "\n".join(errors[:1] + [line for line in lines if line != errors[0]])
    if code < 0 or not lines:
        return f"the compiler was stopped (signal {-code}): over {CPU_SECONDS} s of CPU time, or too much memory"
    return "\n".join(lines)


def _output(path: Path) -> bytes:
    """Read what the compiler wrote, and nothing else: it may have left a link."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise CompileError(f"the compiler wrote no module: {error.strerror}") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise CompileError("the compiler wrote no module: it is not a file")
        # From a file all comes at once.
        wasm = os.read(descriptor, _MAX_OUTPUT + 1)
    finally:
        os.close(descriptor)
    if len(wasm) > _MAX_OUTPUT:
        raise CompileError(f"the module has more than {_MAX_OUTPUT} bytes")
    return wasm


_own: dict[str, bytes] = {}
_ownLock = threading.Lock()


def compileOwn(source: Path, header: Path, flags: tuple[str, ...] = (), also: tuple[Path, ...] = ()) -> bytes:
    """
    Compile a C file of this package: a bench's driver, baselines and optimum.

    Once in a process, and once on a machine where its user can keep files (`kernelnet.workbench.kept_modules`).

    @raise CompileError: see `compileC`.
    """
    return compileOwnText(source.read_text(encoding="utf-8"), header, flags, also)


def compileOwnText(text: str, header: Path, flags: tuple[str, ...] = (), also: tuple[Path, ...] = ()) -> bytes:
    """Compile C of this package: see `compileOwn`."""
    files = [path.read_bytes() for path in (LIBRARY, header, *also)]
    names = [path.name for path in (LIBRARY, header, *also)]
    made = repr((compilerVersion(), FLAGS, flags, text, names, files))
    key = hashlib.sha256(made.encode("utf-8")).hexdigest()
    with _ownLock:
        if key not in _own:
            wasm = kept(key)
            if wasm is None:
                wasm = compileC(text, header, trusted=True, flags=flags, also=also)
                keep(key, wasm)
            _own[key] = wasm
        return _own[key]
