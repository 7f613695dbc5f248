"""Errors of workbenches, as people read them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.errors import TraceError, oneLine


class ErrorTests(SynchronousTestCase):
    def test_oneLine(self) -> None:
        """A stranger's words become one short line of printable characters."""
        self.assertEqual(oneLine(" wasm\ttrap:\n  out \x1b[31mof\u202e fuel\r\n"), "wasm trap: out ?[31mof? fuel")
        self.assertEqual(oneLine("x" * 1000), "x" * 300)

    def test_trace(self) -> None:
        """A trace's error says where, what is wrong and what would be right."""
        self.assertEqual(str(TraceError("a.txt", 3, "bad", "good")), "a.txt:3: bad; good")
        self.assertEqual(str(TraceError("a.txt", None, "bad", "good")), "a.txt: bad; good")
