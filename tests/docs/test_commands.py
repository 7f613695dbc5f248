"""The commands that the documents tell people to type are there, with these options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.cli import main

ROOT = Path(__file__).resolve().parents[2]


class CommandTests(SynchronousTestCase):
    def test_parsed(self) -> None:
        """Every line that begins with C{kernelnet} in a block of README, docs and examples."""
        documents = [ROOT / "README.rst", *(ROOT / "docs").rglob("*.rst"), *(ROOT / "examples").glob("*/README.rst")]
        lines = []
        for document in documents:
            text = re.sub(r"\\\n\s+", "", document.read_text("utf-8"))  # lines that go on
            found = re.findall(r"^ +(?:\$ )?kernelnet ([a-z].*?)(?: {2,}.*| +[#>].*)?$", text, re.MULTILINE)
            lines += [(document.name, line) for line in found]
        self.assertGreater(len(lines), 10)
        for name, line in lines:
            command: click.Command = main
            context = click.Context(main)
            words = shlex.split(line)
            while isinstance(command, click.Group) and words:
                inner = command.get_command(context, words.pop(0))
                assert inner is not None, f"{name}: kernelnet {line}"
                command = inner
                context = click.Context(command, parent=context)
            try:
                command.make_parser(context).parse_args(words)
            except click.UsageError as error:
                self.fail(f"{name}: kernelnet {line}: {error.format_message()}")
