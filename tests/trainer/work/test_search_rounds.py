"""Rounds of the own search: only what is better is shared, and building blocks in any case."""

from typing import Any

import msgspec
from twisted.internet.defer import inlineCallbacks
from twisted.internet.task import Clock

from kernelnet.artifacts import Verdict
from kernelnet.learning.goal import Goal
from kernelnet.message import MessageType
from kernelnet.trainer.storage.database import Changes
from tests.trainer.support import TRACE, component
from tests.trainer.work.support import WorkTestCase

T = MessageType


class SearchRoundTests(WorkTestCase):
    @inlineCallbacks
    def test_sharesOnlyWhatIsBetter(self) -> Any:
        """A component that passed the guard is shared if its validation score beats all that is known for its task."""
        self.local.script = [component("a", 40), component("b", 45), component("c", 35)]
        yield self.settle()
        shared = [m.payload["component"]["id"] for m in self.said(T.OS_COMPONENT_SHARE)]
        self.assertEqual(shared, ["a", "c"])

    @inlineCallbacks
    def test_sharesBlocks(self) -> Any:
        """The parameters of what was found are shared as a building block, also where the component is not."""
        self.local.script = [component("a", 40), component("b", 45)]
        yield self.settle()
        blocks = [m.payload["code"] for m in self.said(T.CODE_SHARE)]
        self.assertEqual([b["id"] for b in blocks], ["a-parameters", "b-parameters"])
        task = {"trace_digest": TRACE, "settings": {"capacity": 10}}
        data = {"parameters": [1.0, 2.0], "tasks": [task]}
        self.assertEqual((blocks[0]["type"], blocks[0]["data"]), ("file_system/search", data))

    @inlineCallbacks
    def test_lessFuel(self) -> Any:
        """Of components with one score on validation that with less fuel is the better one."""
        self.local.script = [component("a", 40, 1000), component("b", 40, 1000), component("c", 40, 900)]
        yield self.settle()
        shared = [m.payload["component"]["id"] for m in self.said(T.OS_COMPONENT_SHARE)]
        self.assertEqual(shared, ["a", "c"])

    @inlineCallbacks
    def test_anothersFuel(self) -> Any:
        """A claim of another engine's fuel, which can't be measured here, keeps nothing of the same score back."""
        made = component("theirs", fuel=1)
        assert made.manifest is not None and made.manifest.report is not None
        made.manifest.report = msgspec.structs.replace(made.manifest.report, engine="engine 2")
        payload = {"component": msgspec.to_builtins(made)}
        yield self.hear(self.message(T.OS_COMPONENT_SHARE, payload))
        self.trainer.knowledge.judge(made.digest, Verdict.CONFIRMED, Changes(), 0.5)
        isBest, goal = self.trainer.rounds.isBest, Goal("", 1.0)
        self.assertTrue(isBest(component("mine"), 0.5, goal))
        self.assertFalse(isBest(component("worse"), 0.49, goal))

    def test_ownWord(self) -> None:
        """What counts is the level that was measured here, whatever scores are claimed; without one nothing does."""
        isBest, goal, changes = self.trainer.rounds.isBest, Goal("", 1.0), Changes()
        known = component("known", score=90)
        self.trainer.knowledge.addComponent("AI_2", known, changes)
        self.trainer.knowledge.judge(known.digest, Verdict.CONFIRMED, changes, 0.5)
        self.assertFalse(isBest(component("mine", score=1), 0.4, goal))
        self.assertFalse(isBest(component("mine", score=1), None, goal))
        self.assertTrue(isBest(component("mine", score=99), 0.6, goal))

    def test_cheaper(self) -> None:
        """What was made to do the same as its parent for less fuel needs no higher level than that one."""
        isBest, changes = self.trainer.rounds.isBest, Changes()
        parent = component("parent")
        self.trainer.knowledge.addComponent("AI_1", parent, changes, 0.5)
        child = component("child", parents=[parent.digest])
        self.assertFalse(isBest(child, 0.499, Goal("", 1.0)))
        cheaper = Goal("", 1.0, objective="fuel")
        self.assertTrue(isBest(child, 0.499, cheaper))
        other = component("other", score=20)
        self.trainer.knowledge.addComponent("AI_1", other, changes, 0.7)
        self.assertFalse(isBest(child, 0.499, cheaper))

    @inlineCallbacks
    def test_sharesExpressions(self) -> Any:
        """What says which expression it was written from shares that too."""
        found = component("a")
        found.implementation = "/* expression: age +\n * 2.0 */"
        self.local.script = [found]
        yield self.settle()
        (block,) = (m.payload["code"] for m in self.said(T.CODE_SHARE))
        self.assertEqual(block["data"]["expression"], "age + 2.0")

    @inlineCallbacks
    def test_generatorWithNothingToOffer(self) -> Any:
        """A generator that at once has nothing to offer does not spin."""
        clock = Clock()
        self.patch(self.clock, "callLater", clock.callLater)
        self.local.script = [None] * 100
        self.trainer.worker.start()
        pauses = [call.getTime() for call in clock.getDelayedCalls()]
        self.assertEqual((pauses, len(self.local.script)), ([1.0], 99))
        stopped = self.trainer.worker.stop()
        clock.advance(1.0)
        yield stopped
