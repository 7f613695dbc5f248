"""
Readers of recordings of packets, each compressed or not; what a file is, its beginning says, not its name.

===========================================  ==========================================================================
it begins with                               it is
===========================================  ==========================================================================
C{# kernelnet owd 1: seq sent_us received_us}  our own: these three numbers a line, of packets that came
C{#!rtpplay1.0} or C{#!RTPencode1.0}         rtpdump's, as Wireshark and WebRTC write it; see `rtpdump`
C{{}                                         irtt's JSON; see `irtt`
names of columns                             a table of what was sent and received, or one of each; see `tables`
a whole number alone                         mahimahi's link: voice goes through it by itself
===========================================  ==========================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from kernelnet.workbench.account import MAX_FIRST, Account
from kernelnet.workbench.audio.irtt import readIrtt
from kernelnet.workbench.audio.packets import FRAME, MAX_FRAMES, Packets
from kernelnet.workbench.audio.rtpdump import MAGIC, readRtpdump
from kernelnet.workbench.audio.tables import readTables
from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.reading import BOM, nameOf, opened, pieces, shown, wholeLines

__all__ = ["FIRST_LINE", "PER_OPPORTUNITY", "callName", "readPackets"]

FIRST_LINE = "# kernelnet owd 1: seq sent_us received_us"
"""The first line of our own format."""

PER_OPPORTUNITY = 7
"""Packets of voice, of 200 bytes each with their headers, in 1500 bytes that a link delivers."""

_RIGHT = (
    "each line should be the number of a packet that came, and when it was sent and received, in whole microseconds"
)
_LINK = "each line should be a whole number of milliseconds, at which the link can deliver 1500 bytes"
_KNOWN = (
    f"a file begins with {FIRST_LINE!r}, #!rtpplay1.0, {{ (irtt), names of columns (CSV), or a whole number (mahimahi)"
)
_NAME = FIRST_LINE.partition(":")[0].encode("ascii")
_NUMBER = re.compile(rb"-?[0-9]{1,16}")
_MAX_MILLISECONDS = MAX_FRAMES * FRAME // 1000


def callName(path: Path) -> str:
    """The file's name without what tells its format."""
    return nameOf(path, (".owd", ".rtp", ".rtpdump", ".dump", ".json", ".csv", ".txt", ".trace"))


def readPackets(path: Path) -> Packets:
    """
    Read a recording.

    @raise TraceError: it can't be read, or is none; says the line and what would be right.
    """
    with opened(path) as stream:
        begin = stream.read(4096).removeprefix(BOM)
    first = begin.lstrip().split(b"\n", 1)[0].strip()
    if begin.startswith(MAGIC):
        return readRtpdump(path)
    if first.startswith(b"{"):
        return readIrtt(path)
    if first.startswith(b"#"):
        return _own(path)
    if re.fullmatch(rb"[0-9]{1,12}", first):
        return _link(path)
    if re.match(rb"[\"']?[A-Za-z_]", first) and re.search(rb"[,;\t ]", first):
        return readTables(path)
    raise TraceError(path, 1, f"it begins with {shown(first)}" if first else "it is empty", _KNOWN)


def _lines(path: Path, right: str) -> Iterator[tuple[int, bytes]]:
    """Lines that aren't blank, each with its number."""
    number = 0
    for data in wholeLines(path, pieces(path), right):
        for line in data.split(b"\n")[: data.count(b"\n") + (not data.endswith(b"\n"))]:
            number += 1
            if line.strip():
                yield number, line


def _own(path: Path) -> Packets:
    packets = Packets(Account(FIRST_LINE.removeprefix("# ")))
    begun = False
    for number, line in _lines(path, _RIGHT):
        if not begun and not line.strip().startswith(_NAME):
            raise TraceError(path, number, f"it begins with {shown(line)}", _KNOWN)
        begun = True
        if line.startswith(b"#"):
            continue
        fields = line.split()
        if len(fields) != 3 or not all(map(_NUMBER.fullmatch, fields)):
            raise TraceError(path, number, f"{shown(line)}", _RIGHT)
        which, sent, received = map(int, fields)
        packets.add(path, which, sent, received)
        if len(packets.account.first) < MAX_FIRST:
            packets.account.first.append((line.decode("ascii"), f"packet {which}, {received - sent} µs on the way"))
    return packets


def _link(path: Path) -> Packets:
    """
    A packet of voice each 20 ms through a link that carries nothing else: it waits for the next opportunity, which
    takes up to seven.
    """
    account = Account("mahimahi's: a millisecond on each line, at which the link delivers 1500 bytes")
    account.figures["voice"] = (
        f"each 20 ms a packet, {PER_OPPORTUNITY} in an opportunity; the link carries nothing else"
    )
    packets, last, room = Packets(account), 0, 0
    for number, line in _lines(path, _LINK):
        if not re.fullmatch(rb"[0-9]{1,12}", field := line.strip()):
            raise TraceError(path, number, f"{shown(field)} is not a time", _LINK)
        time = int(field)
        if time < last:
            raise TraceError(path, number, f"{time} comes after {last}", "times should never go back")
        if time >= _MAX_MILLISECONDS:
            raise TraceError(path, number, f"it lasts {time} ms", f"{_MAX_MILLISECONDS} are the most; use a part")
        last, room = time, PER_OPPORTUNITY
        while room and (which := len(packets.numbers)) * FRAME <= time * 1000:
            packets.add(path, which, which * FRAME, time * 1000)
            room -= 1
    return packets
