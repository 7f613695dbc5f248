"""C{kernelnet workbenches}."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import directlyProvides, implementer

from kernelnet import plugins
from kernelnet.interfaces import IWorkbench
from kernelnet.workbench.abi import Abi
from kernelnet.workbench.file_system import FileSystemWorkbench, workbench
from tests.cli.support import CliTestCase


@implementer(IPlugin, IWorkbench)
class Stranger(FileSystemWorkbench):
    """A third party's, from no package that pip knows."""

    name = "[red]elevator"
    description = "[bold]moves"
    headerPath = workbench.headerPath
    __module__ = "no_such_package.elevator"


class WorkbenchesTests(CliTestCase):
    def test_json(self) -> None:
        """As JSON each workbench has all that a component is made for and measured against."""
        found: dict[str, dict[str, Any]] = {w["name"]: w for w in json.loads(self.succeed("workbenches", "--json"))}
        bench = found["file_system"]
        self.assertEqual(bench["description"], workbench.description)
        self.assertEqual((bench["reference"], bench["optimum"], bench["unit"]), ("lru", "belady", "misses"))
        self.assertEqual(bench["baselines"], list(workbench.baselineNames))
        self.assertIn("file_system/full/2", bench["abis"])
        self.assertEqual(bench["traces"], ["compiler.txt.xz", "sqlite.txt.xz"])
        self.assertEqual(bench["formats"], workbench.formats)
        self.assertRegex(bench["package"], r"^kernelnet \d")

    def test_table(self) -> None:
        """The table has all workbenches with all of it, in 80 columns too."""
        text = " ".join(self.succeed("workbenches").replace("│", " ").split())
        for bench in plugins.available(IWorkbench):
            for word in (bench.name, bench.reference, bench.optimumName, *bench.baselineNames):
                self.assertIn(word, text)
            for abi in bench.abis:
                assert isinstance(abi, Abi)
                self.assertIn(abi.identifier, text)

    def test_strangers(self) -> None:
        """A third party's is listed with where it comes from, and what looks like markup is none."""
        self.patch(plugins, "getPlugins", lambda interface: [Stranger(), workbench])
        text = self.succeed("workbenches")
        for word in ("[red]elevator", "[bold]moves", "no_such_package"):
            self.assertIn(word, text)

    def test_incomplete(self) -> None:
        """One that lacks something, such as what a newer kernelnet asks for, is left out, and can't be used; why."""

        class Old:
            name = "old"
            description = "lacks nearly all"

        directlyProvides(Old, IPlugin, IWorkbench)
        self.patch(plugins, "getPlugins", lambda interface: [Old, workbench])
        result = self.call("workbenches")
        self.assertEqual(result.exit_code, 0)
        self.assertRegex(result.stderr, r"left out: old of .*: .*attribute.*\n")
        self.assertIn("file_system", result.stdout)
        self.refused(1, "the workbench old can't be used: ", "bench", "run", "old")

    def test_light(self) -> None:
        """Listing them needs nothing of the trainer's extra."""
        code = (
            "import sys\n"
            "for name in ('numpy', 'wasmtime', 'ziglang', 'matplotlib'): sys.modules[name] = None\n"
            "from kernelnet.cli import main\nmain(['workbenches'])"
        )
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        self.assertIn("file_system", ran.stdout)
