"""
Modules to machine code, by a limited child process that runs C{_cranelift}.

Children are kept warm; one that died or was bombed is replaced.  `translate` may be called by several threads at once.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import os
import select
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

from kernelnet.workbench import _cranelift
from kernelnet.workbench.engine import cores, isMetered
from kernelnet.workbench.errors import CompileTooCostly, InvalidModule, WorkbenchError, oneLine

__all__ = ["Translator", "closeTranslators", "translate"]

_WALL_SECONDS = 10.0
_MAX_CODE = 16 << 20


class Translator:
    """A child process that runs C{_cranelift}; used by one thread at a time."""

    def __init__(self, metered: bool = True) -> None:
        """@param metered: the code counts fuel."""
        self.metered = metered
        self.niceness = _niceness()
        spec = importlib.util.find_spec("wasmtime")
        if spec is None or spec.origin is None:
            raise WorkbenchError("the sandbox is missing; pip install 'kernelnet[trainer]' brings it")
        packages = str(Path(spec.origin).resolve().parent.parent)
        command = [sys.executable, "-I", "-S", _cranelift.__file__, packages, str(Path(__file__).parent)]
        command += [] if metered else ["unmetered"]
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
            raise InvalidModule(oneLine(answer.decode("utf-8", errors="replace")))
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
_idle: list[Translator] = []


def translate(wasm: bytes) -> bytes:
    """
    Have a warm child translate a module.

    @return: serialized machine code, for `kernelnet.workbench.engine.engine`.
    @raise InvalidModule, CompileTooCostly: see `Translator.translate`.
    """
    metered, niceness = isMetered(), _niceness()
    with _lock:
        # One that a search has begun lets others go first for good: whoever proves something doesn't wait for it.
        fitting = (each for each in reversed(_idle) if each.metered is metered and each.niceness <= niceness)
        translator = next(fitting, None)
        if translator is not None:
            _idle.remove(translator)
    if translator is not None and not translator.alive():
        translator.close()
        translator = None
    translator = translator or Translator(metered)
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


def _putBack(translator: Translator) -> None:
    with _lock:
        _idle.append(translator)
        if len(_idle) <= max(2, cores()):
            return
        surplus = max(_idle, key=lambda each: each.niceness)
        _idle.remove(surplus)
    surplus.close()


def _niceness() -> int:
    """That of this thread, which a child begins with."""
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id() if sys.platform == "linux" else 0)


@atexit.register
def closeTranslators() -> None:
    """End the idle child processes; the next module starts a new one.  They end with this process in any case."""
    with _lock:
        closing, _idle[:] = _idle[:], []
    for translator in closing:
        translator.close()
