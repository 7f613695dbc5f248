"""Jobs: they survive, and peers take turns."""

from pathlib import Path
from typing import Any

from twisted.internet.defer import inlineCallbacks
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from kernelnet.message import MessageType
from kernelnet.trainer.storage.database import Changes, Store
from kernelnet.trainer.work import job_queue
from kernelnet.trainer.work.job_queue import MAX_TRIES, Job, JobQueue
from tests.trainer.work.support import WorkTestCase

T = MessageType


class TurnTests(WorkTestCase):
    @inlineCallbacks
    def test_jobsSurvive(self) -> Any:
        """Work that a message asked for is taken up by the next process."""
        yield self.share("good")
        yield self.trainer.store.close()
        yield self.begin()
        self.connect()
        yield self.settle()
        self.assertEqual(self.local.measured, ["good"])

    @inlineCallbacks
    def test_peersTakeTurns(self) -> Any:
        """A peer with many components does not keep others' from being measured."""
        for i in range(5):
            yield self.share(f"many{i}", sender="AI_2")
        yield self.share("one", sender="AI_3")
        yield self.settle()
        self.assertEqual(self.local.measured[:3], ["many0", "one", "many1"])

    @inlineCallbacks
    def test_longClaims(self) -> Any:
        """Who claims what takes long to measure waits until the others have had as much time."""
        for n in range(3):
            yield self.share(f"long{n}", sender="AI_2")
        for n in range(6):
            yield self.share(f"short{n}", sender="AI_3")
        self.clock.now, remeasure = 0.0, self.local.remeasure

        def measuring(component: Any) -> Any:
            self.clock.advance(60.0 if component.id.startswith("long") else 1.0)
            return remeasure(component)

        self.patch(self.local, "remeasure", measuring)
        yield self.settle()
        self.assertEqual(self.local.measured, ["long0", *(f"short{n}" for n in range(6)), "long1", "long2"])

    @inlineCallbacks
    def test_everNewNames(self) -> Any:
        """Who shares under ever new names waits for those that are known, and not they for him."""
        for n in range(3):
            yield self.share(f"honest{n}", sender="AI_2")
        for n in range(6):
            yield self.share(f"sybil{n}", sender=f"S_{n}")
        yield self.settle()
        first = self.local.measured[:6]
        self.assertEqual([name for name in first if name.startswith("honest")], ["honest0", "honest1", "honest2"])


class QueueTests(TestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.queue = self.opened()

    def opened(self) -> JobQueue:
        self.store = Store(self.path, Clock())
        self.store.open()
        self.addCleanup(self.store.close)
        return JobQueue(self.store)

    @inlineCallbacks
    def add(self, *jobs: tuple[str, Job]) -> Any:
        changes = Changes()
        for key, job in jobs:
            self.queue.add(key, job, changes)
        yield self.store.commit(changes)

    @inlineCallbacks
    def test_survives(self) -> Any:
        """The next process has the jobs with their sources, in their order, but those that were dropped."""
        jobs = [("c", Job("x", "AI_2", {"a": [1]})), ("a", Job("y", "AI_3", "body")), ("b", Job("x", "", None))]
        yield self.add(*jobs)
        changes = Changes()
        self.queue.drop("a", changes)
        yield self.store.commit(changes)
        yield self.store.close()
        again = self.opened()
        yield again.load()
        self.assertEqual([key for key in "abc" if key in again], ["b", "c"])
        self.assertEqual(again["c"], jobs[0][1])
        self.assertEqual(list(again.ofKind("x")), ["c", "b"])

    @inlineCallbacks
    def test_kinds(self) -> Any:
        """Of the kinds that were asked for the oldest job is next; there may be none."""
        yield self.add(("a", Job("x", "AI_2", 1)), ("b", Job("y", "AI_2", 2)), ("c", Job("y", "AI_2", 3)))
        self.assertEqual(self.queue.next(["y"]), "b")
        self.assertEqual(self.queue.next(["y", "x"]), "a")
        self.assertIsNone(self.queue.next(["z"]))

    @inlineCallbacks
    def test_rank(self) -> Any:
        """Of one peer's jobs that of the least rank is next; one without a rank has to wait."""
        yield self.add(*((name, Job("x", "AI_2", name)) for name in "abc"))
        ranks: dict[str, int | None] = {"a": None, "b": 2, "c": 1}
        self.assertEqual(self.queue.next(["x"], lambda job: ranks[job.body]), "c")
        self.assertIsNone(self.queue.next(["x"], lambda job: None))

    @inlineCallbacks
    def test_givenUp(self) -> Any:
        """A job is to be given up after so many failures; what is no job never is."""
        yield self.add(("a", Job("x", "AI_2", 1)))
        self.assertEqual([self.queue.failed("a") for _ in range(MAX_TRIES)], [False] * (MAX_TRIES - 1) + [True])
        self.assertEqual([self.queue.failed("round") for _ in range(MAX_TRIES)], [False] * MAX_TRIES)

    @inlineCallbacks
    def test_servedAreForgotten(self) -> Any:
        """Of those who came under ever new names and whose turn is past nothing is remembered."""
        self.patch(job_queue, "MAX_SERVED", 10)
        yield self.add(("kept", Job("y", "WAITS", 0)))
        for i in range(100):
            key = f"k{i}"
            yield self.add((key, Job("x", f"AI_{i}", i)))
            self.assertEqual(self.queue.next(["x"]), key)
            self.queue.took(f"AI_{i}", 1.0)
            self.queue.drop(key, Changes())
            self.assertLessEqual(len(self.queue._served), 11)

    @inlineCallbacks
    def serve(self, source: str, seconds: float = 0.0) -> Any:
        """A job of C{source} comes, is next, takes so long, and is done."""
        yield self.add((f"of {source}", Job("x", source, 0)))
        self.assertEqual(self.queue.next(["x"], lambda job: 0 if job.source == source else None), f"of {source}")
        self.queue.took(source, seconds)
        self.queue.drop(f"of {source}", Changes())

    @inlineCallbacks
    def test_servedAreRemembered(self) -> Any:
        """Who was served comes before a newcomer; of too many those are remembered who wait, or have had much."""
        self.patch(job_queue, "MAX_SERVED", 10)
        for source in "ABCDEFGHIJ":
            yield self.serve(source)
        yield self.add(("new", Job("x", "NEW", 0)), ("old", Job("x", "A", 0)))
        self.assertEqual(self.queue.next(["x"]), "old")
        self.queue.drop("new", Changes())
        # A waits still; DEAR has had much more than anybody.
        yield self.serve("DEAR", 1000.0)
        self.patch(job_queue, "MAX_SERVED", 2)
        for source in ("ONE MORE", "AND ONE"):
            yield self.serve(source)
        self.assertNotIn("C", self.queue._served)
        yield self.add(("dear", Job("x", "DEAR", 0)), ("new", Job("x", "NEW", 0)))
        self.assertEqual(self.queue.next(["x"]), "old")
        self.queue.drop("old", Changes())
        self.assertEqual(self.queue.next(["x"]), "new")
