"""
Events of Linux's input devices, as C{evtest} and C{libinput record} write them down.

C{evtest} (U{https://gitlab.freedesktop.org/libevdev/evtest}) has lines such as::

    Event: time 1732850000.123456, type 2 (EV_REL), code 0 (REL_X), value -3
    Event: time 1732850000.123456, -------------- SYN_REPORT ------------

C{libinput record} (U{https://wayland.freedesktop.org/libinput/doc/latest/tools.html}) has YAML, and in it for each
event C{[seconds, microseconds, type, code, value]}.  What lies between two reports is one sample
(U{https://docs.kernel.org/input/event-codes.html}).  Relative axes are counts of the device, before any acceleration;
of absolute ones the units are the device's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from kernelnet.workbench.account import MAX_FIRST
from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.window_manager.movement import FARTHEST, Samples

__all__ = [
    "ABS",
    "EVTEST",
    "KEY",
    "LIBINPUT",
    "REL",
    "SYN",
    "Event",
    "Reports",
    "evtestEvents",
    "libinputEvents",
    "readEvents",
]

EVTEST = "Event: time "
"""In each line of C{evtest} that is an event."""

LIBINPUT = re.compile(r"^-? ?evdev:")
"""Before the events of C{libinput record}."""

SYN, KEY, REL, ABS = range(4)
"""Types of events, C{EV_…} of linux/input-event-codes.h."""

_SYN_REPORT, _SYN_DROPPED = 0, 3
_BTN_TOUCH, _BTN_TOOL_PEN, _BTN_TOOL_FINGER = 0x14A, 0x140, 0x145
_X, _Y = 0, 1

_EVTEST = re.compile(
    r"Event: time (\d{1,12})\.(\d{6}), type (\d{1,3}) \([^)]*\), code (\d{1,5}) \([^)]*\), value (-?[0-9a-fA-F]{1,10})",
    re.ASCII,
)
_EVTEST_SYN = re.compile(
    r"Event: time (\d{1,12})\.(\d{6}), [-+>< ]*(SYN_REPORT|SYN_DROPPED|SYN_MT_REPORT|Config Sync)", re.ASCII
)
_LIST = re.compile(r"- *\[ *(\d{1,12}), *(\d{1,6}), *(\d{1,3}), *(\d{1,5}), *(-?\d{1,10}) *\]", re.ASCII)
_EVTEST_RIGHT = "a line of evtest is such as: Event: time 12.345678, type 2 (EV_REL), code 0 (REL_X), value -3"
_LIST_RIGHT = "an event of libinput record is such as: - [  0, 123456,   2,   0,  -3]"


class Event(NamedTuple):
    """
    @ivar line: of the file.
    @ivar time: microseconds.
    """

    line: int
    time: int
    type: int
    code: int
    value: int


class Reports:
    """Events of one device, which become samples report by report."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples
        self._begin()

    def _begin(self) -> None:
        self.isAbsolute = False
        self._place: dict[int, int] = {}
        self._moved = [0, 0]
        self._changed = self._lifted = False

    def add(self, event: Event) -> None:
        """Take one event into account; a report makes a sample, if the pointer moved."""
        if event.type == REL and event.code in (_X, _Y):
            self._moved[event.code] += event.value
            self._changed = True
        elif event.type == ABS and event.code in (_X, _Y):
            self._place[event.code] = event.value
            self._changed = self.isAbsolute = True
        elif event.type == KEY and event.code in (_BTN_TOUCH, _BTN_TOOL_PEN, _BTN_TOOL_FINGER) and not event.value:
            self._lifted = True
        elif event.type == SYN and event.code == _SYN_DROPPED:
            self.samples.account.skipped["reports that the kernel lost: the pointer begins anew"] += 1
            self._changed, self._moved = False, [0, 0]
            self.samples.lift()
        elif event.type == SYN and event.code == _SYN_REPORT:
            self._report(event.time)

    def anew(self) -> None:
        """Another device."""
        self._begin()
        self.samples.lift()

    def _report(self, time: int) -> None:
        if self._changed and self.samples.time is not None and time < self.samples.time:
            self.samples.account.skipped["times that go back: the pointer begins anew there (not left out)"] += 1
            self.samples.lift()
        if self._changed and self.isAbsolute and len(self._place) == 2:
            self.samples.at(time, self._place[_X], self._place[_Y])
        elif self._changed and not self.isAbsolute:
            self.samples.by(time, *self._moved)
        if self._lifted:
            self.samples.lift()
        self._changed, self._lifted, self._moved = False, False, [0, 0]


def readEvents(path: Path, events: Iterable[Event | None], samples: Samples) -> None:
    """
    Make samples of a device's events.

    @param events: C{None}: another device's follow.
    @raise TraceError: see `evtestEvents`; or a value is out of all bounds.
    """
    reports = Reports(samples)
    account, absolute = samples.account, False
    account.format = "events of an input device"
    for event in events:
        if event is None:
            reports.anew()
            continue
        if event.type in (REL, ABS) and event.code in (_X, _Y) and abs(event.value) > FARTHEST:
            raise TraceError(path, event.line, f"a value of {event.value}", f"it should be within {FARTHEST}")
        if len(account.first) < MAX_FIRST and event.type in (REL, ABS) and event.code in (_X, _Y):
            way = ("right", "down")[event.code]
            what = (
                f"{event.value} {way}"
                if event.type == REL
                else f"at {event.value} from the {('left', 'top')[event.code]}"
            )
            account.first.append((f"line {event.line}", f"at {event.time} us: {what}"))
        reports.add(event)
        absolute = absolute or reports.isAbsolute
    if absolute:
        account.doubt("places are in the device's own units, which are taken as pixels")


def evtestEvents(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[Event]:
    """
    Events of C{evtest}; what it says before them is passed over.

    @raise TraceError: a line begins as an event, and is none.
    """
    for number, line in lines:
        if EVTEST not in line:
            continue
        if match := _EVTEST.search(line):
            seconds, micro, kind, code = (int(match[at]) for at in range(1, 5))
            # Scan codes are hexadecimal: all of them are none of ours.
            value = int(match[5]) if re.fullmatch(r"-?\d+", match[5]) else 0
            yield Event(number, seconds * 1_000_000 + micro, kind, code, value)
        elif match := _EVTEST_SYN.search(line):
            code = {"SYN_REPORT": _SYN_REPORT, "SYN_DROPPED": _SYN_DROPPED}.get(match[3], 1)
            yield Event(number, int(match[1]) * 1_000_000 + int(match[2]), SYN, code, 0)
        else:
            raise TraceError(path, number, f"{line[:60]!r} is no event", _EVTEST_RIGHT)


def libinputEvents(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[Event | None]:
    """
    Events of C{libinput record}; C{None}: those of another device follow.

    @raise TraceError: what stands under C{evdev:} is no list of five numbers.
    """
    inside = False
    for number, line in lines:
        if LIBINPUT.search(line):
            inside = True
        elif line.startswith("- node:"):
            inside = False
            yield None
        elif not inside or not line or line.startswith("#"):
            continue
        elif match := _LIST.match(line):
            seconds, micro, kind, code, value = (int(group) for group in match.groups())
            yield Event(number, seconds * 1_000_000 + micro, kind, code, value)
        elif line.startswith(("- [", "-[")):
            raise TraceError(path, number, f"{line[:60]!r} is no event", _LIST_RIGHT)
        else:
            # Such as what libinput itself made of the events, with --with-libinput.
            inside = False
