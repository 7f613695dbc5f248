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

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.plugin import IPlugin
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from kernelnet.artifacts import Component, Pattern, PerformanceReport, Report, TaskDescription, Verdict
from kernelnet.asyncio_bridge import inReactor
from kernelnet.interfaces import ILocalTrainer, ILocalTrainerMaker, IWorkbench
from kernelnet.learning.goal import Goal
from kernelnet.learning.tasks import Task, benchesFor, taskList
from kernelnet.learning.trace_matching import mostSimilar, patternsIn
from kernelnet.plugins import available
from kernelnet.trainer.collaboration.expression_hints import translated
from kernelnet.trainer.work.task_partition import dealt
from kernelnet.untrusted import plain
from kernelnet.workbench.errors import Unmeasurable, WorkbenchError
from kernelnet.workbench.suite import Suite, scenarioOf

if TYPE_CHECKING:
    from kernelnet.learning.problem import Problem

__all__ = ["IntegratedKernelTrainer", "IntegratedKernelTrainerMaker"]

T = TypeVar("T")

DEMO_MOST = 3
DEMO_SECONDS = 6.0
"""`IntegratedKernelTrainer.run_comprehensive_demo` searches at most this often, and this long."""

MAX_PARENTS = 8
"""So many confirmed components, the best, are given to a search."""

MAX_MEMORIES = 12
MAX_ASKED = 4
"""
Of so many tasks a search goes on where it was: in our own rounds, and in those for peers; one remembers some
megabytes.
"""

MAX_REASON = 1000
"""Characters of a verdict's reason."""


