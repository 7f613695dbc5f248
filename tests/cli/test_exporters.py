"""C{kernelnet exporters}, and C{components export --for}."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from twisted.plugin import IPlugin
from zope.interface import implementer
from zope.interface.verify import verifyObject

from kernelnet import plugins
from kernelnet.generators import Candidate
from kernelnet.interfaces import IExporter
from kernelnet.learning.submission import makeComponent, submit
from kernelnet.workbench.abi import Abi
from kernelnet.workbench.file_system import FileSystemWorkbench, workbench
from tests.cli.support import CliTestCase
from tests.cli.test_components import STUBBORN
from tests.hub.support import HubTestCase
from tests.workbench.support import loop, writeTrace


@implementer(IPlugin, IExporter)
class Lacking:
    """A third party's, which can't be used here."""

    name = "[red]toaster"
    description = "[bold]toast"
    workbenches: Sequence[str] = ("file_system",)
    needs = "bread"

    def missing(self) -> Sequence[str]:
        return ["no bread: buy some"]

    def export(self, wasm: bytes, abi: Abi, folder: Path) -> Mapping[str, Any]:
        raise AssertionError("never called")


class ExportersTests(CliTestCase, HubTestCase):
    def setUp(self) -> None:
        CliTestCase.setUp(self)
        HubTestCase.setUp(self)
        self.source = workbench.folder / "baselines" / "lru.c"

    def test_interface(self) -> None:
        """Every exporter provides all of the interface."""
        found = plugins.available(IExporter)
        self.assertEqual([each.name for each in found], ["bpf-tcp", "c", "libcachesim", "scx", "sqlite"])
        for each in found:
            verifyObject(IExporter, each)

    def test_listed(self) -> None:
        """Each is listed with what it needs and whether that is here, also as JSON; doctor says it too."""
        self.patch(plugins, "getPlugins", lambda interface: [Lacking()] if interface is IExporter else [workbench])
        text = self.succeed("exporters")
        self.assertRegex(text, r"\[red\]toaster +\[bold\]toast +file_system +bread +no")
        self.assertIn("[red]toaster: no bread: buy some", text)
        (one,) = json.loads(self.succeed("exporters", "--json"))
        self.assertEqual((one["name"], one["missing"]), ("[red]toaster", ["no bread: buy some"]))
        there = ("--for", "[red]toaster", "--out", self.folder / "x")
        self.refused(1, "no bread: buy some", "components", "export", self.source, *there)
        self.assertFalse((self.folder / "x").exists())

    def test_file(self) -> None:
        """A C file of one's own becomes a folder with its module, its translation, a library, and a manifest."""
        out = self.folder / "deep" / "made"
        said = self.succeed("components", "export", self.source, "--for", "c", "--out", out)
        wasm = (out / "component.wasm").read_bytes()
        self.assertEqual(wasm, workbench.baselineModule("lru"))
        manifest = json.loads((out / "manifest.json").read_text())
        self.assertEqual(manifest["wasm_sha256"], hashlib.sha256(wasm).hexdigest())
        self.assertEqual((manifest["abi"], manifest["source"]), ("file_system/full/2", "lru.c"))
        self.assertIn(manifest["wasm_sha256"], said)
        for name in ("component.c", "component.h", "native.h", "component.so", "Makefile", "README"):
            self.assertTrue((out / name).is_file(), name)

    def test_shared(self) -> None:
        """What an AI shared is exported as the very module that is claimed of; one that was changed is refused."""
        scenario = FileSystemWorkbench().scenario(writeTrace(self.folder / "loop.txt", loop(3000)), {"capacity": 32})
        measured = submit(scenario, STUBBORN, trusted=True)
        component = makeComponent(scenario, Candidate(STUBBORN, note=""), measured, generator="test", seed=7)
        author = self.hub.connect("AI_1")
        author.send("os_component_share", {"component": msgspec.to_builtins(component)})
        out = self.folder / "made"
        self.succeed("components", "export", component.id, "--for", "c", "--out", out, "--state", self.path)
        self.assertEqual((out / "component.wasm").read_bytes(), component.wasm)
        manifest = json.loads((out / "manifest.json").read_text())
        self.assertEqual((manifest["component"], manifest["digest"]), (component.id, component.digest))
        spoiled = msgspec.structs.replace(component, id="AI_1-spoiled", wasm=workbench.baselineModule("lru"))
        author.send("os_component_share", {"component": msgspec.to_builtins(spoiled)})
        there = ("--out", self.folder / "x", "--state", self.path)
        self.refused(1, "it is spoiled", "components", "export", "AI_1-spoiled", "--for", "c", *there)

    def test_mistakes(self) -> None:
        """Each mistake is a line that says what would be right, and leaves nothing behind."""
        out = self.folder / "made"
        lost = self.folder / "lost.c"
        lost.write_text("int x;\n")
        broken = self.folder / "broken.c"
        broken.write_text('#include "kn_file_system.h"\nnot C\n')
        reno = workbench.folder.parent / "network_stack" / "baselines" / "reno.c"
        mistakes: tuple[tuple[tuple[str | Path, ...], str], ...] = (
            ((lost, "--for", "c", "--out", out), "includes no workbench's header"),
            ((broken, "--for", "c", "--out", out), "does not compile"),
            (
                (reno, "--for", "libcachesim", "--out", out),
                "takes components of file_system; this one is of network_stack",
            ),
            ((self.source, "--for", "c", "--out", self.folder), "is there already"),
        )
        for arguments, words in mistakes:
            self.refused(1, words, "components", "export", *arguments)
            self.assertFalse(out.exists())
        self.assertEqual(sorted(path.name for path in self.folder.glob(".*")), [])
        mistakes = (
            ((self.source, "--for", "c"), "--for writes a folder"),
            ((self.source,), "which only --for makes something of"),
            (
                (self.source, "--for", "no", "--out", out),
                "unknown exporter 'no'; there are: bpf-tcp, c, ",
            ),
        )
        for arguments, words in mistakes:
            self.refused(2, words, "components", "export", *arguments)
