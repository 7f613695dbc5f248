"""Failures on a workbench: one root, and one class for each kind of failure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kernelnet.artifacts import SplitScore
from kernelnet.untrusted import plain

__all__ = [
    "CompileError",
    "CompileTooCostly",
    "ComponentError",
    "ContractBroken",
    "ForbiddenImport",
    "InvalidModule",
    "NoResources",
    "OutOfFuel",
    "OutOfMemory",
    "StackOverflow",
    "TimedOut",
    "TooLarge",
    "TraceError",
    "Trapped",
    "Unmeasurable",
    "WorkbenchError",
    "WrongExport",
    "oneLine",
]


class WorkbenchError(Exception):
    """The root of every error that a workbench raises on purpose; its text is one line for people."""


class TraceError(WorkbenchError):
    """
    A trace can't be read.

    @ivar path: the file.
    @ivar line: its line (text) or record (binary), counted from 1; C{None} when it is about the whole file.
    @ivar wrong: what is wrong.
    @ivar right: what would be right.
    """

    def __init__(self, path: str | Path, line: int | None, wrong: str, right: str) -> None:
        self.path, self.line, self.wrong, self.right = str(path), line, wrong, right
        where = self.path if line is None else f"{self.path}:{line}"
        super().__init__(f"{where}: {wrong}; {right}")


class CompileError(WorkbenchError):
    """C source did not become a module; the text starts with the compiler's first message."""


class Unmeasurable(WorkbenchError):
    """A claim can't be measured here: its trace, settings or workbench version is not at hand."""


class ComponentError(WorkbenchError):
    """
    A component's module failed; always one of the subclasses below.

    @ivar functions: names of the functions it was in, the innermost first, as far as the module has names; C{""}: one
        that has none, such as the driver's.
    @ivar done: scores of the windows of the run that were over before; the one behind them is where it failed.
    """

    deterministic = True
    """Whether everybody who runs the module on the same scenario with the same engine sees this failure."""

    functions: tuple[str, ...] = ()
    done: Mapping[str, SplitScore] = {}


class InvalidModule(ComponentError):
    """Not a WebAssembly module, or one that uses a feature which is switched off."""


class TooLarge(ComponentError):
    """The module has more bytes or more exports than a component may have."""


class CompileTooCostly(ComponentError):
    """Translating the module to machine code took more time or memory than allowed: how long depends on the machine."""

    deterministic = False


class ForbiddenImport(ComponentError):
    """The module imports something; a component gets nothing from outside."""


class WrongExport(ComponentError):
    """A function of the ABI is missing or has another signature."""


class Trapped(ComponentError):
    """The module trapped: out of bounds, division by zero, unreachable code, …"""


class StackOverflow(ComponentError):
    """Its calls are nested too deeply; how deep is too deep depends on the processor, whose code has its own frames."""

    deterministic = False


class OutOfFuel(ComponentError):
    """The module used up its fuel: an endless or far too slow computation."""


class TimedOut(ComponentError):
    """The wall clock ran out before the fuel did: this machine is too slow or too busy to say more."""

    deterministic = False


class NoResources(ComponentError):
    """This machine did not give the memory that every component may have."""

    deterministic = False


class OutOfMemory(ComponentError):
    """The module asked for more linear memory or table elements than a component may have."""


class ContractBroken(ComponentError):
    """The module ran, but did what the ABI forbids, such as naming a slot that doesn't exist."""


def oneLine(text: str) -> str:
    """A stranger's words, made fit for a log: one line of printable characters."""
    return plain(" ".join(text.split()), 300)
