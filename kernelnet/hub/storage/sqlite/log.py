"""The log's numbers in SQLite."""

from __future__ import annotations

from kernelnet.hub.storage.sql.execution import Execute

__all__ = ["lastGiven"]


def lastGiven(execute: Execute) -> int:
    """
    The last number that was given out; 0: none was.

    It is what AUTOINCREMENT would go by: no number is ever given twice, whatever retention removes.
    """
    row = execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return int(row[0]) if row else 0
