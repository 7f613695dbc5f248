"""Absence: who is not back in time counts as gone, once."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.connection.absence import Absence


class AbsenceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.here: set[str] = set()
        self.absence = Absence(self.here, self.clock)

    def test_gone(self) -> None:
        """Who left is gone after a minute, and that is said once."""
        self.absence.left("AI_1")
        self.clock.advance(30)
        self.absence.left("AI_2")
        self.clock.advance(29.9)
        self.assertEqual(self.absence.gone(), [])
        self.clock.advance(0.1)
        self.assertEqual((self.absence.gone(), self.absence.gone()), (["AI_1"], []))
        self.clock.advance(30)
        self.assertEqual(self.absence.gone(), ["AI_2"])
        self.assertEqual(repr(self.absence), "<Absence of 0 AIs>")

    def test_back(self) -> None:
        """Who comes back in time was never gone; when it leaves again its time begins anew."""
        self.absence.left("AI_1")
        self.clock.advance(50)
        self.absence.left("AI_1")
        self.clock.advance(50)
        self.assertEqual(self.absence.gone(), [])
        self.here.add("AI_1")
        self.clock.advance(50)
        self.assertEqual(self.absence.gone(), [])

    def test_expected(self) -> None:
        """Whoever is expected has a minute from then; who is here, or has left before, is not given another."""
        self.here.add("AI_1")
        self.absence.left("AI_2")
        self.clock.advance(30)
        self.absence.expect(["AI_1", "AI_2", "AI_3"])
        self.here.clear()
        self.clock.advance(30)
        self.assertEqual(self.absence.gone(), ["AI_2"])
        self.clock.advance(30)
        self.assertEqual(self.absence.gone(), ["AI_3"])

    def test_again(self) -> None:
        """What could not be done about those who are gone is to be done the next time, unless they are back."""
        self.absence.again(["AI_1", "AI_2"])
        self.here.add("AI_2")
        self.assertEqual(self.absence.gone(), ["AI_1"])
