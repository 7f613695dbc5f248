"""Data sets of system calls: what their formats mean, and what is said about files that are wrong."""

from __future__ import annotations

import gzip
import io
import lzma
import zipfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.security import readers
from kernelnet.workbench.security.readers import FIRST_LINE, readSequences, traceName
from kernelnet.workbench.security.strace import straceSequences

HEAD = FIRST_LINE.encode() + b"\n"

STRACE = b"""\
100 execve("/bin/sh", ["sh", "-c", "read(1)"], 0x7ffd /* 20 vars */) = 0
100 brk(NULL)                         = 0x55
100 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID <unfinished ...>
101 set_robust_list(0x7f, 24)         = 0
100 <... clone resumed>, child_tidptr=0x7f) = 101
101 read(0, "write(1, 2)", 9)         = 9
101 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED} ---
101 exit_group(0)                     = ?
101 +++ exited with 0 +++
100 wait4(-1, [{WIFEXITED(s)}], 0, NULL) = 101
101 execve("/bin/ls", ["ls"], 0x7f)   = 0
100 +++ killed by SIGKILL +++
"""


def zipped(files: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", kind) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target.getvalue()


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)

    def read(self, name: str, content: bytes) -> list[tuple[str, str, str, list[int]]]:
        path = self.folder / name
        path.write_bytes(content)
        return [(s.label, s.kind, s.instance, s.calls.tolist()) for s in readSequences(path)]

    def wrong(self, name: str, content: bytes, line: int | None, words: str, inside: str = "") -> None:
        """Refused in one line, with the file, this line, and what would be right."""
        error = self.assertRaises(TraceError, self.read, name, content)
        where = f"{self.folder / name}{inside}" + (f":{line}: " if line else ": ")
        self.assertTrue(str(error).startswith(where), str(error))
        self.assertIn(words, str(error))
        self.assertEqual(len(str(error).splitlines()), 1)
        self.assertTrue(error.right)


