"""The link in real time: what it says, and its score beside the bench's own."""

from __future__ import annotations

import math

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.deploy.bpf_tcp.link import Second, lost, parse

SAID = """\
second 100 60 2700 0
second 100 100 5000 3
second 50 0 0 0
retransmitted 4
late 0:2990 3:9 12:1
realtime 1
"""


class LinkTests(SynchronousTestCase):
    def test_read(self) -> None:
        """What its program says becomes numbers."""
        passage = parse(SAID)
        self.assertEqual(passage.seconds[1], Second(100, 100, 5000, 3))
        self.assertEqual((passage.retransmitted, passage.isRealTime, passage.latest), (4, True, 1.2))
        self.assertAlmostEqual(passage.shareLate, 1 / 3000)
        self.assertIsNone(passage.spoiled())

    def test_lost(self) -> None:
        """The bench's score: log2 of throughput over delay, second by second, without the first."""
        wanted = math.log2(50 / 40) + math.log2(51 / 1)
        self.assertAlmostEqual(lost(parse(SAID).seconds, 40), 1000 * wanted / 2)
        # never less than nothing in a second
        self.assertEqual(lost((Second(9, 9, 90, 0), Second(9, 10, 100, 0)), 10), 0)

    def test_disturbed(self) -> None:
        """A run whose link was late too often, or once by far, doesn't count, and says by how much."""
        often = parse(SAID.replace("12:1", "12:60")).spoiled()
        self.assertIn("1.96% of the link's turns were late by 1 ms or more", str(often))
        self.assertIn("the latest by 45.0 ms", str(parse(SAID.replace("12:1", "450:1")).spoiled()))
