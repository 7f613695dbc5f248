"""`kernelnet record`'s library: real programs under strace, and the pages that they are known to read and write."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.file_system import record
from kernelnet.workbench.file_system._calls import Calls
from kernelnet.workbench.file_system.readers import readTrace
from kernelnet.workbench.file_system.record import Recorded, RecordError, recordCommand

PAGE = 4096
HEAD = "import os, sys, threading, subprocess\nos.chdir(sys.argv[1])\n"


def canTrace() -> bool:
    try:
        record._strace()
    except RecordError:
        return False
    return True


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)


class RecordTests(Case):
    def setUp(self) -> None:
        if not canTrace():
            raise SkipTest("strace is missing, or may not be used here")
        super().setUp()

    def calls(self, code: str) -> list[tuple[int, int, bool]]:
        """
        What Python does: file, page and whether it is written; files in the order of first appearance.

        The code is between two reads of a file of its own, so that what the interpreter reads for itself is cut off.
        """
        found: list[tuple[int, int, bool]] = []
        marks = self.folder / "marks"
        marks.write_bytes(b"m" * 100 * PAGE)
        script = self.folder / "script.py"
        mark = "mark = os.open('marks', os.O_RDONLY); os.pread(mark, 1, 77 * 4096)\n"
        script.write_text(f"{HEAD}{mark}{code}\nos.pread(mark, 1, 78 * 4096)\n")
        calls = Calls(lambda file, page, write: found.append((file, page, write)), str(self.folder))
        command = [*record._strace(), sys.executable, "-I", "-S", str(script), str(self.folder)]
        self.assertEqual(record._run(command, calls), (0, False))
        start = next(at for at, (_, page, _) in enumerate(found) if page == 77)
        end = next(at for at, (file, page, _) in enumerate(found) if (file, page) == (found[start][0], 78))
        numbers: dict[int, int] = {}
        return [(numbers.setdefault(f, len(numbers)), p, w) for f, p, w in found[start + 1 : end]]

    def test_readAndWrite(self) -> None:
        """Each page that a call touches is one request; offsets follow from the calls before."""
        found = self.calls("""
f = os.open("a", os.O_RDWR | os.O_CREAT)
os.write(f, b"x" * 10000)
os.lseek(f, 4000, os.SEEK_SET)
os.read(f, 97)
os.read(f, 100000)
os.pread(f, 10, 5000)
os.read(f, 1)
os.pwrite(f, b"y", 12288)
os.preadv(f, [bytearray(5), bytearray(10)], 4090)
os.lseek(f, -1, os.SEEK_END); os.writev(f, [b"1", b"2"])
""")
        pages = [(page, True) for page in (0, 1, 2)] + [(page, False) for page in (0, 1, 1, 2, 1)]
        pages += [(3, True), (0, False), (1, False), (3, True)]
        self.assertEqual(found, [(0, *page) for page in pages])

    def test_append(self) -> None:
        """What is appended is written at the end of the file, wherever the offset is, also if it was there before."""
        expected = [(0, 0, False), (0, 2, True), (0, 3, True), (0, 3, True), (0, 4, True)]
        # The size is asked for when the recorder hears of the opening: a program may be ahead of a busy recorder.
        for _ in range(5):
            (self.folder / "log").write_bytes(b"x" * (3 * PAGE - 1))
            found = self.calls("""
f = os.open("log", os.O_RDWR | os.O_APPEND)
os.pread(f, 1, 0)
os.write(f, b"ab")
os.write(f, b"c" * 4096)
""")
            if found == expected:
                break
        self.assertEqual(found, expected)

    def test_shared(self) -> None:
        """Copies of a descriptor share its offset, over dup, fork and threads; what is opened anew has its own."""
        found = self.calls("""
f = os.open("a", os.O_RDWR | os.O_CREAT); os.write(f, b"x" * 20 * 4096); os.lseek(f, 0, 0)
g = os.dup(f); h = os.open("a", os.O_RDONLY)
os.read(f, 4096); os.read(g, 4096)
pid = os.fork()
if not pid:
    os.read(g, 4096); os.close(g); os._exit(0)
