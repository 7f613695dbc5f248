"""Tables that make room: what is cut, what is left out, what never is."""

from __future__ import annotations

import io

from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.cli.tables import Column, fitted, sections

COLUMNS = (
    Column("id"),
    Column("words", least=8, leave=1),
    Column("number", right=True),
    Column("more", least=6, leave=2),
)
ROWS = (("AI_1-0123456789", 20 * "wx", "1.000", 10 * "yz"), ("[red]b", "short", "12.000", "m"))


class FittedTests(SynchronousTestCase):
    def drawn(self, width: int) -> list[str]:
        console = Console(file=io.StringIO(), width=width)
        console.print(fitted(COLUMNS, ROWS, width))
        assert isinstance(console.file, io.StringIO)
        return [line.rstrip() for line in console.file.getvalue().splitlines()]

    def test_room(self) -> None:
        """With room for all nothing is cut; numbers stand on the right; what looks like markup is none."""
        head, _, first, second = self.drawn(100)
        self.assertEqual(head.split(), ["id", "words", "number", "more"])
        self.assertEqual(first.split(), list(ROWS[0]))
        self.assertEqual(second.split(), list(ROWS[1]))
        self.assertEqual(first.index("1.000") + 5, second.index("12.000") + 6)

    def test_cut(self) -> None:
        """With less the longest cells are cut first, and then those beside them."""
        self.assertIn(10 * "yz", self.drawn(70)[2])
        self.assertRegex(self.drawn(70)[2], "(wx)+w?…   1.000")
        self.assertRegex(self.drawn(52)[2], "^AI_1-0123456789  (wx)+w?…   1.000  (yz)+y?…$")

    def test_left(self) -> None:
        """With still less columns are left out in their order; the id is whole as long as it alone has room."""
        self.assertEqual(self.drawn(38)[0].split(), ["id", "words", "number"])
        self.assertEqual(self.drawn(30)[0].split(), ["id", "number"])
        for width in range(24, 101):
            lines = self.drawn(width)
            self.assertEqual(len(lines), 4, width)
            self.assertLessEqual(max(map(len, lines)), width)
            self.assertIn("AI_1-0123456789", lines[2])

    def test_sections(self) -> None:
        """Sections have the same columns, each under its own line, which may be wider than the table."""
        console = Console(file=io.StringIO(), width=80)
        title = "a title that is wider than all of the columns together are"
        console.print(sections((Column("id"),), {"first": [("AI_1",)], title: [("AI_22",)]}, 80))
        assert isinstance(console.file, io.StringIO)
        lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
        self.assertEqual(lines, ["id", "──────", "first", "AI_1", title, "AI_22"])
