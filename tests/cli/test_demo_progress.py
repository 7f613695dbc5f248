"""Progress of the demo, with a terminal and without, whatever a trace is called."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.cli.demo_progress import progressLine, progressTable
from kernelnet.workbench.network_stack import workbench

NASTY = "[/red]a\x1b[2J[bold]b"
SEEN = "[/red]a?[2J[bold]b"
BENCHES = {"network_stack": workbench}
SETTINGS = {"rtt_ms": 40, "queue_packets": 250, "loss_permille": 0, "flows": 3}


def working(**more: Any) -> dict[str, Any]:
    progress = {"ai_id": "AI_1", "rounds": 1, "generation": 2, "best": 3, "built": 4, "confirmed": 5}
    task = {"workbench": "network_stack", "trace": NASTY, "settings": SETTINGS}
    return {**progress, "to_measure": 0, "sessions": {"active": 2, "expired": 9}, "scenario": task, **more}


class ProgressTests(SynchronousTestCase):
    def drawn(self, *progress: dict[str, Any], width: int = 80) -> list[str]:
        console = Console(file=io.StringIO(), width=width)
        console.print(progressTable(progress, BENCHES, 30.0, 60.0, width))
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue().splitlines()

    def test_table(self) -> None:
        """A trainer is one line: its task in words, the level that it has, as a bar, and counts."""
        first, second = working(search={"train": 0.5}), working(ai_id="AI_2", scenario=None)
        clock, _, _, row, idle = self.drawn(first, second, width=100)
        self.assertIn("30 s left", clock)
        self.assertEqual(clock.count("█"), 15)
        self.assertIn(f"{SEEN}, 3 flows: congestion control ", row)
        self.assertIn("█████····", row)
        self.assertEqual(row.split()[-3:], ["4", "5", "2"])
        self.assertIn("between two tasks", idle)

    def test_narrow(self) -> None:
        """On few columns each is still one line."""
        for width in (30, 50, 80, 200):
            lines = self.drawn(working(search={"train": 0.5}), working(ai_id="AI_2"), width=width)
            self.assertEqual(len(lines), 5, lines)
            self.assertLessEqual(max(map(len, lines)), width)

    def test_line(self) -> None:
        """Without a terminal all trainers are one line."""
        line = progressLine([working(search={"train": 0.25}), {"ai_id": "AI_2"}], BENCHES, 12.3)
        words = f"{SEEN}, 3 flows: congestion control 0.25"
        self.assertEqual(line, f"12 s left, 4 built, 5 confirmations; AI_1 {words}; AI_2 starting")