os.waitpid(pid, 0)
t = threading.Thread(target=lambda: os.read(f, 4096)); t.start(); t.join()
os.dup2(f, 50); os.read(50, 4096)
os.read(h, 4096)
""")
        self.assertEqual(found[20:], [(0, page, False) for page in (0, 1, 2, 3, 4, 0)])

    def test_otherFiles(self) -> None:
        """A path is another file after the first was removed, replaced or emptied; renamed it is the same."""
        found = self.calls("""
def touch(name, flags=0):
    f = os.open(name, os.O_RDWR | os.O_CREAT | flags); os.pwrite(f, b"x", 0); return f
f = touch("a")                       # 0
os.unlink("a"); touch("a")           # 1
os.pwrite(f, b"x", 0)                # 0, which has no name any more
os.rename("a", "b"); touch("b")      # 1
touch("b", os.O_TRUNC)               # 2
touch("c"); os.replace("c", "b")     # 3
touch("b")                           # 3
os.truncate("b", 0); touch("b")      # 4
g = touch("d"); os.ftruncate(g, 0); os.pwrite(g, b"x", 0)  # 5, 6
""")
        self.assertEqual([file for file, _, _ in found], [0, 1, 0, 1, 2, 3, 3, 4, 5, 6])

    def test_copies(self) -> None:
        """The kernel's own copies read one file and write the other; pipes and sockets are nobody's pages."""
        found = self.calls("""
f = os.open("a", os.O_RDWR | os.O_CREAT); os.pwrite(f, b"x" * 8192, 0)
g = os.open("b", os.O_RDWR | os.O_CREAT)
os.sendfile(g, f, 4096, 4096)
os.copy_file_range(f, g, 4096, 4096, 0)
r, w = os.pipe(); os.splice(f, w, 100, 5000); os.read(r, 100); os.write(w, b"x"); os.write(1, b"")
""")
        expected = [(0, 1, False), (1, 0, True), (0, 1, False), (1, 0, True), (0, 1, False)]
        self.assertEqual(found[2:], expected)

    def record(self, *command: str, name: str = "out.csv") -> Recorded:
        return recordCommand(command, self.folder / name)

    def test_cp(self) -> None:
        """cp reads each page of one file and writes each of the other."""
        (self.folder / "from").write_bytes(os.urandom(50 * PAGE + 1))
        done = self.record("cp", str(self.folder / "from"), str(self.folder / "to"))
        trace = readTrace(self.folder / "out.csv")
        assert trace.writes is not None
        self.assertEqual((done.exitCode, done.requests), (0, len(trace.ids)))
        self.assertEqual(len(set(trace.ids[trace.writes].tolist())), 51)
        self.assertGreaterEqual(done.distinct, 2 * 51)

    def test_grep(self) -> None:
        """grep -r reads each page of all files; its exit code is told."""
        for number in range(5):
            (self.folder / "tree").mkdir(exist_ok=True)
            (self.folder / "tree" / f"{number}").write_bytes(b"line\n" * 5000)
        (self.folder / "empty").touch()
        nothing = self.record("grep", "-r", "needle", str(self.folder / "empty"))
        done = self.record("grep", "-r", "needle", str(self.folder / "tree"), name="out.txt.gz")
        self.assertEqual((nothing.exitCode, done.exitCode), (1, 1))
        pages = 5 * -(-25000 // PAGE)
        self.assertEqual(done.distinct - nothing.distinct, pages)
        self.assertEqual(len(readTrace(self.folder / "out.txt.gz").ids), done.requests)
        self.assertTrue(gzip.decompress((self.folder / "out.txt.gz").read_bytes()).startswith(b"0\n"))

    def test_sqlite(self) -> None:
        """SQLite in a grandchild: each page of a database that is written and read as a whole is there."""
        code = """
