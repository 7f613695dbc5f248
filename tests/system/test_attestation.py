"""Evidence of real trainers, checked where there is no hub."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec

from kernelnet.artifacts import Component
from kernelnet.generators import Candidate
from kernelnet.learning.submission import makeComponent, submit
from kernelnet.workbench.file_system import FileSystemWorkbench
from tests.cli.test_components import STUBBORN

from .support import SystemTestCase, smallTrace


class AttestationTests(SystemTestCase):
    def kernelnet(self, *arguments: str | Path) -> str:
        """What a command says in a folder and a home that hold nothing but an export and a CA's certificate."""
        program = str(Path(sys.executable).with_name("kernelnet"))
        home = {"HOME": str(self.elsewhere), "XDG_DATA_HOME": str(self.elsewhere)}
        command = [program, *map(str, arguments)]
        done = subprocess.run(
            command, cwd=self.elsewhere, env={**os.environ, **home}, capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def component(self) -> Component:
        scenario = FileSystemWorkbench().scenario(smallTrace(self.elsewhere), {})
        measured = submit(scenario, STUBBORN, trusted=True)
        return makeComponent(scenario, Candidate(STUBBORN), measured, generator="test", seed=7)

    def test_twoTrainers(self) -> None:
        """
        Two trainers measure a component of a third AI, each by itself, and sign what they found; their verdicts count
        where hub, trainers and all that they kept are gone.
        """
        self.elsewhere = self.folder / "elsewhere"
        self.elsewhere.mkdir()
        component = self.component()
        hub = self.startHub()
        trainers = {aiId: self.resting(aiId) for aiId in ("AI_1", "AI_2")}
        for trainer in trainers.values():
            trainer.waitFor("Connected to the hub")
        author = self.client("AUTHOR")
        author.hello(protocol=2)
        author.send("os_component_share", {"component": msgspec.to_builtins(component)})
        senders = {author.receive("performance_report", verdict="confirmed")["sender_id"] for _ in trainers}
        self.assertEqual(senders, set(trainers))
        export = self.elsewhere / "found.json"
        self.kernelnet("components", "export", component.id, "--attest", "--out", export, "--state", self.state.path)
        shutil.copy(self.state.caCertificate, self.elsewhere / "ca.pem")
        author.close()
        for process in (*trainers.values(), hub):
            process.stop()
        shutil.rmtree(self.state.path)
        told = json.loads(self.kernelnet("verify", export, "--ca", "ca.pem", "--json"))
        found = {one["signer"]: one["finding"] for one in told["verdicts"]}
        self.assertEqual(
            (sorted(told["confirmed"]), told["refuted"], told["unsigned"]), (sorted(trainers), [], []), found
        )
