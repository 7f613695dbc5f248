"""
Reader and transaction: the half of an engine that its users see.

An engine's reader has the query groups of `kernelnet.hub.storage.statements`; its transaction has all groups, and the
log.  `Transaction` holds what is the same for every engine, and takes from it `_write`, `find` and the savepoints.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from kernelnet import wire
from kernelnet.hub.storage.log_pages import Event, isNewOnly
from kernelnet.hub.storage.statements.access import Ais, AisQueries, Tokens, TokensQueries
from kernelnet.hub.storage.statements.certificates import SigningCertificates, SigningCertificatesQueries
from kernelnet.hub.storage.statements.components import Components, ComponentsQueries
from kernelnet.hub.storage.statements.log import LogQueries, Marks, MarksQueries
from kernelnet.hub.storage.statements.observations import Observations, ObservationsQueries
from kernelnet.hub.storage.statements.owners import Owners, OwnersQueries
from kernelnet.hub.storage.statements.patterns import Patterns, PatternsQueries
from kernelnet.hub.storage.statements.reports import Reports, ReportsQueries
from kernelnet.hub.storage.statements.sessions import Sessions, SessionsQueries
from kernelnet.message import HUB_ID, Hello, MessageType, NetworkMessage
from kernelnet.wire import WireProblem, newMessageId

__all__ = ["MAX_LINE", "Note", "Reader", "Transaction", "Work", "checkLine", "hubMessage"]

MAX_LINE = wire.AUTHENTICATED_LINE - 32
"""Bytes that a line of the hub may have before its C{seq} is put in."""

Note = tuple[str, dict[str, Any]]
"""The format of a line for the log file, and its fields."""


def hubMessage(messageType: MessageType, payload: dict[str, Any], now: float) -> NetworkMessage:
    """A message of the hub's own at Unix time C{now}."""
    return NetworkMessage(newMessageId(now), HUB_ID, messageType, wire.rfc3339(now), payload)


def checkLine(line: bytes, messageId: str | None = None) -> bytes:
    """
    C{line}, if every peer takes it, also with a C{seq}; all lines that the hub makes pass here.

    @raise WireProblem: it is too long.
    """
    if len(line) > MAX_LINE:
        raise WireProblem(
            "invalid_message",
            f"it makes the hub say {len(line)} bytes in one line; at most {MAX_LINE} can be",
            messageId,
        )
    return line


class Reader(Protocol):
    """
    All that was committed, by group of statements.

    It is used within the function that it was given to alone.  Each statement sees one commit's state; two in a row may
    see two.
    """

    @property
    def log(self) -> LogQueries: ...
    @property
    def marks(self) -> MarksQueries: ...
    @property
    def tokens(self) -> TokensQueries: ...
    @property
    def ais(self) -> AisQueries: ...
    @property
    def owners(self) -> OwnersQueries: ...
    @property
    def certificates(self) -> SigningCertificatesQueries: ...
    @property
    def sessions(self) -> SessionsQueries: ...
    @property
    def patterns(self) -> PatternsQueries: ...
    @property
    def components(self) -> ComponentsQueries: ...
    @property
    def reports(self) -> ReportsQueries: ...
    @property
    def observations(self) -> ObservationsQueries: ...