class TextTests(Case):
    def test_own(self) -> None:
        """A sequence on each line: its label and its calls; comments and blank lines don't matter."""
        text = HEAD + b"learn 1 2 3\n\n# more\nnormal 65535\r\nattack:ssh 7  8\nattack:ssh:4 9\nnormal\n"
        self.assertEqual(
            self.read("a.txt", text),
            [
                ("learn", "", "", [1, 2, 3]),
                ("normal", "", "", [65535]),
                ("attack", "ssh", "", [7, 8]),
                ("attack", "ssh", "4", [9]),
            ],
        )

    def test_names(self) -> None:
        """The same name is the same call, and never one with a number."""
        (one,) = self.read("a.txt", HEAD + b"normal read write read pread64 0 1 2")
        calls = one[3]
        self.assertEqual(calls[0], calls[2])
        self.assertEqual(len(set(calls)), 6)

    def test_compressed(self) -> None:
        """It may be compressed with gzip or xz."""
        text = HEAD + b"normal 1 2\n"
        for name, data in (("a.txt.gz", gzip.compress(text)), ("a.txt.xz", lzma.compress(text))):
            self.assertEqual(self.read(name, data), [("normal", "", "", [1, 2])])
            self.wrong(name, data[:-5], None, "not a whole")
            self.assertEqual(self.read(name, text), [("normal", "", "", [1, 2])], "not compressed, whatever its name")

    def test_wrong(self) -> None:
        """The first line that is wrong is named."""
        self.wrong("a.txt", b"normal 1\n", 1, "it should be '# kernelnet syscalls 1'")
        self.wrong("a.txt", b"", 1, "belongs into the folders of a zip")
        self.wrong(
            "a.txt", HEAD + b"normal 1\nNORMAL 2\n", 3, "'NORMAL' is not a label; each line should be learn, normal"
        )
        self.wrong("a.txt", HEAD + b"attack 2\n", 2, "attack:KIND:INSTANCE")
        self.wrong("a.txt", HEAD + b"attack:a:b:c 2\n", 2, "is not a label")
        for bad in (b"-1", b"1.5", b"65536", b"99999999999", b"re-ad", b"x" * 41, b"\xff", b"\0", b"read()"):
            self.wrong("a.txt", HEAD + b"normal 1\nnormal 1 " + bad + b"\n", 3, "is not a call")

    def test_fileNames(self) -> None:
        """A file of no known format, a missing file and a folder are errors, not tracebacks."""
        self.wrong("a.csv", b"1\n", None, "it should end in .zip, .tar or .txt")
        self.assertRaises(TraceError, readSequences, self.folder / "missing.txt")
        self.assertRaises(TraceError, readSequences, self.folder / "missing.zip")
        for name in ("folder.txt", "folder.zip"):
            (self.folder / name).mkdir()
            self.assertRaises(TraceError, readSequences, self.folder / name)

    def test_traceName(self) -> None:
        """A data set is called like its file, without what tells the format."""
        for name in ("web.txt.xz", "web.zip", "web.txt"):
            self.assertEqual(traceName(Path(name)), "web")

    def test_bounds(self) -> None:
        """What is too long, too much or too various is refused as soon as it is."""
        self.patch(readers, "MAX_BYTES", 1 << 20)
        self.wrong("a.txt.xz", lzma.compress(HEAD + b"#\n" * (3 << 20)), None, "more than 1 MiB")
        self.wrong("a.txt", HEAD + b"1" * (5 << 20), None, "a line of more than 4 MiB")
        self.patch(readers, "MAX_CALLS", 1000)
        self.wrong("a.txt", HEAD + b"normal" + b" 1" * 1001, None, "more than 1000 calls")
        self.patch(readers, "MAX_SEQUENCES", 50)
        self.wrong("a.txt", HEAD + b"normal 1\n" * 51, None, "more than 50 sequences")
        self.patch(readers, "MAX_DISTINCT", 90)
        self.wrong("a.txt", HEAD + b"normal " + b" ".join(b"%d" % n for n in range(91)), None, "90 different calls")
        self.wrong("a.txt", HEAD + b"normal " + b" ".join(b"c%d" % n for n in range(99)), 2, "is not a call")

    @settings(max_examples=60, deadline=None)
    @given(st.binary(max_size=300), st.booleans(), st.sampled_from(["a.txt", "a.zip", "a.txt.xz", "a.txt.gz"]))
    def test_anything(self, data: bytes, head: bool, name: str) -> None:
        """Whatever is in a file, it is read or refused."""
        try:
            self.read(name, HEAD + data if head else data)
        except TraceError as error:
            self.assertEqual(len(str(error).splitlines()), 1)


