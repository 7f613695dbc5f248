"""
Blobs on a server, for all nodes that use its database: each part is a row, a C{bytea} of 256 KiB.

Rows, not large objects: a part is written, and read, by one statement by its key, and goes with its blob in one
transaction; large objects live in one catalogue of the server's for all, in pages of 2 KB, stay when what named them
goes, and no standby that follows by logical replication gets them.  The server keeps the parts as they are
(C{STORAGE EXTERNAL}): traces are compressed already.

A part, once it is there, never changes.  What else is kept is changed under one advisory lock, within which a sequence
counts the changes: by that each node sees whether it still knows all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from kernelnet.hub.storage.blobs.store import Sent
from kernelnet.hub.storage.postgres.connection import Connection, argumentsFor, cut, durably, setUpWriter

__all__ = ["PostgresBlobs"]

MAX_HASHES = 256
"""Contents that are hashed as they come; what comes of others is read again at its end."""
_LOCK = 0x6B657262
"""Number of the advisory lock that is held while it is changed what is kept."""
_WRITE = """
    WITH upload AS (UPDATE blob_uploads SET at = $4 WHERE digest = $1 AND ai_id = $2 RETURNING content),
    before AS (SELECT content, (SELECT COUNT(*) FROM blob_parts p WHERE p.content = upload.content) AS n FROM upload),
    added AS (INSERT INTO blob_parts SELECT content, $3::integer, $5::bytea FROM before WHERE n = $3::integer
              ON CONFLICT DO NOTHING RETURNING number)
    SELECT content, n, (SELECT COUNT(*) FROM added) FROM before
"""
_SENT = """
    SELECT u.digest, u.ai_id, u.note, COALESCE(SUM(octet_length(p.data)), 0)::bigint, u.at
    FROM blob_uploads u LEFT JOIN blob_parts p USING (content) GROUP BY u.digest, u.ai_id
