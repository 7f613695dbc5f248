"""The learning half: what runs in its threads, and that it ends."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from kernelnet.artifacts import Carrier, Component, Manifest, Report, Verdict
from kernelnet.expressions.syntax import parse, toC
from kernelnet.generators.search import Search
from kernelnet.interfaces import IComponentGenerator, IScenario
from kernelnet.learning import local_trainer, search_run
from kernelnet.learning.division_of_labour import LONGEST_EVERY
from kernelnet.learning.goal import Goal
from kernelnet.learning.known_settings import KNOWN, Choice
from kernelnet.learning.local_trainer import IntegratedKernelTrainer
from kernelnet.learning.search_run import SearchRun
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.errors import WorkbenchError
from kernelnet.workbench.file_system import workbench
from kernelnet.workbench.suite import Suite
from tests.learning.test_known_settings import sqlite
from tests.workbench.support import baselineSource, mixture


class StopTests(TestCase):
    @inlineCallbacks
    def test_workThatDoesNotEnd(self) -> Any:
        """What doesn't look at its time keeps neither the reactor's threads busy nor the process alive."""
        local = IntegratedKernelTrainer()
        self.patch(local._selection, "open", lambda: None)
        yield local.start()
        pool, begun, free = local._pool, threading.Event(), threading.Event()
        assert pool is not None

        def work() -> None:
            begun.set()
            free.wait()

        self.addCleanup(free.set)
        worked = local._inThread(work)
        begun.wait()
        stopped = local.stop()
        self.assertFalse(stopped.called)
        self.assertEqual([t.daemon for t in pool.threads], [True] * len(pool.threads))
        self.assertEqual(reactor.getThreadPool().working, [])  # type: ignore[attr-defined]
        free.set()
        yield worked
        yield stopped

    @inlineCallbacks
    def test_notStarted(self) -> Any:
        """Stopping what was never started is no mistake."""
        yield IntegratedKernelTrainer().stop()


class TracesTests(TestCase):
    @inlineCallbacks
    def test_none(self) -> Any:
        """A workbench that no trace is there for is passed over; where there is no other, the user is told."""
        local = IntegratedKernelTrainer("file_system")
        self.addCleanup(local.stop)
        bare = SimpleNamespace(name="bare", traces=list)
        self.patch(local._selection, "benches", [*local._selection.benches, bare])
        yield local.start()
        self.assertEqual(local.workbenches, ["file_system"])
        self.patch(local._selection, "benches", [bare])
        error = yield self.assertFailure(local.start(), WorkbenchError)
        self.assertIn("--trace", str(error))


class FuelTests(TestCase):
    @inlineCallbacks
    def test_fuel(self) -> Any:
        """With the objective fuel a component comes back that does the same as its parent for less, or nothing."""
        folder = Path(self.mktemp())
        folder.mkdir()
        trace = folder / "t.txt"
        trace.write_text("".join(f"{number}\n" for number in mixture()))
        local = IntegratedKernelTrainer("file_system", [trace], seed=1)
        self.addCleanup(local.stop)
        yield local.start()
        scenario = workbench.scenario(trace)
        abi = workbench.abis[1]
        source = toC(parse("freq + hist - age * 2 + 3 * aq(age, 0) * 0", abi.features), abi, "kn_file_system.h")
        wasm = compileC(source, workbench.headerPath, trusted=True)
        claim = scenario.measure(wasm)
        manifest = Manifest("", "", abi.identifier, "file_system", report=claim)
        parent = Component(id="p", implementation=source, wasm=wasm, manifest=manifest)
        task = {"trace_digest": scenario.traceDigest, "settings": scenario.settings}
        goal = Goal("file_system", 20.0, objective="fuel", parents=[parent], requirements=task)
        made = yield local.build(goal)
        ours = made.manifest.report.splits
        theirs = scenario.forModule(made.wasm).measure(parent.wasm).splits
        for split, score in theirs.items():
            self.assertEqual(ours[split].score, score.score)
            self.assertLess(ours[split].fuel, score.fuel)
        self.assertEqual(made.manifest.parents, [parent.digest])
        goal.parents = [made]
        self.assertIsNone((yield local.build(goal)))


@implementer(IComponentGenerator)
class Noting:
    """A generator that offers nothing, and notes what it was given."""

    name = "noting"
    description = ""
    workbenches: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.given: list[tuple[int, dict[str, Any] | None]] = []

    def generate(self, problem: Any) -> None:
        self.given.append((problem.settings["capacity"], problem.memory))


class RoundsTests(TestCase):
    """The tasks that a trainer's own rounds turn to, and what is left there for the next."""

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        trace = folder / "t.txt"
        trace.write_text("".join(f"{number}\n" for number in mixture(6000)))
        self.generator = Noting()
        self.local = IntegratedKernelTrainer("file_system", [trace], self.generator, seed=1)
        bench = type(workbench)()  # of its own, so that nothing is left in the plugin
        self.patch(bench, "tasks", lambda path: [{"capacity": size} for size in (20, 40, 60)])
        self.patch(self.local._selection, "benches", [bench])
        self.addCleanup(self.local.stop)
        self.scenario = bench.scenario(trace, {"capacity": 20})

    def build(self, times: int = 1, **goal: Any) -> list[int]:
        """The capacities of the tasks that were searched on."""
        before = len(self.generator.given)
        for _ in range(times):
            self.assertIsNone(self.local._build(Goal("", 1.0, **goal), 1))
        return [capacity for capacity, _ in self.generator.given[before:]]

    def test_dealt(self) -> None:
        """Alone a trainer goes round its tasks; among others it begins with those that were dealt to it."""
        self.assertEqual(sorted(self.build(3)), [20, 40, 60])
        for place, first in enumerate((20, 40, 60)):
            self.setUp()
            self.assertEqual(self.build(2, place=place, among=3), [first, first])
            # Nobody is relied upon.
            self.assertEqual(sorted({*self.build(10, place=place, among=3)}), [20, 40, 60])

    def peers(self, level: float) -> dict[str, Any]:
        """A goal's knowledge of a peer's component for the task of 40 blocks, which claims that all is won."""
        rules, digest = self.scenario.workbench.digest, self.scenario.traceDigest
        claim = Report("file_system", rules, "t", digest, {"capacity": 40}, "e", {})
        component = Component("news", manifest=Manifest("0" * 64, "0" * 64, "x", "file_system", report=claim))
        component.development_level = 1.0
        return {"parents": [component], "levels": {component.digest: level}}

    def test_pays(self) -> None:
        """Rounds go to the task on which something better was found, by whomever, as far as it was measured here."""
        self.patch(self.local._selection, "_levelOf", lambda task, component: 0.9)
        self.build(LONGEST_EVERY)
        self.assertEqual(self.build(3, **self.peers(0.9)), [40] * 3)

    def test_copies(self) -> None:
        """Copies of what is known, each lucky on its own variants, move nothing: the trace as it is counts."""
        source = baselineSource("fifo")
        wasm = [compileC(f"{source}\nint unused_{n}(void) {{ return {n}; }}\n", workbench.headerPath) for n in (1, 2)]
        task = self.local._selection._tasksOn(self.local._selection.benches[0])[1]
        levels = [self.local._selection._levelOf(task, Component(str(n), wasm=each)) for n, each in enumerate(wasm)]
        known = self.scenario.workbench.scenario(self.local._selection._traces[0], {"capacity": 40})
        fifo = known.developmentLevel(known.baselines()["fifo"], "validation")
        self.assertEqual(levels, [fifo, fifo])

    def test_liar(self) -> None:
        """What a component claims that was not measured here steers nothing; nor one that was confirmed elsewhere."""
        before = self.build(16)
        self.setUp()
        told = self.peers(0.9) | {"levels": {}}
        self.assertEqual(self.build(6) + self.build(10, **told), before)

    def test_status(self) -> None:
        """The status tells what was measured on the task since the start, how good the best is, and of what ended."""
        wasm = compileC(baselineSource("fifo"), workbench.headerPath, trusted=True)

        def generate(problem: Any) -> None:
            score = problem.measure(wasm).score
            problem.measureWindows(wasm)
            problem.progress(1, score)
            self.told = self.local.status()["search"]

        self.patch(self.generator, "generate", generate)
        self.assertEqual((self.local.status()["search"], self.local.status()["ended"]), (None, None))
        task = {"trace_digest": self.scenario.traceDigest, "settings": self.scenario.settings}
        level = self.scenario.developmentLevel(self.scenario.measure(wasm), "train")
        for turn in (1, 2):
            self.local._build(Goal("", 1.0, requirements=task), 1)
            told = {"evaluations": 2 * turn, "train": level, "validation": None}
            self.assertEqual(self.told, told)
            self.assertEqual(self.local.status()["ended"]["search"], told)
            self.assertEqual(self.local.status()["ended"]["scenario"]["settings"], {"capacity": 20})

    def test_memory(self) -> None:
        """What a generator leaves in its memory of a task is there the next time, and nobody else's business."""
        self.build(6)
        memories = [memory for _, memory in sorted(self.generator.given, key=lambda given: given[0])]
        for first, second in zip(memories[::2], memories[1::2], strict=True):
            self.assertIsNotNone(first)
            self.assertIs(first, second)
        self.assertEqual(len({id(memory) for memory in memories}), 3)
        asked = {"trace_digest": self.scenario.traceDigest, "settings": self.scenario.settings}
        for more in ({}, {}, {"abi": "file_system/rank/1"}, {"abi": [3]}):
            self.assertEqual(self.build(requirements={**asked, **more}), [20])
        # What peers ask for goes on with what was done for peers, of the same kind.
        found = [memory for _, memory in self.generator.given[-4:]]
        self.assertIs(found[0], found[1])
        self.assertIs(found[0], found[3])  # there is no such kind
        self.assertEqual(len({id(memory) for memory in (*memories, *found)}), 5)
        self.build(objective="fuel")
        self.assertIsNone(self.generator.given[-1][1])

    def test_memoryIsBounded(self) -> None:
        """Of more tasks than are remembered, which take turns, some are remembered when their turn comes again."""
        self.patch(search_run, "MAX_MEMORIES", 2)
        self.build(30)
        memories = [memory for _, memory in self.generator.given]
        self.assertEqual(len(self.local._memories._memories[False]), 2)
        again = sum(memory is before for before, memory in zip(memories, memories[3:], strict=False))
        self.assertGreater(again, 3)

    def test_memoryOfRequests(self) -> None:
        """However much peers ask for, our own rounds go on where they were."""
        self.patch(search_run, "MAX_MEMORIES_ASKED", 2)
        self.build(3)
        for size in (20, 40, 60):
            self.build(requirements={"trace_digest": self.scenario.traceDigest, "settings": {"capacity": size}})
        self.build(3)
        given = self.generator.given
        self.assertEqual(len({id(memory) for _, memory in given[:3] + given[-3:]}), 3)
        self.assertEqual(len(self.local._memories._memories[True]), 2)


