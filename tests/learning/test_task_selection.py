"""Which task a goal is for: what was asked, what is likest to it, or what is next."""

from pathlib import Path
from typing import Any

import msgspec
from twisted.internet.defer import inlineCallbacks
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from kernelnet.artifacts import CodeBlock, Hint
from kernelnet.interfaces import IComponentGenerator, IWorkbench
from kernelnet.learning.goal import Goal
from kernelnet.learning.local_trainer import IntegratedKernelTrainer
from kernelnet.learning.task_selection import TaskSelection
from kernelnet.plugins import available
from kernelnet.workbench.errors import Unmeasurable, WorkbenchError
from kernelnet.workbench.file_system import workbench
from tests.workbench.support import mixture

DIGEST = "ab" * 32


@implementer(IComponentGenerator)
class Keeping:
    """A generator that finds nothing, and keeps what it was given."""

    name = "keeping"
    description = ""
    workbenches: tuple[str, ...] = ()

    def generate(self, problem: Any) -> None:
        self.problem = problem


class ChoosingTests(TestCase):
    @inlineCallbacks
    def setUp(self) -> Any:  # type: ignore[override]
        folder = Path(self.mktemp())
        folder.mkdir()
        traces = [folder / name for name in ("mixed.txt", "loop.txt", "else.txt")]
        traces[0].write_text("".join(f"{number}\n" for number in mixture(seed=7)))
        traces[1].write_text("".join(f"{number % 700}\n" for number in range(12_000)))
        # another loop, which is nobody's here
        traces[2].write_text("".join(f"{number % 640}\n" for number in range(12_000)))
        self.traces, self.generator = traces, Keeping()
        self.local = IntegratedKernelTrainer("file_system", traces[:2], self.generator, seed=1)
        self.addCleanup(self.local.stop)
        yield self.local.start()
        self.mixed, self.loop, self.elsewhere = (workbench.scenario(trace) for trace in traces)

    @inlineCallbacks
    def built(self, feature: str = "file_system", **goal: Any) -> Any:
        """The trace that a goal is built for."""
        yield self.local.build(Goal(feature, 5.0, **goal))
        return self.local.status()["scenario"]["trace"]

    @inlineCallbacks
    def test_likest(self) -> Any:
        """A trace that isn't here is stood in for by the one whose patterns are most like those that were told."""
        for scenario, trace in ((self.elsewhere, "loop"), (self.mixed, "mixed")):
            told = [msgspec.to_builtins(pattern) for pattern in scenario.patterns()]
            odd = [{**told[0], "data": data} for data in (3, [1], {"length": "x", "share": [2]})]
            asked = {
                "workbench": "file_system",
                "trace_digest": "ee" * 32,
                "patterns": ["none", *odd[:2], *told, odd[2]],
            }
            self.assertEqual((yield self.built(requirements=asked)), trace)

    @inlineCallbacks
    def test_asked(self) -> Any:
        """The trace that was asked for is taken where it is here, whatever the patterns say."""
        told = [msgspec.to_builtins(pattern) for pattern in self.elsewhere.patterns()]
        asked = {"trace_digest": self.mixed.traceDigest, "patterns": told}
        self.assertEqual((yield self.built(requirements=asked)), "mixed")

    @inlineCallbacks
    def test_cant(self) -> Any:
        """A workbench that isn't here, or that there is no trace for, is said to be so."""
        goal = Goal("file_system", 5.0, requirements={"workbench": "no\x07such"})
        error = yield self.assertFailure(self.local.build(goal), Unmeasurable)
        self.assertRegex(str(error), r"'no.{0,6}such' is not installed here")
        self.patch(self.local._selection, "_tasks", {"network_stack": []})
        goal = Goal("network_stack", 5.0, requirements={"workbench": "network_stack"})
        error = yield self.assertFailure(self.local.build(goal), Unmeasurable)
        self.assertEqual(str(error), "there is no trace for network_stack here")

    @inlineCallbacks
    def test_generator(self) -> Any:
        """A generator is asked for what it writes for, and for nothing else."""
        self.patch(Keeping, "workbenches", ("file_system",))
        yield self.built()
        goal = Goal("process_manager", 5.0, requirements={"workbench": "process_manager"})
        error = yield self.assertFailure(self.local.build(goal), Unmeasurable)
        self.assertEqual(str(error), "the generator keeping writes nothing for process_manager")
        # one that works on every bench
        other = IntegratedKernelTrainer(
            "performance", (), self.generator, workbenches=["process_manager", "file_system"]
        )
        self.addCleanup(other.stop)
        yield other.start()
        for _ in range(2):
            yield other.build(Goal("performance", 5.0))
            self.assertEqual(self.generator.problem.workbench, "file_system")

    @inlineCallbacks
    def test_wrongGenerator(self) -> Any:
        """A generator that writes for none of a trainer's workbenches is told as that at the start."""
        self.patch(Keeping, "workbenches", ("file_system",))
        other = IntegratedKernelTrainer("process_manager", (), self.generator)
        self.addCleanup(other.stop)
        error = yield self.assertFailure(other.start(), WorkbenchError)
        self.assertEqual(str(error), "the generator keeping writes for file_system, not for process_manager")

    def test_generalist(self) -> None:
        """A search for several traces costs as many times as much: those for each come first, and it has its turn."""
        bench = type(workbench)()  # of its own, so that nothing is left in the plugin
        self.patch(bench, "tasks", lambda path: [{"capacity": size} for size in (20, 40)])
        selection = TaskSelection([bench], {bench.name: bench}, self.traces[:2], self.generator)
        selection.open()
        goal = Goal("file_system", 5.0)
        found = [selection.choose(goal).settings.get("parts", 1) for _ in range(12)]
        self.assertEqual(found[:4], [1] * 4)
        self.assertEqual(found.count(2), 4)

    @inlineCallbacks
    def test_givenAway(self) -> Any:
        """A task that a peer works on for us is passed over, as long as there are others."""
        tasks = self.local.status()["tasks"]
        self.assertIn("mixed", [task["trace"] for task in tasks])
        others = [
            {key: task[key] for key in ("trace_digest", "settings")} for task in tasks if task["trace"] != "mixed"
        ]
        for _ in range(3):
            self.assertEqual((yield self.built(avoid=others)), "mixed")
        everything = [{key: task[key] for key in ("trace_digest", "settings")} for task in tasks]
        self.assertIn((yield self.built(avoid=everything)), [task["trace"] for task in tasks])

    @inlineCallbacks
    def test_hints(self) -> Any:
        """Expressions of other benches come to the generator in the words of this one, before peers' blocks."""
        hint = Hint("AI_2", "process_manager", DIGEST, "-idle")
        yield self.built(hints=[hint], blocks=[CodeBlock("x")])
        first, second, third = self.generator.problem.blocks
        self.assertEqual((first.data, first.origin, third.id), ({"expression": "-age"}, DIGEST, "x"))
        # either sign may be the right one there
        self.assertEqual((second.data, second.origin), ({"expression": "-(-age)"}, DIGEST))

    def test_own(self) -> None:
        """A report is about tasks of our own where all its parts have settings that we train at."""
        selection = self.local._selection
        report = self.mixed.reference()
        for settings, own in ((self.local.tasks()[0].settings, True), ({"capacity": 1}, False)):
            part = msgspec.structs.replace(report, settings=settings)
            self.assertIs(selection.isOwn(part), own)
            self.assertIs(selection.isOwn(msgspec.structs.replace(report, settings={}, parts=[part])), own)
        self.assertIs(selection.isOwn(msgspec.structs.replace(report, workbench="security")), False)
        self.assertIs(selection.isOwn(msgspec.structs.replace(report, workbench="nowhere")), False)

    def test_own_elsewhere(self) -> None:
        """So is one about settings at which those train whose bench it is, though nobody asked us for a task there."""
        local = IntegratedKernelTrainer(specialization="file_system", author="AI_1")
        bench = local._installed["process_manager"]
        for settings, own in ((bench.tasks(bench.traces()[0])[0], True), ({"cpus": 1}, False)):
            report = msgspec.structs.replace(self.mixed.reference(), workbench=bench.name, settings=settings, parts=[])
            self.assertIs(local._selection.isOwn(report), own)

    def test_traces(self) -> None:
        """The user's traces are for the first workbench, and those that ship are there besides."""
        selection, (bench,) = self.local._selection, self.local._selection.benches
        self.assertEqual([path.name for path in selection.tracesOf(bench)][:2], ["mixed.txt", "loop.txt"])
        self.assertEqual(selection.tracesOf(bench)[2:], list(bench.traces()))
        (other,) = (bench for bench in available(IWorkbench) if bench.name == "process_manager")
        self.assertEqual(selection.tracesOf(other), list(other.traces()))
