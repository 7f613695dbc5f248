"""A sample of each public format, as its own definition shows it, and what is read of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.file_system.readers import readTrace

SAMPLES: tuple[tuple[str, str, str, tuple[int, int, int | None, list[int] | None]], ...] = (
    # Name of the file, where the format is defined, lines of it; requests, blocks, writes, sizes.
    (
        "msr.csv",
        # http://iotta.snia.org/traces/block-io/388, README: timestamp, hostname, disk number, type, offset, size,
        # response time
        "128166372003061629,hm,0,Read,383496192,32768,413\n128166372016382155,hm,1,Write,310378496,4096,1321\n",
        "SNIA IOTTA, MSR Cambridge traces, README",
        (9, 9, 1, None),
    ),
    (
        "alibaba.csv",
        "419,W,8792731648,16384,1577808144360767\n725,R,59110326272,8192,1577808144360813\n",
        "https://github.com/alibaba/block-traces: device_id,opcode,offset,length,timestamp",
        (6, 6, 4, None),
    ),
    (
        "tencent.csv",
        "1538323200,12910952,128,0,1063\n1538323200,6338688,8,1,1627\n",
        "SNIA IOTTA, Tencent block storage: timestamp,offset,size,io type,volume id; offset and size in sectors",
        (17, 17, 1, None),
    ),
    (
        "systor.csv",
        "1455592511.177,0.000202417,R,0,18317312,4096\n1455592511.178,0.000250110,W,2,18317312,8192\n",
        "SNIA IOTTA, SYSTOR '17: timestamp,response,iotype,lun,offset,size",
        (3, 3, 2, None),
    ),
    (
        "umass.spc",
        "0,20941264,8192,W,0.551706\n1,20939840,8192,r,0.554041\n",
        "Storage Performance Council, SPC trace file format specification 1.0.1: ASU,LBA,size,opcode,timestamp",
        (4, 4, 2, None),
    ),
    (
        "twitter.csv",
        "0,q:q:1:8WTfjZU14ee,17,213,4,get,0\n1,yDqF:3q:1AJrrJ1nnCJKKrnGx1A,27,27,5,set,0\n",
        "https://github.com/twitter/cache-trace: timestamp,anonymized key,key size,value size,client id,operation,TTL",
        (2, 2, 1, [230, 54]),
    ),
    (
        "ibm.txt",
        "1219008 REST.PUT.OBJECT 8d4fcda3d675bac9 1056\n1221974 REST.GET.OBJECT 39d177fb735ac5df 528 0 527\n",
        "SNIA IOTTA, IBM object store traces, README: timestamp, request, object, size and range",
        (2, 2, 1, [1056, 528]),
    ),
    (
        "webcachesim.tr",
        "0 1 120\n1 2 64\n1 1 120\n2 2 64\n",
        "https://github.com/sunnyszy/lrb, https://github.com/dasebe/AdaptSize: time id size",
        (4, 2, None, [120, 64, 120, 64]),
    ),
    (
        "libcachesim.csv",
        "version,time,op,size,lbn\n1,5633898,2a,512,42932745\n1,5633898,28,6656,40409911\n",
        "https://github.com/1a1a11a/libCacheSim, data/cloudPhysicsIO.csv",
        (2, 2, 1, [512, 6656]),
    ),
    (
        "meta.csv",
        "op_time,key,key_size,op,op_count,size,cache_hits,ttl\n"
        "0,1648310,43,GET,2,1230,2,0\n0,2190021,71,SET,1,188,0,7200\n",
        "https://cachelib.org/docs/Cache_Library_User_Guides/Cachebench_FB_HW_eval, kvcache traces",
        (3, 2, 1, [1230, 1230, 188]),
    ),
    (
        "arc.lis",
        "0 16 0 0\n64 4 0 1\n",
        "https://researcher.watson.ibm.com/researcher/view_person_subpage.php?id=4700: start, count, ignored, number",
        (20, 20, None, None),
    ),
    (
        "fio.log",
        "fio version 2 iolog\n/dev/sda add\n/dev/sda open\n"
        "/dev/sda read 0 4096\n/dev/sda write 8192 8192\n/dev/sda close\n",
        "https://fio.readthedocs.io/en/latest/fio_doc.html#trace-file-format-v2",
        (3, 3, 2, None),
    ),
    (
        "fio3.log",
        "fio version 3 iolog\n0 /dev/sda add\n1 /dev/sda open\n5 /dev/sda read 0 4096\n9 /dev/sda write 4096 4096\n",
        "https://fio.readthedocs.io/en/latest/fio_doc.html#trace-file-format-v3",
        (2, 2, 1, None),
    ),
    (
        "blkparse.txt",
        "  8,0    3        1     0.000000000   697  G   W 223490 + 8 [kjournald]\n"
        "  8,0    3        2     0.000001829   697  Q   W 223488 + 8 [kjournald]\n"
        "  8,0    3        3     0.000004302   697  Q   R 223496 + 16 [kjournald]\n",
        "blkparse(1), default output: device, cpu, sequence, time, pid, action, RWBS, sector + count",
        (3, 3, 1, None),
    ),
)


class SampleTests(SynchronousTestCase):
    def test_samples(self) -> None:
        """Requests, blocks, writes and sizes of each sample are as its format's definition means them."""
        folder = Path(self.mktemp())
        folder.mkdir()
        for name, text, source, (requests, blocks, writes, sizes) in SAMPLES:
            (folder / name).write_text(text)
            found = readTrace(folder / name)
            self.assertEqual(len(found.ids), requests, f"{name}: {source}")
            self.assertEqual(len(set(found.ids.tolist())), blocks, name)
            self.assertEqual(None if found.writes is None else int(found.writes.sum()), writes, name)
            self.assertEqual(None if found.sizes is None else found.sizes.tolist(), sizes, name)

    def test_records(self) -> None:
        """oracleGeneral has the records of libCacheSim's oracleGeneralBin.h, vscsi those of its vscsi.h."""
        folder = Path(self.mktemp())
        folder.mkdir()
        oracle = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])
        np.array([(1, 7, 100, 2), (2, 9, 0, -1), (3, 7, 200, -1)], oracle).tofile(folder / "a.oracleGeneral")
        found = readTrace(folder / "a.oracleGeneral")
        assert found.sizes is not None
        self.assertEqual((found.ids.tolist(), found.sizes.tolist()), ([7, 9, 7], [100, 1, 200]))
        self.assertEqual(found.account.figures, {"sizes of 0, which count as 1": 1})
        fields = [
            ("sn", "<u4"),
            ("len", "<u4"),
            ("sge", "<u4"),
            ("cmd", "<u2"),
            ("ver", "<u2"),
            ("lbn", "<u8"),
            ("ts", "<u8"),
        ]
        rows = [(at, 512 * (at + 1), 1, 0x2A if at % 2 else 0x28, 1 << 8, 10 + at, at) for at in range(4)]
        np.array(rows, np.dtype(fields)).tofile(folder / "a.vscsi")
        found = readTrace(folder / "a.vscsi")
        assert found.sizes is not None and found.writes is not None
        self.assertEqual(found.ids.tolist(), [10, 11, 12, 13])
        self.assertEqual(found.sizes.tolist(), [512, 1024, 1536, 2048])
        self.assertEqual(found.writes.tolist(), [False, True, False, True])


