"""The demo's last screen."""

from __future__ import annotations

import io

from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.cli.outcome_table import bar, printDetails, printOutcome
from kernelnet.cli.outcomes import Outcome
from tests.cli.test_verdict import outcome

NASTY = "[/red]a\x1b[2J[bold]b"
SEEN = "[/red]a?[2J[bold]b"


class ScreenTests(SynchronousTestCase):
    def screen(self, found: list[Outcome], width: int = 80) -> list[str]:
        console = Console(file=io.StringIO(), width=width, markup=False, highlight=False)
        printOutcome(console, found, 12.0)
        printDetails(console, found, [])
        assert isinstance(console.file, io.StringIO)
        return [line.rstrip() for line in console.file.getvalue().splitlines()]

    def test_rows(self) -> None:
        """A row a task, in sections that name reference and optimum: best hand-made, best learned, and by whom."""
        found = [
            outcome("sqlite, 55 blocks", 0.5, interval=(0.47, 0.53), gained=(0.22, 0.28)),
            outcome("web, 9 blocks", 0.3, gained=(-0.1, 0.2)),
            outcome("cs, 9 blocks", 0.1, confirmed=3),
        ]
        lines = self.screen(found)
        self.assertIn("page-cache eviction: 0 is lru, 1 is belady", lines)
        (first,) = (line for line in lines if line.startswith("+"))
        for word in ("sqlite, 55 blocks", "sieve 0.250", "0.500 ± 0.03", "AI_2 AI_3", "AI_1", "█"):
            self.assertIn(word, first)
        self.assertTrue(any(line.startswith("~  web, 9 blocks") for line in lines))
        (last,) = (line for line in lines if line.startswith("-  cs"))
        self.assertIn("3 AIs", last)

    def test_legend(self) -> None:
        """A gain may be sure where the level's interval is wide; the legend says which of the two the marks judge."""
        lines = self.screen([outcome("sqlite, 55 blocks", 0.5, interval=(0.1, 0.9), gained=(0.22, 0.28))])
        self.assertTrue(any(line.startswith("+  sqlite") for line in lines), lines)
        told = " ".join(lines)
        self.assertIn("judges the gain over it, which is paired by windows", told)
        self.assertIn("not the level's ±", told)

    def test_width(self) -> None:
        """No row is wrapped at 80 columns or 120, however long the names are."""
        found = [outcome(f"{'long ' * 9}{at} + {NASTY}", 0.5, interval=(0.4, 0.6), confirmed=at) for at in range(4)]
        for width in (80, 120, 200):
            lines = self.screen(found, width)
            self.assertLessEqual(max(map(len, lines)), width)
            self.assertEqual(len([line for line in lines if line.startswith("+")]), 4, lines)

    def test_strangers(self) -> None:
        """What looks like markup is printed as it is, and control characters don't reach the terminal."""
        text = "\n".join(self.screen([outcome(NASTY, 0.5)], 120))
        self.assertIn(SEEN, text)
        self.assertNotIn("\x1b", text)

    def test_bar(self) -> None:
        """A bar is as long as its level; the mark is where the best hand-made policy stands, or at an end."""
        self.assertEqual(bar(0.5, None, 4).plain, "██··")
        self.assertEqual(bar(0.625, 0.25, 4).plain, "█|▌·")
        self.assertEqual(bar(-3.0, -1.0, 4).plain, "|···")
        self.assertEqual(bar(1.5, 2.0, 4).plain, "███|")
        self.assertEqual(bar(None, None, 4).plain, "····")
