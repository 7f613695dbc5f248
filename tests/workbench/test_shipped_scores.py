"""Hand-made policies on the traces that ship: their scores don't change when what policies are told does."""

from __future__ import annotations

import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench import audio, graphics, network_stack, process_manager, security, window_manager

PINNED = json.loads(Path(__file__).with_name("pinned_shipped.json").read_text())
"""
By bench, trace and settings, and by policy: scores by split; of network_stack, process_manager and security recorded
when clocks were still told.
"""

BENCHES = (audio, graphics, network_stack, process_manager, security, window_manager)


class ShippedScoresTests(SynchronousTestCase):
    def same(self, bench: str) -> None:
        workbenches = {module.workbench.name: module.workbench for module in BENCHES}
        found = 0
        for task, policies in PINNED.items():
            name, trace, *settings = task.split()
            if name != bench:
                continue
            workbench = workbenches[name]
            path = workbench.folder / "traces" / trace
            chosen = {key: int(value) for key, value in (setting.split("=") for setting in settings)}
            scores = {
                policy: [split.score for split in report.splits.values()]
                for policy, report in workbench.scenario(path, chosen).baselines().items()
            }
            self.assertEqual(scores, policies, task)
            found += 1
        self.assertGreater(found, 0)

    def test_network_stack(self) -> None:
        """A sender that adds up what has elapsed, and counts acknowledgements, knows what it was told before."""
        self.same("network_stack")

    def test_process_manager(self) -> None:
        """So does a scheduler with a clock of its own."""
        self.same("process_manager")

    def test_security(self) -> None:
        """Nothing that counted up was told to detectors."""
        self.same("security")

    def test_audio(self) -> None:
        """Playout delays of calls that ship are what they were, tuned policies' as well."""
        self.same("audio")

    def test_graphics(self) -> None:
        """So are starts of repaints."""
        self.same("graphics")

    def test_window_manager(self) -> None:
        """So are predictions of pointers."""
        self.same("window_manager")
