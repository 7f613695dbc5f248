"""What the demo prints, whatever a trace or a component is called."""

import io

from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.cli.demo_results import Field, Result, progressLines, progressTable, resultTable

NASTY = "[/red]a\x1b[2J[bold]b"
SEEN = "[/red]a?[2J[bold]b"


def made(trace: str, found: list[Result]) -> Field:
    return Field(
        workbench="file_system",
        trace=trace,
        settings="capacity 9",
        ratio="miss ratio",
        events=100,
        reference=60,
        referenceName="lru",
        baseline=55,
        baselineName="sieve",
        baselineLevel=0.25,
        optimum=40,
        optimumName="belady",
        results=found,
    )


class TableTests(SynchronousTestCase):
    def printed(self, table: object) -> str:
        console = Console(file=io.StringIO(), width=200)
        console.print(table)
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue()

    def test_results(self) -> None:
        """What looks like markup is printed as it is, and control characters don't reach the terminal."""
        result = Result(NASTY, "AI_1", "own search", ["AI_2"], 50, 0.5)
        field = made(NASTY, [result])
        self.assertEqual(self.printed(resultTable(field)).count(SEEN), 2)

    def test_order(self) -> None:
        """What has fewer misses stands higher: components among the optimum, the best hand-made policy and LRU."""
        found = [
            Result("good", "AI_1", "own search", ["AI_2"], 50, 0.5),
            Result("bad", "AI_2", "own search", [], 58, 0.1),
        ]
        lines = self.printed(resultTable(made("t", found))).splitlines()
        names = [line.split()[0] for line in lines if line.strip()]
        self.assertEqual(names[-5:], ["belady", "good", "sieve", "bad", "lru"])
        self.assertIn("0.5000", next(line for line in lines if "good" in line))
        self.assertIn("nobody yet", next(line for line in lines if "bad" in line))

    def test_progress(self) -> None:
        """The same while it runs, with a terminal and without."""
        progress = {"ai_id": "AI_1", "rounds": 1, "generation": 2, "best": 3, "built": 0, "confirmed": 0}
        progress |= {"to_measure": 0, "sessions": {}, "scenario": {"trace": NASTY}}
        self.assertIn(SEEN, self.printed(progressTable([progress], 1.0)))
        self.assertIn(SEEN, progressLines([progress], 1.0)[0])

    def test_starting(self) -> None:
        """A trainer that has not said anything yet has a line, too."""
        self.assertIn("starting", progressLines([{"ai_id": "AI_1"}], 1.0)[0])
