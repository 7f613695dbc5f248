"""
`IntegratedKernelTrainer`: the learning half of a trainer.  Traces in; patterns, components and verdicts out.

All that takes time runs in threads of its own pool: one for the search, one for re-measurements, so neither
blocks the reactor nor the other (wasmtime releases the GIL while a component runs).
"""

from __future__ import annotations

import functools
import hashlib
import random
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from kernelnet.artifacts import Component, ModelCosts, Pattern, PerformanceReport, Report, TaskDescription
from kernelnet.asyncio_bridge import inReactor
from kernelnet.interfaces import (
    IComponentGenerator,
    IKnowingGenerator,
    IPaidGenerator,
    IScenario,
    ISiteTrainer,
    ISparingTrainer,
    IWorkbench,
)
from kernelnet.learning.background_search import BackgroundSearches
from kernelnet.learning.demo import demo
from kernelnet.learning.family_trials import FamilyTrials
from kernelnet.learning.fetched_traces import FetchedTraces
from kernelnet.learning.goal import Goal
from kernelnet.learning.known_settings import choose, fewOf
from kernelnet.learning.own_traces import OwnTraces
from kernelnet.learning.private_search import PrivateSearch
from kernelnet.learning.search_account import SearchAccounts, TaskAccount
from kernelnet.learning.search_run import SearchMemories, SearchRun
from kernelnet.learning.task_selection import TaskSelection
from kernelnet.learning.tasks import benchesFor, bestKnown, described
from kernelnet.learning.verification import Verifier
from kernelnet.observations import OwnTrace, Trial
from kernelnet.plugins import available, find
from kernelnet.workbench.engine import cores
from kernelnet.workbench.suite import Suite

__all__ = ["DEFAULT_GENERATOR", "IntegratedKernelTrainer"]

DEFAULT_GENERATOR = "search"

T = TypeVar("T")


