"""Jobs: they survive, and peers take turns."""

from typing import Any

from twisted.internet.defer import inlineCallbacks

from kernelnet.message import MessageType
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
