"""What `kernelnet doctor` finds, and what it advises."""

from __future__ import annotations

import json
import os
import shutil
import time
from types import SimpleNamespace
from typing import Any

from kernelnet.hub import certificates
from tests.cli.support import CliTestCase
from tests.hub.support import HubTestCase


class DoctorTests(CliTestCase, HubTestCase):
    def setUp(self) -> None:
        CliTestCase.setUp(self)
        HubTestCase.setUp(self)

    def found(self, code: int = 0) -> dict[str, dict[str, Any]]:
        result = self.call("doctor", "--state", self.path, "--json")
        self.assertEqual(result.exit_code, code, result.output)
        told = json.loads(result.stdout)
        self.assertEqual(told["sound"], code == 0)
        return {finding["check"]: finding for finding in told["checks"]}

    def test_sound(self) -> None:
        """On a machine that has all that is needed every check is good, but for a hub that doesn't run."""
        found = self.found()
        notes = {check for check, finding in found.items() if finding["state"] != "good"}
        self.assertEqual(notes - {"jail", "disk", "certificate"}, {"hub"})
        self.assertIn("twistd kernelhub", found["hub"]["advice"])
        self.assertIn("is sound: 0 messages", found["database"]["text"])

    def test_clock(self) -> None:
        """A clock that is behind the hub's own files is bad."""
        os.utime(self.path / "hub_data.db", (time.time() + 7200,) * 2)
        found = self.found(1)["clock"]
        self.assertEqual(found["state"], "bad")
        self.assertIn("timedatectl", found["advice"])

    def test_disk(self) -> None:
        """Little room is worth a note, and what happens when there is none."""
        self.patch(shutil, "disk_usage", lambda path: SimpleNamespace(free=5 << 20))
        self.assertIn("5 MiB", self.found()["disk"]["text"])

    def test_certificate(self) -> None:
        """A certificate that has ended is bad, one that ends soon a note; both say how to renew it."""
        for days, state, code in ((-1, "bad", 1), (5, "note", 0), (300, "good", 0)):
            shown = {"days_left": days, "names": ["localhost"]}
            self.patch(certificates, "offlineShow", lambda path, now, shown=shown: shown)
            found = self.found(code)["certificate"]
            self.assertEqual(found["state"], state)
            if state != "good":
                self.assertIn("kernelnet certs renew", found["advice"])

    def test_nowhere(self) -> None:
        """Where no hub was yet, the machine is checked all the same, and nothing is made."""
        nowhere = self.folder / "nowhere"
        self.assertIn("no hub has ever run", self.succeed("doctor", "--state", nowhere))
        self.assertFalse(nowhere.exists())
