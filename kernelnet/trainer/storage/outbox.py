"""Messages that the trainer has said and the hub has not acked: kept across restarts, sent again in the same order."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct
from twisted.internet.defer import inlineCallbacks
from twisted.logger import Logger

from kernelnet.message import MessageType, NetworkMessage
from kernelnet.trainer.storage.database import Changes, Store
from kernelnet.wire import AUTHENTICATED_LINE, decode, encode, newMessage

__all__ = ["Outbox"]

WINDOW = 256
"""Maximum number of messages that are under way at once; more wait for acks."""

WINDOW_BYTES = 4 << 20
"""The same in bytes: the next message waits once there are as many."""

MAX_ANSWERS = 2000
ANSWER_ROOM = 4 << 20
"""Messages that wait for their acks, and their bytes, with which nothing more is said that strangers cause."""

Send = Callable[[list[bytes]], None]


class Outbox:
    """
    An ordered queue of encoded lines, each until its ack.

    A message is said within the `Changes` that make it durable; their `commit` lets it go out.

    @param aiId: who speaks.
    @param broken: called with the reason, for the user, when something could not be made durable.
    """

    log = Logger()

    def __init__(self, aiId: str, store: Store, broken: Callable[[str], None]) -> None:
        self._aiId = aiId
        self._store = store
        self._broken = broken
        self._waiting: OrderedDict[str, bytes] = OrderedDict()
        self._underWay: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = self._bytesUnderWay = 0
        self._send: Send | None = None

    def __len__(self) -> int:
        return len(self._waiting) + len(self._underWay)

    def __repr__(self) -> str:
        return f"<Outbox waiting={len(self._waiting)} underWay={len(self._underWay)} online={self._send is not None}>"

    @inlineCallbacks
    def load(self) -> Any:
        """Take up the messages that an earlier run left."""
        rows = yield self._store.read("SELECT message_id, line FROM outbox ORDER BY position")
        self._waiting = OrderedDict((messageId, bytes(line)) for messageId, line in rows)
        self._bytes = sum(map(len, self._waiting.values()))

    @property
    def isFull(self) -> bool:
        """Whether so much waits for its ack that nothing more is said which strangers cause, as often as they like."""
        return len(self) >= MAX_ANSWERS or self._bytes >= ANSWER_ROOM

    def answer(self, kind: MessageType, payload: Struct, changes: Changes, target: str | None = None) -> None:
        """The same as C{say} for what strangers cause; nothing is said while it `isFull`."""
        if not self.isFull:
            self.say(kind, payload, changes, target)

    def say(self, kind: MessageType, payload: Struct, changes: Changes, target: str | None = None) -> None:
        """
        Put a logged message into C{changes}; one that no line can hold is dropped, and the log says so.

        @param target: the one AI that it is for; C{None}: all.
        """
        message = newMessage(self._aiId, kind, payload, target)
        line = encode(message)
        if len(line) > AUTHENTICATED_LINE:
            # The hub would close, and all that is behind it would wait for ever.
            self.log.error(
                "not sent: {kind} of {n} bytes; at most {limit} fit",
                kind=kind.value,
                n=len(line),
                limit=AUTHENTICATED_LINE,
            )
            return
        changes.add("INSERT INTO outbox (message_id, line) VALUES (?, ?)", message.message_id, line)

    @inlineCallbacks
    def commit(self, changes: Changes) -> Any:
        """
        Make C{changes} durable; then the messages that were said in them go out.

        Where that is impossible the trainer has to end: its memory is ahead of its store, and the next start goes on
        from what is stored.
        """
        try:
            yield self._store.commit(changes)
        except Exception as e:
            self._broken(f"can't write {self._store.path}: {e}")
            raise
        for sql, parameters in changes.statements:
            if sql.startswith("INSERT INTO outbox"):
                self._waiting[parameters[0]] = parameters[1]
                self._bytes += len(parameters[1])
        self._pump()

    def connected(self, send: Send) -> None:
        """A connection is there and the hub knows us: all that is unacked goes out again, in order."""
        self._send = send
        self._waiting = OrderedDict([*self._underWay.items(), *self._waiting.items()])
        self._underWay = OrderedDict()
        self._bytesUnderWay = 0
        self._pump()

    def disconnected(self) -> None:
        self._send = None

    def acked(self, messageIds: Iterable[str], changes: Changes) -> None:
        """The hub has these (or will never take them): forget them."""
        for messageId in messageIds:
            line = self._underWay.pop(messageId, None)
            self._bytesUnderWay -= len(line or b"")
            line = line or self._waiting.pop(messageId, None)
            if line is not None:  # a hub may ack what we never said, as often as it likes
                self._bytes -= len(line)
                changes.add("DELETE FROM outbox WHERE message_id = ?", messageId)
        self._pump()

    def refused(self, messageId: str, changes: Changes) -> NetworkMessage | None:
        """The hub will never take this: forget it.  @return: what was said; C{None}: it is none of ours."""
        line = self._underWay.get(messageId) or self._waiting.get(messageId)
        self.acked([messageId], changes)
        return decode(line) if line is not None else None

    def longest(self) -> str | None:
        """Id of the longest line under way: the hub closed over one that is longer than its limit."""
        return max(self._underWay, key=lambda messageId: len(self._underWay[messageId]), default=None)

    def _pump(self) -> None:
        if self._send is None:
            return
        lines = []
        while self._waiting and len(self._underWay) < WINDOW and self._bytesUnderWay < WINDOW_BYTES:
            messageId, line = self._waiting.popitem(last=False)
            self._underWay[messageId] = line
            self._bytesUnderWay += len(line)
            lines.append(line)
        if lines:
            self._send(lines)
