"""The quick form of ``make soak``: the hub, trainers, and both killed under load."""

import tempfile
from pathlib import Path
from unittest import TestCase

from tests.postgres import server
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
        self.assertEqual(verdict.kills, {"hub": 6, "trainers": 4, "servers": 0, "fail-overs": 0, "frozen": 0})

    def test_onPostgres(self) -> None:
        """The same where a server has the database, which is killed, too."""
        database = server()
        with tempfile.TemporaryDirectory(prefix="kernelnet-soak-") as folder:
            soak = Soak(Path(folder), seed=1, server=database)
            try:
                soak.run(hub=2, trainers=1, both=1, servers=3)
                verdict = soak.finish()
            finally:
                soak.close()
        self.assertTrue(verdict.isGood, str(verdict))
        self.assertEqual(verdict.kills, {"hub": 3, "trainers": 2, "servers": 3, "fail-overs": 0, "frozen": 0})
