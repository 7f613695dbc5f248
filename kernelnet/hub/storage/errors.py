"""Errors of the hub's database, whichever engine has it."""

from __future__ import annotations

__all__ = ["DatabaseBusy", "DatabaseError", "DatabaseTooNew"]


class DatabaseError(Exception):
    """The database can't be used; the text says why and what would help."""


class DatabaseBusy(DatabaseError):
    """It can't be used now: another process is busy with it.  Another time it may go."""


class DatabaseTooNew(DatabaseError):
    """It is of a newer kernelnet, whose tables may mean something else."""
