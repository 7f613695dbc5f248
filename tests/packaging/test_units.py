"""What stands in contrib/ for those who run kernelnet as a service."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

UNITS = Path(__file__).resolve().parents[2] / "contrib" / "systemd"


class UnitTests(SynchronousTestCase):
    def setUp(self) -> None:
        if shutil.which("systemd-analyze") is None:
            raise SkipTest("systemd-analyze is not installed")
        self.folder = Path(tempfile.mkdtemp(prefix="kernelnet-units-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def analyze(self, *arguments: str) -> str:
        ran = subprocess.run(
            ["systemd-analyze", "--no-pager", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return ran.stdout

    def test_verified(self) -> None:
        """systemd finds nothing to say about any unit but that no kernelnet is in /opt."""
        names = {"kernelnet-hub.service": "kernelnet-hub.service"}
        names["kernelnet-trainer@.service"] = "kernelnet-trainer@AI_9.service"
        names["kernelhub@.service"] = "kernelhub@east.service"
        self.assertEqual(names.keys(), {path.name for path in UNITS.iterdir()})
        for name, instance in names.items():
            text = (UNITS / name).read_text("utf-8").replace("/opt/kernelnet/bin/twistd", "/bin/true")
            (self.folder / instance).write_text(text)
            self.assertEqual(self.analyze("verify", "--recursive-errors=no", str(self.folder / instance)), "", name)

    def test_hardened(self) -> None:
        """The exposure is under 2.0, also of a trainer, which makes machine code and a jail."""
        for name in ("kernelnet-hub.service", "kernelnet-trainer@.service", "kernelhub@.service"):
            shutil.copy(UNITS / name, self.folder)
            told = self.analyze("security", "--offline=true", str(self.folder / name))
            level = re.search(r"Overall exposure level for \S+: ([\d.]+)", told)
            assert level is not None, told
            self.assertLess(float(level[1]), 2.0)
