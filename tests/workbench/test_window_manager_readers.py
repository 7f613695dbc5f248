"""Movements of a pointer: what files of each kind mean, and what is said about files that are wrong."""

from __future__ import annotations

import gzip
import json
import lzma
import os
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.window_manager import evdev, flutter, movement, readers, workbench
from kernelnet.workbench.window_manager.movement import Movement
from kernelnet.workbench.window_manager.readers import readMovement, traceName
from kernelnet.workbench.window_manager.trace import loadTrace
from tests.workbench.reader_support import ReaderCase

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "traces" / "window_manager"
"""Movements that may lie beside the repository; they aren't ours to ship."""

OWN = b"# kernelnet pointer 1\n"
BALABIT = b"record timestamp,client timestamp,button,state,x,y\n"

EVTEST = """\
Input driver version is 1.0.1
Input device ID: bus 0x3 vendor 0x46d product 0xc077 version 0x111
Input device name: "Logitech USB Optical Mouse"
Supported events:
  Event type 0 (EV_SYN)
  Event type 2 (EV_REL)
    Event code 0 (REL_X)
Testing ... (interrupt to exit)
Event: time 1456522105.000000, type 4 (EV_MSC), code 4 (MSC_SCAN), value 90001
Event: time 1456522105.000000, type 2 (EV_REL), code 0 (REL_X), value -1
Event: time 1456522105.000000, type 2 (EV_REL), code 1 (REL_Y), value 2
Event: time 1456522105.000000, -------------- SYN_REPORT ------------
Event: time 1456522105.008000, type 2 (EV_REL), code 0 (REL_X), value 3
Event: time 1456522105.008000, -------------- SYN_REPORT ------------
Event: time 1456522105.009000, type 2 (EV_REL), code 8 (REL_WHEEL), value 1
Event: time 1456522105.009000, -------------- SYN_REPORT ------------
Event: time 1456522105.016500, type 2 (EV_REL), code 1 (REL_Y), value -4
Event: time 1456522105.016500, -------------- SYN_REPORT ------------
"""

LIBINPUT = """\
# libinput record
version: 1
ndevices: 1
libinput:
  version: "1.22.1"
devices:
- node: /dev/input/event4
  evdev:
    # Name: SynPS/2 Synaptics TouchPad
    codes:
      3: [0, 1, 24] # EV_ABS
  events:
    # Current time is 14:10:52
  - evdev:
    - [  0,      0,   1, 330,       1] # EV_KEY / BTN_TOUCH                 1
    - [  0,      0,   3,   0,    3200] # EV_ABS / ABS_X                  3200
    - [  0,      0,   3,   1,    1800] # EV_ABS / ABS_Y                  1800
    - [  0,      0,   0,   0,       0] # ------------ SYN_REPORT (0) ---------- +0ms
  - evdev:
    - [  0,  12500,   3,   0,    3210] # EV_ABS / ABS_X                  3210
    - [  0,  12500,   0,   0,       0] # ------------ SYN_REPORT (0) ---------- +12ms
  - libinput:
    - {time: 0.012, type: POINTER_MOTION, delta: [ 1.00,  0.00]}
  - evdev:
    - [  0,  25000,   1, 330,       0] # EV_KEY / BTN_TOUCH                 0
    - [  0,  25000,   0,   0,       0] # ------------ SYN_REPORT (0) ---------- +13ms
  - evdev:
    - [  0,  37500,   3,   0,    1000] # EV_ABS / ABS_X                  1000
    - [  0,  37500,   0,   0,       0] # ------------ SYN_REPORT (0) ---------- +13ms
"""


def pointerData(time: int, x: float, y: float, change: Any = 5, **more: Any) -> dict[str, Any]:
    return {"timeStamp": time, "change": change, "physicalX": x, "physicalY": y, "device": 0, **more}


class Case(ReaderCase):
    def read(self, content: bytes | str, name: str = "a.pointer") -> list[tuple[int, int, int]]:
        found = self.movement(content, name)
        return [(gap, dx, dy) for gap, (dx, dy) in zip(found.gaps.tolist(), found.moves.tolist(), strict=True)]

    def movement(self, content: bytes | str, name: str = "a.pointer") -> Movement:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return readMovement(path)

    def wrong(self, content: bytes | str, line: int | None, words: str, name: str = "a.pointer") -> None:
        """Refused, with the file, this line, and what would be right."""
        self.refused(name, line, words, lambda: self.read(content, name))


