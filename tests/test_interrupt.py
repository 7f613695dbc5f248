"""Ctrl-C at any time of a command's first second: it ends quietly and at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kernelnet import interrupt

BIN = Path(sys.executable).parent

TRACED = """
import builtins, os, signal, sys
imported = builtins.__import__
def importing(name, *arguments, **more):
    if name == {name!r} and {name!r} not in sys.modules:
        os.kill(os.getpid(), signal.SIGINT)
    return imported(name, *arguments, **more)
builtins.__import__ = importing
sys.argv = {argv!r}
{run}
"""
"""A command that gets Ctrl-C right before it imports a module."""

KERNELNET = "from kernelnet.__main__ import main; main()"
TWISTD = "from twisted.scripts.twistd import run; run()"

SWALLOWED = """
from twisted.python import log
try:
    raise KeyboardInterrupt
except BaseException:
    log.err()
"""
"""Part of a program that does as twistd does with what is raised while it loads plugins."""


class EarlyTests(SynchronousTestCase):
    def ended(self, name: str, argv: Sequence[str], run: str) -> tuple[int, str]:
        """@return: exit code and output of a command that gets Ctrl-C right before it imports C{name}."""
        with tempfile.TemporaryDirectory() as folder:
            arguments = [argument.replace("STATE", folder + "/state") for argument in argv]
            done = subprocess.run(
                [sys.executable, "-c", TRACED.format(name=name, argv=arguments, run=run)],
                check=False,
                timeout=60,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=folder,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
            )
            return done.returncode, done.stdout

    def test_command(self) -> None:
        """While a command imports, of its own or of others, nothing is said."""
        for name in ("kernelnet.cli", "rich.console", "kernelnet.cli.tokens", "click"):
            found = self.ended(name, ["kernelnet", "workbenches"], KERNELNET)
            self.assertEqual(found, (interrupt.INTERRUPTED, ""), name)

    def test_whilePluginsLoad(self) -> None:
        """What comes while a command loads plugins, where Twisted swallows what is raised, ends it, too."""
        found = self.ended("kernelnet.workbench.security", ["kernelnet", "workbenches"], KERNELNET)
        self.assertEqual(found, (interrupt.INTERRUPTED, "stopped\n"))

    def test_services(self) -> None:
        """The same of both services: while they import, and while Twisted loads plugins before they can do a thing."""
        trainer = ["twistd", "-n", "kerneltrainer", "--id", "A", "--state", "STATE"]
        for argv in (["twistd", "-n", "kernelhub", "--port", "0", "--state", "STATE"], trainer):
            for name in ("kernelnet.generators.search", "kernelnet.identity"):
                self.assertEqual(self.ended(name, argv, TWISTD), (interrupt.INTERRUPTED, ""), (argv[2], name))
            self.assertEqual(self.ended("nothing", argv, SWALLOWED + TWISTD)[0], interrupt.INTERRUPTED, argv[2])

    def test_beforeItRuns(self) -> None:
        """A service that is made, and whose reactor does not run yet, ends in order as soon as it does."""
        program = (
            "import os, signal; from kernelnet import interrupt; from twisted.internet import reactor;"
            "interrupt.quietly(); interrupt.throughReactor(reactor); os.kill(os.getpid(), signal.SIGINT);"
            "reactor.addSystemEventTrigger('before', 'shutdown', print, 'in order'); reactor.run()"
        )
        done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"in order\n", b""))


class HandlerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.addCleanup(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.default_int_handler))

    def test_held(self) -> None:
        """It is raised at the end of what would have swallowed it, and then as ever."""
        reached = []
        with self.assertRaises(KeyboardInterrupt), interrupt.held():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            reached.append(1)
        self.assertEqual(reached, [1])
        self.assertIs(signal.getsignal(signal.SIGINT), signal.default_int_handler)

    def test_nobodyElses(self) -> None:
        """A handler that somebody else has set stays, and so does Python's own in what is no twistd for us."""

        def mine(number: int, frame: object) -> None:
            """Whoever set it knows."""

        interrupt.quietlyInTwistd(("kernelhub",))
        self.assertIs(signal.getsignal(signal.SIGINT), signal.default_int_handler)
        signal.signal(signal.SIGINT, mine)
        interrupt.quietly()
        interrupt.throughReactor(None)
        interrupt.asUsual()
        with interrupt.held():
            self.assertIs(signal.getsignal(signal.SIGINT), mine)
        self.assertIs(signal.getsignal(signal.SIGINT), mine)
