"""
Reads the JSON of C{irtt client -o} (U{https://github.com/heistp/irtt}, doc/irtt-client.md, json_format 1).

It has the time on the way to the server in C{delay.send}, and back in C{delay.receive}; what is taken is the way back,
as voice that is received; where it isn't there, the way to the server.  Both are differences of two wall clocks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from kernelnet.workbench.account import MAX_FIRST, Account
from kernelnet.workbench.audio.packets import Packets
from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.reading import opened

__all__ = ["MAX_JSON", "readIrtt"]

MAX_JSON = 512 << 20
"""Bytes, decompressed: a round trip takes some 900."""

_RIGHT = "it should be what irtt client -i 20ms -o FILE writes, with server timestamps"
_MOST = 1 << 62


class _Delay(msgspec.Struct):
    send: int | None = None
    receive: int | None = None


class _Clocks(msgspec.Struct):
    wall: int | None = None


class _Side(msgspec.Struct):
    send: _Clocks = msgspec.field(default_factory=_Clocks)
    receive: _Clocks = msgspec.field(default_factory=_Clocks)


class _Times(msgspec.Struct):
    client: _Side = msgspec.field(default_factory=_Side)
    server: _Side = msgspec.field(default_factory=_Side)


class _RoundTrip(msgspec.Struct):
    seqno: int
    lost: bool | str
    timestamps: _Times = msgspec.field(default_factory=_Times)
    delay: _Delay = msgspec.field(default_factory=_Delay)


class _Result(msgspec.Struct):
    round_trips: list[_RoundTrip]


def readIrtt(path: Path) -> Packets:
    """
    Packets of one way, of a file that may hold both.

    @raise TraceError: it isn't irtt's, or has no times of one way.
    """
    with opened(path) as stream:
        text = stream.read(MAX_JSON + 1)
    if len(text) > MAX_JSON:
        raise TraceError(path, None, f"more than {MAX_JSON >> 20} MiB of JSON", "record for a shorter time")
    try:
        trips = msgspec.json.decode(text, type=_Result).round_trips
    except msgspec.ValidationError as error:
        raise TraceError(path, None, f"not irtt's: {error}", _RIGHT) from None
    except msgspec.DecodeError as error:
        raise TraceError(path, None, f"no whole JSON: {error}", _RIGHT) from None
    ways: dict[str, list[tuple[_RoundTrip, Any, Any]]] = {
        "receive": [(trip, trip.timestamps.server.send.wall, trip.timestamps.client.receive.wall) for trip in trips],
        "send": [(trip, trip.timestamps.client.send.wall, trip.timestamps.server.receive.wall) for trip in trips],
    }
    for way, rows in ways.items():
        packets = _oneWay(path, way, rows)
        if packets.numbers:
            return packets
    raise TraceError(path, None, f"{len(trips)} round trips, none with a time of one way", _RIGHT)


def _oneWay(path: Path, way: str, rows: list[tuple[_RoundTrip, int | None, int | None]]) -> Packets:
    words = "from the server to the client" if way == "receive" else "from the client to the server"
    account = Account("irtt's JSON", figures={"round trips": len(rows), "way": words})
    packets = Packets(account, oneClock=False)
    for trip, sent, received in rows:
        if sent is None or received is None:
            continue
        if not (abs(sent) < _MOST and abs(received) < _MOST and abs(trip.seqno) < _MOST):
            raise TraceError(path, None, f"round trip {trip.seqno}: a time out of all bounds", _RIGHT)
        packets.add(path, trip.seqno, sent // 1000, received // 1000)
        if len(account.first) < MAX_FIRST:
            account.first.append((f"seqno {trip.seqno}", f"{(received - sent) / 1000:.0f} µs on the way"))
    return packets
