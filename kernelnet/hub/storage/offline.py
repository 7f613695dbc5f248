"""
The hub's database read by other processes, whether a hub runs or not, and written while none does.

For commands; a hub has an engine.  Which database it is stands in the state directory.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from kernelnet.hub.storage.blobs.store import BlobStore
from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.integrity import Tell
from kernelnet.hub.storage.operation import Operated
from kernelnet.hub.storage.sqlite.offline import OfflineSqlite
from kernelnet.hub.storage.transaction import Reader, Transaction
from kernelnet.identity import StateDirectory
from kernelnet.identity.secret import writeSecret

__all__ = ["Database", "checkChoice", "databaseAt", "databaseOf", "isOperators", "operatedAt", "remember", "remembered"]

T = TypeVar("T")

DATABASE = "hub_data.db"
"""SQLite's file in a state directory."""
URL = "database.url"
"""The file that says which database it is, where it is not that one."""


class Database(Protocol):
    """A hub's database, for a command.  Its C{str} is its name for eyes."""

    def exists(self) -> bool:
        """Whether a hub has ever used it."""

    def alone(self) -> AbstractContextManager[None]:
        """
        A time in which no hub uses it, on whichever machine; for a file its state directory's lock does that.

        @raise DatabaseBusy: one does.
        """

    def reading(self) -> AbstractContextManager[Reader]:
        """
        A reader of it; it is there.

        @raise DatabaseTooNew: it is of a newer kernelnet.
        @raise DatabaseBusy: it can't be read now.
        @raise DatabaseError: it can't be read.
        """

    def write(self, function: Callable[[Transaction], T], now: float) -> T:
        """
        The result of C{function} in one transaction; the database is made or brought up to date before.

        The hub's lock must be held.

        @param now: Unix seconds.
        @raise DatabaseError: it can't be used.
        """

    def backUp(self, file: Path, tell: Tell) -> dict[str, Any]:
        """
        Copy it to C{file}; a hub may go on writing.

        @return: C{file}, C{bytes}, C{events}.
        @raise DatabaseError: it can't be done; nothing is left at C{file}.
        """

    def restore(self, file: Path, tell: Tell) -> dict[str, Any]:
        """
        Go back to the backup C{file}; the hub's lock must be held.

        @return: C{events}, C{log_id}, and C{former}: where a copy of what was there before is; C{None}: nothing was.
        @raise DatabaseError: it can't be used; nothing has changed.
        """

    def take(self, file: Path, tell: Tell) -> None:
        """
        Become what the backup C{file} holds, with its log's identity and its tokens.

        @raise DatabaseError: there is something already, or C{file} can't be used; nothing has changed.
        """

    def blobs(self) -> AbstractContextManager[BlobStore]:
        """
        Where a hub on it keeps what is too large for a line; changes take the hub's lock, or on a server `alone`.

        @raise DatabaseError: they can't be read, or what is within it fails.
        """

    def examine(self, tell: Tell) -> dict[str, Any]:
        """
        Check it in full.

        @return: C{events}, C{log_id}, C{schema}, C{bytes}, C{unclean}.
        @raise DatabaseError: it is damaged, not ours or missing.
        """


def remembered(folder: Path) -> str | None:
    """
    The address of the server's database that the hub of the state directory C{folder} uses; C{None}: a file.

    @raise DatabaseError: it can't be told: without it all would look lost.
    """
    path = folder / URL
    try:
        said = path.read_bytes().decode("utf-8", "replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as e:
        raise DatabaseError(f"can't read {path}, which says what database the hub uses: {e.strerror}") from None
    if "://" not in said or not said.isprintable() or "\ufffd" in said:
        raise DatabaseError(f"{path} is spoiled: it must hold one line, postgresql://… of the hub's database")
    return said


def checkChoice(folder: Path, url: str | None) -> None:
    """
    See that the hub of a state directory may use a database.

    @param url: C{postgresql://…}; C{None}: SQLite's file.
    @raise DatabaseError: it has used another one, and it would look as if all were lost.
    """
    before = remembered(folder)
    if before == url:
        return
    if before is not None:
        what = f"now --database is {url}" if url else "now there is no --database"
        raise DatabaseError(
            f"the hub of {folder} has used {before}, and {what}: remove {folder / URL} if that is meant"
        )
    if (folder / DATABASE).exists():
        raise DatabaseError(
            f"the hub of {folder} has used {folder / DATABASE}: move what it holds by kernelnet migrate, if "
            "that is not done yet, and then that file away"
        )


def remember(folder: Path, url: str) -> None:
    """
    Write down that the hub of a state directory uses the database at C{url}.

    @raise DatabaseError: it can't be written, and stays what it was.
    """
    if remembered(folder) == url:
        return
    try:
        writeSecret(folder / URL, f"{url}\n".encode())
    except OSError as e:
        raise DatabaseError(f"can't write {folder / URL}: {e.strerror}") from None


def isOperators(state: StateDirectory) -> bool:
    """Whether it has the CA of the nodes that share a database, and no hub has ever run in it."""
    aHubs = (state.hubKey, state.ownRoot)
    return state.caKey.exists() and (state.path / URL).exists() and not any(file.exists() for file in aHubs)


def databaseOf(folder: Path) -> Database:
    """
    The database of the hub of the state directory C{folder}.

    @raise DatabaseError: what it takes is not installed.
    """
    return databaseAt(remembered(folder) or str(folder / DATABASE), folder)


def databaseAt(where: str, folder: Path) -> Database:
    """
    The database at C{where}: C{postgresql://…}, or a file of SQLite's.

    @param folder: where copies of what was gone back from are kept.
    @raise DatabaseError: what it takes is not installed.
    """
    if "://" not in where:
        return OfflineSqlite(Path(where))
    try:
        from kernelnet.hub.storage.postgres.offline import OfflinePostgres
    except ImportError:
        raise DatabaseError(f"the database {where} takes psycopg: pip install 'kernelnet[postgres]'") from None
    return OfflinePostgres(where, folder)


def operatedAt(url: str) -> Operated:
    """
    The database at C{url}.

    @raise DatabaseError: it is none on a server, or what it takes is not installed.
    """
    try:
        from kernelnet.hub.storage.postgres.operation import OperatedPostgres
    except ImportError:
        raise DatabaseError("several hubs take psycopg: pip install 'kernelnet[postgres]'") from None
    return OperatedPostgres(url)
