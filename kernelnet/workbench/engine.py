"""
The one WebAssembly engine of this process: its version, how it is made, and the clock that interrupts what runs on it.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib.metadata
import os
import resource
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kernelnet.workbench import _cranelift
from kernelnet.workbench.errors import WorkbenchError

if TYPE_CHECKING:
    import wasmtime

__all__ = ["TICK", "cores", "engine", "engineVersion", "isMetered", "ticker", "unmetered"]

TICK = 0.1
"""Seconds between two epochs of the engine; deadlines are counted in them."""

_LEAST_STACK = 2 * _cranelift.MAX_WASM_STACK


def cores() -> int:
    """Number of cores that this process may run on, which is also that of modules worth running at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def engineVersion() -> str:
    """Such as C{"wasmtime 50.0.1"}: fuel is comparable only where this is the same."""
    try:
        return f"wasmtime {importlib.metadata.version('wasmtime')}"
    except importlib.metadata.PackageNotFoundError:
        raise WorkbenchError("the sandbox is missing; pip install 'kernelnet[trainer]' brings it") from None


_made: dict[bool, wasmtime.Engine] = {}
_making = threading.Lock()
_thread = threading.local()


def isMetered() -> bool:
    """Whether what this thread makes counts fuel: all but what is made inside of `unmetered`."""
    return getattr(_thread, "metered", True)


@contextlib.contextmanager
def unmetered() -> Iterator[None]:
    """Have this thread make modules and memories on the other engine, which counts no fuel: to see their time."""
    _thread.metered = False
    try:
        yield
    finally:
        _thread.metered = True


def engine() -> wasmtime.Engine:
    """
    The one engine of this process, also when two threads ask for it first: modules of two can't be put together.

    For C{unmetered} measurements of time there is another one.

    @raise WorkbenchError: wasmtime is missing, or a thread's stack is too small.
    """
    metered = isMetered()
    with _making:
        if metered not in _made:
            _made[metered] = _makeEngine(metered)
        return _made[metered]


def _makeEngine(metered: bool) -> wasmtime.Engine:
    engineVersion()
    # A thread's default is the limit on the stack.  A module that fills its part must not meet the end of the thread's,
    # which would end the process.
    sizes = (resource.getrlimit(resource.RLIMIT_STACK)[0], threading.stack_size())
    if any(0 < size < _LEAST_STACK for size in sizes):
        raise WorkbenchError(f"the stacks of threads are too small; 'ulimit -s {_LEAST_STACK >> 10}' is the least")
    atexit.register(_leaveToTheSystem)
    return _cranelift.makeEngine(metered)


def _leaveToTheSystem() -> None:
    """
    Let no wasmtime object be freed from now on.

    Those that live until the interpreter has taken its modules apart, such as in a cache, would look for functions
    that are gone, and complain on standard error.
    """
    from wasmtime._managed import Managed

    Managed.__del__ = lambda self: None  # type: ignore[method-assign]


class Ticker:
    """Moves the engines' epochs on every `TICK` seconds while something runs, and sleeps otherwise."""

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
            for each in list(_made.values()):
                each.increment_epoch()


ticker = Ticker()
