"""The learning half: what runs in its threads, and that it ends."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.trial.unittest import TestCase

from kernelnet.generators.expression import parse, toC
from kernelnet.message import Component, Manifest, PerformanceReport, Verdict
from kernelnet.trainer.training import Goal, IntegratedKernelTrainer
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.errors import WorkbenchError
from kernelnet.workbench.file_system import workbench
from tests.trainer.support import component
from tests.workbench.support import mixture


class StopTests(TestCase):
    @inlineCallbacks
    def test_workThatDoesNotEnd(self) -> Any:
        """What doesn't look at its time keeps neither the reactor's threads busy nor the process alive."""
        local = IntegratedKernelTrainer()
        self.patch(local, "_open", lambda: None)
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
        self.patch(local, "_benches", [*local._benches, bare])
        yield local.start()
        self.assertEqual(local.workbenches, ["file_system"])
        self.patch(local, "_benches", [bare])
        error = yield self.assertFailure(local.start(), WorkbenchError)
        self.assertIn("--trace", str(error))


class ReasonTests(TestCase):
    def test_long(self) -> None:
        """A claim that is quoted at length doesn't make a report too long for the hub: else it would be lost."""
        made = component("long")
        assert made.manifest is not None and made.manifest.report is not None
        claim = msgspec.structs.replace(made.manifest.report, workbench_digest=workbench.digest, trace="t" * 5000)
        manifest = msgspec.structs.replace(made.manifest, report=claim)
        made = msgspec.structs.replace(made, manifest=manifest)
        report = IntegratedKernelTrainer()._remeasure(made)
        self.assertIs(report.verdict, Verdict.UNMEASURABLE)
        self.assertIn("the trace", report.reason)
        decoded = msgspec.convert(msgspec.to_builtins(report), PerformanceReport)
        self.assertEqual(decoded.digest, made.digest)


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
        ours, theirs = made.manifest.report.splits, claim.splits
        for split, score in theirs.items():
            self.assertEqual(ours[split].score, score.score)
            self.assertLess(ours[split].fuel, score.fuel)
        self.assertEqual(made.manifest.parents, [parent.digest])
        goal.parents = [made]
        self.assertIsNone((yield local.build(goal)))