@implementer(ILocalTrainer)
class IntegratedKernelTrainer:
    """
    Learns patterns from traces, has a generator write components for them, guards and measures what comes of it.

    @param specialization: one of `kernelnet.message.SPECIALIZATIONS`.
    @param traces: paths, for the first of its workbenches; empty: those that ship with the workbenches.
    @param generator: an `IComponentGenerator`; C{None}: the generator C{search}.
    @param seed: makes the search reproducible as far as its number of evaluations is; C{None}: random.
    @param author: goes into component ids.
    @param workbenches: names of those to train on; empty: those of the specialization.
    """

    log = Logger()

    def __init__(
        self,
        specialization: str = "general",
        traces: Sequence[Path] = (),
        generator: Any = None,
        seed: int | None = None,
        author: str = "local",
        *,
        workbenches: Sequence[str] = (),
    ) -> None:
        self.specialization = specialization
        self.author = author
        self._traces = [Path(t) for t in traces]
        self._generator = generator
        self._random = random.Random(seed)
        self._installed = {bench.name: bench for bench in available(IWorkbench)}
        self._benches = benchesFor(specialization, bool(traces), workbenches)
        self._tasks: dict[str, list[Task]] = {}
        self._every: list[TaskDescription] = []
        self._turn = 0
        self._memories: dict[bool, dict[Any, dict[str, Any]]] = {False: {}, True: {}}
        self._pool: ThreadPool | None = None
        self._stopping = False
        self._problem: Problem | None = None
        self._current: Any = None
        self._generation = 0
        self._best: int | None = None

    def __repr__(self) -> str:
        tasks = ", ".join(f"{len(tasks)} tasks on {name}" for name, tasks in self._tasks.items()) or "not started"
        return f"<IntegratedKernelTrainer {self.author}: {tasks}>"

    @property
    def workbenches(self) -> list[str]:
        return [bench.name for bench in self._benches]

    # -- ILocalTrainer

    async def _start(self) -> None:
        self._stopping = False
        if self._pool is None:
            self._pool = ThreadPool(minthreads=0, maxthreads=2, name="kernelnet-training")
            # A generator that never looks at its time must not keep the process from ending.
            self._pool.threadFactory = functools.partial(threading.Thread, daemon=True)  # type: ignore[assignment]
            self._pool.start()
        await self._inThread(self._open)

    def start(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._start())

    def learn(self) -> Deferred[list[Pattern]]:
        def patterns() -> list[Pattern]:
            found: dict[str, Pattern] = {}
            for bench in self._benches:
                for task in self._tasks[bench.name]:
                    if len(task.parts) == 1:
                        found.update((pattern.id, pattern) for pattern in task.open().patterns())
            return list(found.values())

        return self._inThread(patterns)

    def build(self, goal: Goal) -> Deferred[Component | None]:
        return self._inThread(self._build, goal, self._random.getrandbits(31))

    def remeasure(self, component: Component) -> Deferred[PerformanceReport]:
        return self._inThread(self._remeasure, component)

    def tasks(self) -> list[TaskDescription]:
        return list(self._every)

    def currentTask(self) -> TaskDescription | None:
        return _described(self._current) if self._current is not None else None

    def status(self) -> dict[str, Any]:
        scenario = self._current
        return {
            "generation": self._generation,
            "best": self._best,
            "scenario": None
            if scenario is None
            else {
                **msgspec.to_builtins(_described(scenario)),
                # a generalist's score is made of several
                "unit": "" if isinstance(scenario, Suite) else scenario.workbench.unit,
            },
            "tasks": msgspec.to_builtins(self._every),
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

    def _open(self) -> None:
        able = [bench for bench in self._benches if self._tasksOn(bench)]
        if not able:
            raise WorkbenchError(f"no trace ships with {', '.join(self.workbenches)}: give one by --trace")
        if not any(map(self._canWrite, able)):
            words = self._generator.name, ", ".join(self._generator.workbenches), ", ".join(self.workbenches)
            raise WorkbenchError("the generator {} writes for {}, not for {}".format(*words))
        self._benches = able
        self._every = [_described(task.open()) for bench in able for task in self._tasks[bench.name]]

    def _canWrite(self, bench: Any) -> bool:
        """Whether the generator writes for a bench."""
        names = getattr(self._generator, "workbenches", ())
        return not names or bench.name in names

    def _tasksOn(self, bench: Any) -> list[Task]:
        if bench.name not in self._tasks:
            self._tasks[bench.name] = taskList(bench, self._paths(bench))
        return self._tasks[bench.name]

    def _paths(self, bench: Any) -> list[Path]:
        """The user's traces are for the first workbench."""
        if self._traces and bench.name == self._benches[0].name:
            return self._traces
        return list(bench.traces())

    def _choose(self, goal: Goal) -> Any:
        """
        The task that was asked for if it is here, else the likest by its patterns, else the next in turn on that bench.

        @raise Unmeasurable: the workbench isn't here, or no trace for it, or our generator writes nothing for it.
        """
        asked = goal.requirements
        if isinstance(asked.get("workbench"), str) and asked["workbench"] not in self._installed:
            raise Unmeasurable(f"the workbench {plain(asked['workbench'], 100)!r} is not installed here")
        names = [name for name in (asked.get("workbench"), goal.feature) if isinstance(name, str)]
        benches = [self._installed[name] for name in names if name in self._installed][:1]
        if benches and not self._canWrite(benches[0]):
            raise Unmeasurable(f"the generator {self._generator.name} writes nothing for {benches[0].name}")
        benches = benches or list(filter(self._canWrite, self._benches))
        every = [task for bench in benches for task in self._tasksOn(bench)]
        if not every:
            raise Unmeasurable(f"there is no trace for {benches[0].name} here")
        if asked.get("trace_digest") is not None:
            for task in every:
                scenario = task.open()
                if scenario.traceDigest == asked["trace_digest"] and scenario.settings == asked.get(
                    "settings", scenario.settings
                ):
                    return scenario
            if patterns := patternsIn(asked):
                return mostSimilar([task.open() for task in every], patterns)
        for _ in every:
            self._turn += 1
            tasks = self._tasksOn(benches[self._turn % len(benches)])
            scenario = tasks[dealt(self._turn // len(benches), len(tasks), goal.place, goal.among)].open()
            if _named(scenario) not in goal.avoid:
                break
        return scenario

    def _memory(self, scenario: Any, goal: Goal) -> dict[str, Any] | None:
        """What the last search on a scenario left: of our own rounds, or of those that peers asked for."""
        if goal.objective != "score":
            return None
        # What a peer brings along is no part of our own rounds, and takes none of their places.
        asked = bool(goal.requirements)
        abi = goal.requirements.get("abi")
        memories = self._memories[asked]
        key = (
            scenario.traceDigest,
            tuple(sorted(scenario.settings.items())),
            abi if abi in [each.identifier for each in scenario.workbench.abis] else None,
        )
        if key not in memories and len(memories) == (MAX_ASKED if asked else MAX_MEMORIES):
            # Whichever it is: tasks take turns, so the one that was searched first would always be the next.
            del memories[self._random.choice(list(memories))]
        return memories.setdefault(key, {})

    def _build(self, goal: Goal, seed: int) -> Component | None:
        from kernelnet.learning.acceptance import accept
        from kernelnet.learning.problem import Problem

        scenario = self._choose(goal)
        if self._generator is None:
            from kernelnet.generators.search import search

            self._generator = search
        self._current, self._generation, self._best = scenario, 0, None
        problem = Problem(
            scenario,
            seconds=goal.seconds,
            seed=seed,
            patterns=goal.patterns,
            parents=_on(scenario.workbench.name, goal.parents)[:MAX_PARENTS],
            blocks=[*translated(goal.hints, scenario.workbench, self._installed), *goal.blocks],
            requirements=goal.requirements,
            objective=goal.objective,
            memory=self._memory(scenario, goal),
            onProgress=self._progress,
        )
        self._problem = problem
        try:
            if self._stopping:
                return None
            candidate = self._generator.generate(problem)
            if candidate is None or self._stopping:
                return None
            # the one that it does the same as, if the generator took up the objective fuel
            parent = next((c for c in goal.parents if c.digest in candidate.parents[:1]), None)
            component, reason = accept(
                scenario,
                candidate,
                generator=self._generator.name,
                seed=seed,
                objective=goal.objective if parent is not None else "score",
                parent=parent,
                known=_bestKnown(scenario, goal.parents),
            )
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
        from kernelnet.learning.acceptance import remeasureAmong

        report: Report | None
        try:
            verdict, reason, report = remeasureAmong(component, *self._benchOf(component))
        except Unmeasurable as error:
            verdict, reason, report = Verdict.UNMEASURABLE, str(error), None
        performance: dict[str, Any] = {}
        if report is not None:
            held = report.splits["held_out"]
            performance = {
                "score": held.score,
                "events": held.events,
                "fuel": held.fuel,
                **held.metrics,
                "engine": report.engine,
                "development_level": self._level(component, report, "held_out"),
                **self._byHand(component, report),
            }
        return PerformanceReport(
            component_id=component.id,
            performance=performance,
            digest=component.digest,
            verdict=verdict,
            # It quotes the claim, and the hub takes no longer one: else who claims at length would not be refuted.
            reason=reason[:MAX_REASON],
        )

    def _benchOf(self, component: Component) -> tuple[Any, list[Path]]:
        """
        The workbench of a component, and the traces that there are for it.

        @raise Unmeasurable: it is not installed.
        """
        name = component.manifest.workbench if component.manifest is not None else ""
        bench = self._installed.get(name)
        if bench is None:
            raise Unmeasurable(f"the workbench {name!r} is not installed here")
        return bench, list(dict.fromkeys([*self._paths(bench), *bench.traces()]))

    def _byHand(self, component: Component, report: Report) -> dict[str, Any]:
        """
        The hand-made policy that is best on train, of tasks that this trainer has.

        On others, which strangers may think up, only what a claim needs is measured.
        """
        from kernelnet.learning.acceptance import bestByHand

        bench, paths = self._benchOf(component)
        ours = [settings for task in self._tasks.get(bench.name, ()) for _, settings in task.parts]
        if any(part.settings not in ours for part in report.parts or [report]):
            return {}
        scenario = scenarioOf(bench, report, paths)
        name = bestByHand(scenario)
        theirs = scenario.baselines()[name]
        level, score = scenario.developmentLevel(theirs), theirs.splits["validation"].score
        return {"best_by_hand": name, "best_by_hand_level": level, "best_by_hand_validation": score}

    def _level(self, component: Component, report: Report, split: str) -> float:
        bench, paths = self._benchOf(component)
        level: float = scenarioOf(bench, report, paths).developmentLevel(report, split)
        return level

    def _validationLevels(self, components: list[Component]) -> dict[str, float]:
        reports = {c.id: (c, c.manifest.report) for c in components if c.manifest is not None and c.manifest.report}
        return {id_: self._level(component, report, "validation") for id_, (component, report) in reports.items()}

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
            for _ in range(min(DEMO_MOST, sum(map(len, self._tasks.values())))):
                goal = Goal("", DEMO_SECONDS, patterns=patterns, parents=list(built))
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


def _bestKnown(scenario: Any, components: list[Component]) -> int | None:
    """The best score on validation that is confirmed for a scenario; C{None}: there is nothing."""
    reports = [c.manifest.report for c in components if c.manifest is not None and c.manifest.report is not None]
    return min(
        (
            report.splits["validation"].score
            for report in reports
            if (report.trace_digest, report.settings) == (scenario.traceDigest, scenario.settings)
        ),
        default=None,
    )


def _named(scenario: Any) -> dict[str, Any]:
    """What tells tasks apart."""
    return {"trace_digest": scenario.traceDigest, "settings": dict(scenario.settings)}


def _described(scenario: Any) -> TaskDescription:
    return TaskDescription(scenario.workbench.name, scenario.trace, scenario.traceDigest, dict(scenario.settings))


def _on(workbench: str, components: list[Component]) -> list[Component]:
    return [c for c in components if c.manifest is not None and c.manifest.workbench == workbench]


@implementer(IPlugin, ILocalTrainerMaker)
class IntegratedKernelTrainerMaker:
    """The plugin that makes `IntegratedKernelTrainer`s."""

    name = "integrated"
    description = "kernelnet's own: patterns, guarded search and re-measurement on the workbenches"

    def make(
        self,
        specialization: str,
        traces: Sequence[Path],
        generator: Any,
        seed: int | None,
        author: str,
        *,
        workbenches: Sequence[str] = (),
    ) -> Any:
        return IntegratedKernelTrainer(specialization, traces, generator, seed, author, workbenches=workbenches)
