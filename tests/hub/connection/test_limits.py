"""The limits, and the options that set them."""

from __future__ import annotations

import resource

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.connection.limits import OPTIONS, Bounds, LimitError
from kernelnet.hub.connection.sockets import withinDescriptors


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
        for name in good:
            for bad in (0, -1, float("nan"), 10**12):
                error = self.assertRaises(LimitError, Bounds.fromOptions, {**good, name: bad})
                self.assertIn(f"--{name} must be a", str(error))

    def test_descriptors(self) -> None:
        """The process raises its limit of open files; what that does not allow is no bound."""
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        self.assertEqual(withinDescriptors(Bounds(connections=10)).connections, 10)
        self.assertGreater(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 256)
        if before[1] != resource.RLIM_INFINITY:
            self.assertEqual(withinDescriptors(Bounds(connections=10**9)).connections, before[1] - 64)
