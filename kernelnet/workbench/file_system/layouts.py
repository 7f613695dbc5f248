"""
Columns of tables of requests: those that are found by the names in a header, and those of well-known traces without.

Names are compared without case, C{_}, C{-} and blanks.  The block's id is in the first of `ID_COLUMNS` that is there.
Where that is an offset or a sector, and there is a size, each row is for a range of bytes, and so for one or more
pages.  Columns that name the disk are part of the block's identity.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

__all__ = ["ID_COLUMNS", "LAYOUTS", "SECTOR", "Columns", "byHeader", "known", "normalized"]

SECTOR = 512
"""Bytes."""

_OFFSETS = ("offset", "byteoffset", "startoffset", "diskoffset")
_SECTORS = ("offsetsectors", "sectoroffset", "startsector", "sector", "sectornumber", "sectors")
_KEYS = ("obj_id", "object_id", "id", "key", "cache_key", "key_hash", "url")
ID_COLUMNS = (
    *_KEYS,
    *("lbn", "lba", "block", "block_id", "block_number", "page", "page_id", "page_number"),
    *_OFFSETS,
    *_SECTORS,
    *("address", "addr"),
)
"""Names of the column with the id, the first that is there counts."""

_SIZES = ("size", "length", "len", "bytes", "iosize", "requestsize", "reqsize", "sizebytes")
_OBJECT_SIZES = (*_SIZES, "objsize", "objectsize", "valuesize", "valsize", "keyvaluesize")
_SIZES_IN_SECTORS = ("sizesectors", "lengthsectors", "nrsectors", "numsectors", "sectorcount", "nsectors")
_OPS = (
    *("op", "operation", "opcode", "optype", "opname", "rw", "rwbs", "iotype", "ioop", "readwrite"),
    *("type", "requesttype", "reqtype", "command", "cmd", "method", "verb", "action"),
)
_DISKS = frozenset(
    (
        *("disk", "diskid", "disknumber", "diskno", "disknum", "diskname", "drive", "asu"),
        *("host", "hostname", "hostid", "server", "serverid", "machine", "machineid", "vm", "vmid"),
        *("lun", "lunid", "volume", "volumeid", "volumename", "vol", "volid"),
        *("device", "deviceid", "devicename", "dev", "devid", "devname", "major", "minor"),
    )
)
_COUNTS = ("opcount", "repeatcount", "requestcount")
_TIMES = ("timestamp", "time", "ts", "optime", "datetime", "date", "issuetime")


@dataclass(frozen=True)
class Columns:
    """
    Where in a row is what; columns are counted from 0.

    @ivar right: what a row should be, for errors.
    @ivar unit: bytes of what the id counts, if rows are for ranges; 0: the id is a block's.
    @ivar size: of the range, C{sizeUnit} bytes each.
    @ivar op: what is done with it; C{written}: the values, in lower case, that tell a write besides the usual ones.
    @ivar disk: the columns that name the disk.
    @ivar count: for how many requests the row stands.
    @ivar object: the columns that together are the bytes of an object, where rows are for no ranges; rows may lack
        them.
    @ivar keys: whether ids may be words as well as numbers.
    """

    id: int
    right: str
    unit: int = 0
    size: int | None = None
    sizeUnit: int = 1
    op: int | None = None
    written: frozenset[str] = frozenset()
    disk: tuple[int, ...] = ()
    count: int | None = None
    object: tuple[int, ...] = ()
    time: int | None = None
    keys: bool = False

    @property
    def last(self) -> int:
        return max(self.id, *(each or 0 for each in (self.size, self.op, self.count)), *self.disk)

    def meanings(self, names: Sequence[str]) -> dict[str, str]:
        """By name or number of a column: what it is taken for."""
        units = {1: "bytes", SECTOR: "sectors of 512 bytes"}
        what = {self.id: f"offset in {units[self.unit]}" if self.unit else "block id"}
        if self.size is not None and self.unit:
            what[self.size] = f"size in {units[self.sizeUnit]}"
        for column, meaning in ((self.op, "read or write"), (self.count, "number of requests"), (self.time, "time")):
            if column is not None:
                what[column] = meaning
        what |= dict.fromkeys(self.disk, "disk") | dict.fromkeys(self.object, "size of the object in bytes")
        return {name: what.get(column, "not used") for column, name in enumerate(names)}


@dataclass(frozen=True)
class _Layout:
    """
    One well-known kind of table without a header.

    @ivar name: of the traces, and C{columns}, what they are, for people.
    @ivar fields: a regular expression for each column.
    @ivar blanks: columns are separated by blanks rather than by C{, ; |} or tab.
    @ivar more: further columns may follow.
    """

    name: str
    columns: str
    fields: tuple[str, ...]
    found: Columns
    blanks: bool = False
    more: bool = False

    def fits(self, row: Sequence[str]) -> bool:
        right = len(row) >= len(self.fields) if self.more else len(row) == len(self.fields)
        return right and all(re.fullmatch(f, cell.strip()) for f, cell in zip(self.fields, row, strict=False))


_N, _RW = r"[0-9]{1,20}", r"(?i:r|w|read|write)"

LAYOUTS = (
    _Layout(
        "the MSR Cambridge traces",
        "time,host,disk,operation,offset,size,response time",
        (_N, r".+", _N, r"(?i:read|write)", _N, _N, r"[0-9.]+"),
        Columns(4, "", unit=1, size=5, op=3, disk=(1, 2), time=0),
    ),
    _Layout(
        "Alibaba's block traces",
        "device,operation,offset,size,time",
        (_N, _RW, _N, _N, _N),
        Columns(2, "", unit=1, size=3, op=1, disk=(0,), time=4),
    ),
    _Layout(
        "Tencent's block traces",
        "time,offset,size,operation,volume, with offset and size in sectors",
        (r"[0-9]{10}", _N, _N, r"[01]", _N),
        Columns(1, "", unit=SECTOR, size=2, sizeUnit=SECTOR, op=3, written=frozenset("1"), disk=(4,), time=0),
    ),
    _Layout(
        "SYSTOR '17's traces",
        "time,response time,operation,lun,offset,size",
        (r"[0-9.]+", r"[0-9.]*", _RW, _N, _N, _N),
        Columns(4, "", unit=1, size=5, op=2, disk=(3,), time=0),
    ),
    _Layout(
        "the SPC traces",
        "asu,lba,size,operation,time, with the address in sectors",
        (_N, _N, _N, _RW, r"[0-9.]+"),
        Columns(1, "", unit=SECTOR, size=2, op=3, disk=(0,), time=4),
        more=True,
    ),
    _Layout(
        "Twitter's cache traces",
        "time,key,key size,value size,client,operation,ttl",
        (_N, r".+", _N, _N, _N, r"[a-z]{2,10}", _N),
        Columns(1, "", op=5, time=0, keys=True, object=(2, 3)),
    ),
    _Layout(
        "IBM's object store traces",
        "time operation object size …",
        (_N, r"REST\.[A-Z]+\.[A-Z]+", r"\S+"),
        Columns(2, "", op=1, time=0, keys=True, object=(3,)),
        blanks=True,
        more=True,
    ),
    _Layout(
        "webcachesim's and AdaptSize's traces",
        "time id size …",
        (r"[0-9.]+", r"\S+", r"[0-9]+"),
        Columns(1, "", time=0, keys=True, object=(2,)),
        blanks=True,
        more=True,
    ),
)
"""Tables that are known without a header; the first that fits the first row counts."""

_TENCENT = frozenset(("timestamp", "offset", "size", "iotype", "volumeid"))
_SPC = frozenset(("asu", "lba", "size", "opcode", "timestamp"))


def normalized(name: str) -> str:
    """A column's name as it is compared."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def known(row: Sequence[str], *, blanks: bool = False) -> tuple[str, Columns] | None:
    """Name and columns of the well-known layout that a first row without a header is of; C{None}: of none."""
    found = next((each for each in LAYOUTS if each.blanks == blanks and each.fits(row)), None)
    if found is None:
        return None
    name = f"{found.columns}, as in {found.name}"
    return name, replace(found.found, right=f"each line should be {name}")


