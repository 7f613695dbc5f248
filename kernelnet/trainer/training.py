"""
`IntegratedKernelTrainer`: the learning half of a trainer.  Traces in; patterns, components and verdicts out.

All that takes time runs in threads of its own pool: one for the search, one for re-measurements, so neither
blocks the reactor nor the other (wasmtime releases the GIL while a component runs).
"""

from __future__ import annotations

import functools
import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.plugin import IPlugin
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from kernelnet.interfaces import ILocalTrainer, ILocalTrainerMaker
from kernelnet.message import CodeBlock, Component, Pattern, PerformanceReport, Verdict
from kernelnet.trainer.bridge import inReactor

if TYPE_CHECKING:
    from kernelnet.workbench.problem import Problem

__all__ = ["Goal", "IntegratedKernelTrainer", "IntegratedKernelTrainerMaker"]

T = TypeVar("T")

DEMO_ROUNDS = 1
DEMO_SECONDS = 6.0
"""`IntegratedKernelTrainer.run_comprehensive_demo` searches this often and this long."""


class Goal(Struct):
    """
    What one component is to be built for.

    @ivar seconds: how long the search may take.
    @ivar objective: C{"score"}, or C{"fuel"} for the same score with less fuel.
    @ivar parents: components that this trainer has confirmed, best first.
    @ivar blocks: peers' building blocks: hints that nobody has confirmed.
    @ivar requirements: what was asked for; C{trace_digest} and C{settings} in it choose the task.
    """

    feature: str
    seconds: float
    objective: str = "score"
    patterns: list[Pattern] = []
    parents: list[Component] = []
    blocks: list[CodeBlock] = []
    requirements: dict[str, Any] = {}


