"""Logs of tasks: what is read of each format, and what is said of those that are wrong."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import shutil
import struct
import tarfile
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.errors import TraceError, WorkbenchError
from kernelnet.workbench.process_manager import readers, record, schedviz, tasks
from kernelnet.workbench.process_manager.readers import FIRST_LINE, readTasks, traceName
from kernelnet.workbench.process_manager.tasks import Tasks
from kernelnet.workbench.process_manager.trace import loadTrace, makeTrace
from tests.workbench.process_manager_support import SHARED, someJobs, writeLog

SWF = """
; Version: 2.2
; MaxProcs: 128
  1    10  -1  100   4  -1  -1  8   200 -1 1   7  1   3 0 -1 -1 -1
  2    20  -1   -1   4  -1  -1  8   200 -1 0   7  1   3 0 -1 -1 -1
  3    20  -1  1.5  -1  -1  -1  8    -1 -1 1   7  1   3 0 -1 -1 -1
  4    25  -1    3   1  -1  -1 -1    -1 -1 1  -1 -1  -1 2 -1 -1 -1
"""

# A wakes, runs, is preempted by B, runs again and sleeps; B was woken while A ran; C began before the log.
FTRACE = """
# tracer: nop
#
# entries-in-buffer/entries-written: 9/9   #P:4
          <idle>-0     [000] d.h2.   100.000100: sched_wakeup: comm=a a pid=11 prio=120 target_cpu=000
          <idle>-0     [000] d..2.   100.000110: sched_switch: prev_comm=swapper/0 prev_pid=0 prev_prio=120 \
prev_state=R ==> next_comm=a a next_pid=11 next_prio=120
             a a-11    [000] d.h2.   100.000200: sched_wakeup: comm=b pid=12 prio=120 target_cpu=000
             a a-11    [000] d.h2.   100.000205: irq_handler_entry: irq=9 name=acpi
             a a-11    [000] d..2.   100.000210: sched_switch: prev_comm=a a prev_pid=11 prev_prio=120 \
prev_state=R+ ==> next_comm=b next_pid=12 next_prio=120
               b-12    [000] d..2.   100.000250: sched_switch: prev_comm=b prev_pid=12 prev_prio=120 \
prev_state=S ==> next_comm=a a next_pid=11 next_prio=120
               c-13    [001] d..2.   100.000260: sched_switch: prev_comm=c prev_pid=13 prev_prio=120 \
prev_state=R ==> next_comm=d next_pid=14 next_prio=120
               d-14    [001] d..2.   100.000270: sched_switch: prev_comm=d prev_pid=14 prev_prio=120 \
prev_state=D|K ==> next_comm=c next_pid=13 next_prio=120
               c-13    [001] d..2.   100.000280: sched_switch: prev_comm=c prev_pid=13 prev_prio=120 \
prev_state=S ==> next_comm=swapper/1 next_pid=0 next_prio=120
             a a-11    [000] d..2.   100.000300: sched_switch: prev_comm=a a prev_pid=11 prev_prio=120 \
prev_state=S ==> next_comm=swapper/0 next_pid=0 next_prio=120
"""

OTHERS = """
cpus=6
       bash-12    [001]  5.000000100: sched_wakeup:         cc1:13 [120] success=1 CPU:001
       bash-12    [001]  5.000001100: sched_switch:         bash:12 [120] S ==> cc1:13 [120]
        cc1-13    [001]  5.000009600: sched_switch:         cc1:13 [120] x ==> swapper/1:0 [120]
       bash    12 [001]  6.000000: sched:sched_wakeup: comm=cc1 pid=14 prio=120 target_cpu=001
       bash 12/12 [001]  6.000001: sched:sched_switch: prev_comm=bash prev_pid=12 prev_prio=120 prev_state=S \
==> next_comm=cc1 next_pid=14 next_prio=120
        cc1    14 [001]  6.000003: sched:sched_switch: prev_comm=cc1 prev_pid=14 prev_prio=120 prev_state=X \
