"""
Helpers for the author of a generator to test it, with any test framework: a small problem, and a check of the result.

::

    problem = makeProblem(folder, loopWithScan(), seed=3, requirements={"evaluations": 12})
    outcome = checkGenerator(generator, problem)
    assert outcome.score < problem.baselines["fifo"]

It needs C{kernelnet[trainer]}: what it measures is compiled and run as a trainer would do it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zope.interface.verify import verifyObject

from kernelnet.artifacts import Candidate
from kernelnet.interfaces import IComponentGenerator
from kernelnet.learning.problem import Problem
from kernelnet.workbench.file_system import FileSystemWorkbench

if TYPE_CHECKING:
    from kernelnet.workbench.file_system.scenario import FileSystemScenario

__all__ = ["Outcome", "checkGenerator", "loopWithScan", "makeProblem", "makeScenario"]

SECONDS = 3600.0
"""Time of a problem by default: a test should bound the work, not the time, or its result depends on the machine."""

LATE = 1.0
"""Seconds by which a generator may overrun its time before `checkGenerator` calls it late."""


@dataclass(frozen=True)
class Outcome:
    """
    @ivar candidate: what the generator wrote.
    @ivar wasm: that, compiled.
    @ivar score: its misses on train.
    """

    candidate: Candidate
    wasm: bytes
    score: int


def loopWithScan(requests: int = 2000) -> list[int]:
    """Block numbers on which policies differ: a loop over 60 blocks, and between them blocks that come only once."""
    return [number % 60 if number % 4 else 1000 + number for number in range(requests)]


def makeScenario(folder: Path, blocks: Iterable[int], capacity: int = 32) -> FileSystemScenario:
    """
    A scenario of a workbench of its own: nothing of it is left in the plugin.

    @param folder: where the trace is written to.
    @param blocks: the requested block numbers, 100 at least.
    """
    path = folder / "made.txt"
    path.write_text("".join(f"{number}\n" for number in blocks), encoding="ascii")
    return FileSystemWorkbench().scenario(path, {"capacity": capacity})


def makeProblem(folder: Path, blocks: Iterable[int], capacity: int = 32, **options: Any) -> Problem:
    """
    An `IProblem` on such a scenario.

    @param options: of `Problem`, such as C{seed}, C{seconds}, C{parents}, C{requirements}.
    """
    return Problem(makeScenario(folder, blocks, capacity), **{"seed": 1, "seconds": SECONDS, **options})


def checkGenerator(generator: IComponentGenerator, problem: Problem) -> Outcome:
    """
    Let a generator solve a problem, and check what every generator has to keep to.

    @raise AssertionError: it isn't an `IComponentGenerator`, is not for this workbench, or returns no `Candidate`,
        or too late.
    @raise kernelnet.workbench.errors.CompileError: what it wrote doesn't compile.
    @raise kernelnet.workbench.errors.ComponentError: or fails on train.
    """
    verifyObject(IComponentGenerator, generator)
    if generator.workbenches and problem.workbench not in generator.workbenches:
        raise AssertionError(f"{generator.name} is not for the workbench {problem.workbench}")
    candidate = generator.generate(problem)
    if problem.secondsLeft() < -LATE:
        raise AssertionError(f"{generator.name} returned {-problem.secondsLeft():.1f} s too late")
    if not isinstance(candidate, Candidate):
        raise AssertionError(f"{generator.name} returned {candidate!r}; it should be a Candidate")
    wasm = problem.compile(candidate.source)
    return Outcome(candidate, wasm, problem.measure(wasm).score)
