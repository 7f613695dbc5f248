"""What the commands about shared components print, and that an exported one measures as it was claimed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from kernelnet.artifacts import Component
from kernelnet.generators import Candidate
from kernelnet.learning.submission import makeComponent, submit
from kernelnet.workbench.file_system import FileSystemWorkbench
from tests.cli.support import CliTestCase
from tests.hub.routing.test_observations import OBSERVATION
from tests.hub.support import HubTestCase
from tests.workbench.support import loop, writeTrace

NASTY = "*/ int evil; /* \x1b[2J [red]"


STUBBORN = """#include "kn_file_system.h"
static u32 capacity;
void kn_init(u32 c) { capacity = c; }
void kn_hit(u32 s) {}
u32 kn_victim(u64 k) { return capacity - 1; }
void kn_insert(u32 s, u64 k) {}
"""


class ComponentsTests(CliTestCase, HubTestCase):
    def setUp(self) -> None:
        CliTestCase.setUp(self)
        HubTestCase.setUp(self)
        self.trace = writeTrace(self.folder / "loop.txt", loop(6000))
        self.author = self.hub.connect("AI_1")
        self.component = self.made()
        self.share(self.component)

    def made(self) -> Component:
        scenario = FileSystemWorkbench().scenario(self.trace, {"capacity": 32})
        measured = submit(scenario, STUBBORN, trusted=True)
        return makeComponent(scenario, Candidate(STUBBORN, note=NASTY), measured, generator="test", seed=7)

    def share(self, component: Component) -> None:
        self.author.send("os_component_share", {"component": msgspec.to_builtins(component)})

    def of(self, *arguments: str) -> str:
        return self.succeed("components", *arguments, "--state", self.path)

    def test_filtered(self) -> None:
        """A filter that leaves nothing says what there is."""
        said = self.of("list", "--workbench", "nothere")
        self.assertEqual(said, "none of workbench 'nothere'; there are: file_system\n")
        self.assertIn("none is refuted; without --verdict", self.of("list", "--verdict", "refuted"))

    def test_observations(self) -> None:
        """Beside the verdicts stands what was seen of it at work, each word of it plain."""
        manifest = self.component.manifest
        assert manifest is not None
        seen = {**OBSERVATION, "wasm_sha256": manifest.wasm_sha256, "system": NASTY}
        self.assertNotIn("seen at work", self.of("show", self.component.id))
        peer = self.hub.connect("AI_2")
        peer.send(
            "performance_report",
            {"component_id": self.component.id, "digest": self.component.digest, "observation": seen},
        )
        said = self.of("show", self.component.id)
        self.assertIn("no verdict depends on it", said)
        self.assertIn("built-in 1,000", said)
        self.assertNotIn("\x1b[2J", said)
        (told,) = json.loads(self.of("show", self.component.id, "--json"))["observations"]
        self.assertEqual((told["reporter"], told["component"]["score"]), ("AI_2", 900))

    def test_author(self) -> None:
        """Those of one author; where there are none it is said whom there could be some of."""
        self.hub.connect("AI_2")
        self.assertIn(self.component.id, self.of("list", "--author", "AI_1"))
        self.assertEqual(self.of("list", "--author", "AI_2"), "none of AI_2\n")
        said = self.of("list", "--author", "AI_2", "--verdict", "refuted")
        self.assertEqual(said, "none of AI_2 is refuted; without --verdict all are listed\n")
        self.assertEqual(self.of("list", "--author", "AI_9"), "none of author 'AI_9'; there are: AI_1, AI_2\n")

    def test_list(self) -> None:
        """On a terminal of 80 columns ids are whole, in a pipe each is one line; JSON has the same and more."""
        (row,) = (line for line in self.of("list").splitlines() if self.component.id in line)
        for words in ("AI_1", "file_system", "loop, 32 blocks", "unmeasured"):
            self.assertIn(words, row)
        screen = self.onTerminal("components", "list", "--state", self.path)
        self.assertIn(self.component.id, screen[2])
        self.assertLessEqual(max(map(len, screen)), 80)
        (found,) = json.loads(self.of("list", "--json"))
        self.assertEqual((found["id"], found["author"], found["state"]), (self.component.id, "AI_1", "unmeasured"))
        self.assertIn("none", self.of("list", "--verdict", "refuted"))

    def test_show(self) -> None:
        """All scores as claimed, and strangers' words as they are, without their control characters."""
        shown = self.of("show", self.component.digest[:8])
        assert self.component.manifest is not None
        assert self.component.manifest.report is not None
        for split in self.component.manifest.report.splits.values():
            self.assertIn(str(split.fuel), shown)
        self.assertIn("trained on  loop, capacity 32", shown)
        self.assertIn("[red]", shown)
        self.assertNotIn("\x1b", shown)
        whole: dict[str, Any] = json.loads(self.of("show", self.component.id, "--json"))
        self.assertEqual(whole["component"], msgspec.to_builtins(self.component))

    def test_hypothesis(self) -> None:
        """A hypothesis is shown as its author's words, with the component and in the lineage of its child."""
        manifest = msgspec.structs.replace(self.component.manifest, hypothesis=f"it stays {NASTY}")  # type: ignore[type-var]
        first = msgspec.structs.replace(self.component, id="first", implementation=f"{STUBBORN}\n", manifest=manifest)
        self.share(first)
        self.assertIn("hypothesis  “it stays */ int evil;", self.of("show", "first"))
        child = msgspec.structs.replace(self.component.manifest, parents=[first.digest])  # type: ignore[type-var]
        self.share(msgspec.structs.replace(self.component, id="child", implementation="int x;", manifest=child))
        shown = self.of("show", "child")
        self.assertIn("“it stays */ int evil;", shown)
        self.assertNotIn("\x1b", shown)

    def test_export(self) -> None:
        """What is exported compiles by itself, and has the score and the fuel that were claimed, to the unit."""
        path = self.folder / "x.c"
        self.of("export", self.component.id, "--out", str(path))
        printed = self.of("export", self.component.id)
        self.assertEqual(printed, path.read_text())
        self.assertTrue(printed.endswith(self.component.implementation))
        again = self.succeed(
            "bench", "run", "file_system", "--component", path, "--trace", self.trace, "--set", "capacity=32", "--json"
        )
        (task,) = json.loads(again)
        (mine,) = [row for row in task["policies"] if row["kind"] == "component"]
        assert self.component.manifest is not None
        assert self.component.manifest.report is not None
        for name, claimed in self.component.manifest.report.splits.items():
            measured = mine["splits"][name]
            self.assertEqual((measured["score"], measured["fuel"]), (claimed.score, claimed.fuel))

    def test_pipe(self) -> None:
        """Through a pipe come the very bytes of the source, whatever the encoding is, and they measure as claimed."""
        source = "/* \u00e9, \u4e16 */\r\n" + self.component.implementation.replace("\n", "\r\n", 1)
        self.share(msgspec.structs.replace(self.component, id="foreign", implementation=source))
        self.hub.stop()
        out = self.folder / "piped.c"
        program = Path(sys.executable).with_name("kernelnet")
        with out.open("wb") as file:
            subprocess.run(
                [str(program), "components", "export", "foreign", "--state", str(self.path)],
                stdout=file,
                check=True,
                env={**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
            )
        self.assertTrue(out.read_bytes().endswith(b"*/\n" + source.encode()))
        task = ("--trace", self.trace, "--set", "capacity=32", "--json")
        (found,) = json.loads(self.succeed("bench", "run", "file_system", "--component", out, *task))
        (mine,) = [row for row in found["policies"] if row["kind"] == "component"]
        assert self.component.manifest is not None
        assert self.component.manifest.report is not None
        claimed = {name: score.score for name, score in self.component.manifest.report.splits.items()}
        self.assertEqual({name: score["score"] for name, score in mine["splits"].items()}, claimed)

    def test_diff(self) -> None:
        """What changed from a parent, or from whatever is named; without either, one line says so."""
        changed = self.component.implementation.replace("capacity - 1", "0")
        manifest = msgspec.structs.replace(self.component.manifest, parents=[self.component.digest])  # type: ignore[type-var]
        self.share(msgspec.structs.replace(self.component, id="child", implementation=changed, manifest=manifest))
        shown = self.of("diff", "child")
        self.assertIn("-u32 kn_victim(u64 k) { return capacity - 1; }", shown)
        self.assertIn("+u32 kn_victim(u64 k) { return 0; }", shown)
        self.assertEqual(self.of("diff", "child", self.component.id), shown)
        told = json.loads(self.of("diff", "child", "--json"))
        self.assertEqual(told["from"], self.component.digest)
        self.assertEqual("\n".join(told["diff"]).split(), shown.split())
        self.refused(1, "no parent", "components", "diff", self.component.id, "--state", self.path)

    def test_mistakes(self) -> None:
        """One line each: a name that isn't there, a file that is, a hub that never was."""
        self.refused(1, "no component", "components", "show", "nothing", "--state", self.path)
        digest = self.component.digest
        for command in ("show", "export", "diff"):
            self.refused(1, "6 hex digits are needed", "components", command, digest[:5], "--state", self.path)
        for length in (6, 12, 64):
            self.assertIn(self.component.id, self.of("show", digest[:length]))
            self.assertEqual(self.of("export", digest[:length]), self.of("export", self.component.id))
        self.refused(
            1, "there already", "components", "export", self.component.id, "--out", self.trace, "--state", self.path
        )
        self.refused(1, "no hub has ever run", "components", "list", "--state", self.folder)