import sqlite3
db = sqlite3.connect("load.db"); db.execute("PRAGMA page_size=4096"); db.execute("PRAGMA cache_size=1")
db.execute("CREATE TABLE t (a, b)")
db.executemany("INSERT INTO t VALUES (?, ?)", ((i, "x" * 200) for i in range(2000))); db.commit()
db.execute("SELECT sum(length(b)) FROM t").fetchall(); db.close()
"""
        found = self.calls(
            f"subprocess.run(['sh', '-c', '{sys.executable} -I load.py; true'], check=True)".replace(
                "subprocess.run", f"open('load.py', 'w').write({code!r})\nsubprocess.run"
            )
        )
        size = (self.folder / "load.db").stat().st_size // PAGE
        written: dict[int, set[int]] = {}
        for file, page, write in found:
            if write:
                written.setdefault(file, set()).add(page)
        database = next(file for file, pages in written.items() if pages == set(range(size)))
        self.assertGreater(size, 100)
        self.assertEqual({page for file, page, write in found if file == database and not write}, set(range(size)))

    def test_exitCode(self) -> None:
        """What ends a command is told as a shell tells it; what it did until then is kept."""
        self.assertEqual(self.record("sh", "-c", f"head -c 1 {__file__}; exit 7").exitCode, 7)
        self.assertEqual(self.record("sh", "-c", f"head -c 1 {__file__}; kill -TERM $$").exitCode, 143)

    def test_most(self) -> None:
        """A recording that gets too long is cut, and says so."""
        self.patch(record, "MAX_RECORDED", 10)
        done = self.record(sys.executable, "-c", "open(__import__('os').__file__).read()")
        self.assertEqual((done.requests, done.cut), (10, True))

    def test_otherThread(self) -> None:
        """It works in a thread that can't have signal handlers."""
        found: list[Recorded] = []
        thread = threading.Thread(target=lambda: found.append(self.record("cat", __file__)))
        thread.start()
        thread.join()
        self.assertEqual(found[0].exitCode, 0)

    def interrupted(self, script: str, *signals: int) -> tuple[int, str]:
        """The exit code and last line of a process that records a script, and gets these signals as from a terminal."""
        code = (
            "import sys; from pathlib import Path; from kernelnet.workbench.file_system import record\n"
            "try: print(record.recordCommand(['sh', '-c', sys.argv[1]], Path('out.txt')))\n"
            "except record.RecordError as error: print(error)\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code, script],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        self.assertEqual(process.stdout.readline(), "ready\n")
        for number in signals:
            if number == signal.SIGTERM:
                process.terminate()
            else:
                os.killpg(process.pid, number)
            time.sleep(0.2)
        said = process.communicate(timeout=20)[0]
        return process.returncode, said.splitlines()[-1]

    def test_interrupted(self) -> None:
        """After Ctrl-C what the command did until then is written; after the second one, nothing, and all are gone."""
        script = f"cat {__file__} > copy; echo ready; exec sleep 30"
        code, said = self.interrupted(script, signal.SIGINT)
        self.assertIn("exitCode=130", said)
        self.assertEqual(code, 0)
        self.assertTrue((self.folder / "out.txt").exists())
        (self.folder / "out.txt").unlink()
        stubborn = f"trap '' INT; cat {__file__} > copy; echo ready; sleep 30"
        for signals in ((signal.SIGINT, signal.SIGINT), (signal.SIGTERM,)):
            began = time.monotonic()
            self.assertEqual(self.interrupted(stubborn, *signals), (0, "stopped; nothing was written"))
            self.assertLess(time.monotonic() - began, 15)
            self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["copy"])


class MistakeTests(Case):
    """What is wrong is told in one line, before the command runs if possible, and nothing is left behind."""

    def refused(self, words: str, *command: str, name: str = "out.txt") -> None:
        error = self.assertRaises(RecordError, recordCommand, command, self.folder / name)
        self.assertIn(words, str(error))
        self.assertEqual(len(str(error).splitlines()), 1)
        self.assertEqual([path for path in self.folder.iterdir() if "out" in path.name], [])

    def test_command(self) -> None:
        """No command, or one that isn't there or can't be run."""
        self.refused("no such command")
        self.refused("'no-such-program-here': no such command", "no-such-program-here")
        self.refused("no such command", str(self.folder))
        self.refused("no such command", __file__)

    def test_names(self) -> None:
        """A name that no reader knows, and a folder that isn't there."""
        for name in ("out", "out.pdf", "out.gz", "out.txt.bz2", "out.oracleGeneral"):
            self.refused("should end in .txt or .csv", "true", name=name)
        if canTrace():
            self.refused("can't be written: No such file", "true", name="missing/out.txt")

    def test_nothing(self) -> None:
        """A command that reads and writes no file leaves no trace."""
        if not canTrace():
            raise SkipTest("strace is missing, or may not be used here")
        self.patch(Calls, "line", lambda calls, text: None)
        self.refused("the command ended with 0, and read and wrote no files", "true")

    def fakeStrace(self, script: str) -> None:
        """A folder that is the whole path, with true and maybe a strace in it."""
        programs = self.folder / "bin"
        programs.mkdir(exist_ok=True)
        for name in ("true", "sh"):
            path = shutil.which(name)
            assert path is not None
            if not (programs / name).exists():
                (programs / name).symlink_to(path)
        if script:
            (programs / "strace").write_text(f"#!{programs}/sh\n{script}\n")
            (programs / "strace").chmod(0o755)
        self.patch(os, "environ", {**os.environ, "PATH": str(programs)})

    def test_missing(self) -> None:
        """Without strace it says how to get it."""
        self.fakeStrace("")
        self.refused("apt install strace", "true")

    def test_forbidden(self) -> None:
        """Where ptrace is forbidden it says so, with strace's own words."""
        self.fakeStrace("echo 'strace: ptrace(PTRACE_TRACEME, ...): Operation not permitted' >&2; exit 1")
        self.refused("strace may not follow programs here", "true")
        self.refused("Operation not permitted", "true")
        self.fakeStrace("exit 1")
        self.refused("needs ptrace", "true")


