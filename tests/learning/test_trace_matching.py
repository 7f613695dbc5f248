"""Traces that peers describe by their patterns."""

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import Pattern
from kernelnet.learning.trace_matching import patternsIn


class PatternsTests(SynchronousTestCase):
    def test_patterns(self) -> None:
        """Patterns that an invitation tells are at most some, and those that are none are passed over."""
        pattern = {"id": "p", "type": "loop", "confidence": 0.5, "data": {"length": 10**300, "share": "x"}}
        found = patternsIn({"patterns": [pattern, {"id": "q"}, 3] * 50})
        self.assertEqual(found, [Pattern("p", "loop", 0.5, pattern["data"])] * 6)
        self.assertEqual(patternsIn({"patterns": "none"}), [])
