"""A trainer's database for a command that looks on, whether the trainer runs or not; nothing is written."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from kernelnet.artifacts import Component, Verdict
from kernelnet.trainer.storage.database import SCHEMA_VERSION, StoreError
from kernelnet.trainer.storage.knowledge_base import MAX_COMPONENTS

__all__ = ["PRIVATE", "confirmedComponents"]

PRIVATE = "private"
"""Author of what was found on private traces."""


def confirmedComponents(path: Path) -> list[tuple[str, Component]]:
    """
    Components that a trainer made or confirmed itself, each with its author, best first; before all others those that
    it found on private traces, which nobody else has.

    @raise StoreError: it is no trainer's database, or a newer kernelnet's.
    """
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error as error:
        raise StoreError(f"can't open {path}: {error}") from None
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != SCHEMA_VERSION:
            raise StoreError(f"{path} has schema version {version}, this kernelnet reads {SCHEMA_VERSION}")
        rows = connection.execute(
            "SELECT source, body FROM components WHERE verdict = ? ORDER BY level IS NULL, level DESC, rowid LIMIT ?",
            (Verdict.CONFIRMED.value, MAX_COMPONENTS),
        ).fetchall()
        found = connection.execute("SELECT ?, body FROM private_components ORDER BY rowid DESC", (PRIVATE,)).fetchall()
        return [(source, msgspec.json.decode(body, type=Component)) for source, body in found + rows]
    except (sqlite3.Error, msgspec.MsgspecError) as error:
        raise StoreError(f"can't read {path}: {error}") from None
    finally:
        connection.close()