"""


class PostgresBlobs:
    """
    A `kernelnet.hub.storage.blobs.store.BlobStore` on a connection of its own, which is made when it is needed.

    @param wallClock: Unix seconds.
    @raise psycopg.Error: (any function) the server failed; the next one tries again.
    """

    def __init__(self, url: str, wallClock: Callable[[], float]) -> None:
        self._url = url
        self._wallClock = wallClock
        self._connection: Connection | None = None
        self._hashes: dict[int, tuple[int, hashlib._Hash]] = {}
        self._hashed: tuple[str, str, int, int] | None = None
        self._seen = -1
        self._hasChanged = False

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def cut(self) -> None:
        """
        Cut the connection, such as to a server that says nothing: whoever waits for it in another thread is told so.
        The next use makes a new one.
        """
        if self._connection is not None:
            cut(self._connection)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        with self._transaction():
            self._execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            ((now,),) = self._execute("SELECT last_value + is_called::int FROM blob_changes")
            before, self._seen, self._hasChanged = self._seen, now, False
            try:
                yield before != now
            except psycopg.Error:
                raise
            except BaseException:
                self._commit()
                raise
            self._commit()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """A transaction, which whoever begins it commits; a failure of the server undoes it."""
        connection = self._connected()
        self._execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        try:
            yield
        except psycopg.Error:
            self._seen = -1
            with suppress(psycopg.Error):
                connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _together(self) -> Iterator[None]:
        """All changes within last as one: by what `alone` commits, or else by a commit of their own."""
        if self._connected().info.transaction_status == psycopg.pq.TransactionStatus.INTRANS:
            yield
            return
        with self._transaction():
            yield
            self._durably("COMMIT")

    def _commit(self) -> None:
        if self._hasChanged:
            ((self._seen,),) = self._execute("SELECT nextval('blob_changes') + 1")
        self._durably("COMMIT")

    def tidy(self) -> None:
        """Each change is one transaction: a kill leaves nothing."""

    def notes(self) -> dict[str, bytes]:
        return dict(self._execute("SELECT digest, note FROM blobs"))

    def sent(self) -> dict[tuple[str, str], Sent]:
        return {(digest, author): Sent(*rest) for digest, author, *rest in self._execute(_SENT)}

    def begin(self, digest: str, author: str, note: bytes) -> None:
        self._change(
            "INSERT INTO blob_uploads VALUES ($1, $2, nextval('blob_contents'), $3, $4)"
            " ON CONFLICT (digest, ai_id) DO UPDATE SET note = excluded.note, at = excluded.at",
            *(digest, author, note, self._wallClock()),
        )

    def have(self, digest: str, author: str) -> int:
        ((size,),) = self._execute(
            "SELECT COALESCE(SUM(octet_length(p.data)), 0)::bigint FROM blob_uploads JOIN blob_parts p USING (content)"
            " WHERE digest = $1 AND ai_id = $2",
            *(digest, author),
        )
        return int(size)

    def write(self, digest: str, author: str, number: int, data: bytes) -> bool:
        found = self._durably(_WRITE, digest, author, number, self._wallClock(), data)
        if not found:
            return False
        ((content, there, added),) = found
        if added:
            # Hashed as it comes, so that the end of a large one doesn't take long; by its content, which no other ever
            # has: of the same digest and author another node may have let other bytes go meanwhile.
            next_, digester = self._hashes.pop(content, (0, hashlib.sha256()))
            if next_ == number:
                digester.update(data)
                self._hashes[content] = number + 1, digester
            if len(self._hashes) > MAX_HASHES:
                del self._hashes[next(iter(self._hashes))]
        return bool(added) or number < there

    def digestOf(self, digest: str, author: str) -> str:
        self._hashed = None
        digester = hashlib.sha256()
        found = self._execute("SELECT content FROM blob_uploads WHERE digest = $1 AND ai_id = $2", digest, author)
        if not found:
            return digester.hexdigest()
        ((content,),) = found
        count = self._count(content)
        known, sofar = self._hashes.pop(content, (-1, digester))
        if known == count:
            digester = sofar
        else:
            of = "SELECT data FROM blob_parts WHERE content = $1 AND number = $2"
            for number in range(count):
                for (data,) in self._execute(of, content, number):
                    digester.update(data)
        self._hashed = digest, author, content, count
        return digester.hexdigest()

    def finish(self, digest: str, author: str, note: bytes) -> None:
        with self._together():
            # The count comes behind it: a part that was under way is waited for, and seen then.
            sent = self._change(
                "DELETE FROM blob_uploads WHERE digest = $1 AND ai_id = $2 RETURNING content", digest, author
            )
            if [(digest, author, content, self._count(content)) for (content,) in sent] != [self._hashed]:
                raise psycopg.OperationalError("what is there of it now is not what was checked: ask for its end again")
            ((content,),) = sent
            self._change("INSERT INTO blobs VALUES ($1, $2, $3)", digest, content, note)
        self._hashed = None

    def annotate(self, digest: str, note: bytes) -> None:
        self._change("UPDATE blobs SET note = $2 WHERE digest = $1", digest, note)

    def read(self, digest: str, number: int) -> bytes:
        found = self._execute(
            "SELECT p.data FROM blobs JOIN blob_parts p USING (content) WHERE digest = $1 AND number = $2",
            *(digest, number),
        )
        return found[0][0] if found else b""

    def discard(self, digest: str, author: str) -> None:
        with self._together():
            # The parts in a statement of their own: one that was under way is waited for, and only seen then.
            for (content,) in self._change(
                "DELETE FROM blob_uploads WHERE digest = $1 AND ai_id = $2 RETURNING content", digest, author
            ):
                self._hashes.pop(content, None)
                self._change("DELETE FROM blob_parts WHERE content = $1", content)

    def remove(self, digest: str) -> None:
        self._change(
            "WITH gone AS (DELETE FROM blobs WHERE digest = $1 RETURNING content)"
            " DELETE FROM blob_parts WHERE content IN (SELECT content FROM gone)",
            digest,
        )

    def _count(self, content: int) -> int:
        ((count,),) = self._execute("SELECT COUNT(*) FROM blob_parts WHERE content = $1", content)
        return int(count)

    def _change(self, sql: str, *parameters: Any) -> Sequence[Any]:
        self._hasChanged = True
        return self._durably(sql, *parameters)

    def _durably(self, sql: str, *parameters: Any) -> Sequence[Any]:
        """Execute what commits, or may."""
        with durably(self._connected()):
            return self._execute(sql, *parameters)

    def _execute(self, sql: str, *parameters: Any) -> Sequence[Any]:
        done = self._connected().execute(sql.encode(), parameters, binary=True)
        return done.fetchall() if done.description else ()

    def _connected(self) -> Connection:
        connection = self._connection
        if connection is None or connection.closed:
            self._hashes.clear()  # a server that has taken the place of another may give their numbers again
            self._hashed, self._seen = None, -1
            connection = psycopg.Connection.connect(self._url, **argumentsFor(self._url))
            self._connection = connection  # so that it can be cut from now on
            try:
                setUpWriter(connection)
            except BaseException:
                connection.close()
                raise
        return connection
