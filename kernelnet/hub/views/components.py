"""
What the hub's database says of components, for people: each with everybody's verdict and where it comes from.

Reads the projections only, by a connection that can't write; a component's own words are those of its author.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from kernelnet.artifacts import Component, Manifest, Report, Verdict

__all__ = [
    "SORTS",
    "STATES",
    "Ambiguous",
    "Ancestor",
    "Entry",
    "describe",
    "describeWhole",
    "entries",
    "entryAt",
    "entryOf",
    "lineage",
    "reportsOn",
]

SORTS = {
    "level": ("development_level", "seq"),
    "confirmed": ("confirmed - refuted", "development_level", "seq"),
    "newest": ("seq",),
}
"""How a list can be ordered; the largest comes first."""

STATES = {
    "confirmed": "confirmed > 0 AND refuted = 0",
    "refuted": "refuted > 0 AND confirmed = 0",
    "disputed": "confirmed > 0 AND refuted > 0",
    "unmeasured": "confirmed = 0 AND refuted = 0",
}
"""What others found: nobody confirms what is his own.  Disagreement is shown, and decided by nobody."""

MAX_MANIFEST = 64 * 1024
"""Bytes of JSON: a list shows a component with a larger one as if it had none."""

_COLUMNS = "ai_id, digest, confirmed, refuted, seq, timestamp, body"


class Ambiguous(Exception):
    """Several components are called so; the text names them."""


class Entry(Struct):
    """
    One component.

    @ivar author: who shared it.
    @ivar verdicts: AI → its verdict, of all but the author that reported one on these very bytes.
    @ivar timestamp: when it was shared, as its author's clock said (RFC 3339).
    """

    component: Component
    author: str
    digest: str
    confirmed: int
    refuted: int
    seq: int
    timestamp: str
    verdicts: dict[str, Verdict] = {}

    @property
    def state(self) -> str:
        """One of `STATES`."""
        if self.confirmed and self.refuted:
            return "disputed"
        return "confirmed" if self.confirmed else "refuted" if self.refuted else "unmeasured"

    @property
    def kind(self) -> str | None:
        """C{specialist} for one trace, C{generalist} for several; C{None} where nothing is claimed."""
        return None if self.report is None else "generalist" if self.report.parts else "specialist"

    @property
    def report(self) -> Report | None:
        """The claim."""
        return self.component.manifest.report if self.component.manifest is not None else None


def entries(
    connection: sqlite3.Connection,
    *,
    workbench: str | None = None,
    state: str | None = None,
    sort: str = "level",
    limit: int = 50,
    after: Entry | None = None,
) -> list[Entry]:
    """
    @param state: one of `STATES`; C{None}: all.
    @param sort: one of `SORTS`.
    @param limit: at most so many.
    @param after: the last one of the page before.
    @return: each without its source and its module: a list of strangers' megabytes would fill the memory.
    """
    conditions: list[str] = ["kind = 'component'"]
    values: list[Any] = []
    if workbench is not None:
        conditions.append("feature = ?")
        values.append(workbench)
    if state is not None:
        conditions.append(STATES[state])
    columns = SORTS[sort]
    if after is not None:
        numbers = {
            "development_level": after.component.development_level or 0.0,
            "confirmed - refuted": after.confirmed - after.refuted,
            "seq": after.seq,
        }
        conditions.append(f"({', '.join(columns)}) < ({', '.join('?' * len(columns))})")
        values += [numbers[column] for column in columns]
    order = ", ".join(f"{column} DESC" for column in columns)
    sql = f"SELECT {_COLUMNS} FROM shared_components WHERE {' AND '.join(conditions)} ORDER BY {order} LIMIT ?"  # noqa: S608 - from the tables above
    return [_entry(connection, row, _brief) for row in connection.execute(sql, (*values, limit))]


def workbenchesOf(connection: sqlite3.Connection) -> list[str]:
    """The workbenches that there are components of, 100 at most."""
    rows = connection.execute(
        "SELECT DISTINCT feature FROM shared_components WHERE kind = 'component' ORDER BY feature LIMIT 100"
    )
    return [str(name) for (name,) in rows]


def entryOf(connection: sqlite3.Connection, name: str) -> Entry | None:
    """
    The component of an id, or of a digest that begins so (six hex digits at least); of the same bytes who shared them
    first.

    @raise Ambiguous: two authors call one so, or two digests begin so.
    """
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM shared_components WHERE kind = 'component' AND (component_id = ?"  # noqa: S608
        " OR (length(?) >= 6 AND substr(digest, 1, length(?)) = lower(?))) ORDER BY seq",
        (name, name, name, name),
    ).fetchall()
    # A stranger may call a component like another's digest; a whole digest is nobody's to take.
    rows = [row for row in rows if row[1] == name.lower()] or rows
    if len({row[1] for row in rows}) > 1:
        found = ", ".join(f"{row[1][:12]} of {row[0]}" for row in rows[:8])
        raise Ambiguous(f"{len(rows)} components are called {name!r}: {found}; name one by its digest")
    return _entry(connection, rows[0]) if rows else None


def entryAt(connection: sqlite3.Connection, seq: int) -> Entry | None:
    """The component with this C{seq}."""
    sql = f"SELECT {_COLUMNS} FROM shared_components WHERE kind = 'component' AND seq = ?"  # noqa: S608
    row = connection.execute(sql, (seq,)).fetchone()
    return _entry(connection, row) if row else None


class _Brief(Struct):
    """Of a component what a list shows."""

    id: str
    development_level: float | None = None
    manifest: msgspec.Raw = msgspec.Raw(b"null")


def _brief(body: bytes) -> Component:
    found = msgspec.json.decode(body, type=_Brief)
    manifest = None
    if len(bytes(found.manifest)) <= MAX_MANIFEST:
        manifest = msgspec.json.decode(found.manifest, type=Manifest | None)
    return Component(found.id, manifest=manifest, development_level=found.development_level)


def _whole(body: bytes) -> Component:
    return msgspec.json.decode(body, type=Component)


def _entry(
    connection: sqlite3.Connection, row: tuple[Any, ...], decode: Callable[[bytes], Component] = _whole
) -> Entry:
    author, digest, confirmed, refuted, seq, timestamp, body = row
    reports = connection.execute(
        "SELECT ai_id, verdict FROM performance_reports WHERE digest = ? AND ai_id != ? AND verdict IS NOT NULL"
        " ORDER BY seq",
        (digest, author),
    )
    verdicts = {aiId: Verdict(verdict) for aiId, verdict in reports}
    return Entry(decode(body), author, digest, confirmed, refuted, seq, timestamp, verdicts)


def reportsOn(connection: sqlite3.Connection, digest: str, limit: int = 50) -> list[dict[str, Any]]:
    """The newest reports about these bytes, each with C{reporter} and C{timestamp}, which the hub adds."""
    rows = connection.execute(
        "SELECT ai_id, timestamp, body FROM performance_reports WHERE digest = ? AND length(body) < 16384"
        " ORDER BY seq DESC LIMIT ?",
        (digest, limit),
    )
    # what the hub knows comes last: nobody reports in another's name
    return [{**msgspec.json.decode(body), "reporter": aiId, "timestamp": at} for aiId, at, body in rows]


class Ancestor(Struct):
    """
    One step of a lineage.

    @ivar digest: the parent's.
    @ivar entry: C{None} where the hub has it no longer, or never had it.
    @ivar gain: by how much the child's claimed level is higher; C{None} where they are not about the same task.
    """

    digest: str
    entry: Entry | None
    gain: float | None
    parents: list[Ancestor] = []


def lineage(connection: sqlite3.Connection, entry: Entry, depth: int = 8) -> list[Ancestor]:
    """
    The parents that a component names, theirs, and so on.

    @param depth: at most so many generations; what comes twice is followed once.
    """
    return _ancestors(connection, entry, depth, {entry.digest})


def _ancestors(connection: sqlite3.Connection, entry: Entry, depth: int, seen: set[str]) -> list[Ancestor]:
    manifest = entry.component.manifest
    found = []
    for digest in dict.fromkeys(manifest.parents if manifest is not None else []):
        row = connection.execute(
            f"SELECT {_COLUMNS} FROM shared_components WHERE kind = 'component' AND digest = ? ORDER BY seq LIMIT 1",  # noqa: S608
            (digest,),
        ).fetchone()
        parent = _entry(connection, row) if row else None
        ancestor = Ancestor(digest, parent, _gain(entry, parent) if parent is not None else None)
        if parent is not None and digest not in seen and depth > 1:
            seen.add(digest)
            ancestor.parents = _ancestors(connection, parent, depth - 1, seen)
        found.append(ancestor)
    return found


def _gain(child: Entry, parent: Entry) -> float | None:
    mine, its = child.report, parent.report
    levels = child.component.development_level, parent.component.development_level
    if mine is None or its is None or levels[0] is None or levels[1] is None:
        return None
    if (mine.workbench_digest, mine.trace_digest, mine.settings) != (
        its.workbench_digest,
        its.trace_digest,
        its.settings,
    ):
        return None
    gain = levels[0] - levels[1]
    return gain if math.isfinite(gain) else None


def describe(entry: Entry) -> dict[str, Any]:
    """What a list says of a component, as JSON values."""
    report, manifest = entry.report, entry.component.manifest
    return {
        "id": entry.component.id,
        "author": entry.author,
        "digest": entry.digest,
        "workbench": manifest.workbench if manifest is not None else None,
        "abi": manifest.abi if manifest is not None else None,
        "trace": report.trace if report is not None else None,
        "trace_digest": report.trace_digest if report is not None else None,
        "settings": report.settings if report is not None else None,
        "kind": entry.kind,
        "level": entry.component.development_level,
        "state": entry.state,
        "confirmed": entry.confirmed,
        "refuted": entry.refuted,
        "verdicts": {aiId: verdict.value for aiId, verdict in entry.verdicts.items()},
        "shared": entry.timestamp,
        "seq": entry.seq,
    }


def describeWhole(entry: Entry, ancestors: list[Ancestor]) -> dict[str, Any]:
    """The same with its lineage, and all that its author said."""
    return {
        **describe(entry),
        "lineage": [_describeAncestor(ancestor) for ancestor in ancestors],
        "component": msgspec.to_builtins(entry.component),
    }


def _describeAncestor(ancestor: Ancestor) -> dict[str, Any]:
    entry = ancestor.entry
    return {
        "digest": ancestor.digest,
        "id": entry.component.id if entry is not None else None,
        "author": entry.author if entry is not None else None,
        "level": entry.component.development_level if entry is not None else None,
        "gain": ancestor.gain,
        "parents": [_describeAncestor(a) for a in ancestor.parents],
    }
