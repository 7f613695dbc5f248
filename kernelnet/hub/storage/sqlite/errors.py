"""The meaning of SQLite's errors: to who sends messages, and to who runs the hub."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.integrity import Damaged
from kernelnet.wire import WireProblem

__all__ = ["isDamage", "problemOf", "unusable"]


def problemOf(error: BaseException) -> WireProblem:
    """The answer of `kernelnet.hub.storage.engine.Engine.problemOf`."""
    if isinstance(error, WireProblem):
        return error
    if isinstance(error, sqlite3.OperationalError):
        if "full" in str(error):
            return WireProblem("storage_full", "the hub's disk is full; send it again later")
        return WireProblem("busy", f"the hub can't store it now ({error}); send it again later")
    if isDamage(error):  # not the message's fault, so it must not be dropped
        return WireProblem("busy", f"the hub's database is in trouble ({error}); send it again later")
    return WireProblem("invalid_message", "the hub could not store this message; its log says why")


def isDamage(error: BaseException) -> bool:
    """Whether SQLite found its file damaged: that class itself is what it has for nothing else."""
    return type(error) is sqlite3.DatabaseError


def unusable(path: Path, error: BaseException) -> DatabaseError:
    """The error for a database that can't be read or written, in the user's words."""
    if isinstance(error, Damaged) or "malformed" in str(error):
        return DatabaseError(
            f"the database {path} is damaged: {error}. Go back to a backup with `kernelnet restore FILE`; "
            "`kernelnet doctor` checks all of it"
        )
    return DatabaseError(f"can't use the database {path}: {error}")
