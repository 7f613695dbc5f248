"""The two loops of work: own rounds and jobs take turns, and a failure ends neither."""

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.task import Clock

from kernelnet.message import MessageType
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.work.job_queue import MAX_TRIES, Job, JobQueue
from kernelnet.trainer.work.worker import OWN_ROUNDS
from tests.trainer.support import component
from tests.trainer.work.support import WorkTestCase

T = MessageType


class WorkerTests(WorkTestCase):
    @inlineCallbacks
    def test_ownRoundsBetweenJobs(self) -> Any:
        """However much peers ask for, the own search goes on between; and however long that is, they are served."""
        for _ in range(3):
            yield self.ask("file_system", settings={"capacity": 10})
        self.local.script = [None] * 9
        yield self.settle()
        asked = ["" if not goal.requirements else "asked" for goal in self.local.goals[:8]]
        own = [""] * OWN_ROUNDS
        self.assertEqual(asked, ["", "asked", *own, "asked", *own, "asked"][:8])

    @inlineCallbacks
    def test_failingGenerator(self) -> Any:
        """A generator that raises is logged and the next round goes on."""
        self.local.script = [RuntimeError("generator"), component("a")]
        yield self.settle()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(len(self.said(T.OS_COMPONENT_SHARE)), 1)

    @inlineCallbacks
    def test_hopelessJobIsGivenUp(self) -> Any:
        """A job that fails three times is dropped with a line in the log; others are done."""
        yield self.share("poison")
        yield self.share("good")
        remeasure = self.local.remeasure

        def failing(c: Any) -> Any:
            if c.id == "poison":
                raise RuntimeError("poison")
            return remeasure(c)

        self.patch(self.local, "remeasure", failing)
        yield self.settle()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 3)
        self.assertEqual(self.local.measured, ["good"])
        self.assertEqual((yield self.trainer.store.read("SELECT key FROM jobs")), [])

    @inlineCallbacks
    def test_pauses(self) -> Any:
        """After a failure, and while no job's time has come, a loop rests a second; then it goes on."""
        worker, clock = self.trainer.worker, Clock()
        self.patch(worker, "_clock", clock)
        self.patch(worker, "_running", True)

        async def failing() -> None:
            raise RuntimeError("mine")

        guarded = Deferred.fromCoroutine(worker._guarded("round", failing()))
        while not clock.getDelayedCalls():
            yield self.trainer.store.read("SELECT 1")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        clock.advance(0.9)
        self.assertFalse(guarded.called)
        clock.advance(0.1)
        yield self.trainer.store.read("SELECT 1")
        self.assertTrue(guarded.called)

        asked: list[float] = []
        began = clock.seconds()
        waiting = SimpleNamespace(next=lambda *_: asked.append(clock.seconds() - began), ofKind=lambda kind: ["a job"])
        self.patch(worker, "_jobs", waiting)
        measured = Deferred.fromCoroutine(worker._measure())
        clock.pump([0.5] * 4)
        self.assertEqual(asked, [0, 1, 2])
        worker._running = False
        clock.advance(1)
        yield measured


class Handler:
    """Notes the jobs that it is given; those whose body is C{"bad"} fail."""

    def __init__(self, jobs: JobQueue) -> None:
        self.jobs = jobs
        self.done: list[Any] = []
        self.abandoned: list[Any] = []

    async def run(self, key: str, job: Job) -> None:
        if job.body == "bad":
            raise RuntimeError("bad")
        self.done.append(job.body)
        self.jobs.drop(key, Changes())

    def abandon(self, job: Job, changes: Changes) -> None:
        self.abandoned.append(job.body)


class HandlerTests(WorkTestCase):
    @inlineCallbacks
    def test_eachItsKind(self) -> Any:
        """A job goes to the handler of its kind, in that one's loop; one that fails again and again is abandoned."""
        worker, jobs = self.trainer.worker, self.trainer.jobs
        built, measured = Handler(jobs), Handler(jobs)
        worker.registerBuild("b", built)
        worker.registerMeasurement("m", measured, lambda job: 0)
        changes = Changes()
        for kind in "bm":
            for body in ("bad", f"{kind}1", f"{kind}2"):
                jobs.add(f"{kind}:{body}", Job(kind, "AI_2", body), changes)
        yield self.trainer.outbox.commit(changes)
        self.local.script = [None] * 50
        yield self.settle()
        self.assertEqual((built.done, built.abandoned), (["b1", "b2"], ["bad"]))
        self.assertEqual((measured.done, measured.abandoned), (["m1", "m2"], ["bad"]))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2 * MAX_TRIES)
        self.assertFalse(any(f"{kind}:bad" in jobs for kind in "bm"))