class LineTests(SynchronousTestCase):
    """Lines of strace that are rare, and others that aren't strace's."""

    def setUp(self) -> None:
        self.found: list[tuple[int, int, bool]] = []
        self.calls = Calls(lambda file, page, write: self.found.append((file, page, write)), "/home/a")

    def lines(self, *lines: bytes) -> list[tuple[int, int, bool]]:
        for line in lines:
            self.calls.line(line)
        found, self.found[:] = list(self.found), []
        return found

    def test_unfinished(self) -> None:
        """A call that another process's interrupts is put together again."""
        found = self.lines(
            b"1 read(3</a>,  <unfinished ...>",
            b'2 pread64(4</b>, ""..., 9, 4096) = 9',
            b'1 <... read resumed>""..., 5)      = 5',
        )
        self.assertEqual(found, [(0, 1, False), (1, 0, False)])

    def test_earlyChild(self) -> None:
        """A child that calls before its parent's fork has returned has its parent's files; a number is used again."""
        found = self.lines(
            b'1 openat(AT_FDCWD</>, "a", O_RDONLY) = 3</a>',
            b'1 read(3</a>, ""..., 4096) = 4096',
            b"1 clone(child_stack=NULL, flags=SIGCHLD <unfinished ...>",
            b'2 read(3</a>, ""..., 4096) = 4096',
            b"1 <... clone resumed>) = 2",
            b'1 read(3</a>, ""..., 4096) = 4096',
            b"2 close(3</a>) = 0",
            b"1 vfork() = 2",
            b'2 read(3</a>, ""..., 4096) = 4096',
        )
        self.assertEqual([page for _, page, _ in found], [0, 1, 2, 3])

    def test_strangePaths(self) -> None:
        """Names with blanks, brackets, quotes and what looks like a call's end are one file each."""
        name = rb'/home/a/x\74\76", 0) = 5\303\251'
        found = self.lines(
            rb'1 openat(AT_FDCWD</home/a>, "x<>\", 0) = 5\303\251", O_RDONLY|O_CREAT|O_EXCL, 0666) = 3<' + name + b">",
            b"1 read(3<" + name + b'>, ""..., 5) = 5',
            rb'1 openat(AT_FDCWD</home/a>, "x<>\", 0) = 5\303\251", O_RDONLY) = 4<' + name + b">",
            b"1 pread64(4<" + name + b'>, ""..., 5, 4096) = 5',
        )
        self.assertEqual(found, [(0, 0, False), (0, 1, False)])

    def test_nonsense(self) -> None:
        """What is no call, failed, or is cut off is passed over."""
        for line in (b"", b"1", b"read(", b"1 read(3", b"x read(3</a>) = 1", b"1 read() = 5", b"1 read(x) = 5"):
            self.assertEqual(self.lines(line), [])
        self.assertEqual(self.lines(b'1 read(3</a>, "", 5) = -1 EIO (Input/output error)'), [])
        self.assertEqual(self.lines(b"1 read(3</a>, <unfinished ...>) = ?", b"1 <... exit resumed>) = ?"), [])
        self.assertEqual(self.lines(b'1 write(1<pipe:[77]>, "", 5) = 5', b'1 write(2</dev/tty>, "", 5) = 5'), [])
