"""Tables of requests: which disk, which operation, how often, and what is doubtful."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kernelnet.workbench.file_system import tables
from kernelnet.workbench.file_system.readers import readTrace
from kernelnet.workbench.file_system.requests import Requests
from tests.workbench.reader_support import ReaderCase

DISK = 1 << 44


class TableCase(ReaderCase):
    def read(self, text: str, name: str = "a.csv") -> Requests:
        path = self.folder / name
        path.write_text(text, "utf-8")
        return readTrace(path)

    def ids(self, text: str, name: str = "a.csv") -> list[int]:
        return [int(number) for number in self.read(text, name).ids]

    def written(self, text: str, name: str = "a.csv") -> list[bool] | None:
        writes = self.read(text, name).writes
        return None if writes is None else [bool(each) for each in writes]

    def wrong(self, text: str, line: int | None, words: str, name: str = "a.csv") -> None:
        self.refused(name, line, words, lambda: self.read(text, name))


class DiskTests(TableCase):
    """A disk is part of a block's identity, however its column is called."""

    def test_names(self) -> None:
        for name in (
            *("disk", "DiskNumber", "disk_id", "Disk-ID", "host", "Hostname", "LUN", "lun id", "Volume", "volume_id"),
            *("device", "device_id", "Device ID", "ASU", "dev", "vm"),
        ):
            text = f"{name},offset,size\n7,4096,4096\n8,4096,4096\n7,4096,4096\n"
            self.assertEqual(self.ids(text), [1, DISK + 1, 1], name)
            self.assertEqual(self.read(text).account.figures["disks"], 2)
            self.assertEqual(self.read(text).account.columns[name], "disk")

    def test_twoColumns(self) -> None:
        """The MSR traces with their header: host and disk."""
        head = "Timestamp,Hostname,DiskNumber,Type,Offset,Size,ResponseTime\n"
        rows = "1,srv,0,Write,0,4096,5\n1,srv,1,Write,0,4096,5\n2,web,0,Read,0,4096,5\n"
        for text in (head + rows, rows):
            self.assertEqual(self.ids(text), [0, DISK, 2 * DISK])
            self.assertEqual(self.written(text), [True, True, False])

    def test_blocks(self) -> None:
        """Also where the id is that of a block, and where it is a hash of 64 bits."""
        large = 2**64 - 5
        found = self.ids(f"lbn,lun\n5,a\n5,b\n{large},a\n{large},b\n5,a\n")
        self.assertEqual(found[:2], [5, DISK + 5])
        self.assertEqual(found[2], large)
        self.assertEqual(len(set(found)), 4)
        self.assertEqual(found[4], 5)

    def test_withoutHeader(self) -> None:
        """Well-known traces are known by their first row."""
        for text, ids, written in (
            ("7,W,0,4096,1577808000000000\n8,R,0,8192,1577808000000001\n", [0, DISK, DISK + 1], [True, False, False]),
            ("1538323200,8,8,1,7\n1538323200,8,8,0,8\n", [1, DISK + 1], [True, False]),
            ("1487323123.5,0.01,W,3,4096,512\n1487323123.6,,R,4,4096,512\n", [1, DISK + 1], [True, False]),
            ("0,8,4096,W,0.0\n1,8,4096,r,0.02\n", [1, DISK + 1], [True, False]),
        ):
            self.assertEqual((self.ids(text), self.written(text)), (ids, written), text)

    def test_tencentHeader(self) -> None:
        """Tencent's own header: sectors, and 1 is a write."""
        text = "Timestamp,Offset,Size,IOType,VolumeID\n1538323200,8,8,1,7\n1538323200,8,8,0,8\n"
        self.assertEqual((self.ids(text), self.written(text)), ([1, DISK + 1], [True, False]))

    def test_sectors(self) -> None:
        """Columns may say that they count sectors."""
        self.assertEqual(self.ids("offset_sectors,size_sectors\n8,16\n"), [1, 2])
        self.assertEqual(self.ids("sector,size\n8,4096\n"), [1])


class QuoteTests(TableCase):
    """A value can't have a line end: a quote that stays open would take the rows that follow."""

    def test_open(self) -> None:
        rows = "".join(f"{at},{at},abc\n" for at in range(20))
        self.wrong(f'time,id,name\n{rows}20,20,"abc\n{rows}', 22, "a quote is still open at its end")
        self.wrong(f'time,id,name\n{rows}20,20,"abc\n{rows}1,1,d"ef\n', 22, "a quote is still open")
        self.wrong(f'time,id,name\n{rows}20,20,"abc', 22, "a quote is still open")
        self.wrong(f'time,id,name\n1,1,"a\nb"\n{rows}', 2, "a quote is still open")
        self.patch(tables, "_ROWS", 7)
        self.wrong(f'time,id,name\n{rows}20,20,"abc\n{rows}', 22, "a quote is still open at its end")

    def test_closed(self) -> None:
        self.assertEqual(self.ids('time,id,name\n1,"5","a,""b"""\n2,6,x"y\n'), [5, 6])


