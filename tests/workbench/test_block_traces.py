"""Traces of block devices in formats of their own."""

from __future__ import annotations

import bz2
import struct

from hypothesis import given
from hypothesis import strategies as st

from kernelnet.workbench.file_system.readers import readTrace
from kernelnet.workbench.file_system.requests import Requests
from kernelnet.workbench.file_system.trace import loadTrace
from tests.workbench.reader_support import ReaderCase

DISK = 1 << 44
BLKPARSE = """\
  8,0    3        1     0.000000000   697  Q   W 16 + 8 [kjournald]
  8,0    3        2     0.000000829   697  G   W 16 + 8 [kjournald]
  8,0    3        3     0.000001829   697  D   W 16 + 8 [kjournald]
  8,16   1        4     0.100000000   697  Q   R 16 + 16 [cat]
  8,0    1        5     0.200000000   697  Q   D 16 + 16 [fstrim]
  8,0    3        6     0.300000000     0  C   W 16 + 8 [0]
CPU3 (8,0):
 Reads Queued:           1,        8KiB
"""


class BlockTraceTests(ReaderCase):
    def read(self, name: str, content: bytes) -> Requests:
        path = self.folder / name
        path.write_bytes(content)
        return readTrace(path)

    def both(self, name: str, content: bytes) -> tuple[list[int], list[bool]]:
        found = self.read(name, content)
        writes = [False] * len(found.ids) if found.writes is None else found.writes.tolist()
        return [int(number) for number in found.ids], writes

    def wrong(self, name: str, content: bytes, line: int | None, words: str) -> None:
        self.refused(name, line, words, lambda: self.read(name, content))

    def test_blkparse(self) -> None:
        """Each request once, by its queueing; discards are none."""
        for name in ("a.blkparse", "a.txt"):
            self.assertEqual(self.both(name, BLKPARSE.encode()), ([2, DISK + 2, DISK + 3], [True, False, False]))
        account = self.read("a.txt", BLKPARSE.encode()).account
        self.assertEqual(account.skipped["discards"], 1)
        self.assertEqual(account.skipped["events of action D"], 1)
        self.assertEqual(account.figures["disks"], 2)

    def test_blkparseCompleted(self) -> None:
        """Where none is queued, what is issued counts; where a trace begins in the middle, what is queued."""
        completed = "".join(line + "\n" for line in BLKPARSE.splitlines() if " Q " not in line)
        self.assertEqual(self.both("a.blkparse", completed.encode()), ([2], [True]))
        early = "  8,0 3 1 0.0 697 C W 80 + 8 [0]\n" + BLKPARSE
        self.assertEqual(self.both("a.blkparse", early.encode())[0], [2, DISK + 2, DISK + 3])
        self.wrong("a.blkparse", b"nothing\n", None, "no request of a block device")

    def test_fio(self) -> None:
        second = b"fio version 2 iolog\n/dev/sda add\n/dev/sda open\n/dev/sda write 4096 8192\n/dev/sdb read 0 512\n"
        self.assertEqual(self.both("a.log", second + b"/dev/sda trim 0 4096\n"), ([1, 2, DISK], [True, True, False]))
        third = b"fio version 3 iolog\n0 /dev/sda add\n5 /dev/sda write 4096 8192\n9 /dev/sda wait 10 0\n"
        self.assertEqual(self.both("a.txt", third), ([1, 2], [True, True]))
        self.wrong("a.txt", b"fio version 9 iolog\n", 1, "version 2 or 3")
        self.wrong("a.txt", second + b"/dev/sda write x 1\n", 6, "is no line of it")

    def test_arc(self) -> None:
        self.assertEqual(self.both("P1.lis", b"5 3 0 0\n7 1 0 1\n")[0], [5, 6, 7, 7])
        self.wrong("P1.lis", b"5 3 0\n", 1, "first block, how many")
        self.wrong("P1.lis", b"5 99999 0 0\n", 1, "at most 16384 blocks a request")

    def test_vscsi(self) -> None:
        """Records of libCacheSim's vscsi.h."""
        first = b"".join(struct.pack("<IIIHHQQ", at, 512, 1, 0x2A, 1 << 8, 70 + at, at) for at in range(3))
        second = b"".join(struct.pack("<HHIIIQQQ", 0x28, 2 << 8, at, 512, 1, 70 + at, at, 5) for at in range(3))
        self.assertEqual(self.both("a.vscsi", first), ([70, 71, 72], [True] * 3))
        self.assertEqual(self.both("a.vscsi", second), ([70, 71, 72], [False] * 3))
        self.wrong("a.vscsi", first[:-1], 3, "only 31 bytes")
        self.wrong("a.vscsi", bytes(200), 1, "no known version")
        self.wrong("a.vscsi", b"", 1, "too short")

    def test_bzip2(self) -> None:
        """A file says itself by what it is compressed, in capitals too."""
        data = bz2.compress(b"1\n2\n")
        for name in ("a.txt.bz2", "a.txt.BZ2", "a.txt", "a.TXT.gz"):
            self.assertEqual(self.both(name, data)[0], [1, 2], name)
        self.wrong("a.txt.bz2", data[:-4], None, "not a whole bzip2 file")

    @given(st.sampled_from([".lis", ".vscsi", ".blkparse", ".tr", ".log", ".spc"]), st.binary(max_size=2000))
    def test_bytes(self, suffix: str, data: bytes) -> None:
        """Random bytes: a trace or an error."""
        self.attempt(suffix, data, loadTrace)

    @given(st.lists(st.sampled_from([*BLKPARSE.splitlines(), "fio version 2 iolog", "a read 0 4096", "1 2 0 3"])))
    def test_lines(self, lines: list[str]) -> None:
        for suffix in (".txt", ".blkparse", ".lis"):
            self.attempt(suffix, "\n".join(lines).encode(), loadTrace)