@implementer(ISiteTrainer, ISparingTrainer)
class IntegratedKernelTrainer:
    """
    Learns patterns from traces, has a generator write components for them, guards and measures what comes of it.

    @param specialization: one of `kernelnet.message.SPECIALIZATIONS`.
    @param traces: paths, for the first of its workbenches; empty: those that ship with the workbenches.
    @param generator: an `IComponentGenerator`; C{None}: the generator C{search}.
    @param seed: makes the search reproducible as far as its number of evaluations is; C{None}: random.
    @param author: goes into component ids.
    @param workbenches: names of those to train on; empty: those of the specialization.
    @param jobs: number of modules that a search measures at once; C{None}: one for each core.
    @param private: paths of traces of which nothing is told, for the first workbench as well.
    @raise ValueError: C{generator} asks language models, and would tell them of private traces.
    """

    log = Logger()

    def __init__(
        self,
        specialization: str = "general",
        traces: Sequence[str | Path] = (),
        generator: IComponentGenerator | None = None,
        seed: int | None = None,
        author: str = "local",
        *,
        workbenches: Sequence[str] = (),
        jobs: int | None = None,
        private: Sequence[str | Path] = (),
    ) -> None:
        self.specialization = specialization
        self.author = author
        self._generator = generator or find(IComponentGenerator, DEFAULT_GENERATOR, "generator")
        self._random = random.Random(seed)
        self._jobs = jobs or cores()
        self._installed = {bench.name: bench for bench in available(IWorkbench)}
        benches = benchesFor(specialization, bool(traces or private), workbenches)
        if private and IPaidGenerator.providedBy(self._generator):
            raise ValueError(
                "a private trace and a generator that asks language models don't go together: these would be told of it"
            )
        self._selection = TaskSelection(benches, self._installed, [Path(t) for t in traces], self._generator)
        self._memories = SearchMemories(self._random)
        self._fetched = FetchedTraces(self._installed)
        self._verifier = Verifier(self._installed, self._tracesOf, self._selection.isOwn)
        self._own = OwnTraces(Path(t) for t in (*traces, *private))
        self._pool: ThreadPool | None = None
        self._stopping = False
        self._run: SearchRun | None = None
        self._searches = BackgroundSearches(self._generator, self._installed, FamilyTrials(), self._jobs)
        self._private = self._privateSearch(benches[0], [Path(t) for t in private]) if private else None
        self._accounts = SearchAccounts()
        self._account = TaskAccount()
        self._ended: dict[str, Any] | None = None
        self._unshared = ""
        # What knows nothing need not be asked on all tasks.
        self._isFirst = IKnowingGenerator.providedBy(self._generator)

    def __repr__(self) -> str:
        return f"<IntegratedKernelTrainer {self.author}: {self._selection}>"

    @property
    def workbenches(self) -> list[str]:
        return self._selection.workbenches

    def _privateSearch(self, bench: IWorkbench, traces: list[Path]) -> PrivateSearch:
        return PrivateSearch(*(bench, traces), searches=self._searches, knownFirst=self._knownFirst, rng=self._random)

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

    def _open(self) -> None:
        self._selection.open()
        self._own.open(self._selection.benches[0])
        if self._private is not None:
            self._private.open()

    def learn(self) -> Deferred[list[Pattern]]:
        return self._inThread(self._selection.patterns)

    def build(self, goal: Goal) -> Deferred[Component | None]:
        return self._inThread(self._build, goal, self._random.getrandbits(31))

    def remeasure(self, component: Component) -> Deferred[PerformanceReport]:
        return self._inThread(self._remeasure, component)

    def remeasureClaim(self, component: Component) -> Deferred[PerformanceReport]:
        return self._inThread(functools.partial(self._remeasure, beside=False), component)

    @property
    def hasPrivate(self) -> bool:
        return self._private is not None

    def ownTraces(self) -> list[OwnTrace]:
        return [*self._own.every]

    def tryOn(self, own: OwnTrace, component: Component) -> Deferred[Trial | None]:
        return self._inThread(self._own.tryOn, own, component)

    def buildPrivately(self, goal: Goal) -> Deferred[Component | None]:
        return self._inThread(self._buildPrivately, goal, self._random.getrandbits(31))

    def tasks(self) -> list[TaskDescription]:
        return list(self._selection.every)

    def currentTask(self) -> TaskDescription | None:
        return described(self._run.scenario) if self._run is not None else None

    def status(self) -> dict[str, Any]:
        run = self._run
        return {
            "generation": 0 if run is None else run.generation,
            "best": None if run is None else run.best,
            "scenario": None
            if run is None
            else {
                **msgspec.to_builtins(described(run.scenario)),
                # a generalist's score is made of several
                "unit": "" if isinstance(run.scenario, Suite) else run.scenario.workbench.unit,
            },
            "search": None if run is None else _told(self._account, run.measured),
            "ended": self._ended,
            "costs": self._costs(),
            "tasks": msgspec.to_builtins(self._selection.every),
        }

    def _costs(self) -> dict[str, Any] | None:
        """Of the language models that the generator asks, if it asks any."""
        generator = self._generator
        costs: ModelCosts | None = generator.costs() if IPaidGenerator.providedBy(generator) else None
        return None if costs is None else msgspec.to_builtins(costs)

    def stop(self) -> Deferred[None]:
        self._stopping = True
        if self._run is not None:
            self._run.cancel()
        if self._private is not None:
            self._private.cancel()
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

    def _build(self, goal: Goal, seed: int) -> Component | None:
        scenario, known = self._taskOrKnown(goal)
        memory = self._memories.of(scenario, goal)
        account = self._accounts.of(scenario)
        if known is not None:
            measured = scenario.measure(known.wasm, upTo="validation")
            account.found(scenario, "validation", measured.splits["validation"].score)
            self._unshared = known.digest
            return self._named(known)

        def found(generation: int, best: int) -> None:
            account.found(scenario, "train", best)

        run = self._searches.begin(
            *(scenario, goal, seed, memory),
            onProgress=found if goal.objective == "score" else lambda generation, best: None,
            onTried=self._searches.families.tried,
        )
        if self._run is not None:
            self._account.evaluations += self._run.measured
        self._run, self._account = run, account
        if self._stopping:
            run.cancel()
        component, reason = run.build()
        if component is not None:
            measured = scenario.measure(component.wasm, upTo="validation")
            account.found(scenario, "validation", measured.splits["validation"].score)
        self._ended = {"scenario": msgspec.to_builtins(described(scenario)), "search": _told(account, run.measured)}
        if component is None:
            if reason:
                self.log.info("not published: {reason}", reason=reason)
            return None
        if not goal.requirements:
            self._unshared = component.digest
        return self._named(component)

    def _taskOrKnown(self, goal: Goal) -> tuple[IScenario, Component | None]:
        """
        Task to search on, or one and a component for it of what is known.

        Before the first search what is known is tried on all tasks of a single trace that were dealt to this trainer,
        until something passes: that takes seconds, and a search on one of them would keep the peers waiting for what is
        known on the next.  On others' tasks they try it themselves: whoever did it after them would find the same.  But
        nobody is relied upon: at the second visit it is tried there, too.
        """
        if goal.requirements:
            return self._selection.choose(goal), None
        isFirst, self._isFirst = self._isFirst, False
        for scenario in self._selection.dealt(goal) if isFirst else ():
            if not self._stopping and (known := self._knownOn(scenario, goal, ships=True)) is not None:
                return scenario, known
        scenario = self._selection.choose(goal)
        return scenario, self._knownOn(scenario, goal, ships=self._selection.isDealt(scenario, goal))

    def _knownOn(self, scenario: IScenario, goal: Goal, ships: bool) -> Component | None:
        """See `_knownFirst`; where a search has no memory nothing is."""
        memory = self._memories.of(scenario, goal)
        return self._knownFirst(scenario, goal, memory, ships or "known" in memory) if memory is not None else None

    def _buildPrivately(self, goal: Goal, seed: int) -> Component | None:
        component = self._private.build(goal, seed) if self._private is not None else None
        return self._named(component) if component is not None else None

    def _knownFirst(
        self, scenario: IScenario, goal: Goal, memory: dict[str, Any], ships: bool = True
    ) -> Component | None:
        """
        Component of what is known, on a task that is new here, and of what peers shared since; C{None}: none is.

        @param ships: whether what ships is tried.
        """
        tried: set[bytes] | None = memory.get("known")
        isNew, tried = ships and "ships" not in memory, tried or set()
        name = scenario.workbench.name
        few = fewOf(c for c in goal.shared if (m := c.component.manifest) is not None and m.workbench == name)
        new = [component for component in few if hashlib.sha256(component.wasm).digest() not in tried]
        memory["known"] = tried | {hashlib.sha256(component.wasm).digest() for component in new}
        if self._stopping or not (isNew or new):
            return None
        generator = None
        if isNew:
            generator, memory["ships"] = self._generator, True
        best = bestKnown(scenario, goal.parents)
        choice = choose(scenario, generator, new, jobs=self._jobs, known=best)
        if choice.best is not None:
            told = "of {tried} known settings, {shared} of them shared, in {seconds:.1f} s: {reason}"
            self.log.info(told, tried=choice.tried, shared=choice.shared, seconds=choice.seconds, reason=choice.reason)
        return choice.component

    def _named(self, component: Component) -> Component:
        # unique among authors, and short enough for a table
        component.id = f"{self.author}-{component.digest[:10]}"
        return component

    def _tracesOf(self, bench: IWorkbench) -> list[Path]:
        return [*self._selection.tracesOf(bench), *self._fetched.of(bench)]

    def addTrace(self, workbench: str, traceDigest: str, path: Path) -> bool:
        return self._fetched.add(workbench, traceDigest, path)

    def lacking(self, claim: Report) -> list[Report]:
        return self._fetched.lacking(claim, self._tracesOf)

    def _remeasure(self, component: Component, beside: bool = True) -> PerformanceReport:
        # Those who were drawn tell peers of the hand-made policies; to measure these takes longer than the claim.
        beside = beside and component.digest != self._unshared
        self._unshared = ""
        return self._verifier.verify(component, beside=beside)

    # -- by itself, without a hub

    async def run_comprehensive_demo(self) -> dict[str, Any]:
        """
        Learn, build and measure once without a hub; a coroutine for C{asyncio.run} or Twisted.

        @return: C{patterns_learned} and C{components_built} (counts), C{performance_gain} (the best component's
            share of the distance reference → optimum on held-out data; 0.0 when none passed the guard),
            C{best_component} (id or C{None}), C{seconds}.  All measured in this call.
        @raise kernelnet.workbench.errors.TraceError: a trace can't be read.
        """
        return await inReactor(lambda: demo(self))


def _told(account: TaskAccount, more: int) -> dict[str, Any]:
    """@param more: number of candidates measured since the account was brought up to date."""
    return {
        "evaluations": account.evaluations + more,
        "train": account.train,
        "validation": account.validation,
    }