==> next_comm=swapper/1 next_pid=0 next_prio=120
"""

SWITCHES = """\
            bash  4711  9000.000001000:  PERF_RECORD_SWITCH_CPU_WIDE IN           prev pid/tid:     0/0
            bash  4711  9000.000021000:  PERF_RECORD_SWITCH_CPU_WIDE OUT preempt  next pid/tid:  4712/4712
         my prog  4712  9000.000022000:  PERF_RECORD_SWITCH_CPU_WIDE IN           prev pid/tid:  4711/4711
         my prog  4712  9000.000025000:  PERF_RECORD_SWITCH_CPU_WIDE OUT          next pid/tid:     0/0
         swapper     0  9000.000026000:  PERF_RECORD_SWITCH_CPU_WIDE IN           prev pid/tid:  4712/4712
            bash  4711  9000.000030000:  PERF_RECORD_SWITCH IN
            bash  4711  9000.000031000:  PERF_RECORD_SWITCH OUT
"""


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)

    def read(self, name: str, text: str) -> Tasks:
        path = self.folder / name
        path.write_text(text)
        return readTasks(path)

    def rows(self, tasks: Tasks) -> list[tuple[int, int, str, str, int]]:
        return list(zip(tasks.arrival, tasks.run, tasks.key, tasks.group, tasks.estimate, strict=True))


class ReaderTests(Case):
    def test_swf(self) -> None:
        """Jobs with their user, program and processors; one without a run time is left out."""
        tasks = self.read("a.swf", SWF)
        self.assertEqual(
            self.rows(tasks),
            [
                (10_000_000, 100_000_000, "7 3 4", "7", 200_000_000),
                (20_000_000, 1_500_000, "7 3 8", "7", 0),
                (25_000_000, 3_000_000, "-1 -1 1", "queue 2", 0),
            ],
        )
        self.assertEqual((tasks.bursts, tasks.cpus), (False, 1))

    def test_noSwitches(self) -> None:
        """A log of other events, or of wakeups alone, has no bursts: what is missing is named."""
        others = "\n".join(line for line in FTRACE.splitlines() if "sched_" not in line)
        wakeups = "\n".join(line for line in FTRACE.splitlines() if "sched_switch" not in line)
        for text, words in ((others, "no event of the scheduler in it"), (wakeups, "only wakeups in it")):
            error = self.assertRaises(TraceError, self.read, "a.ftrace", text)
            self.assertIn(f"{words}; sched_switch events are needed", str(error))

    def test_byteOrderMark(self) -> None:
        """What spreadsheets put before a text is no part of it."""
        text = f"\ufeff{FIRST_LINE}\n5 7 a/b\n"
        self.assertEqual(self.rows(self.read("a.sched", text)), [(5, 7, "a/b", "a", 0)])

    def test_ftrace(self) -> None:
        """Bursts from wakeup to sleep, without what others ran in between; what had begun before is left out."""
        tasks = self.read("a.ftrace", FTRACE)
        self.assertEqual(
            self.rows(tasks),
            [
                (100_000_200, 40, "b/12", "b", 0),
                (100_000_260, 10, "d/14", "d", 0),
                (100_000_100, 150, "a a/11", "a a", 0),
            ],
        )
        self.assertEqual((tasks.bursts, tasks.cpus), (True, 4))

    def test_otherPrinters(self) -> None:
        """What trace-cmd and perf make of the events; nanoseconds are rounded."""
        tasks = self.read("a.txt", OTHERS)
        self.assertEqual(self.rows(tasks), [(5_000_000, 9, "cc1/13", "cc1", 0), (6_000_000, 2, "cc1/14", "cc1", 0)])
        self.assertEqual(tasks.cpus, 6)

    def test_own(self) -> None:
        """Our own format, compressed or not."""
        text = f"{FIRST_LINE}\n# cpus 3\n5 10 a/b\n# remark\n\n5 1 c 77\n"
        expected = [(5, 10, "a/b", "a", 0), (5, 1, "c", "c", 77)]
        self.assertEqual(self.rows(self.read("a.sched", text)), expected)
        for suffix, compress in ((".gz", gzip.compress), (".xz", lzma.compress)):
            path = self.folder / f"a.sched{suffix}"
            path.write_bytes(compress(text.encode("ascii")))
            tasks = readTasks(path)
            self.assertEqual(self.rows(tasks), expected)
            self.assertEqual(tasks.cpus, 3)

    def test_errors(self) -> None:
        """Each says file, line, what is wrong and what would be right."""
        switch = FTRACE.replace("prev_pid=12", "prev_pid=x")
        for name, text, line, wrong in (
            ("a.swf", "1 2 3\n", 1, "3 columns"),
            ("a.swf", SWF.replace("100", "1x2", 1), 4, "'1x2' in column 4"),
            ("a.swf", SWF.replace("  100 ", f" {'9' * 12} ", 1), 4, "in column 4"),
            ("a.sched", "5 10 a/b\n", 1, "it begins with '5 10 a/b'"),
            ("a.sched", f"{FIRST_LINE}\n5 10\n", 2, "2 columns"),
            ("a.sched", f"{FIRST_LINE}\n5 0 a\n", 2, "no time"),
            ("a.sched", f"{FIRST_LINE}\n5 -1 a\n", 2, "'-1' is no time"),
            ("a.sched", f"{FIRST_LINE}\n5 1 \x07\n", 2, "is no group/key"),
            ("a.sched", f"{FIRST_LINE}\n5 1 a {'9' * 17}\n", 2, "is no time"),
            ("a.sched", "", 1, "it begins with ''"),
            ("a.ftrace", switch, 10, "says not who"),
            ("a.ftrace", FTRACE.replace("100.000250", "100.x"), 10, "is no event"),
            ("a.ftrace", FTRACE.replace("100.000250", "100.000001"), 10, "earlier"),
            ("a.csv", "", None, "no log format"),
            ("a.swf.xz", "nothing", 1, "1 columns"),
        ):
            error = self.assertRaises(TraceError, self.read, name, text)
            self.assertEqual((error.line, error.path), (line, str(self.folder / name)), text)
            self.assertIn(wrong, error.wrong)
            self.assertTrue(error.right)
            self.assertNotIn("\n", str(error))

    def test_bounds(self) -> None:
        """Neither many tasks nor long lines nor much that was compressed takes more than a bounded memory."""
        with mock.patch.object(tasks, "MAX_TASKS", 2):
            self.assertIn("more than 2", str(self.assertRaises(TraceError, self.read, "a.swf", SWF)))
        with mock.patch.object(readers, "MAX_BYTES", 50):
            self.assertIn("uncompressed", str(self.assertRaises(TraceError, self.read, "a.swf", SWF)))
        self.assertIn("a line of", str(self.assertRaises(TraceError, self.read, "a.swf", "1" * (1 << 17))))
        self.assertIn("0 tasks", str(self.assertRaises(TraceError, makeTrace, self.read("b.swf", ""), Path("b.swf"))))

    def test_account(self) -> None:
        """What was read, left out and doubted goes with the trace, to whoever asks by bench inspect or bench run."""
        row = "{n} {at} -1 {run} 1 -1 -1 1 9 -1 1 7 1 3 0 -1 -1 -1"
        lines = [row.format(n=n, at=10 * n, run=1 + n % 7 if n % 50 else -1) for n in range(1, 201)]
        (self.folder / "a.swf").write_text("; MaxProcs: 4\n" + "\n".join(lines) + "\n")
        account = loadTrace(self.folder / "a.swf").account
        self.assertEqual(account.format, "jobs, in the Standard Workload Format")
        self.assertEqual(account.skipped["jobs without a run time or a submit time"], 4)
        self.assertIn("jobs", account.figures)

    def test_digest(self) -> None:
        """It is of the tasks: the file's name, compression and what keys are called don't matter, and times do."""
        jobs = someJobs(120)
        plain = loadTrace(writeLog(self.folder / "a.sched", jobs))
        renamed = (self.folder / "a.sched").read_text().replace(" a/", " x/").replace(" b/", " y/")
        path = self.folder / "b.sched.xz"
        path.write_bytes(lzma.compress(renamed.encode("ascii")))
        self.assertEqual(loadTrace(path).digest, plain.digest)
        path.write_bytes(lzma.compress(renamed.replace(f" {jobs[5].run} ", " 99999 ").encode("ascii")))
        self.assertNotEqual(loadTrace(path).digest, plain.digest)

    def test_name(self) -> None:
        """A trace is called like its file, without what tells the format."""
        for name in ("x.swf", "x.swf.gz", "x.sched.xz", "x.ftrace", "x"):
            self.assertEqual(traceName(Path(name)), "x")

    def test_shared(self) -> None:
        """Real logs of other people's; skipped where they don't lie beside the repository."""
        for name, count in (("NASA-iPSC-1993-3.1-cln.swf.gz", 18_066), ("lublin_256.swf.gz", 10_000)):
            if not (SHARED / name).exists():
                self.skipTest(f"{SHARED / name} isn't there")
            self.assertEqual(len(readTasks(SHARED / name).run), count)
        # The same events as text, printed by another program, made the same bursts.
        self.assertEqual(len(readTasks(SHARED / "schedviz-test.tar.gz").run), 13_865)
        # It is of thermal events only.
        error = self.assertRaises(TraceError, readTasks, SHARED / "trappy-trace.txt.gz")
        self.assertIn("no event of the scheduler in it; sched_switch events are needed", str(error))


SWITCH_FORMAT = """name: sched_switch
ID: 297
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:char prev_comm[16];\toffset:8;\tsize:16;\tsigned:1;
\tfield:pid_t prev_pid;\toffset:24;\tsize:4;\tsigned:1;
\tfield:long prev_state;\toffset:32;\tsize:8;\tsigned:1;
\tfield:pid_t next_pid;\toffset:56;\tsize:4;\tsigned:1;
"""

WAKEUP_FORMAT = """name: sched_wakeup
ID: 299
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:pid_t pid;\toffset:24;\tsize:4;\tsigned:1;
"""


def event(delta: int, data: bytes) -> bytes:
    return struct.pack("<I", delta << 5 | len(data) // 4) + data


def switch(delta: int, name: bytes, previous: int, state: int, following: int) -> bytes:
    return event(delta, struct.pack("<H6x16si4xq16xii", 297, name, previous, state, following, 0))


class CollectionTests(Case):
    def collection(self, files: dict[str, bytes], name: str = "a.tar.gz") -> Path:
        path = self.folder / name
        with tarfile.open(path, "w:gz") as archive:
            for member, content in files.items():
                info = tarfile.TarInfo(member)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return path

    def files(self, *events: bytes) -> dict[str, bytes]:
        data = b"".join(events)
        page = struct.pack("<QQ", 7_000_000_000, len(data)) + data
        return {
            "x/formats/sched/sched_switch/format": SWITCH_FORMAT.encode(),
            "x/formats/sched/sched_wakeup/format": WAKEUP_FORMAT.encode(),
            "x/traces/cpu0": page.ljust(4096, b"\0"),
        }

    def test_collection(self) -> None:
        """A wakes, a long time later runs, is preempted by B, and ends when it has run again."""
        woken = event(1000, struct.pack("<H22xi", 299, 11))
        long = struct.pack("<II", 5 << 5 | 30, 1)
        unknown = event(1000, struct.pack("<H6x", 5))
        path = self.collection(
            self.files(
                *(woken, long, unknown, switch(1000, b"swapper", 0, 0, 11)),
                *(switch(9000, b"a", 11, 0x1000, 12), switch(3000, b"b", 12, 1, 11), switch(4000, b"a", 11, 0x20, 0)),
            )
        )
        self.assertEqual(
            self.rows(readTasks(path)),
            [(7_134_229, 3, "b/12", "b", 0), (7_000_001, 13, "a/11", "a", 0)],
        )

    def test_lost(self) -> None:
        """A page before which events were lost: what ran there is left out."""
        files = self.files(switch(1000, b"swapper", 0, 0, 11))
        rest = b"".join([switch(9000, b"a", 11, 1, 12), switch(3000, b"b", 12, 1, 0)])
        for flags, many in ((1 << 31, "events were"), (1 << 31 | 1 << 30, "77 events were")):
            page = struct.pack("<QQ", 8_000_000_000, len(rest) | flags) + rest + struct.pack("<Q", 77)
            both = {**files, "x/traces/cpu0": files["x/traces/cpu0"] + page.ljust(4096, b"\0")}
            tasks = readTasks(self.collection(both))
            self.assertEqual(self.rows(tasks), [(8_000_009, 3, "b/12", "b", 0)])
            self.assertIn(f"{many} lost in 1 places; the 1 bursts", tasks.account.doubts[0])

    def test_errors(self) -> None:
        """No archive, one without the events, a damaged one, a bomb."""
        path = self.folder / "a.tar.gz"
        path.write_bytes(b"nothing")
        self.assertIn("not a whole", self.assertRaises(TraceError, readTasks, path).wrong)
        self.assertIn("no sched_switch", self.assertRaises(TraceError, readTasks, self.collection({"a": b"b"})).wrong)
        files = self.files(switch(1, b"a", 1, 1, 2))
        damaged = files | {"x/formats/sched/sched_switch/format": b"name: sched_switch\nID: 297\n"}
        self.assertIn("damaged", self.assertRaises(TraceError, readTasks, self.collection(damaged)).wrong)
        with mock.patch.object(schedviz, "MAX_BYTES", 4000):
            self.assertIn("uncompressed", self.assertRaises(TraceError, readTasks, self.collection(files)).wrong)


class RecordTests(Case):
    def test_switches(self) -> None:
        """What perf says of switches becomes bursts: a preempted thread is still in its own."""
        tasks = record._switches(SWITCHES.splitlines(keepends=True))
        self.assertEqual(
            self.rows(tasks),
            [(9_000_000_022, 3, "my prog/4712", "my prog", 0), (9_000_000_001, 21, "bash/4711", "bash", 0)],
        )

    def test_write(self) -> None:
        """What is written is read again, in order, with numbers for names."""
        tasks = record._switches(SWITCHES.splitlines())
        for name in ("a.sched", "a.sched.xz", "a.sched.gz"):
            record.writeTasks(tasks, self.folder / name)
            again = readTasks(self.folder / name)
            self.assertEqual(self.rows(again), [(0, 21, "0/0", "0", 0), (21, 3, "1/1", "1", 0)])
            self.assertEqual(again.cpus, tasks.cpus)

    def test_refused(self) -> None:
        """A name that the reader wouldn't know, a time that isn't one, a folder that isn't there."""
        tasks = record._switches(SWITCHES.splitlines())
        self.assertRaises(WorkbenchError, record.writeTasks, tasks, self.folder / "a.txt")
        self.assertRaises(WorkbenchError, record.writeTasks, tasks, self.folder / "none" / "a.sched")
        self.assertRaises(WorkbenchError, record.recordSched, 0, self.folder / "a.sched")
        self.assertRaises(WorkbenchError, record.recordSched, 1, self.folder / "a.txt")

    def test_proc(self) -> None:
        """Without ftrace and perf, /proc says for how long threads ran: a burst ends when one didn't run any more."""
        samples = iter(
            [{"5": 0, "6": 7}, {"5": 1_000_000, "6": 7}, {"5": 3_000_000, "6": 7}, *[{"5": 3_000_000}] * 999]
        )

        def threads(own: str) -> list[tuple[str, str, int]]:
            return [(thread, "prog", ran) for thread, ran in next(samples).items()]

        path = self.folder / "a.sched"
        with (
            mock.patch.object(record, "TRACEFS", ()),
            mock.patch.object(record, "_perfMayAll", lambda: False),
            mock.patch.object(record, "_threads", threads),
        ):
            self.assertEqual(record.recordSched(0.2, path), 1)
        self.assertEqual(self.rows(readTasks(path)), [(0, 3000, "0/0", "0", 0)])
        self.assertIn(str(os.getpid()), [thread for thread, _, _ in record._threads("none")])

    def test_nothing(self) -> None:
        """A machine on which nothing happens can't be recorded."""
        with (
            mock.patch.object(record, "TRACEFS", ()),
            mock.patch.object(record, "_perfMayAll", lambda: False),
            mock.patch.object(record, "_threads", lambda own: []),
        ):
            self.assertRaises(WorkbenchError, record.recordSched, 0.01, self.folder / "a.sched")

    def test_perf(self) -> None:
        """The threads of a command, as perf sees them; skipped where there is no perf, or it may not."""
        if shutil.which("perf") is None:
            self.skipTest("perf isn't installed")
        try:
            tasks = record.perfBursts(["--", "sh", "-c", "sleep 0.01; sleep 0.01; sleep 0.01"])
        except WorkbenchError as error:
            self.skipTest(str(error))
        self.assertGreaterEqual(len(tasks.run), 3)
        self.assertTrue(any(key.startswith("sleep/") for key in tasks.key))