class OperationTests(TableCase):
    def test_names(self) -> None:
        for name in ("op", "IOType", "Op Type", "op_name", "rwbs", "R/W", "io-type", "Operation", "cmd"):
            self.assertEqual(self.written(f"{name},id\nR,1\nW,2\n"), [False, True], name)

    def test_values(self) -> None:
        text = "rwbs,id\n" + "".join(f"{op},1\n" for op in ("WS", "FWFS", "wsm", "R", "RA", "D", "FF", "wait"))
        self.assertEqual(self.written(text), [True, True, True, False, False, False, False, False])

    def test_numeric(self) -> None:
        """0 and 1 can't be guessed, and it is said that they weren't."""
        found = self.read("iotype,id\n0,1\n1,2\n")
        self.assertIsNone(found.writes)
        self.assertEqual(len(found.account.doubts), 1)
        self.assertIn("'iotype' has only 0 and 1", found.account.doubts[0])
        self.assertEqual(self.read("iotype,id\nR,1\nW,2\n").account.doubts, [])

    def test_oddSizes(self) -> None:
        """Sizes that are no sectors' multiples may be in sectors."""
        rows = "".join(f"{8 * at},{7 + at % 5}\n" for at in range(50))
        self.assertIn("offset_sectors", " ".join(self.read(f"offset,size\n{rows}").account.doubts))
        self.assertEqual(self.read("offset,size\n0,512\n0,4096\n1,100\n").account.doubts, [])


class RepeatTests(TableCase):
    def test_counts(self) -> None:
        """Meta's kvcache: a row stands for so many requests."""
        text = "key,op,size,op_count,key_size\n5,GET,10,3,4\n6,SET,10,1,4\n7,GET,1,0,4\n5,GET,10,2,4\n"
        self.assertEqual(self.ids(text), [5, 5, 5, 6, 5, 5])
        self.assertEqual(self.written(text), [False, False, False, True, False, False])

    def test_bounded(self) -> None:
        self.wrong("key,op_count\n1,1\n5,1000001\n", 3, "is no number of requests from 0 to 1000000")
        self.wrong("key,op_count\n5,-1\n", 2, "is no number of requests")
        found = self.read("key,op_count\n" + "5,1000000\n6,1000000\n" * 3)
        self.assertEqual(len(found.ids), 6_000_000)


class WordTests(TableCase):
    def test_keys(self) -> None:
        """Ids that are words are told apart as they are; what the first is, all are."""
        first, second, third, fourth = self.ids("key,size\nuser:7,1\n007,1\nuser:7,1\n7,1\n")
        self.assertEqual(first, third)
        self.assertEqual(len({first, second, fourth}), 3)
        self.wrong("key,size\n7,1\nuser:7,1\n", 3, "'user:7' is not a block id")
        self.wrong("lbn,size\nuser:7,1\n", 2, "'user:7' is not a block id")
        self.wrong("key,size\nuser:7,1\n,1\n", 3, "is not a block id of 1 to 4096 characters")

    def test_withoutHeader(self) -> None:
        text = "0,q:q:1:8WTfjZU14ee,17,213,4,get,0\n1,yDqF:3q:1AJrrJ1,16,27,6,set,0\n1,q:q:1:8WTfjZU14ee,17,1,4,get,0\n"
        found = self.ids(text)
        self.assertEqual(found[0], found[2])
        self.assertNotEqual(found[0], found[1])
        self.assertEqual(self.written(text), [False, True, False])

    def test_blanks(self) -> None:
        """webcachesim's and IBM's: columns between blanks."""
        self.assertEqual(self.ids("1 50 4096\n2 51 100\n", "a.txt"), [50, 51])
        self.assertEqual(self.ids("0.5 50 4096 1 2\n", "a.tr"), [50])
        ibm = "1219008 REST.PUT.OBJECT 8d4fcda3d675bac9 1056\n1219010 REST.GET.OBJECT 8d4fcda3d675bac9 1056 0 1055\n"
        found = self.ids(ibm, "a.txt")
        self.assertEqual(found[0], found[1])
        self.assertEqual(self.written(ibm, "a.txt"), [True, False])
        self.wrong("1 50 4096\n2\n", 2, "only 1 columns", "a.txt")
        self.wrong("a b c\n", 1, "is not a block id", "a.txt")

    def test_lettersWithoutHeader(self) -> None:
        self.wrong("a,b,c\nd,e,f\n", 1, "known without a header are: time,host,disk,operation,offset,size")


class AccountTests(TableCase):
    def test_columns(self) -> None:
        account = self.read("time,disk,offset,size,op,who\n5,a,4096,8192,w,me\n9,a,0,4096,r,me\n").account
        self.assertEqual(account.columns["offset"], "offset in bytes")
        self.assertEqual(account.columns["who"], "not used")
        self.assertEqual(account.figures, {"disks": 1, "time": "5 to 9"})
        self.assertEqual(account.first[0], ("5 a 4096 8192 w me", "write pages 1 to 2 of disk a"))

    @given(
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.booleans()), min_size=1, max_size=60),
        st.booleans(),
        st.sampled_from([",", ";", "|", "\t"]),
        st.sampled_from(["\n", "\r\n"]),
    )
    def test_same(self, rows: list[tuple[int, int, bool]], quoted: bool, between: str, end: str) -> None:
        """However a table is written, it is the same one; blank lines count for nothing."""
        quote = '"' if quoted else ""
        lines = [between.join(("device", "offset", "size", "op"))]
        for disk, page, write in rows:
            lines += [between.join((f"{quote}{disk}{quote}", str(page * 4096), "4096", "RW"[write])), ""]
        found = self.read(end.join(lines))
        number = {disk: at for at, disk in enumerate(dict.fromkeys(disk for disk, _, _ in rows))}
        self.assertEqual(found.ids.tolist(), [number[disk] * DISK + page for disk, page, _ in rows])
        written = [False] * len(rows) if found.writes is None else found.writes.tolist()
        self.assertEqual(written, [write for _, _, write in rows])
