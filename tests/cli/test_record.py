"""C{kernelnet record}: what it makes of its arguments; the recorders have tests of their own."""

from __future__ import annotations

import lzma
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast
from unittest import mock

from kernelnet.interfaces import IWorkbench
from kernelnet.plugins import available
from kernelnet.workbench.errors import WorkbenchError
from kernelnet.workbench.recording import Recorder
from tests.cli.support import CliTestCase
from tests.workbench.support import mixture
from tests.workbench.window_manager_support import strokes, write

FILES = "kernelnet.workbench.file_system.record"
SCHED = "kernelnet.workbench.process_manager.record"
POINTER = "kernelnet.workbench.window_manager.record"


class RecordTests(CliTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(self.folder)
        self.calls: list[Any] = []

    def recorder(self, ids: list[int]) -> Any:
        """In place of the recorder of files."""

        def recordCommand(command: list[str], out: Path, ended: Callable[[], object]) -> SimpleNamespace:
            self.calls.append((command, out.name))
            ended()
            with (lzma.open if out.suffix == ".xz" else open)(out, "wt") as file:
                file.write("".join(f"{number}\n" for number in ids))
            return SimpleNamespace(requests=len(ids), distinct=len(set(ids)), exitCode=3, mapped=5, cut=True)

        module = ModuleType(FILES)
        module.recordCommand = recordCommand  # type: ignore[attr-defined]
        return mock.patch.dict(sys.modules, {FILES: module})

    def test_command(self) -> None:
        """All behind the dashes is the command; the trace is called like it; the next command is given, and works."""
        with self.recorder(mixture(seed=2)):
            result = self.call("record", "--", sys.executable, "-c", "print('--force')")
        self.assertEqual((result.exit_code, result.stdout), (0, ""))
        said = result.stderr
        name = f"{Path(sys.executable).name}.csv.xz"
        self.assertEqual(self.calls, [([sys.executable, "-c", "print('--force')"], name)])
        self.assertEqual([path.name for path in Path().glob("*.csv*")], [name])
        self.assertIn(f"written: {name}, 2000 requests for {len(set(mixture(seed=2)))} pages", said)
        for words in ("ended with exit code 3", "mapped into memory 5 times", "only its beginning"):
            self.assertIn(words, said)
        following = said.splitlines()[-1].split()
        self.assertEqual(following, ["kernelnet", "bench", "run", "file_system", "--trace", name])
        self.succeed(*following[1:])

    def test_noReuse(self) -> None:
        """Of a program that hardly reads anything twice no measuring is advised: there is nothing to learn."""
        with self.recorder([*range(353), *range(6)]):
            said = self.call("record", "--", "true").stderr
        self.assertIn("359 requests for 353 pages", said)
        words = "hardly any reuse, nothing to learn: of 359 requests 6 are for what was requested before"
        self.assertEqual(said.splitlines()[-1], words)
        self.assertNotIn("kernelnet bench run", said)

    def test_out(self) -> None:
        """A trace that is there is not overwritten unless asked for."""
        out = self.write("mine.txt", "1\n")
        with self.recorder(mixture(seed=2)):
            self.refused(2, "is there already; --force", "record", "--out", out, "--", "true")
            self.assertEqual((self.calls, out.read_text()), ([], "1\n"))
            self.assertIn("2000 requests", self.call("record", "--out", out, "--force", "true").stderr)

    def test_help(self) -> None:
        """The help says of each workbench what records for it, or why nothing here does."""
        text = self.succeed("record", "--help")
        for words in ("-- COMMAND…", "--sched ", "--pointer ", "audio ", "graphics ", "network_stack ", "security "):
            self.assertIn(f"kernelnet record {words}" if words.startswith("--") else f"\n  {words}", text)

    def test_others(self) -> None:
        """A workbench of another package brings its recorder along: an option, its help, and a trace of its own."""
        made = self.folder / "fans.csv"

        def recordFans(seconds: float, out: Path) -> int:
            made.write_text(f"{seconds:g} {out.name}")
            raise WorkbenchError("the fans stand still")

        module = ModuleType("fans")
        module.recordFans = recordFans  # type: ignore[attr-defined]
        recorder = Recorder("--fans", "Record fans", "how fans turn", "own.fans", "turns", "fans", "recordFans")
        bench = SimpleNamespace(name="file_system", recorder=recorder)
        self.patch(sys.modules["kernelnet.cli.record"], "available", lambda interface: [bench])
        with mock.patch.dict(sys.modules, {"fans": module}):
            self.assertRegex(self.succeed("record", "--help"), r"kernelnet record --fans +writes how fans turn")
            self.refused(1, "the fans stand still", "record", "--fans", "--seconds", "3")
        self.assertEqual(made.read_text(), "3 own.fans")

    def test_wrongPlugins(self) -> None:
        """A recorder that is no use is named, in one line with the reason; the others, ours first, are as usual."""

        class Raising:
            name = "raising"

            @property
            def recorder(self) -> Recorder:
                raise RuntimeError("no fans\nhere")

        good = Recorder("--fans", "Record fans", "how fans turn", "own.fans", "turns", "fans", "recordFans")
        wrong = {
            "bare": replace(good, option="fans"),
            "command": replace(good, option="--command"),
            "none": replace(good, option=cast("Any", None)),
            "ours": replace(good, option="--sched"),
            "out": replace(good, option="--out"),
            "quiet": replace(good, writes=cast("Any", 7)),
            "table": {"option": "--fans"},
            "two": replace(good, option="--fans --two"),
        }
        module = sys.modules["kernelnet.cli.record"]
        ours = [bench for bench in available(IWorkbench) if bench.name == "process_manager"]
        benches = [SimpleNamespace(name=name, recorder=recorder) for name, recorder in wrong.items()]
        fans = [SimpleNamespace(name=name, recorder=good) for name in ("fans", "later")]
        self.patch(module, "available", lambda interface: [*benches, Raising(), *ours, *fans])
        result = self.call("record", "--help")
        self.assertEqual(result.exit_code, 0, result.stderr)
        for words in ("--sched ", "--fans ", "Record fans, for fans."):
            self.assertIn(words, result.stdout)
        lines = result.stderr.splitlines()
        self.assertEqual(len(lines), len(wrong) + 2, lines)
        for name, line in zip([*wrong, "raising", "later"], lines, strict=True):
            self.assertTrue(line.startswith(f"left out: the recorder of the workbench {name}: "), line)
        self.assertIn("no text", lines[2])
        self.assertIn("there is an option --sched already", lines[3])
        self.assertIn("RuntimeError: no fans", lines[-2])
        with self.recorder(mixture(seed=2)):
            self.assertIn("written: true.csv.xz", self.call("record", "--", "true").stderr)

    def test_mistakes(self) -> None:
        """Nothing to record, too much, a program that there isn't."""
        self.refused(2, "what should be recorded?", "record")
        self.refused(2, "either --sched or a command", "record", "--sched", "--", "true")
        self.refused(2, "--seconds is for --sched", "record", "--seconds", "5", "--", "true")
        self.refused(2, "there is no program called 'no-such-program'", "record", "--", "no-such-program", "-x")
        self.refused(2, "0 is not in the range", "record", "--sched", "--seconds", "0")

    def test_pointer(self) -> None:
        """Movements of the pointer become a trace of their own bench, by its own recorder."""

        def recordPointer(seconds: float, out: Path) -> int:
            self.calls.append((seconds, out.name))
            write(out.with_suffix(""), strokes(30))
            out.write_bytes(lzma.compress(out.with_suffix("").read_bytes()))
            return 1234

        module = ModuleType(POINTER)
        module.recordPointer = recordPointer  # type: ignore[attr-defined]
        with mock.patch.dict(sys.modules, {POINTER: module}):
            said = self.call("record", "--pointer", "--seconds", "7").stderr
        self.assertEqual(self.calls, [(7.0, "mine.pointer.xz")])
        self.assertIn("written: mine.pointer.xz, 1234 samples", said)
        self.assertIn("kernelnet bench run window_manager --trace mine.pointer.xz", said)
        self.refused(2, "--sched and --pointer are different traces", "record", "--pointer", "--sched")
        self.refused(2, "--pointer records the whole machine", "record", "--pointer", "--", "true")

    def test_tooShort(self) -> None:
        """A program that hardly touches a file: what is too little, no advice to use it, and no file of no use."""
        mine = self.write("mine.csv", "1\n")
        before = sorted(Path().iterdir())
        with self.recorder([1, 2, 3]):
            for arguments in (("--", "true"), ("--out", mine, "--force", "true")):
                result = self.call("record", *arguments)
                self.assertEqual(result.exit_code, 1)
                self.assertIn("would be useless: it has 3 requests; 100 to", result.stderr)
                self.assertIn("the command ended with exit code 3", result.stderr)
                self.assertNotIn("kernelnet bench run", result.stderr)
        self.assertEqual(sorted(Path().iterdir()), before)
        self.assertEqual(mine.read_text(), "1\n")

    def test_outName(self) -> None:
        """A name that no trace has is refused with that name, whatever is written to meanwhile."""
        module = mock.Mock()
        module.recordSched.side_effect = lambda seconds, out: self.fail_(out)
        with mock.patch.dict(sys.modules, {SCHED: module}):
            said = self.refused(
                1, f"{self.folder / 'x.sched'}: it is full", "record", "--sched", "--out", self.folder / "x.sched"
            )
        self.assertEqual(len(said.splitlines()), 1)

    def fail_(self, out: Path) -> None:
        raise WorkbenchError(f"{out}: it is full")

    def test_failing(self) -> None:
        """What the recorder can't do is one line."""
        module = mock.Mock()
        module.recordSched.side_effect = WorkbenchError("tracefs can't be read; run it as root")
        with mock.patch.dict(sys.modules, {SCHED: module}):
            self.refused(1, "run it as root", "record", "--sched", "--seconds", "2")
        ((seconds, out),) = (call.args for call in module.recordSched.mock_calls)
        self.assertEqual((seconds, out.name), (2.0, "machine.sched.xz"))
        self.assertEqual(list(Path().glob("*machine*")), [])

    def test_missing(self) -> None:
        """Without the trainer's extra one line says what to install."""
        with mock.patch.dict(sys.modules, {FILES: mock.Mock(recordCommand=self.lacking)}):
            self.refused(1, "pip install 'kernelnet[trainer]'", "record", "--", "true")

    def lacking(self, command: list[str], out: Path, ended: object) -> None:
        raise ModuleNotFoundError("No module named 'numpy'", name="numpy")