@implementer(ILocalTrainer)
class IntegratedKernelTrainer:
    """
    Learns patterns from traces, has a generator write components for them, guards and measures what comes of it.

    @param specialization: one of `kernelnet.message.SPECIALIZATIONS`.
    @param traces: paths; empty: the traces that ship with the workbench.
    @param generator: an `IComponentGenerator`; C{None}: the generator C{search}.
    @param seed: makes the search reproducible as far as its number of evaluations is; C{None}: random.
    @param author: goes into component ids.
    """

    log = Logger()

    def __init__(
        self,
        specialization: str = "general",
        traces: Sequence[Path] = (),
        generator: Any = None,
        seed: int | None = None,
        author: str = "local",
    ) -> None:
        self.specialization = specialization
        self.author = author
        self._traces = [Path(t) for t in traces]
        self._generator = generator
        self._random = random.Random(seed)
        self._scenarios: list[Any] = []
        self._turn = 0
        self._pool: ThreadPool | None = None
        self._stopping = False
        self._problem: Problem | None = None
        self._current: Any = None
        self._generation = 0
        self._best: int | None = None

    def __repr__(self) -> str:
        tasks = ", ".join(f"{s.trace} {s.settings}" for s in self._scenarios) or "no traces yet"
        return f"<IntegratedKernelTrainer {self.author}: {tasks}>"

    # -- ILocalTrainer

    async def _start(self) -> None:
        self._stopping = False
        if self._pool is None:
            self._pool = ThreadPool(minthreads=0, maxthreads=2, name="kernelnet-training")
            # A generator that never looks at its time must not keep the process from ending.
            self._pool.threadFactory = functools.partial(threading.Thread, daemon=True)  # type: ignore[assignment]
            self._pool.start()
        if not self._scenarios:
            self._scenarios = await self._inThread(self._open)

    def start(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._start())

    def learn(self) -> Deferred[list[Pattern]]:
        def patterns() -> list[Pattern]:
            return [p for scenario in self._scenarios for p in scenario.patterns()]

        return self._inThread(patterns)

    def build(self, goal: Goal) -> Deferred[Component | None]:
        return self._inThread(self._build, goal, self._random.getrandbits(31))

    def remeasure(self, component: Component) -> Deferred[PerformanceReport]:
        return self._inThread(self._remeasure, component)

    def status(self) -> dict[str, Any]:
        scenario = self._current
        return {
            "generation": self._generation,
            "best": self._best,
            "scenario": None
            if scenario is None
            else {
                "workbench": scenario.workbench.name,
                "trace": scenario.trace,
                "trace_digest": scenario.traceDigest,
                "settings": dict(scenario.settings),
            },
        }

    def stop(self) -> Deferred[None]:
        self._stopping = True
        if self._problem is not None:
            self._problem.cancel()
        pool, self._pool = self._pool, None
        done: Deferred[None] = Deferred()
        if pool is None:
            done.callback(None)
            return done
        from twisted.internet import reactor as r

        reactor: Any = r

        def join() -> None:
            # It waits for what runs: a search sees within a generation that it was cancelled.
            pool.stop()
            reactor.callFromThread(done.callback, None)

        # Not in the reactor's own pool, which the process waits for.
        threading.Thread(target=join, name="kernelnet-training-end", daemon=True).start()
        return done

    # -- in threads

    def _inThread(self, function: Callable[..., T], *arguments: Any) -> Deferred[T]:
        from twisted.internet import reactor as r

        reactor: Any = r
        if self._pool is None:
            raise RuntimeError("start() must have fired before this")
        result: Deferred[T] = deferToThreadPool(reactor, self._pool, function, *arguments)
        return result

    def _open(self) -> list[Any]:
        bench = _workbench()
        return [bench.scenario(path, {}) for path in self._paths()]

    def _paths(self) -> list[Path]:
        return self._traces or list(_workbench().traces())

    def _choose(self, requirements: dict[str, Any]) -> Any:
        """The scenario that was asked for if it is here, else the next in turn."""
        for scenario in self._scenarios:
            if scenario.traceDigest == requirements.get("trace_digest") and scenario.settings == requirements.get(
                "settings", scenario.settings
            ):
                return scenario
        self._turn += 1
        return self._scenarios[self._turn % len(self._scenarios)]

    def _build(self, goal: Goal, seed: int) -> Component | None:
        from kernelnet.workbench.acceptance import accept
        from kernelnet.workbench.problem import Problem

        scenario = self._choose(goal.requirements)
        if self._generator is None:
            from kernelnet.generators.search import search

            self._generator = search
        self._current, self._generation, self._best = scenario, 0, None
        problem = Problem(
            scenario,
            seconds=goal.seconds,
            seed=seed,
            patterns=goal.patterns,
            parents=goal.parents,
            blocks=goal.blocks,
            requirements=goal.requirements,
            objective=goal.objective,
            onProgress=self._progress,
        )
        self._problem = problem
        try:
            if self._stopping:
                return None
            candidate = self._generator.generate(problem)
            if candidate is None or self._stopping:
                return None
            component, reason = accept(scenario, candidate, generator=self._generator.name, seed=seed)
        finally:
            self._problem = None
        if component is None:
            self.log.info("not published: {reason}", reason=reason)
            return None
        # unique among authors, and short enough for a table
        component.id = f"{self.author}-{component.digest[:10]}"
        return component

    def _progress(self, generation: int, best: int) -> None:
        self._generation, self._best = generation, best

    def _remeasure(self, component: Component) -> PerformanceReport:
        from kernelnet.workbench.acceptance import remeasureAmong

        bench, paths = _workbench(), self._paths()
        verdict, reason, report = remeasureAmong(component, bench, paths)
        performance: dict[str, Any] = {}
        if report is not None:
            held = report.splits["held_out"]
            performance = {
                "score": held.score,
                "events": held.events,
                "miss_ratio": held.score / max(1, held.events),
                "fuel": held.fuel,
                "engine": report.engine,
                "development_level": bench.scenarioFor(report, paths).developmentLevel(report),
            }
        return PerformanceReport(
            component_id=component.id,
            performance=performance,
            digest=component.digest,
            verdict=verdict,
            reason=reason,
        )

    def _validationLevels(self, components: list[Component]) -> dict[str, float]:
        bench, paths = _workbench(), self._paths()
        reports = {c.id: c.manifest.report for c in components if c.manifest is not None and c.manifest.report}
        return {
            id_: bench.scenarioFor(report, paths).developmentLevel(report, "validation")
            for id_, report in reports.items()
        }

    # -- by itself, without a hub

    async def run_comprehensive_demo(self) -> dict[str, Any]:
        """
        Learn, build and measure once without a hub; a coroutine for C{asyncio.run} or Twisted.

        @return: C{patterns_learned} and C{components_built} (counts), C{performance_gain} (the best component's
            share of the distance reference → optimum on held-out data; 0.0 when none passed the guard),
            C{best_component} (id or C{None}), C{seconds}.  All measured in this call.
        @raise kernelnet.workbench.errors.TraceError: a trace can't be read.
        """
        return await inReactor(self._demo)

    async def _demo(self) -> dict[str, Any]:
        began = time.monotonic()
        await self.start()
        try:
            patterns = await self.learn()
            built: list[Component] = []
            for _ in range(DEMO_ROUNDS * len(self._scenarios)):
                goal = Goal("file_system", DEMO_SECONDS, patterns=patterns, parents=list(built))
                component = await self.build(goal)
                if component is not None and (await self.remeasure(component)).verdict is Verdict.CONFIRMED:
                    built.append(component)
            # chosen by validation: the best of several held-out scores would be better than what it promises
            levels = await self._inThread(self._validationLevels, built)
            best = max(built, key=lambda component: levels[component.id], default=None)
        finally:
            await self.stop()
        return {
            "patterns_learned": len(patterns),
            "components_built": len(built),
            "performance_gain": best.development_level if best is not None else 0.0,
            "best_component": best.id if best is not None else None,
            "seconds": time.monotonic() - began,
        }


def _workbench() -> Any:
    """The one workbench that there is so far: every specialization trains on it."""
    from kernelnet.workbench.file_system import workbench

    return workbench


@implementer(IPlugin, ILocalTrainerMaker)
class IntegratedKernelTrainerMaker:
    """The plugin that makes `IntegratedKernelTrainer`s."""

    name = "integrated"
    description = "kernelnet's own: patterns, guarded search and re-measurement on the workbenches"

    def make(self, specialization: str, traces: Sequence[Path], generator: Any, seed: int | None, author: str) -> Any:
        return IntegratedKernelTrainer(specialization, traces, generator, seed, author)
