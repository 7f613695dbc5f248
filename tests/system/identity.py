"""What tests of identity beyond one machine share: the `kernelnet` command, hubs with options, trainers elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from kernelnet.hub.admin import control_client
from kernelnet.identity import StateDirectory
from tests.system.support import PATIENCE, RestingTrainer, SystemTestCase, Twistd


class IdentityTestCase(SystemTestCase):
    """A hub's state directory in C{state}, and one of another machine in C{far}."""

    wrapper: tuple[str, ...] = ()
    """Runs what belongs to the hub."""

    def setUp(self) -> None:
        super().setUp()
        self.far = StateDirectory(self.folder / "far")

    def start(self, *arguments: str, state: StateDirectory | None = None) -> Twistd:
        """A hub that listens; its port is in C{port}."""
        state = state or self.state
        hub = Twistd(
            "kernelhub", "--port", "0", "--state", str(state.path), *arguments, cwd=self.folder, wrapper=self.wrapper
        )
        self.addCleanup(hub.close)
        hub.waitFor("Listening on")
        self.port = int(control_client.call(state, {"command": "status"})["port"])
        return hub

    def kernelnet(self, *arguments: str, code: int = 0) -> str:
        """What the command prints; with another C{code} it must fail with one line, which is returned."""
        found = subprocess.run(
            [
                *self.wrapper,
                sys.executable,
                "-c",
                "from kernelnet.cli import main; main()",
                *arguments,
                "--state",
                str(self.state.path),
            ],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            cwd=self.folder,
        )
        self.assertEqual(found.returncode, code, found.stderr)
        if code:
            self.assertEqual(len(found.stderr.splitlines()), 1, found.stderr)
            return found.stderr
        return found.stdout

    def secretFile(self, name: str, content: str) -> str:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(content)
        return str(path)

    def invite(self, aiId: str, *arguments: str) -> str:
        """A file with a join string."""
        self.join = self.kernelnet("tokens", "issue", aiId, *arguments).strip()
        return self.secretFile(f"{aiId}.join", self.join)

    def remote(
        self,
        aiId: str,
        *arguments: str,
        hub: str | None = None,
        state: Path | None = None,
        wrapper: tuple[str, ...] = (),
    ) -> Twistd:
        """A trainer that has nothing of the hub's state directory."""
        where = ("--hub", hub or f"localhost:{self.port}", "--state", str(state or self.far.path))
        trainer = RestingTrainer("--id", aiId, *where, *arguments, cwd=self.folder, wrapper=wrapper)
        self.addCleanup(trainer.close)
        return trainer

    def refused(self, process: Twistd, words: str) -> None:
        """C{process} ends with exit code 1; one of its lines says C{words}."""
        code = process.end()
        output = "\n".join(process.lines)
        self.assertEqual(code, 1, output)
        self.assertEqual(len([line for line in process.lines if words in line]), 1, output)
        self.assertNotIn("Traceback", output)

    def credential(self, aiId: str, state: StateDirectory | None = None) -> str:
        return ((state or self.far).trainer(aiId) / "credential").read_text().strip()


def mayMakeNamespaces() -> str:
    """Why this machine can't have network namespaces made here; C{""} if it can."""
    if os.geteuid() != 0:
        return "making network namespaces needs root"
    name = f"kn-probe-{os.getpid()}"
    try:
        made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "the command ip (iproute2) is missing"
    if made.returncode:
        return f"network namespaces can't be made here: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], check=True)
    return ""
