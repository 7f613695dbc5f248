"""The main job: C{kernelnet demo}."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tests.system.support import SystemTestCase


class DemoTests(SystemTestCase):
    def demo(self, *arguments: str) -> "subprocess.Popen[str]":
        program = str(Path(sys.executable).with_name("kernelnet"))
        process = subprocess.Popen(
            [program, "demo", *arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.terminate)
        return process

    def test_endsWithConfirmedComponents(self) -> None:
        """After its time the table has components that a peer confirmed and that beat LRU, and the database has all."""
        process = self.demo("--minutes", "0.6", "--keep", str(self.state.path))
        output, _ = process.communicate(timeout=180)
        self.assertEqual(process.returncode, 0, output)
        self.assertIn("miss ratio on the held-out part", output)
        self.assertIn(str(self.state.database), output)
        with closing(sqlite3.connect(self.state.database)) as database:
            for table in ("shared_patterns", "shared_components"):
                ((count,),) = database.execute(f"SELECT COUNT(*) FROM {table}")
                self.assertGreater(count, 0, table)
            ((confirmed,),) = database.execute("SELECT COUNT(*) FROM shared_components WHERE confirmed > 0")
        self.assertGreater(confirmed, 0)

    def interrupted(self, first: int, *more: int) -> str:
        """What a demo says that gets C{first} while it runs, and C{more} while it ends; it leaves no process."""
        process = self.demo("--minutes", "5", "--keep", str(self.state.path))
        assert process.stdout is not None
        while "AI_1" not in process.stdout.readline():
            pass
        process.send_signal(first)
        for number in more:
            while "stopping" not in process.stdout.readline():
                pass
            process.send_signal(number)
        output, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 128 + (more or (first,))[-1], output)
        left = subprocess.run(["pgrep", "-f", str(self.state.path)], capture_output=True, text=True, check=False)
        self.assertEqual(left.stdout, "")
        return output

    def test_interrupted(self) -> None:
        """Ctrl-C ends everything: no process is left, and it is said where the logs are."""
        self.assertIn(str(self.state.path), self.interrupted(signal.SIGINT))

    def test_impatient(self) -> None:
        """A second Ctrl-C while it ends leaves no process either."""
        self.interrupted(signal.SIGINT, signal.SIGINT)

    def test_killed(self) -> None:
        """Neither does kill."""
        self.interrupted(signal.SIGTERM)

    def test_terminalClosed(self) -> None:
        """Nor a terminal that is closed."""
        self.interrupted(signal.SIGHUP)

    def test_notEmpty(self) -> None:
        """A folder that holds something is not used."""
        (self.folder / "mine").write_text("x")
        process = self.demo("--keep", str(self.folder))
        output, _ = process.communicate(timeout=60)
        self.assertEqual((process.returncode, len(output.splitlines())), (1, 1), output)
        self.assertIn("is not empty", output)