class NamesTests(SynchronousTestCase):
    def test_kinds(self) -> None:
        """Columns are known by names of the kind, however they are written, also by such as nobody listed."""
        folder = Path(self.mktemp())
        folder.mkdir()
        disks = ["Device Number", "LUN_NO", "VolumeNum", "ASU-ID", "hostName", "Disk", "Target Disk", "Logical Volume"]
        ops = [
            "IOType",
            "Op Type",
            "op_name",
            "rwbs",
            "OPERATION_NAME",
            "Request-Type",
            "io_direction",
            "access type",
            "rw_flag",
        ]
        sizes = ["Size", "LEN", "xfer_size", "Transfer Length", "IO_Bytes", "request-size-bytes"]
        offsets = ["Offset", "byte_offset", "OFFSET IN BYTES", "start-offset", "File Offset"]
        plain = {"disk": "disk", "op": "op", "offset": "offset", "size": "size"}
        for what, names in (("disk", disks), ("op", ops), ("size", sizes), ("offset", offsets)):
            for name in names:
                head = {**plain, what: name}
                path = folder / "a.csv"
                path.write_text(
                    f"{head['disk']},{head['op']},{head['offset']},{head['size']}\n" + "1,W,0,8192\n2,R,0,4096\n" * 2
                )
                found = readTrace(path)
                self.assertEqual((len(found.ids), len(set(found.ids.tolist()))), (6, 3), name)
                assert found.writes is not None, name
                self.assertEqual(int(found.writes.sum()), 4, name)
