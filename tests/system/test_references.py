"""A component whose source is too large for a line, from an author by way of a real hub to a real trainer."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
from pathlib import Path

import msgspec

from kernelnet.generators import Candidate
from kernelnet.learning.submission import makeComponent, submit
from kernelnet.payloads import PART
from kernelnet.workbench.file_system import FileSystemWorkbench
from tests.cli.test_components import STUBBORN

from .support import RawClient, SystemTestCase, smallTrace


class ReferenceTests(SystemTestCase):
    def test_confirmed(self) -> None:
        """Its source comes in parts, later than the claim; the trainer reads it, measures and confirms the claim."""
        source = f"{STUBBORN}\n/* {'x' * 900_000} */\n"
        scenario = FileSystemWorkbench().scenario(smallTrace(self.folder), {})
        made = makeComponent(
            scenario, Candidate(source), submit(scenario, source, trusted=True), generator="test", seed=7
        )
        reference = msgspec.structs.replace(made, implementation="", source_size=len(source))
        self.startHub()
        self.resting("AI_1").waitFor("Connected to the hub")
        author, old = self.client("AUTHOR"), self.client("OLD")
        author.hello(protocol=2)
        old.hello()
        author.send("os_component_reference", {"component": msgspec.to_builtins(reference)})
        self.send(author, source.encode())
        report = author.receive("performance_report", component_id=made.id)["payload"]
        self.assertEqual((report["verdict"], report["digest"]), ("confirmed", reference.digest), report["reason"])
        exported = self.folder / "exported.c"
        program = Path(sys.executable).with_name("kernelnet")
        subprocess.run(
            [program, "components", "export", made.id, "--out", exported, "--state", self.state.path], check=True
        )
        self.assertTrue(exported.read_text().endswith(source))
        old.receive("performance_report", component_id=made.id)
        self.assertNotIn("os_component_reference", {each["message_type"] for each in old.seen})

    def send(self, author: RawClient, data: bytes) -> None:
        digest = hashlib.sha256(data).hexdigest()

        def step(name: str, **fields: object) -> None:
            author.send("payload", {"step": name, "digest": digest, **fields})
            self.assertEqual(author.receive("payload")["payload"]["step"], "have")

        step("begin", size=len(data), trace_digest=digest, suffix=".c")
        for number, start in enumerate(range(0, len(data), PART)):
            step("part", part=number, data=base64.b64encode(data[start : start + PART]).decode())
        step("end")