class KnownFirstTests(TestCase):
    @inlineCallbacks
    def test_once(self) -> Any:
        """On a new task known settings come before any search, once; later what peers have shared since, once each."""
        local = IntegratedKernelTrainer("file_system", [sqlite(Path(self.mktemp()))], Search(evaluations=8), seed=1)
        self.addCleanup(local.stop)
        asked: list[tuple[bool, list[Component]]] = []

        def chosen(scenario: IScenario, generator: object, shared: list[Component], **options: Any) -> Choice:
            asked.append((generator is not None, shared))
            return Choice(None, "no", None, 0, 0, 0, 0.0)

        self.patch(local_trainer, "choose", chosen)
        yield local.start()
        manifest = Manifest("0" * 64, "0" * 64, "file_system/full/2", "file_system")
        peers = Component("a", wasm=b"a", manifest=manifest)
        other = Component("b", wasm=b"b", manifest=Manifest("0" * 64, "0" * 64, "x", "security"))
        scenario = local._selection.choose(Goal("file_system", 1.0))
        self.patch(local._selection, "choose", lambda goal: scenario)
        self.patch(local._selection, "dealt", lambda goal: [scenario])
        for shared in ([], [], [peers, other], [peers, other]):
            yield local.build(Goal("file_system", 60.0, shared=[Carrier(one, "AI_2") for one in shared]))
        self.assertEqual(asked, [(True, []), (False, [peers])])

    @inlineCallbacks
    def test_allTasks(self) -> Any:
        """Before the first search known settings are tried on every trace, until something passes; then in turn."""
        local = IntegratedKernelTrainer("file_system", [sqlite(Path(self.mktemp()))], Search(evaluations=8), seed=1)
        self.addCleanup(local.stop)
        asked: list[IScenario] = []
        searched: list[IScenario] = []

        def chosen(scenario: IScenario, *arguments: object, **options: object) -> Choice:
            asked.append(scenario)
            return Choice(None, "no", None, 0, 0, 0, 0.0)

        def build(run: SearchRun) -> tuple[None, str]:
            searched.append(run.scenario)
            return None, ""

        self.patch(local_trainer, "choose", chosen)
        self.patch(SearchRun, "build", build)
        yield local.start()
        tasks = sum("parts" not in task.settings for task in local.tasks())
        self.assertGreater(tasks, 1)
        yield local.build(Goal("file_system", 1.0))
        self.assertEqual((len(asked), len({id(one) for one in asked})), (tasks, tasks))
        self.assertFalse(any(isinstance(one, Suite) for one in asked))
        self.assertEqual(searched, asked[:1])
        yield local.build(Goal("file_system", 1.0))
        self.assertEqual((len(asked), len(searched)), (tasks, 2))

    @inlineCallbacks
    def test_othersTasks(self) -> Any:
        """What ships is tried on tasks that were dealt to this trainer; on others' they do that, if one comes again."""
        local = IntegratedKernelTrainer("file_system", [sqlite(Path(self.mktemp()))], Search(evaluations=8), seed=1)
        self.addCleanup(local.stop)
        asked: list[tuple[int, bool]] = []

        def chosen(scenario: IScenario, generator: object, *arguments: object, **options: object) -> Choice:
            asked.append((scenario.settings["capacity"], generator is not None))
            return Choice(None, "no", None, 0, 0, 0, 0.0)

        def peers(number: int) -> Component:
            return Component("a", wasm=b"%d" % number, manifest=Manifest("0" * 64, "0" * 64, "x", "file_system"))

        self.patch(local_trainer, "choose", chosen)
        self.patch(SearchRun, "build", lambda run: (None, ""))
        yield local.start()
        tasks = [task.settings["capacity"] for task in local.tasks()]
        self.assertEqual(len(tasks), 2)
        for number in range(24):
            shared = [Carrier(peers(number), "AI_2")]
            yield local.build(Goal("file_system", 60.0, shared=shared, place=1, among=2))
        tried = {size: [ships for each, ships in asked if each == size] for size in tasks}
        self.assertEqual(tried[tasks[0]][:3], [False, True, False])
        self.assertTrue(tried[tasks[1]][0])
        self.assertEqual(sum(tried[tasks[1]]), 1)

    @inlineCallbacks
    def test_untilFound(self) -> Any:
        """As soon as a task has something the others wait for their turn."""
        local = IntegratedKernelTrainer("file_system", [sqlite(Path(self.mktemp()))], Search(evaluations=8), seed=1)
        self.addCleanup(local.stop)
        yield local.start()
        asked: list[IScenario] = []

        def chosen(scenario: IScenario, *arguments: object, **options: object) -> Choice:
            asked.append(scenario)
            if len(asked) != 2:
                return Choice(None, "no", None, 0, 0, 0, 0.0)
            wasm = workbench.baselineModule("lru")
            return Choice(Component("a", wasm=wasm), "yes", None, 0, 0, 0, 0.0)

        self.patch(local_trainer, "choose", chosen)
        component = yield local.build(Goal("file_system", 1.0))
        self.assertIsNotNone(component)
        self.assertEqual(len(asked), 2)
        self.patch(SearchRun, "build", lambda run: (None, ""))
        yield local.build(Goal("file_system", 1.0))
        self.assertLessEqual(len(asked), 3)

    @inlineCallbacks
    def test_published(self) -> Any:
        """What passes the guard is the first that is built, without a search."""
        local = IntegratedKernelTrainer(
            "file_system", [sqlite(Path(self.mktemp()))], Search(evaluations=8), author="me"
        )
        self.addCleanup(local.stop)
        yield local.start()
        scenario = local._selection._installed["file_system"].scenario(local._selection._traces[0], {"capacity": 30})
        self.patch(local._selection, "dealt", lambda goal: [scenario])
        component = yield local.build(Goal("file_system", 60.0))
        self.assertEqual(component.manifest.generator, KNOWN)
        self.assertTrue(component.id.startswith("me-"))
        self.assertIsNone(local._run)
        self.patch(local._verifier, "_isOwn", lambda report: True)
        first = yield local.remeasure(component)
        later = yield local.remeasure(component)
        self.assertEqual((first.verdict, later.verdict), (Verdict.CONFIRMED, Verdict.CONFIRMED))
        self.assertEqual(first.validationLevel, later.validationLevel)
        # Before it is shared nobody asks what the hand-made ones do; who measures it again for others says it.
        self.assertNotIn("best_in_hindsight", first.performance)
        self.assertIn("best_in_hindsight", later.performance)
