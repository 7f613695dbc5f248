"""Links: what a trace file means, and what is said about files that are wrong."""

from __future__ import annotations

import gzip
import lzma
import os
from pathlib import Path

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernelnet.workbench import reading
from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.network_stack import readers, workbench
from kernelnet.workbench.network_stack.readers import linkName, readLink
from kernelnet.workbench.network_stack.trace import loadTrace
from tests.workbench.network_stack_support import varied, writeLink
from tests.workbench.reader_support import ReaderCase

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "traces" / "network_stack"
"""Links that may lie beside the repository; they aren't ours to ship."""


class ReaderTests(ReaderCase):
    def read(self, content: bytes, name: str = "a.down") -> list[int]:
        path = self.folder / name
        path.write_bytes(content)
        return [int(count) for count in readLink(path)]

    def wrong(self, content: bytes, line: int | None, words: str, name: str = "a.down") -> None:
        """Refused, with the file, this line, and what would be right."""
        self.refused(name, line, words, lambda: self.read(content, name))

    def test_plain(self) -> None:
        """A time on each line, as often as there are opportunities; blanks and line ends don't matter."""
        self.assertEqual(self.read(b"0\n0\n3\n4\n4\n4\n"), [2, 0, 0, 1, 3])
        self.assertEqual(self.read(b"1\r\n\r\n 2 \n3"), [0, 1, 1, 1])
        self.assertEqual(self.read(b""), [])

    def test_wrong(self) -> None:
        """The first line that is no time, or goes back, is named."""
        self.wrong(b"1\n2\nthree\n4\n", 3, "'three' is not a time; each line should be a whole number of milliseconds")
        for bad in (b"-1", b"1.5", b"0x10", b"1 2", b"1_0", b"+1", b"9" * 13, b"\xff", b"\0", "²".encode()):
            self.wrong(b"1\n\n" + bad + b"\n", 3, "is not a time")
        self.wrong(b"5\n\n6\n4\n7\n", 4, "4 comes after 6; times should never go back")

    def test_tooMuch(self) -> None:
        """What no link does is refused: more than 12 Gbit/s, and days."""
        self.wrong(b"5\n" * 1001, None, "1001 opportunities in millisecond 5; 1000 are the most")
        self.wrong(b"5\n99999999999\n", None, "it lasts 99999999999 ms")

    def test_short(self) -> None:
        """Less than ten seconds can't be split, and it isn't repeated as mahimahi would."""
        path = self.folder / "short"
        path.write_text("0\n9998\n")
        error = str(self.assertRaises(TraceError, loadTrace, path))
        self.assertIn("it lasts 9 seconds; at least 10 are needed; it is not repeated", error)
        path.write_text("0\n9999\n")
        self.assertEqual(loadTrace(path).seconds, 10)

    def test_compressed(self) -> None:
        """It may be compressed with gzip or xz; what is damaged is an error."""
        self.assertEqual(self.read(gzip.compress(b"0\n1\n"), "a.gz"), [1, 1])
        self.assertEqual(self.read(lzma.compress(b"0\n1\n"), "a.up.xz"), [1, 1])
        for name, data in (("a.gz", gzip.compress(b"1\n" * 999)), ("a.xz", lzma.compress(b"1\n" * 999))):
            self.wrong(data[:-7], None, "not a whole", name)
            self.wrong(b"1\n2\n", None, "not a whole", name)
        self.assertRaises(TraceError, readLink, self.folder / "missing")
        self.assertRaises(TraceError, readLink, self.folder)

    def test_names(self) -> None:
        """A link is called like its file, without compression; a name of any bytes can be sent."""
        names = {"ATT-LTE.down.gz": "ATT-LTE.down", "a.txt.xz": "a", "b.trace": "b", "c": "c", ".gz": ".gz"}
        for name, expected in names.items():
            self.assertEqual(linkName(Path(name)), expected)
        path = Path(os.fsdecode(os.fsencode(self.folder) + b"/caf\xe9\n.up"))
        name = loadTrace(writeLink(path, varied(10))).name
        self.assertTrue(name.isprintable())
        self.assertTrue(msgspec.json.encode(name))

    def test_bombs(self) -> None:
        """A small file that expands to much is refused, and the memory that this takes is that of a few pieces."""
        self.patch(readers, "MAX_OPPORTUNITIES", 1 << 18)
        self.patch(reading, "MAX_BYTES", 8 << 20)
        self.patch(reading, "PIECE", 1 << 18)
        for unit, words in ((b"1\n", "opportunities"), (b"\n", "uncompressed"), (b"1", "line of more than")):
            data = unit * ((10 << 20) // len(unit))
            for name, small in (("a.xz", lzma.compress(data, preset=0)), ("a.gz", gzip.compress(data, 1))):
                self.bomb(name, small, words, readLink)

    def test_pieces(self) -> None:
        """Where the pieces end that a file is read in makes no difference."""
        link = varied(12)
        data = writeLink(self.folder / "a", link).read_bytes()
        whole = readLink(self.folder / "a").tolist()
        for size in (40, 97, 4096):
            self.patch(reading, "PIECE", size)
            self.assertEqual(self.read(data), whole)
            self.assertEqual(self.read(gzip.compress(data.replace(b"\n", b"\r\n")), "a.gz"), whole)
            lines = data.count(b"\n")
            self.wrong(data + b"x\n", lines + 1, "not a time")
            self.wrong(data + b"\n3\n", lines + 2, "comes after")

    def test_digest(self) -> None:
        """The digest is of the opportunities in whole seconds, whatever file they were read from."""
        link = varied(12)
        writeLink(self.folder / "a.down", link)
        data = (self.folder / "a.down").read_bytes()
        (self.folder / "b.up.xz").write_bytes(lzma.compress(data + b"12000\n12345\n"))
        (self.folder / "c").write_bytes(data.replace(b"\n", b"\r\n") + b"13000\n")
        digests = [loadTrace(self.folder / name).digest for name in ("a.down", "b.up.xz", "c")]
        self.assertEqual(digests[0], digests[1])
        self.assertNotEqual(digests[0], digests[2])

    def test_shared(self) -> None:
        """Real links of others are read, where they are at hand."""
        expected = {"ATT-LTE-driving.down.gz": (786, 338895), "Verizon-LTE-short.up.gz": (140, 69367)}
        for name, (seconds, opportunities) in expected.items():
            if not (SHARED / name).exists():
                self.skipTest(f"no {SHARED / name}")
            self.assertEqual(int(readLink(SHARED / name).sum()), opportunities)
            self.assertEqual(loadTrace(SHARED / name).seconds, seconds)

    def test_shipped(self) -> None:
        """Those that ship are read."""
        for path in workbench.traces():
            self.assertGreater(loadTrace(path).seconds, 60)


class RandomTests(ReaderCase):
    """Whatever a file has in it: a link or a `TraceError`."""

    @given(st.sampled_from(["", ".gz", ".xz"]), st.binary(max_size=4000))
    def test_bytes(self, suffix: str, data: bytes) -> None:
        """Random bytes."""
        self.attempt(suffix, data, loadTrace)

    @given(st.lists(st.text("0123456789 -+.ex\r\0é²", max_size=8), max_size=100))
    def test_lines(self, lines: list[str]) -> None:
        """Lines that look nearly right."""
        self.attempt("", "\n".join(lines).encode(), loadTrace)

    @given(st.lists(st.integers(0, 30_000), min_size=1, max_size=200))
    def test_counts(self, times: list[int]) -> None:
        """Sorted times are read as they are; others are refused."""
        path = Path(self.mktemp())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{time}\n" for time in times))
        if times != sorted(times):
            self.assertRaises(TraceError, readLink, path)
        else:
            self.assertEqual(readLink(path).tolist(), np.bincount(times).tolist())
