"""Reasons for which a client is not read."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.connection.back_pressure import BackPressure


class Source:
    """@ivar calls: those that were made, in order."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")


class BackPressureTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.source = Source()
        self.pressure = BackPressure(self.source, self.clock)

    def test_severalReasons(self) -> None:
        """It is paused by the first reason, and read again when the last one is gone."""
        for why in ("token", "output", "output"):
            self.pressure.hold(why)
        self.pressure.release("token")
        self.assertEqual((self.source.calls, "output" in self.pressure), (["pause"], True))
        self.pressure.release("output")
        self.pressure.release("output")
        self.assertEqual((self.source.calls, "output" in self.pressure), (["pause", "resume"], False))

    def test_memory(self) -> None:
        """Ten thousand that are read hold no sets of their own."""
        other = BackPressure(self.source, self.clock)
        self.pressure.hold("token")
        self.pressure.release("token")
        self.assertIs(self.pressure._reasons, other._reasons)

    def test_slowDown(self) -> None:
        """A pause for so long ends by itself; another one begins anew."""
        self.pressure.slowDown(1)
        self.clock.advance(0.9)
        self.pressure.slowDown(1)
        self.clock.advance(0.9)
        self.assertEqual(self.source.calls, ["pause"])
        self.clock.advance(0.2)
        self.assertEqual(self.source.calls, ["pause", "resume"])

    def test_end(self) -> None:
        """At the end it is read, whatever the reasons were, and none that goes later makes a difference."""
        self.pressure.hold("output")
        self.pressure.end()
        self.pressure.release("output")
        self.assertEqual(self.source.calls, ["pause", "resume"])

    def test_stop(self) -> None:
        """When the connection is lost no timer stays, and nothing is read again."""
        self.pressure.hold("log")
        self.pressure.slowDown(1)
        self.pressure.stop()
        self.pressure.release("log")
        self.pressure.release("pace")
        self.assertEqual((self.source.calls, self.clock.getDelayedCalls()), (["pause"], []))

    def test_repr(self) -> None:
        """Its repr names the reasons."""
        self.assertEqual(repr(self.pressure), "<BackPressure none>")
        self.pressure.hold("token")
        self.pressure.hold("log")
        self.assertEqual(repr(self.pressure), "<BackPressure log, token>")
