"""How plugins are found."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from twisted.plugin import IPlugin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from kernelnet import artifacts, plugins
from kernelnet.generators.search import search
from kernelnet.interfaces import IComponentGenerator, IWorkbench
from kernelnet.learning import local_trainer
from kernelnet.plugins import PluginError, available, find
from kernelnet.workbench.file_system import workbench


@implementer(IPlugin, IComponentGenerator)
class Stranger:
    """A third party's generator."""

    description = ""
    workbenches = ()

    def __init__(self, name: str) -> None:
        self.name = name

    def generate(self, problem: Any) -> None:
        return None


class FindTests(SynchronousTestCase):
    def test_shipped(self) -> None:
        """Kernelnet's own generator and workbench are found by their names."""
        self.assertIs(find(IComponentGenerator, "search", "generator"), search)
        self.assertIs(find(IWorkbench, "file_system", "workbench"), workbench)
        self.assertIn(search, available(IComponentGenerator))

    def test_unknown(self) -> None:
        """An unknown name is an error that tells the known ones."""
        self.patch(plugins, "getPlugins", lambda interface: [Stranger("b"), Stranger("a")])
        error = self.assertRaises(PluginError, find, IComponentGenerator, "magic", "generator")
        self.assertEqual(str(error), "unknown generator 'magic'; there are: a, b")
        self.patch(plugins, "getPlugins", lambda interface: [])
        error = self.assertRaises(PluginError, find, IComponentGenerator, "magic", "generator")
        self.assertIn("none is installed", str(error))

    def test_twoOfAName(self) -> None:
        """A third party can't take the name of our own, and a name is listed once."""
        for found in ([Stranger("search"), search], [search, Stranger("search")]):
            self.patch(plugins, "getPlugins", lambda interface, found=found: found)
            self.assertIs(find(IComponentGenerator, "search", "generator"), search)
            self.assertEqual(available(IComponentGenerator), [search])


class FormerAddressTests(SynchronousTestCase):
    def test_there(self) -> None:
        """What was documented at another address is still there, and the same."""
        for former, present, names in (
            ("kernelnet.knowledge", artifacts, ("CodeBlock", "Component", "Manifest", "Pattern", "Report", "Verdict")),
            ("kernelnet.generators", artifacts, ("Candidate",)),
            ("kernelnet.message", artifacts, ("Hint", "PerformanceReport")),
            ("kernelnet.trainer.training", local_trainer, ("Goal", "IntegratedKernelTrainer")),
        ):
            for name in names:
                self.assertIs(getattr(import_module(former), name), getattr(present, name), name)