class OwnTests(Case):
    def test_plain(self) -> None:
        """Microseconds and pixels since the sample before; pauses end at 200 ms, and the first comes after one."""
        self.assertEqual(
            self.read(OWN + b"5 1 1\n8000 3 -1.5\r\n# a remark\n\n900000 0.001 0\n"),
            [(200_000, 0, 0), (8000, 3000, -1500), (200_000, 1, 0)],
        )
        self.assertEqual(self.read(OWN), [])

    def test_exact(self) -> None:
        """Milli-pixels add up, however many there were: no sample is rounded because of those before it."""
        found = self.read(OWN + b"1 0 0\n" + b"1000 0.1 -0.7\n" * 5000)
        self.assertEqual(set(found[1:]), {(1000, 100, -700)})

    def test_wrong(self) -> None:
        """The first line that is no movement is named, with what would be right."""
        for bad in (
            b"8000 3",
            b"8000 3 4 5",
            b"8e3 3 4",
            b"-1 3 4",
            b"8000 3,5 4",
            b"8000 nan 0",
            b"1 2 3.0001",
            b"\xff",
        ):
            self.wrong(OWN + b"1 0 0\n" + bad + b"\n", 3, "is no movement; a line is: microseconds since")
        self.wrong(OWN + b"1 0 0\n0 1 1\n", 3, "0 us since the sample before; samples should be 1 us apart")
        self.wrong(
            b"# kernelnet pointer 2\n1 0 0\n", None, "it begins with '# kernelnet pointer 2'; it should be our own"
        )

    def test_compressed(self) -> None:
        """It may be compressed with anything, and called anything."""
        data = OWN + b"1 0 0\n8000 1 2\n"
        for name, packed in (("a.pointer.gz", gzip.compress(data)), ("b.xz", lzma.compress(data)), ("c", data)):
            self.assertEqual(self.read(packed, name)[1], (8000, 1000, 2000))
        self.wrong(lzma.compress(data * 99)[:-9], None, "not a whole xz file", "a.xz")
        self.assertRaises(TraceError, readMovement, self.folder / "missing")
        for name in ("x.pointer.xz", "x.csv", "x.json.gz", "x.evtest", "x.yml"):
            self.assertEqual(traceName(Path(name)), "x")

    def test_jump(self) -> None:
        """What no hand can do is taken as the pointer put elsewhere, and a doubt says so."""
        found = self.movement(OWN + b"1 0 0\n8000 1 1\n8000 999999 0\n8000 1 1\n")
        self.assertEqual(found.gaps.tolist(), [200_000, 8000, 200_000, 8000])
        self.assertEqual(found.moves[2].tolist(), [0, 0])
        self.assertIn("jumps by more than 100000 pixels", found.account.doubts[0])


class CsvTests(Case):
    def test_balabit(self) -> None:
        """Seconds of the client; moves and drags count, and of one time the last place."""
        rows = (
            b"0.0,0.0,NoButton,Move,374,232\n"
            b"0.16,0.016,NoButton,Move,380,240\n"
            b"0.16,0.016,NoButton,Move,388,247\n"
            b"0.2,0.020,Left,Pressed,388,247\n"
            b"0.3,0.047,Left,Drag,392,248\n"
            b"0.3,0.048,NoButton,Move,65535,65535\n"
            b"0.4,1.047,Left,Drag,400,248\n"
        )
        found = self.movement(BALABIT + rows, "session_1.csv")
        self.assertEqual(found.gaps.tolist(), [200_000, 16_000, 31_000, 200_000])
        self.assertEqual(found.moves.tolist(), [[0, 0], [14_000, 15_000], [4000, 1000], [8000, 0]])
        skipped = found.account.skipped
        self.assertEqual(skipped["rows of the state 'Pressed'"], 1)
        self.assertEqual(skipped["samples of the same time as another; the last one counts"], 1)
        self.assertEqual(skipped["rows with a place of 65535, which is none"], 1)
        self.assertEqual(found.account.columns["client timestamp"], "time, in seconds")

    def test_other(self) -> None:
        """Any order of columns, times in other units, without states, names in quotes."""
        for name, unit in (("time_s", 1e-6), ("time_ms", 1e-3), ("time_us", 1)):
            rows = "".join(f"{n},{0.5 * n},{8000 * n * unit:.6f}\n" for n in range(3))
            found = self.read(f'"Y","X","{name}"\n{rows}', "a.csv")
            self.assertEqual(found, [(200_000, 0, 0), (8000, 500, 1000), (8000, 500, 1000)], name)

    def test_back(self) -> None:
        """Where time goes back the pointer begins anew, and it is counted."""
        found = self.movement(b"x,y,time_ms\n0,0,100\n1,1,110\n5,5,50\n6,6,60\n", "a.csv")
        self.assertEqual(found.gaps.tolist(), [200_000, 10_000, 200_000, 10_000])
        self.assertIn("times that go back: the pointer begins anew there (not left out)", found.account.skipped)

    def test_wrong(self) -> None:
        """A missing column, a short row and what is no number are named."""
        self.wrong(
            b"x,y,clock\n1,2,3\n", 1, "no column of times among x, y, clock; one should be called client", "a.csv"
        )
        self.wrong(BALABIT + b"0,0,NoButton,Move,1\n", 2, "5 columns; there should be 6, as in the header", "a.csv")
        for bad in (b"one", b"", b"nan", b"1e99"):
            self.wrong(b"x,y,time_s\n1,2,3\n" + bad + b",2,3\n", 3, "it should be a number", "a.csv")
        self.wrong(b"x,y,time_s\n-200000,2,3\n", 2, "it should be within 100000 pixels", "a.csv")
        self.wrong(b"a,b\n1,2\n", None, "no movements of a pointer: it begins with 'a,b'", "a.csv")


