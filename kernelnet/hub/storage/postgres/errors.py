"""The meaning of PostgreSQL's errors: to who sends messages, and to who runs the hub."""

from __future__ import annotations

import psycopg
from psycopg import errors
from twisted.enterprise.adbapi import ConnectionLost

from kernelnet.hub.storage.errors import DatabaseBusy, DatabaseError
from kernelnet.hub.storage.integrity import Damaged
from kernelnet.hub.storage.postgres.connection import withoutPassword
from kernelnet.wire import WireProblem

__all__ = ["isDamage", "problemOf", "unusable"]

_OF_THE_DATABASE = (psycopg.Error, ConnectionLost, DatabaseBusy, Damaged)
_OF_THE_MESSAGE = (psycopg.DataError, psycopg.IntegrityError, errors.ProgramLimitExceeded)


def problemOf(error: BaseException) -> WireProblem:
    """The answer of `kernelnet.hub.storage.engine.Engine.problemOf`."""
    if isinstance(error, WireProblem):
        return error
    if isinstance(error, (errors.DiskFull, errors.OutOfMemory)):
        return WireProblem("storage_full", "the hub's database has no room left; send it again later")
    if isinstance(error, _OF_THE_MESSAGE) or not isinstance(error, _OF_THE_DATABASE):
        return WireProblem("invalid_message", "the hub could not store this message; its log says why")
    # None of it is the message's fault, so it must not be dropped: a server that is a standby now, a column that
    # another version knows, damage.
    if isDamage(error):
        return WireProblem("busy", f"the hub's database is in trouble ({_words(error)}); send it again later")
    return WireProblem("busy", f"the hub can't store it now ({_words(error)}); send it again later")


def isDamage(error: BaseException) -> bool:
    """Whether PostgreSQL, or the hub, found what is stored damaged."""
    return isinstance(error, (errors.DataCorrupted, errors.IndexCorrupted, Damaged))


def unusable(url: str, error: BaseException) -> DatabaseError:
    """The error for a database that can't be read or written, in the user's words."""
    if isinstance(error, DatabaseError):
        return error
    where = withoutPassword(url)
    if isDamage(error):
        return DatabaseError(
            f"the database {where} is damaged: {_words(error)}. Go back to a backup with `kernelnet restore FILE`"
        )
    return DatabaseError(f"can't use the database {where}: {_words(error)}")


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
