"""Recordings of frames: what a file means, and what is said about files that are wrong."""

from __future__ import annotations

import gzip
import json
import lzma
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.graphics import games, readers, weston, workbench
from kernelnet.workbench.graphics.frames import MAX_IN_ONE, MAX_SURFACES, MAX_WORK, Frames, writeFrames
from kernelnet.workbench.graphics.readers import readFrames, traceName
from kernelnet.workbench.graphics.trace import loadTrace
from tests.workbench.graphics_support import SHARED, session, writeSession
from tests.workbench.reader_support import ReaderCase

OWN = "# kernelnet repaint 1: begin_us cpu_us gpu_us surfaces\n"
V1 = (
    "Application,ProcessID,SwapChainAddress,Dropped,TimeInSeconds,"
    "msBetweenPresents,msInPresentAPI,msUntilRenderComplete"
)
V2 = "Application,ProcessID,SwapChainAddress,PresentRuntime,CPUStartTime,FrameTime,CPUBusy,CPUWait,GPUTime,GPUBusy"
MANGO = (
    "os,cpu,gpu,ram,kernel,driver,cpuscheduler\nArch,AMD,AMD,16,6.9,mesa,\nfps,frametime,cpu_load,gpu_load,elapsed\n"
)


class Case(ReaderCase):
    def read(self, content: str | bytes, name: str = "a.txt") -> Frames:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return readFrames(path)

    def wrong(self, content: str | bytes, line: int | None, words: str, name: str = "a.txt") -> None:
        """Refused, with the file, this line, and what would be right."""
        self.refused(name, line, words, lambda: self.read(content, name))


