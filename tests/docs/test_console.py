"""The shell in which a page's commands are typed."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.docs.console import Shell


class ShellTests(SynchronousTestCase):
    def test_code(self) -> None:
        """A command's own exit code and output, and what it set stays for the next one."""
        shell = Shell(Path.cwd(), dict(os.environ))
        self.addCleanup(shell.close)
        self.assertEqual(shell.run("echo said; (exit 3)", 20), (3, "said\n"))
        self.assertEqual(shell.run("kept=1", 20), (0, ""))
        self.assertEqual(shell.run("echo $kept", 20), (0, "1\n"))
