"""
WebAssembly modules from strangers: translated in a limited child process, run with limits.

`loadModule` gives a module that is ready to run and imports nothing; `guarded` turns whatever wasmtime
raises into one of the `ComponentError` classes, and lets the wall clock tick.  Everything here may be used by
several threads at once.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import re
import resource
import select
import struct
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kernelnet.workbench import _cranelift
from kernelnet.workbench._sections import checkCounts
from kernelnet.workbench.abi import Signature
from kernelnet.workbench.errors import (
    CompileTooCostly,
    ComponentError,
    ForbiddenImport,
    InvalidModule,
    NoResources,
    OutOfFuel,
    OutOfMemory,
    StackOverflow,
    TimedOut,
    TooLarge,
    Trapped,
    WorkbenchError,
    WrongExport,
)

if TYPE_CHECKING:
    import wasmtime

__all__ = [
    "MAX_MODULE",
    "TICK",
    "checkExports",
    "engine",
    "engineVersion",
    "guarded",
    "loadModule",
]

MAX_MODULE = 64 << 10
"""Bytes of a component's module: larger ones are refused unseen."""

TICK = 0.1
"""Seconds between two epochs of the engine; deadlines are counted in them."""

_WALL_SECONDS = 10.0
_MAX_CODE = 16 << 20
_KEPT_CODE = 64 << 20
_KEPT_WORKERS = 2
_LEAST_STACK = 2 * _cranelift.MAX_WASM_STACK
_ENDLESS = "the module used up its fuel: it loops forever, or is far too slow"


@functools.cache
def engineVersion() -> str:
    """Such as C{"wasmtime 50.0.1"}: fuel is comparable only where this is the same."""
    try:
        return f"wasmtime {importlib.metadata.version('wasmtime')}"
    except importlib.metadata.PackageNotFoundError:
        raise WorkbenchError("the sandbox is missing; pip install 'kernelnet[trainer]' brings it") from None


_made: list[wasmtime.Engine] = []
_making = threading.Lock()


def engine() -> wasmtime.Engine:
    """
    The one engine of this process, also when two threads ask for it first: modules of two can't be put together.

    @raise WorkbenchError: wasmtime is missing, or a thread's stack is too small.
    """
    with _making:
        if not _made:
            _made.append(_makeEngine())
        return _made[0]


def _makeEngine() -> wasmtime.Engine:
    engineVersion()
    # A thread's default is the limit on the stack.  A module that fills its part must not meet the end of the thread's,
    # which would end the process.
    sizes = (resource.getrlimit(resource.RLIMIT_STACK)[0], threading.stack_size())
    if any(0 < size < _LEAST_STACK for size in sizes):
        raise WorkbenchError(f"the stacks of threads are too small; 'ulimit -s {_LEAST_STACK >> 10}' is the least")
    atexit.register(_leaveToTheSystem)
    return _cranelift.makeEngine()


def _leaveToTheSystem() -> None:
    """
    Let no wasmtime object be freed from now on.

    Those that live until the interpreter has taken its modules apart, such as in a cache, would look for functions
    that are gone, and complain on standard error.
    """
    from wasmtime._managed import Managed

    Managed.__del__ = lambda self: None  # type: ignore[method-assign]


# --- translation to machine code -------------------------------------------------------------------------


