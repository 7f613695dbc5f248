"""
The one interface behind which a database's ways stand.

`kernelnet.hub.storage.event_log.EventLog` is the log for everybody else, on any engine.  An engine decides how works
share a transaction, in which threads it reads and writes, what its errors mean, and how it is checked, backed up and
gone back.  What stands in the database is asked and changed by the named statements
(`kernelnet.hub.storage.statements`) of its `Reader` and `Transaction`.

All Deferreds fire in the reactor's thread.  Functions that an engine is given run in threads of its own, or in the
reactor's if none of them would wait there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from msgspec import Struct
from twisted.internet.defer import Deferred

from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.integrity import Tell
from kernelnet.hub.storage.log_pages import Event, Page
from kernelnet.hub.storage.transaction import Note, Reader, Transaction, Work
from kernelnet.message import Hello
from kernelnet.wire import WireProblem

__all__ = ["Commit", "Committed", "Engine", "Identity", "Place", "Restoration", "Standing"]

T = TypeVar("T")


class Identity(Struct, frozen=True):
    """
    Which log this is, and where it stands.

    @ivar logId: tells it from that of any other database, also from its own backup once that was gone back to.
    @ivar head: the last position that was given out; 0: none was.
    @ivar first: the first position that can still be read; C{head + 1}: there is none.
    @ivar former: the log id that it had before `Engine.renew`, and up to which position this is still that log.
    @ivar lost: the last position that was given out and is not there any more, so that the log was renewed just now.
    """

    logId: str
    head: int
    first: int
    former: tuple[str, int] = ("", 0)
    lost: int = 0


class Place(NamedTuple):
    """A position in the log.  @ivar line: the message there; empty: nobody knows it."""

    seq: int
    line: bytes = b""


class Standing(NamedTuple):
    """
    Where a hub stands in the log.

    @ivar last: the end of what it has passed on.
    @ivar lasting: up to where a commit has shown that it lasts; what follows may have been read before that.
    """

    logId: str
    last: Place
    lasting: Place


class Committed(Struct, frozen=True):
    """
    All that a commit wrote, for who follows the log.

    @ivar events: in order, with the C{seq} they have for good.
    @ivar hellos: (AI, hello, Unix seconds).
    @ivar enrolled: AIs that were given a token.
    @ivar completed: AIs that completed a session as its partner, as often as they did.
    @ivar revoked: AIs whose hello was forgotten, since they were locked out.
    """

    events: list[Event] = []
    hellos: list[tuple[str, Hello, float]] = []
    enrolled: list[str] = []
    completed: list[str] = []
    revoked: list[str] = []

    @classmethod
    def of(cls, transaction: Transaction) -> Committed:
        """All that C{transaction} wrote."""
        t = transaction
        return cls(t.events, t.hellos, t.enrolled, t.completed, t.revoked)


class Commit(Struct, frozen=True):
    """
    The outcome of one.

    @ivar refused: by index in the works: why it was not written; C{WireProblem}s are as the work raised them.
    @ivar costs: seconds that each work took, from the first on; those behind them were not begun.
    """

    committed: Committed
    notes: list[Note]
    refused: dict[int, BaseException]
    costs: list[float]


class Restoration(Protocol):
    """A backup ready to take the place of what there is; its engine knows what is in it."""

    def discard(self) -> Deferred[None]:
        """Remove what was made for it; also after it took its place."""


class Engine(Protocol):
    """
    A database of the hub.

    @ivar readClock: by its seconds the work of who reads is told, within the function that reads.
    """

    @property
    def readClock(self) -> Callable[[], float]: ...

    def prepare(self) -> bool:
        """
        Make the database, or bring it to the newest schema version, and check it as far as that takes well under a
        second.  Blocks; before anything else is called.

        @return: whether the hub that used it last was killed: then all of the log is to be checked.
        @raise DatabaseError: it is damaged, not ours, from a newer kernelnet, or can't be written.
        """

    def open(self) -> Deferred[Identity]:
        """Read where the log stands; again after `replace`."""

    def renew(self, upTo: int) -> Deferred[Identity]:
        """
        Give the log another id: some positions behind C{upTo} were given out before, for other messages.

        C{open} does so by itself where the engine sees that numbers it gave out are not there any more.
        """

    def commit(self, works: Sequence[Work], now: float) -> Deferred[Commit]:
        """
        Apply all works in this order, and commit them durably, in one transaction.

        A work that raises is refused alone: what it had written is undone, others stay; after one that raised what
        `problemOf` calls a C{retry} the later ones of the same source are refused likewise, unapplied
        (`kernelnet.hub.storage.group_commit`).  The last works are left for another commit, not begun, when
        those before them took long; the first never is.  The next one is called when this one has fired.

        @param now: Unix seconds, for C{Transaction.now}.
        @return: fires when what was not refused is durable; fails if nothing of it was written.
        """

    def page(self, after: int, upTo: int, aiId: str) -> Deferred[Page]:
        """
        The next stretch of the log: what concerns C{aiId} of the rows with C{after < seq <= upTo}, from the first on,
        as many as a page holds (`kernelnet.hub.storage.log_pages.fillPage`).  If there is no such row, an empty page
        up to C{upTo}: retention has removed them.

        @return: fails with `kernelnet.hub.storage.integrity.Damaged` if a row is not what was written.
        """

    def read(self, function: Callable[[Reader], T]) -> Deferred[T]:
        """Fires with what C{function} returns; it may run beside a commit, and sees none that is not durable."""

    def problemOf(self, error: BaseException) -> WireProblem:
        """
        The answer to a sender: to wait when the disk is full (C{storage_full}) or the database busy or damaged
        (C{busy}), to give up when its message can't be stored (C{invalid_message}).  A C{WireProblem} stays what it is.
        """

    def isDamage(self, error: BaseException) -> bool:
        """Whether it says that the database is damaged."""

    def unusable(self, error: BaseException) -> DatabaseError:
        """The error that tells the operator of a database that can't be used for this reason."""

    def rememberDamage(self, error: BaseException) -> Deferred[None]:
        """Write down that it is damaged, so that `prepare` lets it pass no more."""

    def checkRows(self, after: int) -> Deferred[int | None]:
        """
        Check the next rows of the log that follow C{after}, as many as take some milliseconds.

        @return: fires with the row after which to go on; C{None}: that was the last.  Fails with
            `kernelnet.hub.storage.integrity.Damaged`.
        """

    def backUp(self, file: Path, tell: Tell) -> Deferred[dict[str, Any]]:
        """
        Write a copy of one moment to C{file}, checked in full, in the SQLite form that every engine can go back to;
        commits go on meanwhile.

        @param tell: is told how far it is, in any thread.
        @return: fires with C{file}, C{bytes}, C{events}; fails with `DatabaseError`, and nothing is left at C{file}.
        """

    def prepareRestore(self, file: Path, tell: Tell) -> Deferred[Restoration]:
        """
        Make of the backup C{file}, which is only read, what `replace` takes: of the newest schema, sound, with a new
        log id, and with today's tokens.

        @return: fails with `DatabaseError` if it can't be used; nothing has changed.
        """

    def replace(self, restoration: Restoration) -> Deferred[Path]:
        """
        Make its content that of the database: readers see what was or what will be.  Nothing may be submitted.

        @return: fires with where a copy of what was replaced is.
        """

    def close(self) -> None:
        """Give everything back; what is asked from now on is not answered, and raises nothing."""
