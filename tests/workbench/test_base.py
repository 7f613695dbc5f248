"""The common part of benches, as an author's own bench has it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.base import BaseWorkbench
from kernelnet.workbench.errors import WorkbenchError


class Ranged(BaseWorkbench):  # type: ignore[type-arg]
    name = "ranged"
    ranges = {"wake": (6000, 1, 1_000_000), "speed": (0, 0, 3)}


class Plain(BaseWorkbench):  # type: ignore[type-arg]
    name = "plain"


class SettingsTests(SynchronousTestCase):
    def test_ranges(self) -> None:
        """Settings that are only named with their ranges get their defaults, and are refused outside of these."""
        bench = Ranged()
        self.assertEqual(bench.complete(None, {}), {"wake": 6000, "speed": 0})
        self.assertEqual(bench.complete(None, {"speed": 3}), {"wake": 6000, "speed": 3})
        for settings, words in (
            ({"wake": 0}, "wake is 0; it should be 1 to 1000000"),
            ({"speed": 4}, "speed is 4; it should be 0 to 3"),
            ({"sped": 1}, "ranged has no setting 'sped'; it has wake, speed"),
        ):
            self.assertEqual(str(self.assertRaises(WorkbenchError, bench.complete, None, settings)), words)

    def test_none(self) -> None:
        """A bench that names no settings has none."""
        self.assertEqual(Plain().complete(None, {}), {})
        error = self.assertRaises(WorkbenchError, Plain().complete, None, {"wake": 1})
        self.assertEqual(str(error), "plain has no setting 'wake'; it has none")
