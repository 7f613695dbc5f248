"""A scenario of an author who knows a method by its former name goes on working."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import Report
from kernelnet.workbench.file_system.scenario import FileSystemScenario
from kernelnet.workbench.former_names import isRobust, perturbedTrace
from kernelnet.workbench.suite import Suite
from tests.workbench.support import smallScenario


class Doubting(FileSystemScenario):
    """It asks what it inherits, and says the opposite."""

    def steady(self, wasm: bytes, report: Report) -> bool:
        return not super().steady(wasm, report)


class Untouched(FileSystemScenario):
    """Its trace is never perturbed."""

    def hardlyDifferent(self, wasm: bytes) -> Any:
        assert super().hardlyDifferent(wasm) is not None
        return self.machine.trace


class Converted(Doubting):
    """It was moved to the new name."""

    def isRobust(self, wasm: bytes, report: Report) -> bool:
        return True


class Alone:
    """It stands on nothing of ours."""

    def steady(self, wasm: bytes, report: Report) -> bool:
        return wasm == b"good"


class FormerNamesTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.scenario = smallScenario(folder)
        self.wasm = self.scenario.workbench.baselineModule("lru")
        self.report = self.scenario.measure(self.wasm)

    def made(self, kind: type[FileSystemScenario]) -> FileSystemScenario:
        return kind(self.scenario.workbench, self.scenario.machine, self.scenario.settings)

    def test_subclass(self) -> None:
        """Of both names that counts which is defined nearest, and what it inherits is there under either."""
        for kind, robust in ((FileSystemScenario, True), (Doubting, False), (Converted, True), (Untouched, True)):
            self.assertIs(isRobust(self.made(kind), self.wasm, self.report), robust, kind)
        self.assertIs(self.made(Converted).isRobust(self.wasm, self.report), True)
        self.assertIs(self.made(FileSystemScenario).steady(self.wasm, self.report), True)

    def test_trace(self) -> None:
        """The trace that is hardly different is the one that a subclass gives."""
        scenario = self.made(Untouched)
        self.assertIs(perturbedTrace(scenario, self.wasm), scenario.machine.trace)
        self.assertIsNot(perturbedTrace(self.scenario, self.wasm), self.scenario.machine.trace)

    def test_alone(self) -> None:
        """A scenario of its own, alone or behind a proxy, is asked by the name that it has."""
        alone: Any = Alone()
        self.assertEqual([isRobust(alone, wasm, self.report) for wasm in (b"good", b"bad")], [True, False])
        self.assertIs(isRobust(Mock(spec=["steady"], steady=alone.steady), b"good", self.report), True)

    def test_suite(self) -> None:
        """A part of a suite may be such a one."""
        parts = [self.made(FileSystemScenario), self.made(Doubting)]
        parts[1].settings = {**parts[0].settings, "another": 1}
        whole = Report("", "", "", "", {}, "", {}, [self.report, self.report])
        self.assertIs(Suite(parts).isRobust(self.wasm, whole), False)