class EvdevTests(Case):
    def test_evtest(self) -> None:
        """What lies between two reports is one sample; reports without a movement are none."""
        found = self.movement(EVTEST, "mouse.txt")
        self.assertEqual(found.gaps.tolist(), [200_000, 8000, 8500])
        self.assertEqual(found.moves.tolist(), [[0, 0], [3000, 0], [0, -4000]])
        self.assertEqual(found.account.doubts, [])
        self.assertEqual(found.account.first[0], ("line 10", "at 1456522105000000 us: -1 right"))

    def test_libinput(self) -> None:
        """Places of a touchpad; a finger that is lifted begins anew, and units are a doubt."""
        found = self.movement(LIBINPUT, "touchpad.yml")
        self.assertEqual(found.gaps.tolist(), [200_000, 12_500, 200_000])
        self.assertEqual(found.moves.tolist(), [[0, 0], [10_000, 0], [0, 0]])
        self.assertIn("in the device's own units", found.account.doubts[0])

    def test_devices(self) -> None:
        """Of a file with two devices the second one begins anew, whatever its times."""
        second = LIBINPUT[LIBINPUT.index("- node") :].replace("event4", "event5")
        found = self.movement(LIBINPUT + second, "two.yml")
        self.assertEqual(found.gaps.tolist(), [200_000, 12_500, 200_000] * 2)

    def test_dropped(self) -> None:
        """Where the kernel lost reports nothing is known of the way between."""
        lost = EVTEST.replace(
            "Event: time 1456522105.009000, -------------- SYN_REPORT",
            "Event: time 1456522105.009000, -------------- SYN_DROPPED",
        )
        found = self.movement(lost, "mouse.evtest")
        self.assertEqual(found.gaps.tolist(), [200_000, 8000, 200_000])
        self.assertEqual(sum(found.account.skipped.values()), 1)

    def test_wrong(self) -> None:
        """A line that begins as an event, and is none, is named."""
        self.wrong(EVTEST.replace("value 3", "value three"), 13, "a line of evtest is such as", "a.txt")
        self.wrong(
            EVTEST.replace("value 3", "value 999999"), 13, "a value of 999999; it should be within 100000", "a.txt"
        )
        self.wrong(
            LIBINPUT.replace("12500,   3,   0,    3210", "12500,   3,   0"),
            20,
            "an event of libinput record is such as",
            "a.yml",
        )


