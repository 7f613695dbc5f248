"""C{kernelnet deploy measure|status|unload} of congestion controls in the kernel."""

from __future__ import annotations

import json
from unittest import skipUnless

from kernelnet.deploy.bpf_tcp import link, loading
from kernelnet.exporters.bpf_tcp import exporter, makeProgram
from kernelnet.workbench.network_stack import workbench
from tests.cli.support import CliTestCase
from tests.deploy.bpf_tcp.support import PREFIX, KernelTestCase, whyNot

reason = whyNot()
lacking = exporter.missing()


@skipUnless(not lacking, "; ".join(lacking) or "-")
class ExportTests(CliTestCase):
    def test_options(self) -> None:
        """What is for another target is refused, and so are settings that aren't numbers."""
        out = self.folder / "export"
        reno = workbench.folder / "baselines" / "reno.c"
        self.succeed("components", "export", reno, "--for", "bpf-tcp", "--out", out)
        self.refused(2, "--cold is not for exports for bpf-tcp", "deploy", "measure", out, "--cold")
        self.refused(2, "--set rtt: it should be NAME=N", "deploy", "measure", out, "--set", "rtt")
        lru = workbench.folder.parent / "file_system" / "baselines" / "lru.c"
        mistake = ("components", "export", lru, "--for", "bpf-tcp", "--out", self.folder / "x")
        self.refused(1, "takes components of network_stack", *mistake)


@skipUnless(not reason, reason or "-")
class MeasureTests(CliTestCase, KernelTestCase):
    def setUp(self) -> None:
        CliTestCase.setUp(self)
        KernelTestCase.setUp(self)
        self.export = self.folder / "export"
        reno = workbench.folder / "baselines" / "reno.c"
        self.succeed("components", "export", reno, "--for", "bpf-tcp", "--out", self.export)

    def test_measure(self) -> None:
        """Of a folder that may come from a stranger the module alone is used; what came out is told in any form."""
        mark = self.folder / "mark"
        for path in self.export.iterdir():
            if path.name == "Makefile":
                path.write_text(f"$(shell touch {mark})\nall:\n\ttouch {mark}\n")
            elif path.suffix in {".c", ".h", ".o"}:
                path.write_bytes(b"#error a stranger's\n")
        self.patch(link, "MOST_LATE", 0.5)
        self.patch(link, "LATEST", 10_000)
        chosen = ("--seconds", "10", "--runs", "1", "--beside", "reno", "--set", "rtt_ms=20")
        answer = self.call("deploy", "measure", self.export, *chosen, "--json")
        self.assertEqual(answer.exit_code, 0, answer.output)
        self.assertFalse(mark.exists())
        said = json.loads(answer.stdout)
        self.assertTrue(said["valid"])
        self.assertEqual((said["settings"]["rtt_ms"], said["beside"][0]["name"]), (20, "reno"))
        self.assertGreater(said["component"]["real"], 0)
        self.assertGreater(said["component"]["simulated"], 0)

    def test_disturbed(self) -> None:
        """A run that was disturbed is refused: its numbers are told, and the exit code is 1."""
        late = link.parse("second 10 10 400 0\nsecond 10 10 500 0\nlate 0:10 90:10\nrealtime 1\n")
        self.patch(link.Link, "run", lambda way, name: late)
        command = ("deploy", "measure", self.export, "--runs", "1", "--seconds", "10")
        said = self.call(*command)
        self.assertEqual(said.exit_code, 1)
        self.assertIn("not valid: ", said.output)
        self.assertIn("let the machine be quieter", said.output)
        self.assertNotIn("; valid", said.output)

    def test_loaded(self) -> None:
        """What a person loaded is listed, and taken out by its name; other names are refused."""
        name = "kn_clitest"
        folder = self.folder / "own"
        folder.mkdir()
        wasm = workbench.baselineModule("cubic")
        program, _ = makeProgram(wasm, workbench.abiOf(wasm), folder, name)
        loading.load(program, name)
        try:
            self.assertIn(name, self.succeed("deploy", "status"))
            self.assertIn(name, [each["name"] for each in json.loads(self.succeed("deploy", "status", "--json"))])
            self.refused(1, "nonesuch isn't loaded; there is ", "deploy", "unload", "nonesuch")
            self.assertEqual(self.succeed("deploy", "unload", name).strip(), f"unloaded {name}")
            self.assertNotIn(name, self.succeed("deploy", "status"))
        finally:
            for each in loading.loaded():
                if each.name == name:
                    loading.unload(each)
        self.assertFalse(name.startswith(PREFIX))
