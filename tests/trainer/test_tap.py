"""Options of C{twistd kerneltrainer}."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.learning.local_trainer import IntegratedKernelTrainer
from kernelnet.trainer import service, tap
from kernelnet.workbench.engine import cores


class JobsTests(SynchronousTestCase):
    def make(self, *more: str) -> Any:
        """The local trainer that the options make."""
        made: list[Any] = []

        def trainer(config: Any, local: Any, *rest: Any, **options: Any) -> Any:
            made.append(local)
            return mock.Mock()

        self.patch(service, "Trainer", trainer)
        state = Path(self.mktemp())
        state.mkdir(mode=0o700, parents=True)
        options = tap.Options()
        options.parseOptions(["--id", "AI_1", "--state", str(state), *more])
        self.addCleanup(os.umask, os.umask(0o077))  # as the service sets it for its process
        tap.makeService(options)
        return made[0]

    def test_jobs(self) -> None:
        """A search measures one module for each core at once, or as many as the user says."""
        for more, wanted in (((), cores()), (("--jobs", "3"), 3)):
            local = self.make(*more)
            self.assertIsInstance(local, IntegratedKernelTrainer)
            self.assertEqual(local._jobs, wanted)

    def test_ends(self) -> None:
        """A trainer's process ends within two seconds of being told to, whatever its threads wait for."""
        asked: list[float] = []
        self.patch(tap, "endInTime", lambda reactor, seconds: asked.append(seconds))
        self.make()
        (seconds,) = asked
        self.assertGreater(seconds, 1)
        self.assertLess(seconds, 2)

    def test_refused(self) -> None:
        """What is no number of jobs is refused with one line."""
        said: list[str] = []

        def refuse(name: str, why: object) -> None:
            said.append(str(why))
            raise SystemExit(1)

        self.patch(tap, "refuse", refuse)
        for jobs in ("0", "-1", "many", "99999"):
            self.assertRaises(SystemExit, self.make, "--jobs", jobs)
            self.assertEqual(said.pop(), f"--jobs takes a whole number from 1 to 1024, not {jobs!r}")