def byHeader(row: Sequence[str]) -> Columns | None:
    """Columns by the names in a header; C{None}: none of them is known to be the block's id."""
    names = [normalized(cell) for cell in row]

    def first(among: Sequence[str]) -> int | None:
        return next((names.index(name) for name in map(normalized, among) if name in names), None)

    column = first(ID_COLUMNS)
    if column is None:
        return None
    unit, sizeUnit, written, size = 0, 1, frozenset[str](), None
    if names[column] in _OFFSETS or names[column] in _SECTORS:
        unit = 1 if names[column] in _OFFSETS else SECTOR
        size = first(_SIZES)
        if size is None and (size := first(_SIZES_IN_SECTORS)) is not None:
            sizeUnit = SECTOR
    if set(names) >= _TENCENT:
        unit, sizeUnit, written = SECTOR, SECTOR, frozenset("1")
    elif set(names) >= _SPC:
        unit, size = SECTOR, first(_SIZES)
    if size is None:
        unit, right = 0, f"each line should have a block id in column {column + 1}"
    else:
        right = f"each line should have an offset in column {column + 1} and a size in column {size + 1}"
    known = first(_OBJECT_SIZES) if unit == 0 else None
    disks = tuple(at for at, name in enumerate(names) if name in _DISKS and at != column)
    return Columns(
        column,
        right,
        unit=unit,
        size=size,
        sizeUnit=sizeUnit,
        op=first(_OPS),
        written=written,
        disk=disks,
        count=first(_COUNTS),
        object=() if known is None or known == column else (known,),
        time=first(_TIMES),
        keys=names[column] in map(normalized, _KEYS),
    )