class Transaction(ABC):
    """
    The transaction that work is applied in, in an engine's thread: a `Reader` that writes, too.

    @ivar now: Unix seconds.
    @ivar events: what was appended.
    @ivar notes: lines for the log file, written once the commit stands.
    @ivar hellos: (AI, hello, time) of those that were saved, for who follows the log.
    @ivar enrolled: AIs that were given a token, for the same; C{completed}: partners that completed a session;
        C{revoked}: AIs whose hello was forgotten.
    """

    log: LogQueries
    marks: Marks
    tokens: Tokens
    ais: Ais
    owners: Owners
    certificates: SigningCertificates
    sessions: Sessions
    patterns: Patterns
    components: Components
    reports: Reports
    observations: Observations

    def __init__(self, now: float) -> None:
        self.now = now
        self.events: list[Event] = []
        self.notes: list[Note] = []
        self.hellos: list[tuple[str, Hello, float]] = []
        self.enrolled: list[str] = []
        self.completed: list[str] = []
        self.revoked: list[str] = []
        self._kept: list[int] = []

    # --- what users of it call

    def append(
        self, message: NetworkMessage, line: bytes, recipients: Iterable[str] | None, digest: bytes = b""
    ) -> Event:
        """
        Put one message at the end of the log; who may say it twice has asked `find` in the same transaction.

        @param line: C{message} as its recipients get it.
        @param recipients: ids; C{None}: all but the sender.
        @param digest: of what its author sent; C{b""}: that is what C{line} says.
        @return: what its readers will see.  Before the commit stands its C{seq} is good for nothing but to be handed,
            within the event, to statements of this transaction: an engine may give the number with the commit only.
        """
        checkLine(line, message.message_id)
        sender = message.sender_id
        ids = None if recipients is None else frozenset(recipients) - {sender}
        event = Event(0, sender, ids, line, isNewOnly(message.message_type._value_))
        self._write(event, message, digest)
        self.events.append(event)
        return event

    @abstractmethod
    def find(self, sender: str, messageId: str) -> tuple[int, bytes] | None:
        """
        C{seq} and digest of the message if it was appended before, also when retention has removed its row since; of
        one that this very transaction appended the C{seq} of its event.

        An engine may say C{None} of one that was, at first: once the work appends it all is undone, and applied again.
        So who is told C{None} must append the message, or raise.
        """

    def tell(self, recipients: Iterable[str], messageType: MessageType, payload: msgspec.Struct) -> Event:
        """Append a message of the hub's own."""
        message = self.message(messageType, wire.encodePayload(payload))
        return self.append(message, wire.encode(message), recipients)

    def message(self, messageType: MessageType, payload: dict[str, Any]) -> NetworkMessage:
        """A message of the hub's own, not yet appended."""
        return hubMessage(messageType, payload, self.now)

    def note(self, format: str, **fields: Any) -> None:
        """A line for the hub's log file, once this is committed; strangers' words in it are made plain there."""
        self.notes.append((format, fields))

    # --- what an engine gives; called by `kernelnet.hub.storage.group_commit` and here alone

    @abstractmethod
    def _write(self, event: Event, message: NetworkMessage, digest: bytes) -> None:
        """
        Have C{event} written as the next row, and set its C{seq}: now, or as soon as that is known.

        Numbers rise by one from row to row, without a gap where work was undone; none is ever given twice, whatever
        retention removed.  The row keeps C{message_id}, C{message_type}, C{target_ai} and C{timestamp} of C{message}.
        """

    @abstractmethod
    def savepoint(self) -> None:
        """Remember what there is, for `undo`.  Overriders call this one, too."""
        self._kept = [len(gathered) for gathered in self._gathered()]

    @abstractmethod
    def undo(self) -> bool:
        """
        Undo all that was done since the last `savepoint`, and forget that.  Overriders call this one, too.

        @return: whether what came before it is still there; if not, nothing of the transaction may be committed.
        """
        for gathered, count in zip(self._gathered(), self._kept, strict=True):
            del gathered[count:]
        return True

    def _gathered(self) -> tuple[list[Any], ...]:
        return self.events, self.notes, self.hellos, self.enrolled, self.completed, self.revoked

    @abstractmethod
    def release(self) -> None:
        """
        Forget the last `savepoint`: what was done since stays, as far as the commit will.

        Whatever was only gathered is written by now, or else raises here.
        """


class Work(Protocol):
    """
    Something to be written with the next commit.

    @ivar author: the AI whose turn it is done in; C{""}: it is the hub's own, and goes first.
    @ivar size: roughly how many bytes it will write.
    @ivar source: whose order must hold: after a C{retry} refusal nothing more of it is written in the same commit.
        C{None}: nobody's.
    """

    author: str
    size: int
    source: object | None

    def withdrawn(self) -> WireProblem | None:
        """Reactor's thread, right before the commit: why it shall not be written any more."""

    def apply(self, transaction: Transaction) -> None:
        """
        Engine's thread; it may be called again after a rollback.

        @raise WireProblem: it is refused; nothing may have been written by then.
        """

    def settle(self, problem: WireProblem | None) -> None:
        """Reactor's thread: it is committed, or why it never will be."""
