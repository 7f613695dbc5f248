"""
Reads rtpdump's files (RTP Tools, U{https://github.com/irtlab/rtptools}, rtpdump.h), which Wireshark and WebRTC write,
too.

After a line C{#!rtpplay1.0 address/port} there are 16 bytes of header, then packets: their length with these eight
bytes, that of the packet on the wire (0: it is RTCP), and when they came, in milliseconds; then the RTP packet, or
its beginning (RFC 3550).  When a packet was sent is its timestamp, in units of the payload's clock rate: that of RFC
3551 for static payload types; for dynamic ones the rate at which the timestamps went on as the packets came.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from kernelnet.workbench.account import MAX_FIRST, Account
from kernelnet.workbench.audio.packets import MAX_PACKETS, Packets, unwrapped
from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.reading import MAX_BYTES, opened, shown

__all__ = ["MAGIC", "readRtpdump"]

MAGIC = (b"#!rtpplay1.0", b"#!RTPencode1.0")
"""Beginnings of files; the second is of older WebRTC."""

_RIGHT = "after the first line and 16 bytes: a length, that on the wire, milliseconds, and an RTP packet"
_LINE = 256
_HEADER = 16
_STATIC = dict.fromkeys((0, 3, 4, 5, 7, 8, 9, 12, 13, 15, 18), 8000) | {6: 16000, 10: 44100, 11: 44100, 14: 90000}
"""Clock rates by payload type: RFC 3551, table 4."""

_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 90000)
_COMFORT_NOISE = (13, 19)
_TYPES = 128


@dataclass(frozen=True)
class _Packet:
    """@ivar came: in milliseconds."""

    came: int
    kind: int
    number: int
    timestamp: int
    source: int


def readRtpdump(path: Path) -> Packets:
    """
    The stream of which the file has the most packets.

    @raise TraceError: it isn't whole, or has no RTP.
    """
    account = Account("rtpdump")
    with opened(path) as stream:
        all_ = list(_packets(path, stream, account))
    if not all_:
        raise TraceError(path, None, "it has no RTP packets of voice", _RIGHT)
    (source, kind), most = Counter((packet.source, packet.kind) for packet in all_).most_common(1)[0]
    chosen = [packet for packet in all_ if (packet.source, packet.kind) == (source, kind)]
    if most < len(all_):
        account.skipped["packets of other streams, or of another payload type"] += len(all_) - most
        account.doubt(f"there are several streams; this is SSRC 0x{source:08x}, payload type {kind}")
    times = unwrapped([packet.timestamp for packet in chosen], 32)
    rate = _STATIC.get(kind) or _guessed(times, chosen, account)
    account.figures |= {"stream": f"SSRC 0x{source:08x}", "payload type": kind, "clock rate": f"{rate} Hz"}
    packets = Packets(account, oneClock=False)
    numbers = unwrapped([packet.number for packet in chosen], 16)
    for packet, number, time in zip(chosen, numbers, times, strict=True):
        packets.add(path, number, (time - times[0]) * 1_000_000 // rate, packet.came * 1000)
        if len(account.first) < MAX_FIRST:
            row = f"number {packet.number}, timestamp {packet.timestamp}"
            account.first.append((row, f"sent at {packets.sent[-1]} µs, received at {packet.came} ms"))
    return packets


def _packets(path: Path, stream: IO[bytes], account: Account) -> Iterator[_Packet]:
    """RTP packets, but those of comfort noise."""
    line = stream.readline(_LINE)
    if not line.endswith(b"\n"):
        raise TraceError(path, 1, f"it begins with {shown(line)}", "the first line should be #!rtpplay1.0 address/port")
    if len(stream.read(_HEADER)) < _HEADER:
        raise TraceError(path, None, "it ends within its header", _RIGHT)
    record = total = 0
    while head := stream.read(8):
        record += 1
        if len(head) < 8:
            raise TraceError(path, record, "it ends within a packet", "copy it again: it was cut off")
        length, wire, came = struct.unpack(">HHI", head)
        if length < 8:
            raise TraceError(path, record, f"a packet of {length} bytes", "its length counts eight bytes before it")
        data = stream.read(length - 8)
        if len(data) < length - 8:
            raise TraceError(path, record, "it ends within a packet", "copy it again: it was cut off")
        total += length
        if record > MAX_PACKETS or total > MAX_BYTES:
            raise TraceError(path, record, f"more than {MAX_PACKETS} packets, or too many bytes", "use a part of it")
        if wire == 0:
            account.skipped["RTCP packets"] += 1
        elif len(data) < 12 or data[0] >> 6 != 2:
            account.skipped["packets that are not RTP, version 2"] += 1
        else:
            kind, number, timestamp, source = struct.unpack_from(">BHII", data, 1)
            if kind % _TYPES in _COMFORT_NOISE:
                account.skipped["packets of comfort noise"] += 1
            else:
                yield _Packet(came, kind % _TYPES, number, timestamp, source)


def _guessed(times: list[int], packets: list[_Packet], account: Account) -> int:
    """The clock rate that is nearest to that at which timestamps go on: the median over pairs far apart."""
    came = np.array([packet.came for packet in packets], np.int64)
    half = len(packets) // 2
    spans = came[half:] - came[: len(came) - half]
    ticks = np.array(times[half:], np.int64) - np.array(times[: len(times) - half], np.int64)
    usable = (spans > 0) & (ticks > 0)
    if not half or not usable.any():
        account.doubt("the clock rate is not known: 8000 Hz is assumed")
        return _RATES[0]
    measured = float(np.median(ticks[usable] * 1000 / spans[usable]))
    rate = min(_RATES, key=lambda rate: abs(np.log(rate / measured)))
    account.doubt(f"the clock rate is guessed: {rate} Hz, as timestamps go on by {measured:.0f} a second")
    return rate
