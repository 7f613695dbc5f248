"""The main job: C{kernelnet demo}."""

import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec

from kernelnet.artifacts import Component
from kernelnet.hub.storage.sqlite.offline import OfflineSqlite
from kernelnet.hub.views import sessions
from kernelnet.interfaces import IWorkbench
from kernelnet.learning.verification import remeasureAmong
from kernelnet.plugins import find
from tests.system.support import SystemTestCase


class DemoTests(SystemTestCase):
    def demo(self, *arguments: str) -> "subprocess.Popen[str]":
        program = str(Path(sys.executable).with_name("kernelnet"))
        # Whoever runs the tests may ignore these signals, as a shell's background jobs do; what they start would, too.
        heeds = ("env", "--default-signal=INT,HUP,TERM")
        process = subprocess.Popen(
            [*heeds, program, "demo", *arguments],
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
        """
        After its time one screen says how many tasks beat every hand-made policy, and which, with components that a
        peer confirmed; sessions' transcripts explain what they sent; the first was confirmed within this minute; the
        database and the report have all.
        """
        process = self.demo("--minutes", "1", "--keep", str(self.state.path))
        output, _ = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 0, output)
        lines = output.splitlines()
        self.assertRegex(lines[0], r"http://127\.0\.0\.1:\d+/signin\?link=\S{20}")
        (found,) = (at for at, line in enumerate(lines) if " better than every hand-made policy" in line)
        sentence = re.match(
            r"(\d+) of (\d+) tasks: better than every hand-made policy, each confirmed by [a-z ]+ others?; median gain"
            r" [0-9.]+( ± [0-9.]+)? of the way to the optimum; first confirmation after (\d+) s\."
            r"( .* by less than the interval, which may be luck\.)?$",
            lines[found],
        )
        assert sentence is not None, output
        screen = lines[found:]
        better = [line for line in screen if line.startswith(("+  ", "~  "))]
        self.assertEqual(len(better), int(sentence[1]), output)
        self.assertEqual(len([line for line in screen if line.startswith("-  ")]) + len(better), int(sentence[2]))
        commands = [line for line in screen if line.startswith(("kernelnet ", "less "))]
        self.assertEqual(len(commands), 3, output)
        # before it a line every 15 seconds, and four that say what it does
        self.assertLess(found, 14, output)
        page = (self.state.path / "report.md").read_text()
        self.assertIn(lines[found].replace("~", r"\~"), page)
        self.assertTrue((self.state.path / "report-levels.svg").exists())
        with closing(sqlite3.connect(self.state.database)) as database:
            for table in ("shared_patterns", "shared_components"):
                ((count,),) = database.execute(f"SELECT COUNT(*) FROM {table}")
                self.assertGreater(count, 0, table)
            ((confirmed,),) = database.execute("SELECT COUNT(*) FROM shared_components WHERE confirmed > 0")
        self.assertGreater(confirmed, 0)
        self.exported(next(line for line in commands if " export " in line))
        self.explained()

    def test_agent(self) -> None:
        """With --agent the end says what an agent did by its tools, each step with what came of it."""
        process = self.demo("--minutes", "0.4", "--trainers", "1", "--agent", "--keep", str(self.state.path))
        output, _ = process.communicate(timeout=200)
        told = output[output.index("The agent AGENT by its tools") :]
        self.assertRegex(told, r"lists tasks +\d+, such as file_system/")
        self.assertRegex(told, "submits one that doesn't compile .*error: unknown type name 'u23'")
        self.assertRegex(told, "submits one that is worse +refused: no better on validation")
        left = subprocess.run(["pgrep", "-f", str(self.state.path)], capture_output=True, text=True, check=False)
        self.assertEqual(left.stdout, "")

    def exported(self, command: str) -> None:
        """The command that the screen tells gives a C file."""
        program = str(Path(sys.executable).with_name("kernelnet"))
        done = subprocess.run([program, *command.split()[1:]], capture_output=True, text=True, check=True)
        self.assertIn("kn_", done.stdout)

    def explained(self) -> None:
        """The component that a session sent has the score that the last step tells, and so it measures again."""
        with OfflineSqlite(self.state.database).reading() as reader:
            self.assertTrue(sessions.sessions(reader, None, 100))
            # On a busy machine none may be completed in so short a time.
            completed = sessions.sessions(reader, "completed", 100)
            for session in completed:
                sent = next(s for s in reversed(session["transcript"]) if s["by"] == session["partner"])
                self.assertEqual((sent["what"], sent["component"]), ("send", session["component"]))
                (stored,) = (
                    one
                    for one in reader.components.named(session["component"])
                    if (one.author, one.digest) == (session["partner"], sent["digest"])
                )
                component = msgspec.json.decode(stored.body, type=Component)
                assert component.manifest is not None
                bench = find(IWorkbench, component.manifest.workbench, "workbench")
                verdict, reason, report = remeasureAmong(component, bench, bench.traces())
                self.assertEqual(verdict.value, "confirmed", reason)
                measured = report.splits["validation"] if report is not None else None
                self.assertEqual(measured and (measured.score, measured.fuel), (sent["score"], sent["fuel"]))

    def says(self, process: "subprocess.Popen[str]", words: str) -> None:
        """Read on to a line with C{words}; fails when the process ends without one."""
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            if words in line:
                return
            lines.append(line)
        self.fail(f"no line with {words!r} in:\n{''.join(lines)}")

    def interrupted(self, first: int, *more: int) -> str:
        """What a demo says that gets C{first} while it runs, and C{more} while it ends; it leaves no process."""
        process = self.demo("--minutes", "5", "--keep", str(self.state.path))
        self.says(process, "AI_1")
        process.send_signal(first)
        for number in more:
            self.says(process, "stopping")
            process.send_signal(number)
        output, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 128 + (more or (first,))[-1], output)
        left = subprocess.run(["pgrep", "-f", str(self.state.path)], capture_output=True, text=True, check=False)
        self.assertEqual(left.stdout, "")
        logs = {path.name: path.stat().st_mode & 0o777 for path in self.state.path.glob("*.log")}
        self.assertEqual(set(logs.values()), {0o600}, logs)
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
