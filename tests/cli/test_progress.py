"""Progress bars: where they are shown, what they say, and that nothing of them is left."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from kernelnet.cli import progress
from kernelnet.hub.storage.sqlite import backup
from tests.cli.support import CliTestCase
from tests.hub.support import HubTestCase, aPattern


def left(data: str) -> str:
    """What is to be seen behind the last line that a program erased on a terminal."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]", "", data[data.rindex("\x1b[2K") :])


class BarTests(CliTestCase):
    def shown(self, quiet: bool, terminal: bool) -> str:
        screen = io.StringIO()
        console = Console(file=screen, force_terminal=terminal, width=100, color_system=None)
        self.patch(progress, "Console", lambda stderr: console)
        with progress.progress(quiet) as tell:
            tell("reading [red]x\x1b[2J", 0, None)
            tell("measuring", 1, 4)
            tell("measuring", 2, 4)
        return screen.getvalue()

    def test_terminal(self) -> None:
        """On a terminal it says what is done and how much of it; a stranger's control characters aren't passed on."""
        text = self.shown(quiet=False, terminal=True)
        self.assertIn("measuring", text)
        self.assertIn("50%", text)
        self.assertNotIn("\x1b[2J", text)
        self.assertEqual(left(text), "")

    def test_nowhere(self) -> None:
        """In a pipe, and beside JSON, there is nothing at all."""
        self.assertEqual(self.shown(quiet=False, terminal=False), "")
        self.assertEqual(self.shown(quiet=True, terminal=True), "")


class StorageTests(CliTestCase, HubTestCase):
    def setUp(self) -> None:
        CliTestCase.setUp(self)
        HubTestCase.setUp(self)
        client = self.hub.connect("AI_1")
        for number in range(2500):
            client.send("pattern_share", aPattern(f"p{number}"))

    def test_told(self) -> None:
        """A copy is told of as it grows, and so is the check: messages by their number, in order, never beyond all."""
        told: list[tuple[str, int, Any]] = []
        self.patch(backup, "_STEP", 50)
        backup.backUp(self.path / "hub_data.db", self.folder / "copy.db", lambda *what: told.append(what))
        self.assertEqual([*dict.fromkeys(what for what, _, _ in told)], ["copying", *CHECKING])
        for stage in ("copying", "checking the messages"):
            steps = [(done, total) for what, done, total in told if what == stage]
            self.assertGreater(len(steps), 1)
            self.assertEqual(steps, sorted(steps))
            self.assertTrue(all(0 < done <= total == steps[-1][1] for done, total in steps), steps)

    def test_snapshot(self) -> None:
        """What a hub writes while it is copied is not in the copy, and does not make it begin again."""
        client, self.told = self.hub.connect("AI_2"), 0
        self.patch(backup, "_STEP", 50)

        def tell(what: str, done: int, total: int | None) -> None:
            if what == "copying":
                self.told += 1
                client.send("pattern_share", aPattern(f"late {self.told}"))

        made = backup.backUp(self.path / "hub_data.db", self.folder / "copy.db", tell)
        self.assertGreater(self.told, 2)
        self.assertEqual(made["events"], 2500)
        self.assertEqual(self.hub.rows("SELECT COUNT(*) FROM events")[0][0], 2500 + self.told)

    def test_pty(self) -> None:
        """With standard error on a terminal and standard output in a pipe, the bar is on the one, data in the other."""
        self.hub.stop()
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        command = [str(Path(sys.executable).with_name("kernelnet")), "backup", "--state", str(self.path)]
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
        for arguments in ([str(self.folder / "a.db")], ["--json", str(self.folder / "b.db")]):
            ran = subprocess.run(
                [*command, *arguments], stdout=subprocess.PIPE, stderr=theirs, text=True, env=environment, check=True
            )
            self.assertNotIn("\x1b", ran.stdout)
            if arguments[0] == "--json":
                self.assertEqual(json.loads(ran.stdout)["events"], 2500)
            else:
                self.assertEqual(ran.stdout.splitlines()[0].split(": ")[1].split(", ")[1], "2500 messages")
                seen = os.read(ours, 1 << 16).decode()
                self.assertIn("checking the messages", seen)
                self.assertEqual(left(seen), "")
        os.close(theirs)
        self.assertRaises(OSError, os.read, ours, 1)  # with --json there was nothing


CHECKING = ["checking the structure", "checking the messages"]
