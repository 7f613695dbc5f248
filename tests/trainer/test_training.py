"""The learning half: what runs in its threads, and that it ends."""

import threading
from types import SimpleNamespace
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.trial.unittest import TestCase

from kernelnet.trainer.training import IntegratedKernelTrainer
from kernelnet.workbench.errors import WorkbenchError


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
