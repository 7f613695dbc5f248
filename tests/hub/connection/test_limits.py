"""The limits, and the options that set them."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.connection.limits import OPTIONS, Bounds, LimitError


class BoundsTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        """The options' defaults are those of the class, and those that the protocol promises."""
        bounds = Bounds.fromOptions({name: default for name, _, default, _, _ in OPTIONS})
        self.assertEqual(bounds, Bounds())
        self.assertEqual((bounds.handshakeLine, bounds.line, bounds.authTimeout), (4096, 1024 * 1024, 10))
        self.assertEqual((bounds.connections, bounds.connectionsPerAddress), (10_000, 2_000))
        self.assertEqual((bounds.pending, bounds.pendingPerAddress), (4_000, 1_000))
        self.assertEqual((bounds.failures, bounds.failureEvery), (5, 6))
        self.assertEqual((bounds.rate, bounds.burst), (2_000, 10_000))

    def test_ranges(self) -> None:
        """A value out of range is refused with the option's name and what would be right, NaN included."""
        good = {name: default for name, _, default, _, _ in OPTIONS}
        for name, value in good.items():
            for bad in (0, -1, float("nan"), 10**12):
                error = self.assertRaises(LimitError, Bounds.fromOptions, {**good, name: bad})
                self.assertIn(f"--{name} must be a", str(error))
                self.assertEqual(f"--{name} must be a whole number" in str(error), isinstance(value, int))

    def test_ends(self) -> None:
        """The least and the most that are named are taken."""
        good = {name: default for name, _, default, _, _ in OPTIONS}
        for name in good:
            error = self.assertRaises(LimitError, Bounds.fromOptions, {**good, name: -1})
            ends = re.search(r"from ([\d.,e-]+) to ([\d.,]+), not", str(error))
            assert ends is not None
            for end in ends.groups():
                Bounds.fromOptions({**good, name: float(end.replace(",", ""))})
