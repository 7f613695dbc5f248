"""The trainer's end of a connection: handshake, hello, then batches of messages; it knows no learning."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer, IReactorTime, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure
from zope.interface import implementer

from kernelnet.line_protocol import LineProtocol
from kernelnet.message import Heartbeat, MessageType, NetworkMessage
from kernelnet.trainer.connection.interfaces import ConnectionOwner
from kernelnet.untrusted import LinePace, plain
from kernelnet.wire import WireProblem, decodeFromHub, encode, newMessage

__all__ = ["TrainerProtocol"]

SILENCE = 100.0
"""Seconds without a line after which the hub is taken for dead: it pings idle peers every 30 s."""

FIRST_WORD = 30.0
"""The same before anything came that a hub says; another address may be that of one."""

_NOT_TAKEN = ("unknown ca", "bad certificate", "certificate expired", "certificate unknown", "certificate revoked")
"""Alerts of a hub's TLS about a client's certificate."""

MAX_NONCE = 256
"""Bytes of JSON of the longest nonce that is answered."""

MAX_UNREAD = 16 << 20
"""Bytes that the hub may leave unread, once the operating system takes no more of what we say."""


class TrainerProtocol(LineProtocol, TimeoutMixin):
    """
    One connection to the hub.  Line by line it hands checked messages to its owner's handler.

    @ivar greeted: whether the hub has answered, so that we know it knows us.
    @ivar heard: whether anything came that a hub says.
    @ivar closed: fires when it has ended.

    The hub is a stranger, too: its lines may be of any length and number, and it may read nothing of what it asks for.

    @param aiId: who speaks.
    """

    log = Logger()
    skipsLongLines = True
    greeted = False
    heard = False

    def __init__(self, aiId: str, owner: ConnectionOwner, clock: IReactorTime) -> None:
        super().__init__()
        self._aiId = aiId
        self._owner = owner
        self._clock = clock
        self._pace = LinePace()
        self._unread: int | None = None
        self._owed: Any = None
        self.closed: Deferred[None] = Deferred()

    @property
    def isCurrent(self) -> bool:
        """Whether no other has taken its place, and nobody has closed it."""
        return self._owner.connection is self

    def callLater(self, period: float, func: Any) -> Any:  # TimeoutMixin's hook for an injected clock
        return self._clock.callLater(period, func)

    def connectionMade(self) -> None:
        self.setRawMode()
        transport = self.transport
        if ITCPTransport.providedBy(transport):
            transport.setTcpNoDelay(True)
            transport.setTcpKeepAlive(True)
        consumer: Any = transport
        if IConsumer.providedBy(consumer):
            consumer.registerProducer(_Unread(self._hubReads), True)
        self.setTimeout(FIRST_WORD)
        self.sendLines(self._owner.openingLines(self))

    def linesReceived(self, lines: list[bytes]) -> None:
        self.resetTimeout()
        messages = []
        for line in lines:
            try:
                messages.append(decodeFromHub(line))
            except WireProblem as problem:
                # A newer hub may say what we don't know; what we do know still counts.
                if self._pace.admits("no message", self._clock.seconds()):
                    self.log.warn("the hub sent what is no message: {problem}", problem=plain(str(problem), 300))
        if messages and not self.heard:
            self.heard = True
            self.setTimeout(SILENCE)
        pings = [m for m in messages if m.message_type is MessageType.HEARTBEAT and "nonce" in m.payload]
        for ping in pings:
            self._answer(ping.payload["nonce"])
        # A ping that says how far the hub has sent the log to us has its place in the order.
        batch = [m for m in messages if m.message_type is not MessageType.HEARTBEAT or "seq" in m.payload]
        if batch:
            self._deliver(batch)

    def _answer(self, nonce: Any) -> None:
        if len(msgspec.json.encode(nonce)) > MAX_NONCE:
            return
        if self._unread is None:
            self.sayNow(MessageType.HEARTBEAT, Heartbeat(reply_to=nonce))
        else:
            self._owed = nonce  # the last one alone, once the hub reads again

    def _deliver(self, batch: list[NetworkMessage]) -> None:
        if not self.greeted and any(m.message_type is MessageType.TRAINING_SYNC for m in batch):
            self._greet()
        # Nothing more is read until the batch is durable: a slow disk here slows the hub's sending, not our memory.
        self.pauseProducing()
        self._owner.handler.received(batch, self).addBoth(self._delivered)

    def _delivered(self, result: object) -> None:
        if isinstance(result, Failure):
            self.log.error("a batch of messages could not be kept: {reason}", reason=result.getErrorMessage())
            self.abort()
        elif self.connected:
            self.resumeProducing()

    def _greet(self) -> None:
        self.greeted = True
        self._owner.greeted()
        self.log.info("Connected to the hub at {peer}", peer=str(self._owner.address))

    def _hubReads(self, reads: bool) -> None:
        self._unread = None if reads else 0
        if reads and self._owed is not None:
            owed, self._owed = self._owed, None
            self._answer(owed)

    def sendLines(self, lines: list[bytes]) -> None:
        super().sendLines(lines)
        if self._unread is not None:
            self._unread += sum(map(len, lines))
            if self._unread > MAX_UNREAD:
                self.log.warn("the hub has not read the last {n} bytes; connecting anew", n=self._unread)
                self.abort()

    def sayNow(self, kind: MessageType, payload: Struct) -> str:
        """Send a message that is of no use later.  @return: its id."""
        message = newMessage(self._aiId, kind, payload)
        self.sendLines([encode(message)])
        return message.message_id

    def comeBackLater(self) -> None:
        """Close, and come back after a long pause: a hub in trouble is not helped by all its trainers at its door."""
        self._owner.comeBackLater()

    def lineTooLong(self) -> None:
        if self._pace.admits("too long", self._clock.seconds()):
            self.log.error(
                "the hub sent a line over {limit} bytes, which is skipped: what it says is lost", limit=self.maxLine
            )
        if not self.greeted:
            # The answer to our hello, most likely: it knows us, and what else it says counts.
            self._greet()
        self._owner.handler.skipped()

    def timeoutConnection(self) -> None:
        seconds = SILENCE if self.heard else FIRST_WORD
        self.log.warn("the hub was silent for {seconds:.0f} s; connecting anew", seconds=seconds)
        self.abort()

    def close(self) -> None:
        """Close in good order: what was written still goes out."""
        transport: Any = self.transport
        if IConsumer.providedBy(transport):
            transport.unregisterProducer()  # else the end would wait for it
        if transport is not None:
            transport.loseConnection()

    def abort(self) -> None:
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.setTimeout(None)
        super().connectionLost(reason)
        # TLS failures are seen here only: the factory gets a plain ConnectionDone.
        self._owner.lost(self, _refusal(reason, _outOfDate(self.transport, datetime.now(UTC))))
        self.closed.callback(None)


@implementer(IPushProducer)
class _Unread:
    """
    Is told by a transport whether the peer reads; nothing is paused here, since that peer might wait for us to read.

    @param tell: called with whether it does.
    """

    def __init__(self, tell: Callable[[bool], None]) -> None:
        self._tell = tell

    def pauseProducing(self) -> None:
        self._tell(False)

    def resumeProducing(self) -> None:
        self._tell(True)

    def stopProducing(self) -> None:
        """The connection is lost."""


def _outOfDate(transport: Any, now: datetime) -> str:
    """
    Time since or until which a certificate that the hub showed is not valid, for people; empty if they all are.

    OpenSSL's error that ends the connection does not say.
    """
    handle = transport.getHandle() if hasattr(transport, "getHandle") else None
    shown = handle.get_peer_cert_chain(as_cryptography=True) if isinstance(handle, SSL.Connection) else None
    for index, certificate in enumerate(shown or ()):
        whose = "its CA's certificate" if index else "its certificate"
        if certificate.not_valid_after_utc < now:
            return f"{whose} expired on {certificate.not_valid_after_utc:%Y-%m-%d}; here it is {now:%Y-%m-%d}"
        if certificate.not_valid_before_utc > now:
            begins = f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
            return f"{whose} is not valid before {begins}; here it is {now:%Y-%m-%d %H:%M}"
    return ""


def _refusal(reason: Failure, outOfDate: str = "") -> str | None:
    """
    Fault of the hub's certificate or of ours, if that is why the connection ended.

    @param outOfDate: see `_outOfDate`.
    """
    error = reason.value
    if isinstance(error, VerificationError):
        return "is not trusted: its certificate is for another name"
    if isinstance(error, SSL.Error):
        words = " ".join(str(part) for entry in (error.args[0] if error.args else ()) for part in entry)
        if "certificate verify failed" in words:
            return f"is not trusted: {outOfDate or 'its certificate is not from the CA that is trusted here'}"
        if "alert certificate required" in words or "alert handshake failure" in words:
            return "refused us: it asks for a client certificate (--client-cert)"
        if "alert" in words and any(why in words for why in _NOT_TAKEN):
            return "refused us: it does not accept our client certificate"
    return None
