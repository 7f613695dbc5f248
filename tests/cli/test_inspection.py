"""C{kernelnet bench inspect}."""

from __future__ import annotations

import json
from typing import Any

from tests.cli.support import CliTestCase

ROWS = "".join(f"{7 + at % 2},{'RW'[at % 2]},{at // 2 * 4096},4096,{at}\n" for at in range(300))


class InspectTests(CliTestCase):
    def test_json(self) -> None:
        """All that a reader noted."""
        path = self.folder / "ali.csv"
        path.write_text(ROWS)
        found: list[dict[str, Any]] = json.loads(self.succeed("bench", "inspect", path, "--json"))
        (one,) = found
        self.assertEqual((one["workbench"], one["columns"]["column 1"]), ("file_system", "disk"))
        self.assertEqual(
            one["figures"], {"requests": 300, "blocks": 300, "writes": 150, "disks": 2, "time": "0 to 299"}
        )
        self.assertEqual(one["first"][1], {"row": "8 W 0 4096 1", "understood": "write page 0 of disk 8"})
        self.assertIn("hardly any block is requested again", one["doubts"][0])

    def test_table(self) -> None:
        path = self.folder / "iotype.csv"
        path.write_text("iotype,id\n" + "".join(f"{at % 2},{at % 9}\n" for at in range(200)))
        shown = self.succeed("bench", "inspect", path)
        self.assertRegex(shown, r"requests +200 *\n")
        self.assertRegex(shown, r"doubt +'iotype' has only 0 and 1")
        self.assertRegex(shown, r"id +block id")

    def test_unread(self) -> None:
        """Each workbench says why it doesn't read it."""
        path = self.folder / "a.csv"
        path.write_text("x,y\n1,2\n")
        self.refused(1, "no workbench reads a.csv", "bench", "inspect", path)
        result = self.call("bench", "inspect", path)
        self.assertRegex(result.output, r"file_system: line 1: no column of 'x,y' is known")
        self.assertRegex(result.output, r"process_manager: no log format has names like 'a.csv'")

    def test_missing(self) -> None:
        self.refused(2, "No such file", "bench", "inspect", self.folder / "none.txt")

    def test_doubts(self) -> None:
        """What is doubtful is said where the trace is used, too."""
        path = self.folder / "iotype.csv"
        path.write_text("iotype,id\n" + "".join(f"{at % 2},{at % 9}\n" for at in range(200)))
        result = self.call("bench", "run", "file_system", "--trace", path, "--set", "capacity=4")
        self.assertIn("note: 'iotype' has only 0 and 1", result.output)
