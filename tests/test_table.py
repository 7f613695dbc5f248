"""What the demo prints, whatever a trace or a component is called."""

import io

from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.cli.table import Result, progressLines, progressTable, resultTable

NASTY = "[/red]a\x1b[2J[bold]b"
SEEN = "[/red]a?[2J[bold]b"


class TableTests(SynchronousTestCase):
    def printed(self, table: object) -> str:
        console = Console(file=io.StringIO(), width=200)
        console.print(table)
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue()

    def test_results(self) -> None:
        """What looks like markup is printed as it is, and control characters don't reach the terminal."""
        result = Result(NASTY, "AI_1", "own search", NASTY, ["AI_2"], 100, 50, 60, 55, "sieve", 40, 0.5)
        self.assertEqual(self.printed(resultTable([result])).count(SEEN), 2)

    def test_progress(self) -> None:
        """The same while it runs, with a terminal and without."""
        progress = {"ai_id": "AI_1", "rounds": 1, "generation": 2, "best": 3, "built": 0, "confirmed": 0}
        progress |= {"to_measure": 0, "sessions": {}, "scenario": {"trace": NASTY}}
        self.assertIn(SEEN, self.printed(progressTable([progress], 1.0)))
        self.assertIn(SEEN, progressLines([progress], 1.0)[0])

    def test_starting(self) -> None:
        """A trainer that has not said anything yet has a line, too."""
        self.assertIn("starting", progressLines([{"ai_id": "AI_1"}], 1.0)[0])
