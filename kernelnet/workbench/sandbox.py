"""
The wall around WebAssembly modules from strangers: what is loaded, and what becomes of what it does.

`loadModule` gives a module that is ready to run and imports nothing; `guarded` turns whatever wasmtime
raises into one of the `ComponentError` classes, and lets the wall clock tick.  Everything here may be used by
several threads at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernelnet.workbench._sections import checkCounts
from kernelnet.workbench.abi import Signature
from kernelnet.workbench.engine import TICK, engine, isMetered, ticker
from kernelnet.workbench.errors import (
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
    WrongExport,
    oneLine,
)
from kernelnet.workbench.translator import translate

if TYPE_CHECKING:
    import wasmtime

__all__ = ["MAX_MODULE", "Limits", "checkExports", "guarded", "loadModule"]

MAX_MODULE = 64 << 10
"""Bytes of a component's module: larger ones are refused unseen."""

_KEPT_CODE = 64 << 20

_MAX_FRAMES = 16
"""Of a trap's backtrace, the innermost: a module that ran out of stack has thousands."""

_lock = threading.Lock()
_modules: OrderedDict[tuple[bytes, bool], tuple[wasmtime.Module, int]] = OrderedDict()
"""By digest, and whether fuel is counted: a module, and the bytes of its machine code."""


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
    key = hashlib.sha256(wasm).digest(), isMetered()
    with _lock:
        module, _ = _modules.get(key, (None, 0))
        if module is not None:
            _modules.move_to_end(key)
    if module is None:
        checkCounts(wasm)
        code = translate(wasm)
        module = wasmtime.Module.deserialize(engine(), code)
        with _lock:
            _modules[key] = (module, len(code))
            kept = sum(size for _, size in _modules.values())
            while kept > _KEPT_CODE:
                kept -= _modules.popitem(last=False)[1][1]
    if not own and module.imports:
        first = module.imports[0]
        raise ForbiddenImport(f"the module imports {oneLine(f'{first.module}.{first.name}')}; nothing may be imported")
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


@dataclass(frozen=True)
class Limits:
    """
    Limits of one run, and whose run it is: what an error names.

    @ivar module: hex SHA-256 of the module.
    @ivar events: so many are in the run.
    @ivar fuel: units; C{memory}: bytes of linear memory of an instance; C{seconds}: of wall clock.
    """

    module: str
    events: int
    fuel: int
    memory: int
    seconds: float

    def outOfFuel(self) -> OutOfFuel:
        return OutOfFuel(
            f"module {self.module[:12]}… used up its fuel, {self.fuel} units for {self.events} events: "
            "it loops forever, or is far too slow"
        )

    def outOfMemory(self, cause: str = "") -> OutOfMemory:
        """@param cause: in the engine's words."""
        behind = f": {oneLine(cause)}" if cause else ""
        return OutOfMemory(f"module {self.module[:12]}… wants more than its memory, {self.memory} bytes{behind}")

    def timedOut(self) -> TimedOut:
        return TimedOut(f"module {self.module[:12]}… ran for more than {self.seconds:g} s")


@contextlib.contextmanager
def guarded(store: wasmtime.Store, limits: Limits) -> Iterator[None]:
    """Run a stranger's code inside: what it does wrong is raised as a `ComponentError`."""
    import wasmtime

    store.set_epoch_deadline(max(2, int(limits.seconds / TICK)))
    with ticker.running():
        try:
            yield
        except wasmtime.Trap as trap:
            failed = _ofTrap(trap, limits)
            failed.functions = tuple(oneLine(frame.func_name or "") for frame in trap.frames[:_MAX_FRAMES])
            raise failed from None
        except wasmtime.WasmtimeError as error:
            raise _ofError(str(error), limits) from None


def _ofTrap(trap: wasmtime.Trap, limits: Limits) -> ComponentError:
    import wasmtime

    if trap.trap_code == wasmtime.TrapCode.OUT_OF_FUEL:
        return limits.outOfFuel()
    if trap.trap_code == wasmtime.TrapCode.INTERRUPT:
        return limits.timedOut()
    if trap.trap_code == wasmtime.TrapCode.STACK_OVERFLOW:
        return StackOverflow("the module's calls are nested too deeply for the stack")
    # Its message is a header line, a backtrace with addresses, and the cause at the end.
    cause = trap.message.strip().splitlines()[-1]
    return Trapped(oneLine(re.sub(r"^\s*([0-9]+: )?(wasm trap: )?", "", cause)))


def _ofError(message: str, limits: Limits) -> ComponentError:
    """Errors, in contrast to traps, come from instantiating; wasmtime gives them no code, only words."""
    if "os error" in message:
        return NoResources(oneLine(message))
    if "fuel" in message:
        return limits.outOfFuel()
    if "limit" in message or "exceeds" in message or "memory" in message:
        return limits.outOfMemory(message)
    return InvalidModule(oneLine(message))
