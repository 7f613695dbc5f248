"""Feature requests: peers' are served, and ours are said when the search has stalled."""

from typing import Any

from twisted.internet.defer import inlineCallbacks
from twisted.internet.task import Clock

from kernelnet.learning import tasks
from kernelnet.learning.tasks import hasBench
from kernelnet.message import MessageType
from kernelnet.plugins import available
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.work.feature_requests import FEATURE, MAX_REQUESTS, MAX_WAITING, FeatureAsking
from tests.trainer.support import TRACE, component
from tests.trainer.work.support import WorkTestCase

T = MessageType


class WithoutBenchTests(WorkTestCase):
    specialization = "graphics"

    @inlineCallbacks
    def test_asksNobody(self) -> Any:
        """While its feature has no workbench nobody can make it, so nobody is asked."""
        self.patch(tasks, "available", lambda interface: [b for b in available(interface) if b.name != "graphics"])
        self.assertFalse(hasBench("graphics"))
        benches = ("audio", "file_system", "networking", "process_manager", "security", "window_manager")
        for specialization in ("general", "performance", *benches):
            self.assertTrue(hasBench(specialization))
        self.local.script = [None, None, None]
        yield self.settle()
        self.assertEqual((self.trainer.rounds.rounds > 0, self.said(T.FEATURE_REQUEST)), (True, []))


class FeatureRequestTests(WorkTestCase):
    @inlineCallbacks
    def test_asksWhenNothingIsThere(self) -> Any:
        """A trainer whose search found nothing, and who knows nothing confirmed, asks its peers, once a minute."""
        self.local.script = [None, None, None]
        yield self.settle()
        (request,) = self.said(T.FEATURE_REQUEST)
        self.assertEqual(request.payload["feature"], "file_system")

    @inlineCallbacks
    def test_doesNotAskWhileItGoesWell(self) -> Any:
        """A trainer that finds better components asks nobody."""
        self.local.script = [component("a", 40), component("b", 30)]
        yield self.settle()
        self.assertEqual(self.said(T.FEATURE_REQUEST), [])

    @inlineCallbacks
    def test_servesARequest(self) -> Any:
        """A feature that our capabilities match is built for its requirements and sent to the requestor."""
        yield self.ask("file_system cache", settings={"capacity": 10})
        self.local.script = [None, component("made")]
        yield self.settle()
        (share,) = self.said(T.OS_COMPONENT_SHARE)
        self.assertEqual((share.target_ai, share.payload["original_requestor"]), ("AI_2", "AI_2"))
        self.assertEqual(share.payload["feature_name"], "file_system cache")
        goal = self.local.goals[1]
        self.assertEqual((goal.seconds, goal.requirements), (6, {"settings": {"capacity": 10}}))

    @inlineCallbacks
    def test_saysThatItFoundNothing(self) -> Any:
        """If nothing passed the guard, the requestor is told so."""
        yield self.ask("file_system", settings={"capacity": 10})
        self.local.script = [None, None]
        yield self.settle()
        (response,) = self.said(T.FEATURE_RESPONSE)
        self.assertEqual(response.target_ai, "AI_2")
        self.assertIn("guard", response.payload["reason"])

    @inlineCallbacks
    def test_ignoresWhatItCannotDo(self) -> Any:
        """A feature that none of our capabilities match becomes no job."""
        yield self.ask("audio mixer")
        self.assertEqual((yield self.trainer.store.read("SELECT key FROM jobs")), [])

    @inlineCallbacks
    def test_tooManyRequests(self) -> Any:
        """A peer that asks for more than can be served is told so, and others' requests are taken."""
        for _ in range(10):
            yield self.ask("file_system", "AI_2")
        yield self.ask("file_system", "AI_3")
        answers = self.said(T.FEATURE_RESPONSE)
        self.assertEqual([a.target_ai for a in answers], ["AI_2"] * 7)
        self.assertIn("waiting", answers[0].payload["reason"])
        self.assertEqual((yield self.trainer.store.read("SELECT COUNT(*) FROM jobs")), [(4,)])

    @inlineCallbacks
    def test_hugeRequirements(self) -> Any:
        """Requirements that would fill our answer's line are refused, and not sent back."""
        yield self.ask("file_system", x="y" * 1_000_000)
        (answer,) = self.said(T.FEATURE_RESPONSE)
        self.assertLess(len(str(answer.payload)), 1000)
        self.assertEqual((yield self.trainer.store.read("SELECT COUNT(*) FROM jobs")), [(0,)])

    @inlineCallbacks
    def test_stalled(self) -> Any:
        """After three rounds without anything better it asks, with something there; once a minute, and then anew."""
        clock = Clock()
        asking = FeatureAsking(self.trainer.profile, self.local, self.trainer.knowledge, self.trainer.outbox, clock)
        changes = Changes()
        self.trainer.knowledge.addComponent("AI_1", component("own"), changes)
        asked = []
        for number, isBetter in enumerate("..!.......!......"):
            before = len(changes.statements)
            asking.roundEnded(isBetter == "!", changes)
            asked += [number] * (len(changes.statements) - before)
            clock.advance(15.0)
        self.assertEqual(asked, [5, 9, 13])
        yield self.trainer.outbox.commit(changes)

    @inlineCallbacks
    def test_namesTheTask(self) -> Any:
        """A request of ours names the task that is worked on, and nothing else; before the first there is none."""
        self.local.script = [None]
        yield self.settle()
        (request,) = self.said(T.FEATURE_REQUEST)
        task = {"workbench": "file_system", "trace": "trace", "trace_digest": TRACE, "settings": {"capacity": 10}}
        self.assertEqual(request.payload["requirements"], task)
        self.patch(self.local, "currentTask", lambda: None)
        changes = Changes()
        asking = FeatureAsking(
            self.trainer.profile, self.local, self.trainer.knowledge, self.trainer.outbox, self.clock
        )
        asking.ask(changes)
        yield self.trainer.outbox.commit(changes)
        (request,) = self.said(T.FEATURE_REQUEST)
        self.assertEqual(request.payload, {"feature": "file_system"})


class StrangerTests(WorkTestCase):
    @inlineCallbacks
    def test_ofAllTogether(self) -> Any:
        """Under however many names they ask, so many requests wait; of those who have most the newest goes."""
        yield self.ask("file_system", requestor="HONEST", number=1)
        for name in range(MAX_WAITING):
            for number in range(MAX_REQUESTS):
                yield self.ask("file_system", requestor=f"EVIL_{name}", number=number)
        jobs = self.trainer.jobs.ofKind(FEATURE)
        self.assertEqual(len(jobs), MAX_WAITING)
        self.assertIn("HONEST", {job.source for job in jobs.values()})
        self.assertEqual((yield self.trainer.store.read("SELECT COUNT(*) FROM jobs")), [(MAX_WAITING,)])
