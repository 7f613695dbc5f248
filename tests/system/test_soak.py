"""The quick form of ``make soak``: the hub, trainers, and both killed under load."""

import tempfile
from pathlib import Path
from unittest import TestCase

from tests.system.soak import Soak


class SoakTests(TestCase):
    def test_killed(self) -> None:
        """After eight kills nothing acked is lost, nothing came twice, and all came in order."""
        with tempfile.TemporaryDirectory(prefix="kernelnet-soak-") as folder:
            soak = Soak(Path(folder), seed=1)
            try:
                soak.run(hub=4, trainers=2, both=2)
                verdict = soak.finish()
            finally:
                soak.close()
        self.assertTrue(verdict.isGood, str(verdict))
        self.assertEqual(verdict.kills, {"hub": 6, "trainers": 4})
