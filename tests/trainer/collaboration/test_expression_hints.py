"""Expressions that go to a peer, and those that come from one."""

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import Hint
from kernelnet.trainer.collaboration.expression_hints import MAX_EXPRESSION, hintsIn, hintsOf
from kernelnet.trainer.storage.knowledge_base import KnownComponent
from tests.trainer.support import component

DIGEST = "ab" * 32


class HintTests(SynchronousTestCase):
    def test_strangers(self) -> None:
        """What an invitation gives is the sender's, whoever it says it is; what is no hint is passed over."""
        hint = {"by": "AI_9", "workbench": "process_manager", "component": DIGEST, "expression": "-idle"}
        for told in (None, 7, {"a": 1}, [None], [{**hint, "component": "x"}], [{**hint, "expression": "a" * 1001}]):
            self.assertEqual(hintsIn({"hints": told}, "AI_2"), [])
        self.assertEqual([h.by for h in hintsIn({"hints": [hint] * 100}, "AI_2")], ["AI_2"] * 8)

    def test_components(self) -> None:
        """An expression is taken from a component that was written from one."""
        made = component("ranked", workbench="process_manager", expression="-idle")
        known = [KnownComponent(c, "AI_2") for c in (component("full"), made)]
        self.assertEqual(hintsOf(known), [Hint("AI_2", "process_manager", made.digest, "-idle")])

    def test_long(self) -> None:
        """An expression that is too long for an invitation is not given, the longest one is."""
        for more, count in ((0, 1), (1, 0)):
            expression = "a" * (MAX_EXPRESSION + more)
            made = component("ranked", workbench="process_manager", expression=expression)
            self.assertEqual(len(hintsOf([KnownComponent(made, "AI_2")])), count)
