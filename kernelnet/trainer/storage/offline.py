"""A trainer's database for a command that looks on, whether the trainer runs or not; nothing is written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from kernelnet.artifacts import Component, Verdict
from kernelnet.trainer.storage.database import SCHEMA_VERSION, StoreError
from kernelnet.trainer.storage.knowledge_base import MAX_COMPONENTS

__all__ = ["PRIVATE", "Acknowledged", "acknowledged", "confirmedComponents"]

T = TypeVar("T")

PRIVATE = "private"
"""Author of what was found on private traces."""


class Acknowledged(NamedTuple):
    """
    Names of what a trainer keeps of its own, has said, and has an ack for.

    @ivar patterns: ids; C{components}: digests; C{reports}: ids of components that it has a verdict on.
    """

    patterns: list[str]
    components: list[str]
    reports: list[str]

    @property
    def total(self) -> int:
        """Number of all of them."""
        return sum(map(len, self))


def confirmedComponents(path: Path) -> list[tuple[str, Component]]:
    """
    Components that a trainer made or confirmed itself, each with its author, best first; before all others those that
    it found on private traces, which nobody else has.

    @raise StoreError: it is no trainer's database, or a newer kernelnet's.
    """

    def read(connection: sqlite3.Connection) -> list[tuple[str, Component]]:
        rows = connection.execute(
            "SELECT source, body FROM components WHERE verdict = ? ORDER BY level IS NULL, level DESC, rowid LIMIT ?",
            (Verdict.CONFIRMED.value, MAX_COMPONENTS),
        ).fetchall()
        found = connection.execute("SELECT ?, body FROM private_components ORDER BY rowid DESC", (PRIVATE,)).fetchall()
        return [(source, msgspec.json.decode(body, type=Component)) for source, body in found + rows]

    return _read(path, read)


def acknowledged(path: Path, aiId: str) -> Acknowledged:
    """
    All that the trainer C{aiId} has said of its own and still keeps, but what waits for its ack.

    @raise StoreError: see `confirmedComponents`.
    """

    def read(connection: sqlite3.Connection) -> Acknowledged:
        waiting = [line for (line,) in connection.execute("SELECT line FROM outbox")]

        def acked(sql: str) -> list[str]:
            found = (name for (name,) in connection.execute(sql, (aiId,)))
            return [name for name in found if not any(name.encode() in line for line in waiting)]

        return Acknowledged(
            acked("SELECT id FROM patterns WHERE source = ? ORDER BY rowid"),
            acked("SELECT digest FROM components WHERE source = ? ORDER BY rowid"),
            acked("SELECT component_id FROM benchmarks WHERE reporter = ? ORDER BY rowid"),
        )

    return _read(path, read)


def _read(path: Path, read: Callable[[sqlite3.Connection], T]) -> T:
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error as error:
        raise StoreError(f"can't open {path}: {error}") from None
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != SCHEMA_VERSION:
            raise StoreError(f"{path} has schema version {version}, this kernelnet reads {SCHEMA_VERSION}")
        return read(connection)
    except (sqlite3.Error, msgspec.MsgspecError) as error:
        raise StoreError(f"can't read {path}: {error}") from None
    finally:
        connection.close()
