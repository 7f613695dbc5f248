"""The problem that a generator is given: the training part of a scenario, and a budget of time."""

from __future__ import annotations

import functools
import hashlib
import itertools
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from zope.interface import implementer

from kernelnet.artifacts import Carrier, CodeBlock, Component, Pattern, SplitScore
from kernelnet.interfaces import IProblem, IScenario
from kernelnet.learning.search_results import SearchResults
from kernelnet.learning.task_similarity import Likeness, tasksOfBlock, tasksOfComponent
from kernelnet.workbench.compiler import compileC

__all__ = ["Problem"]

MOST_BLOCKS = 20
"""Maximum number of blocks whose tasks are known, the nearest; and of others."""


class _Parent(Component, omit_defaults=True):
    """A component of which a part of the claim is kept back; its digest is that of the whole."""

    whole: str = ""

    @property
    def digest(self) -> str:
        return self.whole


def _ofTrain(component: Component) -> Component:
    """The component with what is known of it on train, and nothing of validation and held-out."""
    manifest = component.manifest
    if manifest is not None and manifest.report is not None:
        report = manifest.report
        splits = {split: score for split, score in report.splits.items() if split == "train"}
        manifest = replace(manifest, report=replace(report, splits=splits))
    fields = {name: getattr(component, name) for name in component.__struct_fields__}
    fields |= {"manifest": manifest, "development_level": None, "whole": component.digest}
    return _Parent(**fields)


@functools.lru_cache(maxsize=16)
def _compiled(source: str, header: Path, trusted: bool = True) -> bytes:
    """Module of a source; a template's is asked for anew with each task and round: it is always the same."""
    return compileC(source, header, trusted=trusted)


@implementer(IProblem)
class Problem:
    """
    See `IProblem`.  C{generate} runs in a worker thread; `cancel` may be called from any.

    @ivar measured: number of candidates that were measured; it may be read from any thread.
    """

    def __init__(
        self,
        scenario: IScenario,
        *,
        seed: int,
        seconds: float,
        jobs: int = 1,
        evaluations: int | None = None,
        patterns: Iterable[Pattern] = (),
        parents: Iterable[Component] = (),
        blocks: Iterable[CodeBlock] = (),
        carriers: Iterable[Carrier] = (),
        requirements: Mapping[str, Any] | None = None,
        objective: str = "score",
        memory: dict[str, Any] | None = None,
        results: SearchResults | None = None,
        onProgress: Callable[[int, int], None] | None = None,
        onTried: Callable[[str, int, bool], None] | None = None,
    ) -> None:
        """
        Worker thread: the scenario's baselines are measured, if they aren't yet.

        @param scenario: an `IScenario` whose C{measure} takes C{parameters}.
        @param seconds: the budget, from now on.
        @param jobs: number of modules worth measuring at once.
        @param evaluations: see `evaluationsLeft`; C{None}: the time alone counts.
        @param patterns: besides the scenario's own; the most trusted first.
        @param parents: only components that were confirmed here, best first.
        @param blocks: the newest first.
        @param memory: what a generator left when it last worked on this scenario; C{None}: it is not to go on.
        @param results: what was measured before, to which all is added; C{None}: nothing is kept.
        @param onProgress, onTried: called with what the generator tells, in its thread.
        """
        self._scenario = scenario
        self._deadline = time.monotonic() + seconds
        self._evaluations = evaluations
        self._measured: set[bytes] = set()
        self._cancelled = threading.Event()
        self._results = results
        self._onProgress, self._onTried = onProgress, onTried
        self._counter = itertools.count(1)
        self.measured = 0
        self.workbench = scenario.workbench.name
        self.header = scenario.workbench.header
        self.abis = scenario.workbench.abis
        self.seed = seed
        self.jobs = jobs
        self.events = scenario.events["train"]
        self.settings = dict(scenario.settings)
        self.learned = scenario.patterns()
        self.patterns = [*self.learned, *patterns]
        likeness = Likeness(self.learned, self.patterns)
        self.parents = [_ofTrain(c) for c in likeness.nearestFirst(list(parents), tasksOfComponent)]
        self.blocks = likeness.nearestFirst(list(blocks), tasksOfBlock, MOST_BLOCKS)
        self.carriers = [replace(c, component=_ofTrain(c.component)) for c in carriers]
        self.requirements = dict(requirements or {})
        self.baselines = {name: report.splits["train"].score for name, report in scenario.baselines().items()}
        self.objective = objective
        self.memory = memory

    def secondsLeft(self) -> float:
        if self._cancelled.is_set() or self.evaluationsLeft() == 0:
            return -1.0
        return self._deadline - time.monotonic()

    def evaluationsLeft(self) -> int | None:
        return None if self._evaluations is None else max(0, self._evaluations - len(self._measured))

    def _count(self, wasm: bytes, parameters: Sequence[float]) -> None:
        self.measured = next(self._counter)
        if self._evaluations is not None:
            self._measured.add(hashlib.sha256(wasm + repr(tuple(parameters)).encode()).digest())

    def cancel(self) -> None:
        """Let `secondsLeft` be negative from now on."""
        self._cancelled.set()

    def baselineSource(self, name: str) -> str:
        return self._scenario.workbench.baselineSource(name)

    def compile(self, source: str) -> bytes:
        # Written by a generator that its user chose; in the jail wherever there is one.
        return _compiled(source, self._scenario.workbench.headerPath)

    def compileStrangers(self, source: str) -> bytes:
        return _compiled(source, self._scenario.workbench.headerPath, False)

    def measure(self, wasm: bytes, parameters: Sequence[float] = ()) -> SplitScore:
        self._count(wasm, parameters)
        return self._known(
            wasm,
            parameters,
            0,
            lambda: [self._scenario.measure(wasm, upTo="train", parameters=parameters).splits["train"]],
        )[0]

    def measureWindows(self, wasm: bytes, parameters: Sequence[float] = (), count: int = 8) -> list[SplitScore]:
        if not hasattr(self._scenario, "measureWindows"):
            return [self.measure(wasm, parameters)]
        self._count(wasm, parameters)
        scenario = self._scenario
        return self._known(wasm, parameters, count, lambda: scenario.measureWindows(wasm, "train", count, parameters))

    def _known(
        self, wasm: bytes, parameters: Sequence[float], count: int, measure: Callable[[], list[SplitScore]]
    ) -> list[SplitScore]:
        return measure() if self._results is None else self._results.windows(wasm, parameters, count, measure)

    def progress(self, generation: int, best: int) -> None:
        if self._onProgress is not None:
            self._onProgress(generation, best)

    def tried(self, family: str, evaluations: int, paid: bool) -> None:
        if self._onTried is not None:
            self._onTried(family, evaluations, paid)