class _Translator:
    """A child process that runs C{_cranelift}; used by one thread at a time."""

    def __init__(self) -> None:
        spec = importlib.util.find_spec("wasmtime")
        if spec is None or spec.origin is None:
            raise WorkbenchError("the sandbox is missing; pip install 'kernelnet[trainer]' brings it")
        packages = str(Path(spec.origin).resolve().parent.parent)
        command = [sys.executable, "-I", "-S", _cranelift.__file__, packages, str(Path(__file__).parent)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._stdin, False)
        if self._receive(1, time.monotonic() + _WALL_SECONDS) != _cranelift.OK:
            self.close()
            raise WorkbenchError("the process that translates modules does not start")

    def translate(self, wasm: bytes) -> bytes:
        """
        @return: serialized machine code.
        @raise InvalidModule: it isn't a module of the features that are on.
        @raise CompileTooCostly: the child is dead; close it.
        """
        deadline = time.monotonic() + _WALL_SECONDS
        try:
            self._send(struct.pack("<I", len(wasm)) + wasm, deadline)
        except OSError:
            raise CompileTooCostly("the process that translates modules has ended") from None
        head = self._receive(5, deadline)
        size = struct.unpack("<I", head[1:])[0] if len(head) == 5 else 0
        answer = self._receive(size, deadline) if size <= _MAX_CODE else b""
        if len(head) != 5 or size > _MAX_CODE or len(answer) != size:
            raise CompileTooCostly(
                f"translating the module takes more than {_cranelift.CPU_SECONDS:g} s of CPU time or too much memory"
            )
        if head[:1] != _cranelift.OK:
            raise InvalidModule(_oneLine(answer.decode("utf-8", errors="replace")))
        return answer

    def _send(self, data: bytes, deadline: float) -> None:
        """As much of C{data} as the child takes in time."""
        left = memoryview(data)
        while left and _ready(self._stdin, select.POLLOUT, deadline):
            left = left[os.write(self._stdin, left) :]

    def _receive(self, size: int, deadline: float) -> bytes:
        """C{size} bytes, or fewer when the child ended or is late."""
        data = bytearray()
        while len(data) < size and _ready(self._stdout, select.POLLIN, deadline):
            part = os.read(self._stdout, size - len(data))
            if not part:
                break
            data += part
        return bytes(data)

    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._process.wait()


def _ready(descriptor: int, event: int, deadline: float) -> bool:
    """Whether the descriptor is ready in time; C{select.select} would not take one above 1023."""
    poll = select.poll()
    poll.register(descriptor, event)
    return bool(poll.poll(1000 * max(0.0, deadline - time.monotonic())))


_lock = threading.Lock()
_idle: list[_Translator] = []
_modules: OrderedDict[bytes, tuple[wasmtime.Module, int]] = OrderedDict()
"""By digest: a module, and the bytes of its machine code."""


def _translate(wasm: bytes) -> bytes:
    """Have a warm child translate it; one that died or was bombed is replaced."""
    with _lock:
        translator = _idle.pop() if _idle else None
    if translator is not None and not translator.alive():
        translator.close()
        translator = None
    translator = translator or _Translator()
    try:
        code = translator.translate(wasm)
    except InvalidModule:
        _putBack(translator)
        raise
    except BaseException:
        translator.close()
        raise
    _putBack(translator)
    return code


def _putBack(translator: _Translator) -> None:
    with _lock:
        if len(_idle) < _KEPT_WORKERS:
            _idle.append(translator)
            return
    translator.close()


@atexit.register
def closeTranslators() -> None:
    """End the idle child processes; the next module starts a new one.  They end with this process in any case."""
    with _lock:
        closing, _idle[:] = _idle[:], []
    for translator in closing:
        translator.close()


def loadModule(wasm: bytes, *, own: bool = False) -> wasmtime.Module:
    """
    Check a module and translate it; the last ones used are kept, by their digest, up to 64 MiB of machine code.

    @param own: one of ours, such as a driver, which may import what its bench gives it.
    @raise TooLarge, InvalidModule, CompileTooCostly, OutOfMemory, ForbiddenImport: a stranger's doing.
    """
    import wasmtime

    if len(wasm) > MAX_MODULE:
        raise TooLarge(f"the module has {len(wasm)} bytes; at most {MAX_MODULE} are allowed")
    if not wasm.startswith(b"\0asm"):
        # wasmtime would read anything else as the text format.
        raise InvalidModule("not a WebAssembly module: it does not start with \\0asm")
    key = hashlib.sha256(wasm).digest()
    with _lock:
        module, _ = _modules.get(key, (None, 0))
        if module is not None:
            _modules.move_to_end(key)
    if module is None:
        checkCounts(wasm)
        code = _translate(wasm)
        module = wasmtime.Module.deserialize(engine(), code)
        with _lock:
            _modules[key] = (module, len(code))
            kept = sum(size for _, size in _modules.values())
            while kept > _KEPT_CODE:
                kept -= _modules.popitem(last=False)[1][1]
    if not own and module.imports:
        first = module.imports[0]
        raise ForbiddenImport(f"the module imports {_oneLine(f'{first.module}.{first.name}')}; nothing may be imported")
    return module


