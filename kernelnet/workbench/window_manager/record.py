"""
C{kernelnet record --pointer}: the movements of the mouse, touchpad, pen or finger that somebody uses at this machine.

They are read where the kernel hands them out, C{/dev/input/event*} (U{https://docs.kernel.org/input/input.html}),
beside whatever else reads them: nothing is taken away.  That takes root, or the group C{input}.  Nothing but times and
movements is kept: no keys, no buttons, and no names; of several devices the one that moves most.
"""

from __future__ import annotations

import fcntl
import gzip
import lzma
import os
import re
import select
import struct
import time
from collections.abc import Callable
from pathlib import Path

from kernelnet.workbench.account import Account
from kernelnet.workbench.errors import WorkbenchError
from kernelnet.workbench.window_manager.evdev import ABS, KEY, REL, SYN, Event, Reports
from kernelnet.workbench.window_manager.movement import MAX_SAMPLES, MILLI, Movement, Samples
from kernelnet.workbench.window_manager.readers import FIRST_LINE

__all__ = ["pointers", "recordPointer", "writeMovement"]

DEVICES = Path("/dev/input")
MAX_SECONDS = 86_400
_EVENT = struct.Struct("llHHi")
_READ = _EVENT.size * 256
_CLOCK_MONOTONIC = struct.pack("i", 1)


def _ioctl(number: int, size: int, *, write: bool) -> int:
    """An ioctl of evdev, as C{_IOC} of asm-generic/ioctl.h makes it."""
    return (1 if write else 2) << 30 | size << 16 | ord("E") << 8 | number


_SET_CLOCK = _ioctl(0xA0, 4, write=True)


def _bits(device: int, kind: int) -> int:
    """The codes of a type of events that a device has, as bits."""
    buffer = bytearray(96)
    fcntl.ioctl(device, _ioctl(0x20 + kind, len(buffer), write=False), buffer)
    return int.from_bytes(buffer, "little")


def pointers(folder: Path = DEVICES, isPointer: Callable[[int], bool] | None = None) -> dict[int, Path]:
    """
    Open all devices that have a pointer's two axes.

    @param isPointer: tells it of an open device; by default the kernel is asked.
    @return: by descriptor.
    @raise WorkbenchError: there are none, or they may not be read.
    """
    isPointer = isPointer or _hasAxes
    found: dict[int, Path] = {}
    forbidden = 0
    for path in sorted(folder.glob("event*")):
        try:
            device = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except PermissionError:
            forbidden += 1
            continue
        except OSError:
            continue
        if isPointer(device):
            found[device] = path
        else:
            os.close(device)
    if not found and forbidden:
        raise WorkbenchError(f"{folder}: {forbidden} devices may not be read; run it as root, or as of the group input")
    if not found:
        raise WorkbenchError(f"{folder} has no mouse, touchpad, pen or screen; record where somebody uses one")
    return found


def _hasAxes(device: int) -> bool:
    try:
        fcntl.ioctl(device, _SET_CLOCK, _CLOCK_MONOTONIC)
        return any(_bits(device, kind) & 3 == 3 for kind in (REL, ABS))
    except OSError:
        return False


def recordPointer(seconds: float, out: Path, devices: dict[int, Path] | None = None) -> int:
    """
    Record for some seconds, or until there are as many samples as a trace may have; blocks for so long.

    @param out: C{NAME.pointer}, with C{.xz} or C{.gz} behind it if it is to be compressed.
    @param devices: open ones, by descriptor; they are closed.  C{None}: see `pointers`.
    @return: how many samples it has.
    @raise WorkbenchError: it can't be recorded or written; says what would be needed.
    """
    if not 0 < seconds <= MAX_SECONDS:
        raise WorkbenchError(f"{seconds} seconds can't be recorded; it should be more than 0 and at most {MAX_SECONDS}")
    _suffixOf(out)
    devices = pointers() if devices is None else devices
    each = {device: Reports(Samples(Account(), lambda: WorkbenchError("too many"))) for device in devices}
    full = False
    end = time.monotonic() + seconds
    try:
        while devices and not full and (left := end - time.monotonic()) > 0:
            for device in select.select(list(devices), [], [], left)[0]:
                data = _read(device)
                if not data:
                    # It was pulled out.
                    os.close(device)
                    del devices[device]
                full = full or _take(each[device], data)
    finally:
        for device in devices:
            os.close(device)
    movements = [reports.samples.movement() for reports in each.values()]
    movement = max(movements, key=lambda one: len(one.gaps), default=None)
    if movement is None or not len(movement.gaps):
        raise WorkbenchError(f"nothing moved within {seconds:g} seconds; move the pointer as you always do")
    writeMovement(movement, out)
    return len(movement.gaps)


def _read(device: int) -> bytes:
    try:
        return os.read(device, _READ)
    except BlockingIOError:
        return _EVENT.pack(0, 0, SYN, 1, 0)
    except OSError:
        return b""


def _take(reports: Reports, data: bytes) -> bool:
    """Take what was read; whether that is as much as a trace may have."""
    for second, micro, kind, code, value in _EVENT.iter_unpack(data[: len(data) // _EVENT.size * _EVENT.size]):
        if kind in (SYN, KEY, REL, ABS):
            if len(reports.samples) == MAX_SAMPLES:
                return True
            reports.add(Event(0, second * 1_000_000 + micro, kind, code, value))
    return False


def writeMovement(movement: Movement, out: Path) -> None:
    """@raise WorkbenchError: it can't be written."""
    lines = [FIRST_LINE]
    for gap, (dx, dy) in zip(movement.gaps.tolist(), movement.moves.tolist(), strict=True):
        lines.append(f"{gap} {_pixels(dx)} {_pixels(dy)}")
    data = ("\n".join(lines) + "\n").encode("ascii")
    suffix = _suffixOf(out)
    if suffix == ".xz":
        data = lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)
    elif suffix == ".gz":
        data = gzip.compress(data, mtime=0)
    try:
        out.write_bytes(data)
    except OSError as error:
        raise WorkbenchError(f"{out}: {error.strerror or error}; it should be a file that can be written") from None


def _pixels(milli: int) -> str:
    whole, rest = divmod(abs(milli), MILLI)
    return f"{'-' if milli < 0 else ''}{whole}" + (f".{rest:03}".rstrip("0") if rest else "")


def _suffixOf(out: Path) -> str:
    match = re.fullmatch(r".+\.pointer(\.xz|\.gz)?", out.name)
    if match is None:
        raise WorkbenchError(f"{out}: movements should be called NAME.pointer, .pointer.xz or .pointer.gz")
    return match[1] or ""