class FlutterTests(Case):
    def test_events(self) -> None:
        """Objects anywhere, with changes as numbers or words; up ends a movement."""
        events = [
            {"ts": 1, "events": [pointerData(0, 10, 20, 1), pointerData(0, 10, 20, 4)]},
            {"ts": 2, "events": [pointerData(8000, 11.5, 20, "PointerChange.move"), pointerData(16_000, 12, 22, "up")]},
            pointerData(20_000, 500, 500, 4),
            pointerData(28_000, 501, 500, 5),
        ]
        found = self.movement(json.dumps(events), "a.json")
        self.assertEqual(found.gaps.tolist(), [200_000, 8000, 8000, 200_000, 8000])
        self.assertEqual(found.moves.tolist(), [[0, 0], [1500, 0], [500, 2000], [0, 0], [1000, 0]])
        self.assertEqual(found.account.figures["events"], 6)

    def test_second(self) -> None:
        """Of two fingers the first one counts, until it is lifted."""
        events = [
            pointerData(0, 0, 0, 4, pointerIdentifier=1),
            pointerData(1000, 900, 900, 4, pointerIdentifier=2),
            pointerData(8000, 1, 0, 5, pointerIdentifier=1),
            pointerData(9000, 901, 900, 5, pointerIdentifier=2),
        ]
        found = self.movement(json.dumps(events), "a.json")
        self.assertEqual(found.moves.tolist(), [[0, 0], [1000, 0]])
        self.assertEqual(found.account.skipped["events of a second pointer"], 2)

    def test_wrong(self) -> None:
        """No JSON, no events, and events with something wrong in them."""
        self.wrong("[1, 2", None, "no JSON: ", "a.json")
        self.wrong('{"a": [1, 2]}', None, "no events of a pointer in it; a pointer's event should have", "a.json")
        self.wrong("[" * 5000, None, "no JSON: ", "a.json")
        good = pointerData(0, 1, 1)
        for bad, words in (
            ({"physicalX": "left"}, "event 2: physicalX is 'left'"),
            ({"physicalY": 1e9}, "event 2: physicalY is '1000000000.0'"),
            ({"timeStamp": None}, "event 2: timeStamp is 'None'"),
            ({"change": "sideways"}, "event 2: change is 'sideways'; it should be 0 to 6, or cancel, add"),
            ({"timeStamp": -5}, "event 2: time goes back to -5 us"),
        ):
            self.wrong(json.dumps([good, {**good, **bad}]), None, words, "a.json")


class BoundTests(Case):
    def test_samples(self) -> None:
        """More samples than are taken are refused."""
        self.patch(movement, "MAX_SAMPLES", 10)
        self.assertEqual(len(self.read(OWN + b"1 1 1\n" * 10)), 10)
        self.wrong(OWN + b"1 1 1\n" * 11, None, "samples; use a part of it")

    def test_bombs(self) -> None:
        """Small files that expand to much are refused in pieces."""
        self.patch(readers, "MAX_BYTES", 4 << 20)
        self.patch(flutter, "MAX_BYTES", 8 << 20)
        lines = b"#" * 1000 + b"\n"
        self.bomb("a.xz", lzma.compress(OWN + lines * 70_000), "uncompressed", readMovement)
        self.bomb("b.xz", lzma.compress(OWN + b"#" * (70 << 20)), "a line of 64 KiB or more", readMovement)
        self.bomb("c.xz", lzma.compress(b"[" + b" " * (70 << 20)), "MiB of JSON", readMovement)

    def test_random(self) -> None:
        """Whatever a file has in it: it is read, or refused in one line."""
        for number in range(40):
            self.attempt(".pointer", OWN + os.urandom(200), readMovement)
            self.attempt(".csv", BALABIT + os.urandom(200), readMovement)
            self.attempt(".json", b"[" + os.urandom(number), readMovement)
            self.attempt(".bin", os.urandom(500), readMovement)

    @given(st.text(alphabet="Event: time 0123.,type()cdvalu-\n[]{}'\" ", max_size=200))
    def test_almost(self, text: str) -> None:
        """So with what looks nearly right."""
        for begin in (evdev.EVTEST, "  - evdev:\n    - [", '[{"physicalX": ', "x,y,time_s\n"):
            path = Path(self.mktemp())
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(begin + text)
            try:
                readMovement(path)
            except TraceError as error:
                self.assertEqual(len(str(error).splitlines()), 1)


class SharedTests(Case):
    def test_read(self) -> None:
        """What lies beside the repository is read, and enough of it counts."""
        for name, frames in (
            ("balabit-user7_session_1060325796.csv.gz", 16_000),
            ("flutter-scrollingRecord.json.xz", 190),
        ):
            if (SHARED / name).exists():
                trace = loadTrace(SHARED / name)
                self.assertGreater(len(trace.frames), frames)
                self.assertTrue(workbench.inspect(SHARED / name).first)