class ZipTests(Case):
    def test_adfa(self) -> None:
        """ADFA-LD: three folders, a sequence of numbers in each file; of attacks the folder tells kind and instance."""
        data = zipped(
            {
                "ADFA-LD/": b"",
                "ADFA-LD/Validation_Data_Master/UVD-2.txt": b"5 6",
                "ADFA-LD/Training_Data_Master/UTD-1.txt": b"6 6 63 6 42 ",
                "ADFA-LD/Attack_Data_Master/Web_Shell_10/UAD-3.txt": b"3",
                "ADFA-LD/Attack_Data_Master/Web_Shell_2/UAD-3.txt": b"2",
                "ADFA-LD/ADFA-LD+Syscall+List.txt": b"not calls",
                "__MACOSX/ADFA-LD/Training_Data_Master/._UTD-1.txt": b"\0\1",
            }
        )
        self.assertEqual(
            self.read("a.zip", data),
            [
                ("attack", "Web_Shell", "2", [2]),
                ("attack", "Web_Shell", "10", [3]),
                ("learn", "", "", [6, 6, 63, 6, 42]),
                ("normal", "", "", [5, 6]),
            ],
        )

    def test_unm(self) -> None:
        """The University of New Mexico's: a process and a call on each line; each process is a sequence."""
        data = zipped(
            {
                "normal/sendmail.int": b"551 4\n552 2\n551 66\r\n\n552 5\n551 4\n",
                "attack/sunsendmailcp/1.int": b"9 1\n9 2",
            }
        )
        self.assertEqual(
            self.read("a.zip", data),
            [("attack", "sunsendmailcp", "1.int", [1, 2]), ("normal", "", "", [4, 66, 4]), ("normal", "", "", [2, 5])],
        )
        long = b"1 2\n" * 70
        self.wrong(
            "a.zip", zipped({"normal/x": long + b"1 2 3\n"}), 71, "should have a process and a call", "!normal/x"
        )

    def test_strace(self) -> None:
        """strace: a sequence for each process, calls where they begin, a new one when a number comes again."""
        found = straceSequences(STRACE.splitlines())
        self.assertEqual(
            found,
            [
                [b"execve", b"brk", b"clone", b"wait4"],
                [b"set_robust_list", b"read", b"exit_group"],
                [b"execve"],
            ],
        )
        (first, *_), sizes = self.read("a.zip", zipped({"normal/log": STRACE, "attack/x_1/log": STRACE})), (4, 3, 1)
        self.assertEqual(first[:3], ("attack", "x", "1"))
        self.assertEqual(tuple(len(s[3]) for s in self.read("a.zip", zipped({"normal/log": STRACE}))), sizes)

    def test_straceForms(self) -> None:
        """strace's other forms: one process, [pid …], and times."""
        for line in (
            b"read(0, 1) = 2",
            b"[pid  4711] read(0, 1) = 2",
            b"4711  12:00:01 read(0, 1) = 2",
            b"4711 12:00:01.123456 read(0, 1) = 2",
            b"1763812800.123456 read(0, 1) = 2",
            b"     0.000123 read(0, 1) = 2".strip(),
        ):
            self.assertEqual(straceSequences([line]), [[b"read"]], line)
        self.assertEqual(
            straceSequences([b"strace: Process 5 attached", b"", b"garbage", b"+++ exited with 0 +++"]), []
        )

    def test_wrong(self) -> None:
        """What is no zip, has no folder that we know, or a file that is none of these, is named."""
        self.wrong("a.zip", b"not a zip", None, "not a whole zip file")
        good = zipped({"normal/x": b"1 2 3" * 1000})
        self.wrong("a.zip", good[:-30], None, "not a whole zip file")
        self.wrong("a.zip", zipped({"data/x": b"1 2 3"}), None, "learn/, normal/ and attack/KIND/")
        self.wrong(
            "a.zip", zipped({"normal/x": b"1 2 3\n4 five\n"}), 2, "'five' is not the number of a call", "!normal/x"
        )
        self.wrong("a.zip", zipped({"normal/x": b"\0\1\2"}), 1, "is not the number of a call", "!normal/x")
        self.wrong("a.zip", zipped({"normal/x\n\x1b[31m": b"x"}), 1, "is not the number", "!normal/x??[31m")
        damaged = bytearray(good)
        damaged[45] ^= 0xFF
        self.wrong("a.zip", bytes(damaged), None, "not a whole zip file")

    def test_encrypted(self) -> None:
        """A zip with a password is refused."""
        data = bytearray(zipped({"normal/x": b"1 2 3"}, zipfile.ZIP_STORED))
        data[6] |= 1
        data[data.index(b"PK\1\2") + 8] |= 1
        self.wrong("a.zip", bytes(data), None, "not a whole zip file, or one of an unusual kind")

    def test_bombs(self) -> None:
        """A small zip that expands to much is refused, whatever it says of itself."""
        self.patch(readers, "MAX_MEMBER", 1 << 20)
        self.wrong("a.zip", zipped({"normal/x": b" " * (2 << 20)}), None, "more than 1 MiB")
        self.patch(readers, "MAX_BYTES", 3 << 20)
        self.wrong("a.zip", zipped({f"normal/{n}": b" " * (1 << 20) for n in range(4)}), None, "more than 3 MiB")
        self.assertLess((self.folder / "a.zip").stat().st_size, 20_000)
