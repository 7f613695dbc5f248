"""
Reads tables (CSV; comma, semicolon or tab) whose first line names the columns: a packet's number, when it was sent,
and when it was received.

One table may have both times; or there are two files side by side, the sender's and the receiver's, which are joined by
the number: C{call.sent.csv} and C{call.received.csv}, or with C{send}/C{recv}, C{sender}/C{receiver}, C{tx}/C{rx} in
their place.  Either is given.  A name may end with its unit: C{sent_us}, C{time (ms)}; else the unit is the one in
which packets are sent some milliseconds apart.  Numbers of 16 bits may begin anew.
"""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import numpy as np

from kernelnet.workbench.account import MAX_FIRST, Account
from kernelnet.workbench.audio.packets import MAX_PACKETS, Packets, unwrapped
from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.reading import pieces, shown, wholeLines

__all__ = ["PAIRS", "readTables"]

PAIRS = (("sent", "received"), ("send", "receive"), ("send", "recv"), ("sender", "receiver"), ("tx", "rx"))
"""Words of file names by which two tables belong together."""

_NAMES: Mapping[str, tuple[str, ...]] = {
    "number": ("seq", "sequence", "seqno", "seqnum", "seqnr", "sequencenumber", "number", "packet", "rtpseq"),
    "sent": ("sent", "send", "sendtime", "senttime", "timesent", "sendts", "tx", "txtime", "tsent", "tsend", "sender"),
    "received": (
        *("received", "receive", "recv", "recvtime", "receivetime", "receivedtime", "timereceived", "arrival"),
        *("arrivaltime", "rx", "rxtime", "trecv", "treceived", "recvts", "receiver"),
    ),
    "time": ("time", "timestamp", "ts", "epoch", "t"),
    "stream": ("stream", "streamid", "flow", "flowid", "ssrc", "cam", "camera", "cameraid", "channel"),
}
"""By what a column is: its names, without what isn't a letter, and without a unit."""

_UNITS = {"s": 6, "sec": 6, "seconds": 6, "ms": 3, "milliseconds": 3, "us": 0, "µs": 0, "microseconds": 0, "ns": -3}
"""By its name: the power of ten that makes microseconds of it."""

_SAYS = {6: "seconds", 3: "milliseconds", 0: "microseconds", -3: "nanoseconds"}
_TYPICAL = 20_000
_BITS = 16
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_TIME = re.compile(r"-?[0-9]{1,20}(\.[0-9]{0,18})?([eE][+-]?[0-9]{1,2})?")
_MAX = 1 << 62
_RIGHT = "its first line should name columns, such as: seq,sent_us,received_us"


@dataclass
class _Table:
    """
    @ivar units: by column, the power of ten; C{None}: its name doesn't say.
    @ivar rows: number, stream, and the cells of its times.
    """

    path: Path
    units: dict[str, int | None] = field(default_factory=dict)
    rows: list[tuple[int, str, list[Decimal]]] = field(default_factory=list)


def readTables(path: Path) -> Packets:
    """
    @raise TraceError: a column is missing, or a row is not what the first line says; or the other file isn't there.
    """
    account = Account("a table of packets")
    table = _read(path, account)
    if {"sent", "received"} <= set(table.units):
        return _ofOne(table, account)
    sender, receiver = _pair(path)
    account.format = "two tables of packets, joined by their numbers"
    account.figures |= {"sender": sender.name, "receiver": receiver.name}
    mine = {path: table}
    sent, came = (mine[each] if each in mine else _read(each, account) for each in (sender, receiver))
    return _joined(sent, came, account)


def _pair(path: Path) -> tuple[Path, Path]:
    """Files of the sender and of the receiver, of which one is given."""
    tried: list[str] = []
    for words in PAIRS:
        for which, word in enumerate(words):
            found = re.sub(
                rf"(?<![A-Za-z]){word}(?![A-Za-z])", words[1 - which], path.name, count=1, flags=re.IGNORECASE
            )
            other = path.with_name(found)
            if found == path.name:
                continue
            if other.is_file():
                return (path, other) if which == 0 else (other, path)
            tried.append(found)
    wrong = "it has one time for each packet, and there is no other file beside it"
    looked = ", ".join(tried) or "name them such as call.sent.csv and call.received.csv"
    raise TraceError(path, 1, wrong, f"the other one's times are looked for in {looked}")


def _read(path: Path, account: Account) -> _Table:
    table = _Table(path)
    columns: dict[str, int] = {}
    delimiter, first = ",", ""
    for number, line in _lines(path):
        if not columns:
            first, delimiter = line, max(",;\t", key=line.count)
            columns = _columns(path, number, _cells(path, number, line, delimiter), table, account)
            continue
        cells = _cells(path, number, line, delimiter)
        if len(cells) <= max(columns.values()):
            raise TraceError(
                path, number, f"{len(cells)} columns", f"as many as the first line: {shown(first.encode())}"
            )
        if not all(cells[at] for at in columns.values()):
            account.skipped["rows with an empty cell"] += 1
            continue
        table.rows.append(_row(path, number, cells, columns))
        if len(table.rows) > MAX_PACKETS:
            raise TraceError(path, number, f"more than {MAX_PACKETS} packets", "use a part of it")
        if len(account.first) < MAX_FIRST:
            account.first.append((line[:80], ", ".join(f"{kind} {cells[at]}" for kind, at in columns.items())))
    if not table.rows:
        raise TraceError(path, None, "it has no packets", _RIGHT)
    return table


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    number = 0
    for data in wholeLines(path, pieces(path), _RIGHT):
        for line in data.decode("utf-8", errors="replace").split("\n"):
            number += 1
            if line.strip():
                yield number, line.rstrip("\r")
        # What stands behind the last line end is no line.
        number -= data.endswith(b"\n")