class OwnTests(Case):
    def test_plain(self) -> None:
        """Work is CPU and GPU together; surfaces in the order in which they were committed, each once."""
        frames = self.read(OWN + "# period 8333\n5 100 20 1,b@300,2@50\n\n17 1 0 -\n18 7 0\r\n19 3 4 1@9,1@4\n")
        self.assertEqual((frames.period, frames.begin, frames.work), (8333, [5, 17, 18, 19], [120, 1, 7, 7]))
        self.assertEqual(frames.commits, [(("1", 0), ("2", 50), ("b", 300)), (), (), (("1", 4),)])
        self.assertEqual(self.read("# kernelnet frames 1: begin_us cpu_us gpu_us\n0 5 6\n").work, [11])

    def test_wrong(self) -> None:
        """The first line that is wrong is named, and what would be right."""
        self.wrong("nothing\n", 1, "it begins with 'nothing'; it should begin with '# kernelnet repaint 1'")
        self.wrong(OWN + "0 1\n", 2, "2 columns; each line should be: begin, CPU and GPU time in microseconds")
        for bad in ("-1", "1.5", "0x10", "1_0", "+1", "9" * 16, "²"):
            self.wrong(OWN + f"0 1 1\n1 {bad} 0 1\n", 3, "is no time")
        self.wrong(OWN + "5 1 1\n4 1 1\n", 3, "4 comes after 5; times should never go back")
        for bad in (",", "1,", "1@", "1@-3", "1@x", "a@1@2"):
            self.wrong(OWN + f"0 1 1 {bad}\n", 2, "is no surface")
        self.wrong(OWN + "# period 5\n", 2, "a period of 5 µs; it should be 1000 to 1000000")
        self.wrong("", 1, "it begins with ''")
        self.wrong(OWN + "x" * (1 << 17), 2, "a line of 64 KiB or more")

    def test_bounds(self) -> None:
        """A machine that slept is left out; of too many surfaces in a frame the last ones count; in all they end."""
        frames = self.read(OWN + f"0 {MAX_WORK + 1} 0\n5 3 0 {','.join(f'{n}@{n}' for n in range(100))}\n")
        self.assertEqual(frames.work, [3])
        self.assertEqual(frames.account.skipped["frames of more than 10 s, or less than none"], 1)
        self.assertEqual([name for name, _ in frames.commits[0]], [str(n) for n in range(100 - MAX_IN_ONE, 100)])
        many = "".join(
            f"{n} 1 0 {','.join(str(64 * n + i) for i in range(64))}\n" for n in range(1 + MAX_SURFACES // 64)
        )
        self.wrong(OWN + many, None, f"more than {MAX_SURFACES} surfaces; use a part of it")

    def test_written(self) -> None:
        """What is written is read as it was."""
        frames, out = session(300), self.folder / "out.repaint.xz"
        writeFrames(frames, out)
        again = readFrames(out)
        self.assertEqual((again.begin, again.work, again.period), (frames.begin, frames.work, frames.period))
        named = [tuple((str(frames.surfaces[name]), at) for name, at in commits) for commits in frames.commits]
        self.assertEqual(again.commits, named)
        self.assertEqual(traceName(out), "out")

    def test_compressed(self) -> None:
        """How a file is compressed tells its content; of two files of the same frames the digest is one."""
        path = writeSession(self.folder / "a.repaint", session(200))
        other = self.folder / "b.frames.gz"
        other.write_bytes(gzip.compress(path.read_bytes()))
        self.assertEqual(loadTrace(path).digest, loadTrace(other).digest)
        self.assertEqual(loadTrace(other).name, "b")

    def test_bomb(self) -> None:
        """A small file that expands to much is refused in time, and read in pieces until then."""
        self.patch(readers, "MAX_BYTES", 64 << 20)
        self.bomb("a.xz", lzma.compress(OWN.encode() + (b"#" * 4095 + b"\n") * 20_000), "MiB uncompressed", readFrames)
        self.patch(readers, "MAX_LINES", 1000)
        self.bomb("b.xz", lzma.compress(OWN.encode() + b"\n" * 2000), "or 1000 lines", readFrames)

    @given(st.binary(max_size=300))
    def test_anything(self, data: bytes) -> None:
        """Whatever a file has in it: it is read, or a line says what is wrong."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        self.folder = folder
        for head in (b"", OWN.encode(), b'{ "id":1 }\n', V1.encode() + b"\n", b'{"Runs":', MANGO.encode()):
            self.attempt(".any", head + data, readFrames)


class TimelineTests(Case):
    def line(self, name: str, milliseconds: float, **more: object) -> str:
        nanoseconds = round(milliseconds * 1_000_000)
        return json.dumps({"T": [7 + nanoseconds // 10**9, nanoseconds % 10**9], "N": name, **more}) + "\n"

    def frame(self, at: float, work: float = 1.0, wo: int = 2) -> str:
        """A repaint 9 ms after a vblank."""
        return (
            self.line("core_repaint_finished", at, wo=wo)
            + self.line("core_repaint_begin", at + 9, wo=wo)
            + self.line("core_repaint_posted", at + 9 + work, wo=wo)
        )

    def test_frames(self) -> None:
        """Work is from begin to posted; a commit before the vblank is at 0, one after it at what it came later."""
        text = '{ "id":1, "type":"weston_surface", "desc":"top-level window" }\n'
        text += self.line("core_commit_damage", 1, ws=1) + self.line("core_repaint_finished", 2, wo=2)
        text += self.line("core_commit_damage", 5.5, ws=4) + self.line("core_flush_damage", 6, ws=4, wo=2)
        text += self.line("core_repaint_begin", 11, wo=2) + self.line("core_commit_damage", 11.5, ws=4)
        text += self.line("core_repaint_posted", 12.25, wo=2) + self.frame(20, 0.5)
        frames = self.read(self.line("core_repaint_req", 0, wo=2) + text)
        self.assertEqual(frames.work, [1250, 500])
        # What came during a repaint is of the next one.
        self.assertEqual(frames.commits, [(("1", 0), ("4", 3500)), (("4", 0),)])
        self.assertEqual(frames.begin[1] - frames.begin[0], 18_000)

    def test_vblank(self) -> None:
        """Where the timeline says when the vblank was, that counts, by either name."""
        for name in ("vblank", "vblank_monotonic"):
            text = self.line("core_repaint_finished", 4, wo=2, **{name: [7, 2_000_000]})
            text += self.line("core_commit_damage", 5, ws=1)
            text += self.line("core_repaint_begin", 9, wo=2) + self.line("core_repaint_posted", 10, wo=2)
            self.assertEqual(self.read(text).commits, [(("1", 3000),)])

    def test_gpu(self) -> None:
        """The GPU's end is the repaint's, if it is later."""
        text = self.frame(0) + self.line("renderer_gpu_end", 14, wo=2, gpu=[7, 12_500_000]) + self.frame(20)
        self.assertEqual(self.read(text).work, [3500, 1000])

    def test_causes(self) -> None:
        """Older logs have the surfaces in the causes of a request, over several lines."""
        text = '{ "T":[7, 0], "N":"core_repaint_req", "wo":2,\n\t"C": [\n\t\t{ "f":"x", "l":1187, "ws":9 }\n\t] }\n'
        self.assertEqual(self.read(text + self.frame(0)).commits, [(("9", 0),)])

    def test_outputs(self) -> None:
        """Of several outputs the one with the most repaints is read; a surface may be on any."""
        text = self.frame(0) + self.frame(0, wo=3) + self.line("core_commit_damage", 15, ws=1) + self.frame(20)
        frames = self.read(text + self.frame(40))
        self.assertEqual(len(frames.work), 3)
        self.assertEqual(frames.account.skipped["repaints of other outputs"], 1)
        self.assertEqual(frames.commits[1], (("1", 0),))

    def test_cut(self) -> None:
        """The last object may be cut off, and that is said; one in the middle may not."""
        frames = self.read(self.frame(0) + '{ "T":[7, 123')
        self.assertEqual(frames.account.skipped["an object at the end that was cut off"], 1)
        self.wrong(self.frame(0) + '{ "T":[7, 123\n' + self.frame(20), 4, "is no object; it should be like")

    def test_wrong(self) -> None:
        """Times and numbers that aren't are named with their lines."""
        good = self.frame(0)
        for bad in ("7", "[7]", "[7, -1]", "[7, 1e9]", "[7, 1000000000]", '["7", 1]', "[true, 1]", "null"):
            self.wrong(good + f'{{ "T":{bad}, "N":"core_repaint_begin", "wo":2 }}\n', 4, "is no time")
        for bad in ("-1", "true", '"2"', "null", "[]", str(1 << 32)):
            self.wrong(good + f'{{ "T":[7, 1], "N":"core_repaint_begin", "wo":{bad} }}\n', 4, "wo is")
        self.wrong('{ "id":1 }\n', None, "no output is painted in it")
        self.wrong('{ "id":1 }\n' + "[" * 70_000 + "\n", 2, "a line of 64 KiB or more")
        many = "".join(self.line("core_repaint_begin", 1, wo=n) for n in range(20))
        self.wrong(many, weston.MAX_OUTPUTS + 1, "more than 16 outputs")
        self.wrong('{ "id":1,\n' + " \n" * 40_000, 1, "an object of more than 64 KiB")


class GamesTests(Case):
    def test_presentMon(self) -> None:
        """Of version 1 the CPU's work is the time between two frames without the call before, the GPU's after it."""
        rows = ("a.exe,1,0x1,0,1.0,10,2,5\n", "a.exe,1,0x1,0,1.0,12,1,7\n", "b.exe,2,0x2,0,1.0,9,1,1\n")
        frames = self.read("\ufeff" + V1 + "\n" + "".join(rows))
        # The second call comes 12 ms after the first; the GPU was done with the first 5 ms after it.
        self.assertEqual(frames.work, [1000 * (10 + 5), 1000 * (12 - 2 + 7)])
        self.assertEqual(frames.account.skipped["frames of other programs, swap chains or runs"], 1)
        self.assertEqual(frames.account.figures["read"], "a.exe, 1, 0x1")
        # A GPU that is behind: the second frame's work begins when the first is done.
        frames = self.read(V1 + "\na.exe,1,0x1,0,1.0,10,2,30\na.exe,1,0x1,0,1.0,12,1,25\n")
        self.assertEqual(frames.work[1], 1000 * (12 - 2 + 25 - 18))

    def test_presentMon2(self) -> None:
        """Version 2 says both."""
        frames = self.read(V2 + "\na.exe,1,0x1,DXGI,0,16.7,4.5,12,9,8.25\na.exe,1,0x1,DXGI,0,NA,NA,1,1,1\n")
        self.assertEqual(frames.work, [4500 + 8250])
        self.assertEqual(frames.account.skipped["rows without times"], 1)
        self.assertIn("version 2", frames.account.format)

    def test_captureTable(self) -> None:
        """CapFrameX's and OCAT's tables are PresentMon's, with a head, and with the machine behind the first row."""
        frames = self.read(
            "//GameName=x\n//Comment=a, b\n" + V1 + '\na,1,0x1,0,1,10,2,5,"a, b",x\na,1,0x1,0,1,10,2,5\n'
        )
        self.assertEqual(len(frames.work), 2)

    def test_captureJson(self) -> None:
        """CapFrameX's JSON has the same columns in its runs; the longest run is read."""
        run = {"MsBetweenPresents": [10, 12.0], "MsInPresentAPI": [2, 1], "MsUntilRenderComplete": [5, 7], "Other": [1]}
        short = {"MsBetweenPresents": [10]}
        text = json.dumps({"Info": {}, "Runs": [{"CaptureData": short}, {"CaptureData": run}]}, indent=1)
        frames = self.read(text)
        self.assertEqual(frames.work, [15_000, 17_000])
        self.assertEqual(self.read(json.dumps(json.loads(text))).work, frames.work)

    def test_mangoHud(self) -> None:
        """MangoHud's log has frame times alone, with waits in them, which is said; old ones in microseconds."""
        frames = self.read(MANGO + "60,16.6,40,95,1\n58,17.1,42,96,2\n")
        self.assertEqual(frames.work, [16_600, 17_100])
        self.assertTrue(any("waited" in doubt for doubt in frames.account.doubts))
        self.assertEqual(self.read("fps,frametime\n60,16600\n58,17100\n").work, [16_600, 17_100])

    def test_wrong(self) -> None:
        """What is no table, no number, or too short is named with its line."""
        self.wrong(V1 + "\na,1,0x1,0,1,ten,2,5\n", 2, "msbetweenpresents is 'ten'; it should be a number")
        self.wrong(V1 + "\na,1,0x1\n", 2, "3 columns; there should be 8")
        self.wrong("Application,ProcessID\n" * 3, None, "no line has the names of columns; there should be a column")
        self.wrong('{"Runs": [}', 1, "no JSON")
        self.wrong('{"Runs": []}', None, "it has no Runs")
        self.wrong('{"Runs": [{"CaptureData": {"A": [1]}}]}', None, "run 1 has no MsBetweenPresents")
        self.patch(games, "MAX_PROGRAMS", 3)
        self.wrong(V1 + "\n" + "".join(f"a,{n},0x1,0,1,1,1,1\n" for n in range(9)), 5, "more than 3 programs")

    def test_deep(self) -> None:
        """JSON that is nested too deeply is refused."""
        self.wrong('{"Runs":' + "[" * 30_000 + "}", None, "no JSON")


class AccountTests(Case):
    def test_period(self) -> None:
        """What says no period gets one: a compositor 60 Hz, a program the highest rate that nine frames of ten keep."""
        told = session(200)
        told.period = 0
        self.assertEqual(loadTrace(writeSession(self.folder / "a", told)).period, 16_667)
        rows = "".join(f"{5000 * n} {4000 + 10 * (n % 100)} 0\n" for n in range(200))
        path = self.folder / "b.frames"
        path.write_text("# kernelnet frames 1\n" + rows)
        trace = loadTrace(path)
        # 4.71 ms are to be four fifths at most: 5.9 ms and more, which 165 Hz have.
        self.assertEqual(trace.period, 6061)
        self.assertIn("nobody says", str(trace.account.figures["period"]))
        self.assertTrue(any("which surfaces change" in doubt for doubt in trace.account.doubts))

    def test_short(self) -> None:
        """Too few frames are no trace."""
        path = writeSession(self.folder / "a", session(49))
        self.assertIn("it has 49 frames; 50 to", str(self.assertRaises(TraceError, loadTrace, path)))

    def test_inspected(self) -> None:
        """What the file was taken for, how much it has, and its first frames."""
        account = workbench.inspect(writeSession(self.folder / "a", session(200)))
        self.assertEqual(account.format, "kernelnet repaint 1")
        self.assertEqual(account.figures["frames"], 200)
        self.assertEqual(account.figures["surfaces"], 5)
        self.assertEqual(len(account.first), 5)

    def test_shared(self) -> None:
        """Recordings that may lie beside the repository are read, each by what is in it."""
        if not SHARED.is_dir():
            self.skipTest("../shared/traces/graphics is not there")
        for name, frames, work in (
            ("weston-timeline.log.xz", 8099, 1508),
            ("weston-pixman.repaint.xz", 8099, 1508),
            ("wesgr/timeline-2.log", 129, None),
            ("CapFrameXFileWithHeader.csv", 7285, None),
            ("OCAT-MetroExodus.exe-2019-02-20T101522.csv", 2502, None),
            ("PresentMonTestOutputFilename.csv", 1171, None),
            ("test_case_0.csv", 197, None),
        ):
            found = readFrames(SHARED / name)
            self.assertEqual(len(found.work), frames, name)
            if work:
                self.assertLess(abs(sorted(found.work)[3 * frames // 4] - work), 5)
