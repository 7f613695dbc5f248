"""Completion in the shell, as docs/howto/complete-in-the-shell.rst says to set it up."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from click.shell_completion import BashComplete
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "howto" / "complete-in-the-shell.rst"


class CompletionTests(SynchronousTestCase):
    def script(self, shell: str) -> str:
        """What the line on the page evaluates."""
        ran = subprocess.run(
            [Path(sys.executable).with_name("kernelnet")],
            env={**os.environ, "_KERNELNET_COMPLETE": f"{shell}_source"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual((ran.returncode, ran.stderr), (0, ""), shell)
        return ran.stdout

    def completed(self, *words: str) -> set[str]:
        """What the last word could become."""
        found = BashComplete(main, {}, "kernelnet", "_KERNELNET_COMPLETE").get_completions(list(words[:-1]), words[-1])
        return {str(item.value) for item in found}

    def test_scripts(self) -> None:
        """Each shell that the page names gets a script, which the shell can read where it is installed."""
        shells = re.findall(r"_KERNELNET_COMPLETE=(\w+)_source", PAGE.read_text("utf-8"))
        self.assertEqual(shells, ["bash", "zsh", "fish"])
        for shell in shells:
            text = self.script(shell)
            self.assertIn(f"_KERNELNET_COMPLETE={shell}_complete", text)
            program = shutil.which(shell)
            if program is not None:
                ran = subprocess.run([program, "-n"], input=text, capture_output=True, text=True, check=False)
                self.assertEqual((ran.returncode, ran.stderr), (0, ""), shell)

    def test_commands(self) -> None:
        """Commands, their commands, options and values."""
        self.assertEqual(self.completed("ben"), {"bench"})
        self.assertEqual(self.completed("bench", ""), {"inspect", "plot", "run", "train"})
        self.assertIn("--component", self.completed("bench", "run", "--c"))
        self.assertEqual(self.completed("bench", "train", "--objective", "f"), {"fuel"})

    def test_bash(self) -> None:
        """bash itself, with the page's line, completes a command."""
        bash = shutil.which("bash")
        assert bash is not None
        page = re.search(r"``(eval .*bash_source kernelnet\)\")``", PAGE.read_text("utf-8"))
        assert page is not None
        asked = "COMP_WORDS=(kernelnet bench t); COMP_CWORD=2; _kernelnet_completion kernelnet; echo ${COMPREPLY[@]}"
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        ran = subprocess.run(
            [bash, "--norc", "-c", f"{page[1]}; {asked}"],
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual((ran.stdout, ran.stderr), ("train\n", ""))