def _cells(path: Path, number: int, line: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, strict=True))]
    except csv.Error as error:
        raise TraceError(path, number, f"{shown(line.encode())}: {error}", "cells with quotes end with one") from None


def _columns(path: Path, number: int, names: list[str], table: _Table, account: Account) -> dict[str, int]:
    columns: dict[str, int] = {}
    for at, name in enumerate(names):
        kind, unit = _kind(name)
        if kind and kind not in columns:
            columns[kind] = at
            account.columns[name[:40]] = kind
            if kind not in ("number", "stream"):
                table.units[kind] = unit
    if {"sent", "received"} <= set(columns):
        columns.pop("time", None)
        table.units.pop("time", None)
    elif "time" not in columns and (one := set(columns) & {"sent", "received"}):
        # A table of one of both: whose it is, its file's name says.
        columns["time"] = columns.pop(kind := one.pop())
        table.units["time"] = table.units.pop(kind)
    if "number" not in columns or not table.units:
        named = ", ".join(name[:20] for name in names[:8])
        raise TraceError(path, number, f"no column with a packet's number, or none with a time, among {named}", _RIGHT)
    return columns


def _kind(name: str) -> tuple[str, int | None]:
    """Meaning of a column, empty if it is none of ours; and its unit, if its name ends with one."""
    words = re.findall(r"[a-zµ]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    unit = _UNITS.get(words[-1]) if len(words) > 1 else None
    bare = "".join(words[:-1] if unit is not None else words)
    return next((kind for kind, known in _NAMES.items() if bare in known), ""), unit


def _row(path: Path, number: int, cells: list[str], columns: Mapping[str, int]) -> tuple[int, str, list[Decimal]]:
    which = cells[columns["number"]]
    if not _NUMBER.fullmatch(which):
        raise TraceError(path, number, f"{shown(which.encode())} is no packet's number", "it should be a whole number")
    times: list[Decimal] = []
    for kind in ("sent", "received", "time"):
        if kind in columns:
            cell = cells[columns[kind]]
            if not _TIME.fullmatch(cell):
                raise TraceError(path, number, f"{shown(cell.encode())} is no time", "it should be a decimal number")
            times.append(Decimal(cell))
    return int(which), cells[columns["stream"]][:80] if "stream" in columns else "", times


def _microseconds(table: _Table, at: int, kind: str, account: Account) -> list[int]:
    """A column of times in microseconds, by its unit or by how far packets are apart."""
    power = table.units[kind]
    if power is None:
        steps = np.abs(np.diff([float(row[2][at]) for row in table.rows]))
        packets = np.maximum(1, np.abs(np.diff([row[0] for row in table.rows])))
        usual = float(np.median(steps / packets)) if len(steps) else 0.0
        power = min(_SAYS, key=lambda power: abs(math.log((usual or 1.0) * 10.0**power / _TYPICAL)))
        account.doubt(
            f"times of {table.path.name} ({kind}) are taken for {_SAYS[power]}: name the column {kind}_ms or so"
        )
    found = [int(row[2][at].scaleb(power)) for row in table.rows]
    for row, time in zip(table.rows, found, strict=True):
        if abs(time) >= _MAX:
            raise TraceError(table.path, None, f"packet {row[0]}: a time out of all bounds", "it should be in 64 bits")
    return found


def _ofOne(table: _Table, account: Account) -> Packets:
    stream = _stream(table, account)
    sent, received = (_microseconds(table, at, kind, account) for at, kind in enumerate(("sent", "received")))
    chosen = [at for at, row in enumerate(table.rows) if row[1] == stream]
    packets = Packets(account, oneClock=False)
    numbers = _unwrapped([table.rows[at][0] for at in chosen])
    for number, at in zip(numbers, chosen, strict=True):
        packets.add(table.path, number, sent[at], received[at])
    return packets


def _joined(sender: _Table, receiver: _Table, account: Account) -> Packets:
    stream = _stream(sender, account)
    sides: list[tuple[list[int], list[int]]] = []
    for table in (sender, receiver):
        times = _microseconds(table, 0, "time", account)
        chosen = [at for at, row in enumerate(table.rows) if row[1] == stream]
        near = sides[0][0][0] if sides else None
        sides.append((_unwrapped([table.rows[at][0] for at in chosen], near), [times[at] for at in chosen]))
    sentAt = dict(zip(*(reversed(column) for column in sides[0]), strict=True))
    packets = Packets(account, oneClock=False)
    for number, time in zip(*sides[1], strict=True):
        if number in sentAt:
            packets.add(receiver.path, number, sentAt[number], time)
        else:
            account.skipped["packets received that the sender doesn't have"] += 1
    if not packets.numbers:
        raise TraceError(
            receiver.path, None, "no packet has a number that the sender's has", "they should be of one call"
        )
    return packets


def _stream(table: _Table, account: Account) -> str:
    """The stream with the most packets."""
    counts = Counter(row[1] for row in table.rows)
    stream, many = counts.most_common(1)[0]
    if len(counts) > 1:
        account.skipped["packets of other streams"] += len(table.rows) - many
        account.doubt(f"there are {len(counts)} streams; this is {stream}")
    return stream


def _unwrapped(numbers: list[int], near: int | None = None) -> list[int]:
    """The numbers, as if they had not begun anew; larger ones than of 16 bits don't."""
    if numbers and min(numbers) >= 0 and max(numbers) < 1 << _BITS:
        return unwrapped(numbers, _BITS, near)
    return numbers
