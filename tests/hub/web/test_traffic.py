"""Bounds of the traffic that is remembered; `tests.hub.web.test_api` has what is told of it."""

from __future__ import annotations

from tests.hub.support import aPattern
from tests.hub.web.support import WebTestCase


class TrafficBoundsTests(WebTestCase):
    def test_samples(self) -> None:
        """The last 120 samples are kept: those of ten minutes."""
        history = self.dashboard.sources.traffic
        for _ in range(121):
            self.hub.clock.advance(5)
            history.sample()
        at = history.asked()["at"]
        self.assertEqual((len(at), at[-1] - at[0]), (120, 119 * 5))

    def test_slow(self) -> None:
        """Of those who are behind the 20 are named who are farthest, and all are counted."""
        author = self.hub.connect("author")
        for number in range(21):
            self.hub.connect(f"AI_{number}").pause()
            author.send("pattern_share", aPattern(f"p{number}"))
        history = self.dashboard.sources.traffic
        history.sample()
        told = history.asked()
        self.assertEqual([one["id"] for one in told["slow"]], [f"AI_{number}" for number in range(20)])
        self.assertEqual(told["behind"], [21])
