"""The recorder of pointers: what it makes of what a device hands out."""

from __future__ import annotations

import os
import struct
import threading
import time
from pathlib import Path

from kernelnet.workbench.errors import WorkbenchError
from kernelnet.workbench.window_manager import record
from kernelnet.workbench.window_manager.readers import readMovement
from kernelnet.workbench.window_manager.record import pointers, recordPointer
from tests.workbench.contract import FolderCase


def events(*each: tuple[int, int, int, int]) -> bytes:
    """As the kernel hands them out: microseconds, type, code, value."""
    return b"".join(struct.pack("llHHi", time // 1_000_000, time % 1_000_000, *rest) for time, *rest in each)


def moved(time: int, dx: int, dy: int) -> bytes:
    return events((time, 2, 0, dx), (time, 2, 1, dy), (time, 0, 0, 0))


class RecordTests(FolderCase):
    def devices(self, *data: bytes) -> dict[int, Path]:
        """Open ones that hand this out, and are pulled out then."""
        found = {}
        for number, each in enumerate(data):
            path = self.folder / f"event{number}"
            path.write_bytes(each)
            found[os.open(path, os.O_RDONLY)] = path
        return found

    def recorded(self, *data: bytes, name: str = "a.pointer") -> list[tuple[int, int, int]]:
        count = recordPointer(5, self.folder / name, self.devices(*data))
        found = readMovement(self.folder / name)
        self.assertEqual(count, len(found.gaps))
        return [(gap, dx, dy) for gap, (dx, dy) in zip(found.gaps.tolist(), found.moves.tolist(), strict=True)]

    def test_written(self) -> None:
        """Reports become samples in our own format, compressed or not; of keys and wheels nothing is kept."""
        data = moved(1_000_000, 9, 9) + events((1_004_000, 1, 30, 1), (1_004_000, 2, 8, 1), (1_004_000, 0, 0, 0))
        data += moved(1_008_000, 3, -1) + moved(3_000_000, 1, 0)
        for name in ("a.pointer", "a.pointer.xz", "a.pointer.gz"):
            self.assertEqual(self.recorded(data, name=name), [(200_000, 0, 0), (8000, 3000, -1000), (200_000, 1000, 0)])

    def test_most(self) -> None:
        """Of several devices the one that moves most is kept."""
        few, many = moved(5, 1, 1), b"".join(moved(8000 * n + 1, n, 0) for n in range(20))
        self.assertEqual(len(self.recorded(few, many, few)), 20)

    def test_touch(self) -> None:
        """A finger that was lifted begins anew elsewhere."""
        data = events((0, 3, 0, 100), (0, 3, 1, 100), (0, 0, 0, 0), (8000, 3, 0, 107), (8000, 0, 0, 0))
        data += events((9000, 1, 0x14A, 0), (9000, 0, 0, 0), (16_000, 3, 0, 900), (16_000, 0, 0, 0))
        self.assertEqual(self.recorded(data), [(200_000, 0, 0), (8000, 7000, 0), (200_000, 0, 0)])

    def test_waits(self) -> None:
        """It ends when its time is over, whether somebody moves or not; what came until then is there."""
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        self.addCleanup(os.close, writer)
        threading.Timer(0.05, os.write, (writer, moved(1, 1, 1) + moved(9001, 2, 2))).start()
        began = time.monotonic()
        self.assertEqual(recordPointer(0.4, self.folder / "a.pointer", {reader: Path("pipe")}), 2)
        self.assertGreaterEqual(time.monotonic() - began, 0.4)

    def test_full(self) -> None:
        """It ends, and keeps what there is, when there are as many samples as a trace may have."""
        self.patch(record, "MAX_SAMPLES", 10)
        self.assertEqual(len(self.recorded(b"".join(moved(8000 * n + 1, 1, 0) for n in range(300)))), 10)

    def test_refused(self) -> None:
        """Each mistake and each lack is one line that says what would be right."""
        for seconds in (0, -1, 86_401):
            error = self.assertRaises(WorkbenchError, recordPointer, seconds, self.folder / "a.pointer")
            self.assertIn("should be more than 0 and at most 86400", str(error))
        error = self.assertRaises(WorkbenchError, recordPointer, 1, self.folder / "a.txt")
        self.assertIn("should be called NAME.pointer", str(error))
        error = self.assertRaises(WorkbenchError, recordPointer, 1, self.folder / "a.pointer", self.devices(b""))
        self.assertIn("nothing moved within 1 seconds", str(error))
        error = self.assertRaises(
            WorkbenchError, recordPointer, 1, self.folder / "no" / "a.pointer", self.devices(moved(1, 1, 1))
        )
        self.assertIn("it should be a file that can be written", str(error))

    def test_pointers(self) -> None:
        """Only devices with a pointer's axes are opened; where there are none it is said."""
        for number in range(3):
            (self.folder / f"event{number}").write_bytes(b"")
        answers = iter([False, True, False])
        found = pointers(self.folder, lambda device: next(answers))
        self.assertEqual([path.name for path in found.values()], ["event1"])
        for device in found:
            os.close(device)
        # What is no device has no axes.
        self.assertIn("has no mouse", str(self.assertRaises(WorkbenchError, pointers, self.folder)))
        self.assertIn("has no mouse", str(self.assertRaises(WorkbenchError, pointers, self.folder / "none")))
        self.patch(os, "open", self.forbidden)
        self.assertIn("3 devices may not be read", str(self.assertRaises(WorkbenchError, pointers, self.folder)))

    def forbidden(self, path: Path, flags: int) -> int:
        raise PermissionError(13, "Permission denied", str(path))