def checkExports(
    module: wasmtime.Module, required: Mapping[str, Signature], optional: Mapping[str, Signature]
) -> frozenset[str]:
    """
    @return: the names of the functions of C{optional} that the module has.
    @raise WrongExport: one of C{required} is missing, or any of both has another signature.
    """
    import wasmtime

    wanted = {**required, **optional}
    found: dict[str, Signature | None] = {}
    for export in module.exports:
        if export.name in wanted:
            kind = export.type
            found[export.name] = (
                (tuple(str(t) for t in kind.params), tuple(str(t) for t in kind.results))
                if isinstance(kind, wasmtime.FuncType)
                else None
            )
    wrong = [
        f"its export {name} is not a function {_shape(wanted[name])}, but {_shape(signature)}"
        for name, signature in found.items()
        if signature != wanted[name]
    ]
    missing = [name for name in required if name not in found]
    if missing:
        wrong.append(f"the module exports no {', '.join(missing)}")
    if wrong:
        raise WrongExport("; ".join(wrong))
    return frozenset(optional) & frozenset(found)


def _shape(signature: Signature | None) -> str:
    if signature is None:
        return "something else"
    return f"({', '.join(signature[0])}) -> ({', '.join(signature[1])})"


# --- running ---------------------------------------------------------------------------------------------


class _Ticker:
    """Moves the engine's epoch on every `TICK` seconds while something runs, and sleeps otherwise."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        with self._changed:
            self._running += 1
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._tick, name="kernelnet-epoch", daemon=True)
                self._thread.start()
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1

    def _tick(self) -> None:
        while True:
            with self._changed:
                while not self._running:
                    self._changed.wait()
            time.sleep(TICK)
            engine().increment_epoch()


_ticker = _Ticker()


@contextlib.contextmanager
def guarded(store: wasmtime.Store, seconds: float) -> Iterator[None]:
    """
    Run a stranger's code inside: what it does wrong is raised as a `ComponentError`.

    @param seconds: of wall clock, after which it is interrupted.
    """
    import wasmtime

    store.set_epoch_deadline(max(2, int(seconds / TICK)))
    with _ticker.running():
        try:
            yield
        except wasmtime.Trap as trap:
            raise _ofTrap(trap, seconds) from None
        except wasmtime.WasmtimeError as error:
            raise _ofError(str(error)) from None


def _ofTrap(trap: wasmtime.Trap, seconds: float) -> ComponentError:
    import wasmtime

    if trap.trap_code == wasmtime.TrapCode.OUT_OF_FUEL:
        return OutOfFuel(_ENDLESS)
    if trap.trap_code == wasmtime.TrapCode.INTERRUPT:
        return TimedOut(f"the module ran for more than {seconds:g} s")
    if trap.trap_code == wasmtime.TrapCode.STACK_OVERFLOW:
        return StackOverflow("the module's calls are nested too deeply for the stack")
    # Its message is a header line, a backtrace with addresses, and the cause at the end.
    cause = trap.message.strip().splitlines()[-1]
    return Trapped(_oneLine(re.sub(r"^\s*([0-9]+: )?(wasm trap: )?", "", cause)))


def _ofError(message: str) -> ComponentError:
    """Errors, in contrast to traps, come from instantiating; wasmtime gives them no code, only words."""
    if "os error" in message:
        return NoResources(_oneLine(message))
    if "fuel" in message:
        return OutOfFuel(_ENDLESS)
    if "limit" in message or "exceeds" in message or "memory" in message:
        return OutOfMemory(_oneLine(message))
    return InvalidModule(_oneLine(message))


def _oneLine(text: str) -> str:
    """A stranger's words, made fit for a log: one line of printable characters."""
    text = " ".join(text.split())
    return "".join(c if c.isprintable() else "?" for c in text)[:300]
