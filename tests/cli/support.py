"""What several of these tests need: the command, called as a user would, and a folder with a small trace."""

from __future__ import annotations

import io
import os
from functools import partial
from pathlib import Path
from unittest import mock

from click.testing import CliRunner, Result
from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.cli import main, tables
from kernelnet.workbench.file_system import workbench
from tests.workbench.support import mixture, writeTrace

__all__ = ["CliTestCase"]


class CliTestCase(SynchronousTestCase):
    """
    @ivar folder: an empty one.
    @ivar trace: a small trace in it.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)
        self.trace = writeTrace(self.folder / "small.txt", mixture())

    def call(self, *arguments: str | Path, columns: int = 80) -> Result:
        """Run C{kernelnet} with these arguments; a traceback fails the test."""
        result = CliRunner().invoke(main, [str(a) for a in arguments], env={**os.environ, "COLUMNS": str(columns)})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def succeed(self, *arguments: str | Path) -> str:
        result = self.call(*arguments)
        self.assertEqual((result.exit_code, result.stderr), (0, ""))
        return result.stdout

    def onTerminal(self, *arguments: str | Path, columns: int = 80) -> list[str]:
        """Lines that a command's tables are on a terminal of so many columns."""
        screen = io.StringIO()
        terminal = partial(Console, file=screen, width=columns, force_terminal=True, color_system=None)
        with mock.patch.object(tables, "Console", terminal):
            self.succeed(*arguments)
        return screen.getvalue().splitlines()

    def refused(self, code: int, words: str, *arguments: str | Path) -> str:
        """The command ends with this exit code and one line on stderr, in which C{words} are."""
        result = self.call(*arguments)
        self.assertEqual(result.exit_code, code, result.output)
        self.assertIn(words, result.stderr)
        lines = [line for line in result.stderr.splitlines() if line]
        self.assertEqual(len([line for line in lines if line.startswith("Error: ")]), 1, result.stderr)
        return result.stderr

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def baseline(self, name: str) -> Path:
        """A hand-made policy's source, as a file of the user's."""
        return self.write(f"my-{name}.c", workbench.baselineSource(name))
