"""The trace formats: what they mean, and what is said about files that are wrong."""

from __future__ import annotations

import gzip
import lzma
import os
import struct
from pathlib import Path
from unittest import SkipTest

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from kernelnet.workbench import reading
from kernelnet.workbench.base import splitEnds
from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.file_system import sampling, tables
from kernelnet.workbench.file_system.readers import readTrace, traceName
from kernelnet.workbench.file_system.trace import loadTrace
from tests.workbench.reader_support import ReaderCase
from tests.workbench.support import sharedTraces

IDS = [7, 0, 2**64 - 1, 7, 12345678901234567890]


class ReaderTests(ReaderCase):
    def read(self, name: str, content: bytes) -> list[int]:
        path = self.folder / name
        path.write_bytes(content)
        return [int(number) for number in readTrace(path).ids]

    def wrong(self, name: str, content: bytes, line: int | None, words: str) -> None:
        """Refused, with the file, this line, and what would be right."""
        self.refused(name, line, words, lambda: self.read(name, content))

    def test_txt(self) -> None:
        """txt: an id on each line; blanks, blank lines and other line ends don't matter."""
        self.assertEqual(self.read("a.txt", "".join(f"{n}\n" for n in IDS).encode()), IDS)
        self.assertEqual(self.read("a.txt", b"1\r\n\r\n 2 \n3"), [1, 2, 3])
        self.assertEqual(self.read("a.txt", b"1\n\n2\n\n"), [1, 2])
        self.assertEqual(self.read("a.txt", b""), [])

    def test_byteOrderMark(self) -> None:
        """What spreadsheets put before a text is no part of it; anywhere else it is no number."""
        mark = b"\xef\xbb\xbf"
        self.assertEqual(self.read("a.txt", mark + b"1\n2\n"), [1, 2])
        self.assertEqual(self.read("a.csv", mark + b"time,block\r\n5,1\r\n6,2\r\n"), [1, 2])
        self.assertEqual(self.read("a.csv", mark + b"1\n2\n"), [1, 2])
        self.assertEqual(self.read("a.csv.gz", gzip.compress(mark + b"block,op\n1,w\n")), [1])
        self.wrong("a.txt", b"1\n" + mark + b"2\n", 2, "is not a block id")

    def test_txtWrong(self) -> None:
        """txt: the first line that is no id is named."""
        self.wrong("a.txt", b"1\n2\nthree\n4\nfive\n", 3, "'three' is not a block id; each line")
        for bad in (b"-1", b"1.5", b"0x10", b"1 2", b"1_0", b"+1", b"18446744073709551616", b"9" * 99, b"\xff", b"\0"):
            self.wrong("a.txt", b"1\n" + bad + b"\n", 2, "whole number")

    def test_csvHeader(self) -> None:
        """csv with a header: the id's column is found by its name, as libCacheSim's cloudPhysicsIO.csv has it."""
        text = b"version,time,op,size,lbn\n1,5633898,2a,512,42932745\n1,5633898,2a,512,42932746\n"
        self.assertEqual(self.read("a.csv", text), [42932745, 42932746])
        self.assertEqual(self.read("a.csv", b"Obj-ID;size\n5;1\n6;1\n"), [5, 6])
        self.assertEqual(self.read("a.csv", b'time\tobject id\n1\t"8"\n'), [8])
        self.assertEqual(self.read("a.csv", b"lbn,id\n1,2\n"), [2])

    def test_csvPlain(self) -> None:
        """csv without a header: the second column (time, id, size), or the only one."""
        self.assertEqual(self.read("a.csv", b"100,1,4096\n101,2,4096\n"), [1, 2])
        self.assertEqual(self.read("a.csv", b"1\n2\n"), [1, 2])

    def test_csvWrong(self) -> None:
        """csv: no known column, missing columns and what is no number are named with their line."""
        self.wrong("a.csv", b"time,what\n1,2\n", 1, "names the column with the block id one of obj_id")
        self.wrong("a.csv", b"time,id\n1,2\n3\n", 3, "only 1 columns")
        self.wrong("a.csv", b"time,id\n1,2\n3,x\n", 3, "'x' is not a block id")
        self.wrong("a.csv", b"1,2\n3,\n", 2, "in column 2")
        self.wrong("a.csv", b'1,"' + b"x" * 200_000 + b'"\n', 1, "CSV")

    def test_oracleGeneral(self) -> None:
        """oracleGeneral: the ids of records of 24 bytes."""
        records = b"".join(struct.pack("<IQIq", time, number, 4096, -1) for time, number in enumerate(IDS))
        self.assertEqual(self.read("a.oracleGeneral", records), IDS)
        self.assertEqual(self.read("a.oracleGeneral.bin", records), IDS)
        self.wrong("a.oracleGeneral.bin", records[:-1], 5, "only 23 bytes")

    def requests(self, content: bytes) -> list[tuple[int, bool]]:
        path = self.folder / "a.csv"
        path.write_bytes(content)
        found = readTrace(path)
        assert found.writes is not None
        return list(zip(found.ids.tolist(), found.writes.tolist(), strict=True))

    def test_writes(self) -> None:
        """csv with a column that says what is done: what isn't known to be a write is a read."""
        text = b"op,id\nread,1\nWrite,2\n2A,3\n28,4\n W ,5\nflush,6\n,7\n0x8a,8\n"
        self.assertEqual([id for id, write in self.requests(text) if write], [2, 3, 5, 8])
        for nothing in (b"op,id\nread,1\nget,2\n", b"id\n1\n", b"op,id\n"):
            (self.folder / "a.csv").write_bytes(nothing)
            self.assertIsNone(readTrace(self.folder / "a.csv").writes)

    def test_ranges(self) -> None:
        """csv with an offset and a size in bytes: each line is for the pages of 4 KiB that it touches."""
        text = b"offset,size,op\n0,4096,r\n4095,2,w\n8192,0,r\n8191,8193,w\n9000,0,w\n"
        self.assertEqual(self.requests(text), [(0, False), (0, True), (1, True), (1, True), (2, True), (3, True)])
        self.assertEqual(self.read("a.csv", b"offset\n5\n4097\n"), [5, 4097])
        self.assertEqual(self.read("a.csv", b"id,size\n5,9999\n"), [5])
        right = "each line should have an offset in column 1 and a size in column 2"
        self.wrong("a.csv", b"offset,size\n1,4096\n1,67108865\n", 3, right)
        self.wrong("a.csv", b"offset,size\n1,-1\n", 2, right)
        self.wrong("a.csv", b"offset,size\n1\n", 2, "only 1 columns")
        self.wrong("a.csv", b"offset,size\n72057594037927936,1\n", 2, "no offset below 2^56")
        self.assertEqual(self.read("a.csv", b"offset,size\n72057594037927935,1\n"), [(1 << 44) - 1])

    def test_cambridge(self) -> None:
        """MSR Cambridge traces: disks apart, ranges as pages, writes known."""
        text = b"128166372003061629,hm,1,Read,4096,8192,113736\n128166372016382155,hm,0,Write,4000,96,41286\n"
        text += b"128166372026382245,hm,1,Write,4096,1,41286\n128166372026382245,usr,1,Read,4096,1,41286\n"
        disk = 1 << 44
        first = [(1, False), (2, False)]
        others = [(disk, True), (1, True), (2 * disk + 1, False)]
        self.assertEqual(self.requests(text), [*first, *others])
        self.wrong("a.csv", text + b"1,hm,1,Read,x,1,1\n", 5, "as in the MSR Cambridge traces")
        self.wrong("a.csv", text + b"1,hm,1\n", 5, "as in the MSR Cambridge traces")

    def test_manyPages(self) -> None:
        """Ranges can't make a small file need much memory: the requests are bounded as those of other files are."""
        self.patch(sampling, "BOUND", 1 << 16)
        path = self.folder / "a.csv"
        path.write_bytes(b"offset,size\n" + b"0,67108864\n" * 100)
        found = readTrace(path)
        self.assertEqual((found.whole, found.oneIn), (100 << 14, 32))
        self.assertLessEqual(len(found.ids), 1 << 16)

    def test_zstd(self) -> None:
        """zstd is read where Python has it or backports.zstd is installed; elsewhere one line says what helps."""
        zstd = reading._zstd()
        missing = self.patch(reading, "_zstd", lambda: None)
        self.wrong("a.txt.zst", b"\x28\xb5\x2f\xfd", None, "pip install 'kernelnet[zstd]'")
        missing.restore()
        if zstd is None:
            raise SkipTest("no zstd here: pip install 'kernelnet[zstd]'")
        data = zstd.compress(b"1\n" * 999)
        self.assertEqual(self.read("a.txt.zst", data + zstd.compress(b"2\n")), [1] * 999 + [2])
        self.assertEqual(traceName(Path("web.csv.zst")), "web")
        self.wrong("a.txt.zst", data[:-1], None, "not a whole zstd file")
        self.patch(reading, "MAX_BYTES", 1 << 20)
        self.wrong("a.txt.zst", zstd.compress(b"\n" * (9 << 20)), None, "MiB uncompressed")

    def test_compressed(self) -> None:
        """Each format may be compressed with gzip or xz."""
        self.assertEqual(self.read("a.txt.gz", gzip.compress(b"1\n2\n")), [1, 2])
        self.assertEqual(self.read("a.csv.xz", lzma.compress(b"1,2\n")), [2])
        self.assertEqual(self.read("a.oracleGeneral.gz", gzip.compress(struct.pack("<IQIq", 0, 9, 1, -1))), [9])
        for name, data in (("a.txt.gz", gzip.compress(b"1\n" * 999)), ("a.txt.xz", lzma.compress(b"1\n" * 999))):
            self.wrong(name, data[:-7], None, "not a whole")
            self.assertEqual(self.read(name, b"1\n2\n"), [1, 2], "what a file is, it says itself")
            self.wrong(name, data[:12] + b"garbage" + data[19:], None, "not a whole")

    def test_names(self) -> None:
        """A file of no known format, a missing file and a folder are errors, not tracebacks."""
        self.wrong("a.pdf", b"1\n", None, "it should end in .txt, .csv, .spc, .lis")
        self.wrong("a.gz", gzip.compress(b"1\n"), None, "it should end in")
        self.assertRaises(TraceError, readTrace, self.folder / "missing.txt")
        (self.folder / "folder.txt").mkdir()
        self.assertRaises(TraceError, readTrace, self.folder / "folder.txt")

    def test_traceName(self) -> None:
        """A trace is called like its file, without what tells the format."""
        for name in ("web.txt.xz", "web.csv", "web.oracleGeneral.bin.gz", "web.oracleGeneral"):
            self.assertEqual(traceName(Path(name)), "web")
        self.assertEqual(traceName(Path("a.b.txt")), "a.b")

    def test_short(self) -> None:
        """A trace too short to split is an error."""
        path = self.folder / "short.txt"
        path.write_text("1\n" * 99)
        self.assertIn("it has 99 requests; 100 to", str(self.assertRaises(TraceError, loadTrace, path)))

    def test_bombs(self) -> None:
        """A small file that expands to much is refused, and the memory that this takes is that of a few pieces."""
        self.patch(sampling, "BOUND", 1 << 16)
        self.patch(reading, "MAX_BYTES", 3 << 20)
        self.patch(reading, "PIECE", 1 << 20)
        for name, unit, words in (
            ("ids.txt.xz", b"1\n", "requests"),
            ("ids.csv.gz", b"1,2\n", "requests"),
            ("blank.txt.gz", b"\n", "uncompressed"),
            ("zeros.oracleGeneral.xz", bytes(24), "requests"),
            ("line.txt.xz", b"1", "line of more than"),
            ("line.csv.gz", b'"', "line of more than"),
            ("columns.csv.xz", b",", "line of more than"),
        ):
            size = {b"\n": 4 << 20, b"1,2\n": 1 << 19}.get(unit, 2 << 20)
            data = unit * (size // len(unit))
            data = lzma.compress(data, preset=0) if name.endswith("xz") else gzip.compress(data, 1)
            self.bomb(name, data, words, readTrace)

    def test_pieces(self) -> None:
        """Where the pieces end that a file is read in makes no difference."""
        ids = [number * 7919 for number in range(300)]
        text = "".join(f"{number}\n" for number in ids)
        table = "time,id\r\n" + "".join(f'0,"{number}"\r\n' for number in ids)
        records = b"".join(struct.pack("<IQIq", 0, number, 1, -1) for number in ids)
        for size in (40, 97, 4096):
            self.patch(reading, "PIECE", size)
            self.patch(tables, "_ROWS", size)
            self.assertEqual(self.read("a.txt", text.encode()), ids)
            self.assertEqual(self.read("a.txt.gz", gzip.compress(text.replace("\n", "\r\n").encode())), ids)
            self.assertEqual(self.read("a.csv.xz", lzma.compress(table.encode())), ids)
            self.assertEqual(self.read("a.oracleGeneral", records), ids)
            self.wrong("a.txt", text.encode() + b"x\n", 301, "not a block id")
            self.wrong("a.csv", table.encode() + b"1,x\n", 302, "not a block id")
            self.wrong("a.oracleGeneral", records + b"12345", 301, "only 5 bytes")

    def test_strangeNames(self) -> None:
        """A file's name of any bytes gives a trace a name that can be sent."""
        path = Path(os.fsdecode(os.fsencode(self.folder) + b"/caf\xe9\n.txt"))
        path.write_text("1\n" * 200)
        name = loadTrace(path).name
        self.assertTrue(name.isprintable())
        self.assertTrue(msgspec.json.encode(name))

    def test_shared(self) -> None:
        """Real traces of others are read, where they are at hand."""
        expected = {"cache2k-web12.txt.xz": 95607, "cloudPhysicsIO.csv.gz": 113872, "lirs-loop.txt.xz": None}
        for path in sharedTraces(*expected):
            count = len(readTrace(path).ids)
            self.assertEqual(count, expected[path.name] or count)


class RandomTests(ReaderCase):
    """Whatever a file has in it: a trace or a `TraceError`."""

    @given(st.sampled_from([".txt", ".csv", ".oracleGeneral", ".txt.gz", ".csv.xz"]), st.binary(max_size=4000))
    def test_bytes(self, suffix: str, data: bytes) -> None:
        """Random bytes."""
        self.attempt(suffix, data, loadTrace)

    @given(
        st.sampled_from([".txt", ".csv"]),
        st.lists(st.text("0123456789,;\t|\"' -+.exid\r\0é", max_size=20), max_size=150),
    )
    def test_lines(self, suffix: str, lines: list[str]) -> None:
        """Lines that look nearly right."""
        self.attempt(suffix, "\n".join(lines).encode(), loadTrace)

    @given(st.lists(st.tuples(st.integers(0, 40_000), st.integers(0, 20_000), st.booleans()), min_size=1, max_size=30))
    def test_ranges(self, rows: list[tuple[int, int, bool]]) -> None:
        """The pages of a range are those that any of its bytes is in, in order."""
        path = Path(self.mktemp()).with_suffix(".csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("size,offset,op\n" + "".join(f"{size},{at},{'RW'[write]}\n" for at, size, write in rows))
        expected = [
            (page, write) for at, size, write in rows for page in sorted({b >> 12 for b in range(at, at + size)})
        ]
        found = readTrace(path)
        self.assertEqual(found.ids.tolist(), [page for page, _ in expected])
        writes = [False] * len(expected) if found.writes is None else found.writes.tolist()
        self.assertEqual(writes, [write for _, write in expected])

    @given(
        st.lists(
            st.sampled_from(["1", "4096", "x", "", "-1", "99999999999", "r", "w", '"', "1,2,3,4,5,6,7"]), max_size=60
        )
    )
    def test_tables(self, fields: list[str]) -> None:
        """Tables with ranges that are nearly right."""
        rows = [",".join(fields[at : at + 3]) for at in range(0, len(fields), 3)]
        self.attempt(".csv", ("offset,size,op\n" + "\n".join(rows)).encode(), loadTrace)
        self.attempt(".csv", ("1,hm,0,Read,4096,512,1\n" + "\n".join(rows)).encode(), loadTrace)

    @given(st.integers(0, 2000), st.binary(min_size=1, max_size=5))
    def test_damaged(self, at: int, data: bytes) -> None:
        """Damaged compressed files."""
        for suffix, whole in ((".txt.gz", gzip.compress(b"12\n" * 500)), (".txt.xz", lzma.compress(b"12\n" * 500))):
            self.attempt(suffix, whole[: at % len(whole)] + data + whole[at % len(whole) + len(data) :], loadTrace)

    @given(st.lists(st.integers(0, 2**64 - 1), min_size=100, max_size=300))
    def test_same(self, ids: list[int]) -> None:
        """Each format gives the same requests the same digest; blocks are numbered by first appearance."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        (folder / "a.txt").write_text("\n".join(map(str, ids)))
        (folder / "b.csv").write_text("time,id\n" + "".join(f"0,{number}\n" for number in ids))
        records = b"".join(struct.pack("<IQIq", 0, number, 1, -1) for number in ids)
        (folder / "c.oracleGeneral.gz").write_bytes(gzip.compress(records, 1))
        first, *others = [loadTrace(path) for path in sorted(folder.iterdir())]
        self.assertEqual({other.digest for other in others}, {first.digest})
        seen = list(dict.fromkeys(ids))
        self.assertEqual([seen[block] for block in first.blocks], ids)
        self.assertEqual(first.distinct, len(seen))

    @given(st.integers(100, 10**7))
    def test_splits(self, requests: int) -> None:
        """Held-out is the second half, validation the last fifth of the first; no split is empty, no request lost."""
        ends = splitEnds(requests)
        half = requests // 2
        self.assertEqual((ends["validation"], ends["held_out"]), (half, requests))
        self.assertEqual(ends["validation"] - ends["train"], half // 5)
        self.assertLess(0, ends["train"])
        self.assertLess(ends["train"], ends["validation"])
