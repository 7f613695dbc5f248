"""
One connection of a client, from its first byte to its last.

::

    -> {"ai_id": …, "token": …}      within 10 s of the TCP accept
    <- (nothing)                     or one `error`, then the end
    -> hello                         sets the protocol version
    <- training_sync                 then what it missed, then what comes
    -> any message                   <- ack (version 2), error
    <-> heartbeat

What the logged types mean stands in `kernelnet.hub.routing.router`; here are those that concern the connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.internet import error
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from kernelnet import wire
from kernelnet.hub.auth.tokens import Grant
from kernelnet.hub.connection.admission import setUpSocket
from kernelnet.hub.connection.hello import Greeting, sendSync
from kernelnet.hub.connection.limits import addressKey
from kernelnet.hub.connection.log_reader import Cursor, Flush
from kernelnet.hub.routing.router import Logged
from kernelnet.hub.storage.transaction import Work, hubMessage
from kernelnet.message import (
    LOGGED,
    AiInfo,
    ErrorClass,
    Handshake,
    Heartbeat,
    Hello,
    MessageType,
    NetworkMessage,
    SyncRequest,
    TrainingSync,
)
from kernelnet.untrusted import plain
from kernelnet.wire import LineProtocol, WireProblem

if TYPE_CHECKING:
    from kernelnet.hub.connection.factory import HubFactory

__all__ = ["HubProtocol"]

CLOSE_TIMEOUT = 3.0
"""Seconds that a peer has to take the last lines before it is cut."""


class HubProtocol(LineProtocol):
    """
    @ivar aiId: who it is; C{""} until it is authenticated.
    @ivar address: what the limits for one address count it among.
    @ivar version: the protocol version it speaks; 1 until its hello says otherwise.
    @ivar greeted: whether it has said hello.
    @ivar since: Unix time of its authentication.
    @ivar readSeq: up to which position of the log it has said that it dealt with everything.
    @ivar grant: how its handshake was answered.
    @ivar syncing: whether a page of the knowledge base is on its way to it.
    @ivar ordered: whether nothing may overtake a message of it that was refused for now.
    """

    factory: HubFactory
    transport: Any
    log = Logger(namespace="kernelnet.hub")

    # What few connections ever change stands here: up to 30 attributes of its own an object has without a dict.
    closing = False
    syncing = False
    lastPing = 0.0
    news: frozenset[str] = frozenset()
    _held: frozenset[str] = frozenset()
    _slowed: IDelayedCall | None = None
    _mustResend: str | None = None

    def __init__(self, factory: HubFactory) -> None:
        super().__init__()
        self.factory = factory
        self.aiId = ""
        self.version = 1
        self.greeted = False
        self.since = 0.0
        self.readSeq = 0
        self.ordered = False
        self.lastHeard = factory.clock.seconds()
        self.cursor = Cursor(self, factory.source)
        self.grant = Grant.REFUSED
        self._handshake: Handshake | None = None
        self._timer: IDelayedCall | None = None
        self._acks: list[tuple[str, int]] = []
        self.peer = ""
        self.address = ""
        self.MAX_LENGTH = factory.gate.bounds.handshakeLine
        self.maxLine = factory.gate.bounds.line

    def __repr__(self) -> str:
        state = "closing" if self.closing else "greeted" if self.greeted else "authenticated" if self.aiId else "new"
        return f"<HubProtocol {self.aiId or '?'} v{self.version} {state} {self.peer}>"

    @property
    def mayRenew(self) -> bool:
        """Whether a new credential can be sent to it now."""
        return self.greeted and self.version >= 2 and not self.closing

    # --- from the first byte to the hello

    def connectionMade(self) -> None:
        peer = self.transport.getPeer()
        self.peer = f"{getattr(peer, 'host', peer)}:{getattr(peer, 'port', '')}"
        self.address = addressKey(getattr(peer, "host", None))
        setUpSocket(self.transport)
        self._timer = self.factory.clock.callLater(self.factory.gate.bounds.authTimeout, self._authTimedOut)
        self.factory.connected(self)
        self.transport.registerProducer(self.cursor, True)

    def dataReceived(self, data: bytes) -> None:
        self.lastHeard = self.factory.clock.seconds()
        super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        if self.closing or self._handshake is not None:
            return
        try:
            self._handshake = wire.decodeHandshake(line)
        except WireProblem as problem:
            self.close(problem)
            return
        self._cancelTimer()
        # What is pipelined behind the handshake waits, and the small limit is not for it.
        self.hold("token")
        self.factory.gate.authenticate(self, self._handshake).addCallback(self._authenticated).addErrback(self.failed)

    def _authenticated(self, grant: Grant) -> None:
        assert self._handshake is not None
        if self.closing:
            return
        if grant is Grant.REFUSED:
            self.close(WireProblem("bad_credentials", "unknown ai_id or wrong token"))
            return
        self.grant = grant
        self.aiId = self._handshake.ai_id
        self.since = self.factory.wallClock()
        self.factory.authenticated(self)
        self.setRawMode()
        self.release("token")

    def _authTimedOut(self) -> None:
        self._timer = None
        self.close(WireProblem("auth_timeout", f"no handshake line within {self.factory.gate.bounds.authTimeout:g} s"))

    def _cancelTimer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _slowDown(self, seconds: float) -> None:
        """Read no more of it for so long: what it sends faster than it may stays in its own buffers."""
        if self._slowed is not None:
            self._slowed.cancel()
        self.hold("pace")
        self._slowed = self.factory.clock.callLater(seconds, self._fastEnough)

    def _fastEnough(self) -> None:
        self._slowed = None
        self.release("pace")

    # --- lines in

    def linesReceived(self, lines: list[bytes]) -> None:
        works: list[Work] = []
        for line in lines:
            if line.endswith(b"\r"):
                line = line[:-1]  # noqa: PLW2901
            if not line:
                continue
            if self.closing:
                break
            try:
                work = self._messageReceived(wire.decode(line), len(line))
            except WireProblem as problem:
                self._refuse(problem)
            else:
                if work is not None:
                    works.append(work)
        self.factory.source.submit(works)
        if self.factory.source.backlogged and "log" not in self._held:
            self.hold("log")
            self.factory.source.whenRelieved(lambda: self.release("log"))
        if not self.closing and (wait := self.factory.gate.pace.take(self.aiId, len(lines), self.lastHeard)):
            self._slowDown(wait)

    def _messageReceived(self, message: NetworkMessage, size: int) -> Work | None:
        if message.sender_id != self.aiId:
            raise WireProblem(
                "spoofed_sender",
                f"`sender_id` is {plain(message.sender_id)!r}, you are {self.aiId!r}",
                message.message_id,
            )
        self.factory.counts[message.message_type._value_] += 1
        if not self.greeted and message.message_type is not MessageType.HELLO:
            raise WireProblem(
                "invalid_message", "`message_type`: the first message must be a hello", message.message_id
            )
        if message.message_type in LOGGED:
            return Logged(message, self.factory.router.plan(message), size, self)
        return self._own[message.message_type](self, message)

    def lineTooLong(self) -> None:
        limit = self.maxLine if self.aiId else self.MAX_LENGTH
        self.close(WireProblem("line_too_long", f"a line may have at most {limit} bytes"))

    # --- the types that concern the connection

    def _hello(self, message: NetworkMessage) -> Work | None:
        hello = wire.decodePayload(message, Hello)
        version = 2 if hello.protocol >= 2 else 1
        if self.greeted and version != self.version:
            raise WireProblem("invalid_message", "`protocol` can't change within a connection", message.message_id)
        if version == 1 and self.grant.joins:
            raise WireProblem(
                "bad_credentials",
                "a version 1 client can't enrol with a join token or join string; give it a token of its own: "
                f"kernelnet tokens issue {self.aiId} --token",
                message.message_id,
            )
        again = self.greeted
        self.greeted = True
        self.version = version
        self.ordered = version >= 2
        return Greeting(self, hello, again)

    def _trainingSync(self, message: NetworkMessage) -> None:
        request = wire.decodePayload(message, SyncRequest)
        if self.syncing:
            raise WireProblem("busy", "one training_sync at a time: wait for the answer", message.message_id)
        sendSync(self, TrainingSync(), request)

    def _heartbeat(self, message: NetworkMessage) -> None:
        beat = wire.decodePayload(message, Heartbeat)
        if beat.seq is not None:
            self.readSeq = max(self.readSeq, min(beat.seq, self.cursor.position))
        if beat.nonce is not None and beat.reply_to is None:
            self.send(MessageType.HEARTBEAT, Heartbeat(reply_to=beat.nonce))

    def _payload(self, message: NetworkMessage) -> None:
        raise WireProblem("unsupported", "the type payload is reserved", message.message_id)

    _own: dict[MessageType, Callable[[HubProtocol, NetworkMessage], Work | None]] = {
        MessageType.HELLO: _hello,
        MessageType.TRAINING_SYNC: _trainingSync,
        MessageType.HEARTBEAT: _heartbeat,
        MessageType.PAYLOAD: _payload,
    }

    # --- what became of a logged message (kernelnet.hub.routing.router.Owner)

    def withdrawn(self, work: Logged) -> WireProblem | None:
        if self._mustResend is None or self._mustResend == work.messageId:
            return self.factory.source.storageProblem
        return WireProblem("busy", f"send {self._mustResend!r} again first", work.messageId)

    def settled(self, work: Logged, problem: WireProblem | None) -> None:
        if problem is not None:
            if problem.errorClass is ErrorClass.RETRY and self.ordered and self._mustResend is None:
                self._mustResend = work.messageId
            self._refuse(problem)
            return
        if self._mustResend == work.messageId:
            self._mustResend = None
        if self.version >= 2:
            self._acks.append((work.messageId, work.seq))
            self.factory.acking[self] = None

    def takeAcks(self) -> bytes:
        """The line that acknowledges what was committed since the last one."""
        acks, self._acks = self._acks, []
        if not acks or self.closing:
            return b""
        return self._line(MessageType.ACK, {"acked": acks}) + b"\n"

    # --- lines out (kernelnet.hub.connection.log_reader.Sink)

    def _line(self, messageType: MessageType, payload: dict[str, Any]) -> bytes:
        return wire.encode(hubMessage(messageType, payload, self.factory.wallClock()))

    def send(self, messageType: MessageType, payload: msgspec.Struct) -> None:
        """Send a message of the hub's own that is not logged."""
        self.sendPayload(messageType, wire.encodePayload(payload))

    def sendPayload(self, messageType: MessageType, payload: dict[str, Any]) -> None:
        # Version 2 isn't read while it doesn't read, so what waits is bounded.  Version 1 is: it may write first
        # and read later.  What it doesn't take meanwhile is lost to it.
        if self.closing or (self.cursor.paused and self.version == 1):
            return
        self.transport.write(self._line(messageType, payload) + b"\n")

    def writeLines(self, data: bytes) -> None:
        if not self.closing:
            self.transport.write(data)

    def flush(self, flush: Flush | None) -> None:
        """A commit has ended."""
        acks = self.takeAcks() if self._acks else b""
        if flush is not None:
            self.cursor.flush(flush, acks)
        elif acks:
            self.writeLines(acks)

    def tellNews(self, data: bytes, info: dict[str, AiInfo]) -> None:
        """Others came or went; while the client doesn't read, only whom it concerns is kept."""
        if self.cursor.paused:
            self.news |= info.keys()
        else:
            self.writeLines(data)

    def outputChanged(self, paused: bool) -> None:
        if paused:
            if self.version >= 2:
                self.hold("output")
            return
        self.lastHeard = self.factory.clock.seconds()  # it took what we had: it is alive
        self.release("output")
        if self.news:
            news, self.news = self.news, frozenset()
            self.send(MessageType.TRAINING_SYNC, TrainingSync(ai_info=self.factory.infoOf(news)))

    # --- reading or not

    def hold(self, why: str) -> None:
        """Read no more of this client until all reasons are gone."""
        if not self._held:
            self.pauseProducing()
        self._held |= {why}

    def release(self, why: str) -> None:
        if why in self._held:
            self._held -= {why}
            if not self._held and not self.closing:
                self.resumeProducing()

    # --- the end

    def _refuse(self, problem: WireProblem) -> None:
        """Tell the client of an error; the end, if it is of that class."""
        if problem.errorClass is ErrorClass.CLOSING:
            self.close(problem)
            return
        self.factory.errors[problem.code] += 1
        if self.factory.gate.mayLog(problem.code):
            self.log.info("{ai}: {code}: {reason}", ai=self.aiId, code=problem.code, reason=plain(problem.message, 300))
        self.send(MessageType.ERROR, wire.problemPayload(problem))

    def close(self, problem: WireProblem) -> None:
        """Say why, and end; a peer that doesn't take it is cut after some seconds."""
        if self.closing:
            return
        self.closing = True
        self._cancelTimer()
        self.factory.errors[problem.code] += 1
        if self.aiId or self.factory.gate.mayLog(problem.code):
            self.log.info(
                "closing {who} ({peer}): {code}: {reason}",
                who=self.aiId or (self._handshake.ai_id if self._handshake else "a connection"),
                peer=self.peer,
                code=problem.code,
                reason=plain(problem.message, 300),
            )
        self.transport.write(self._line(MessageType.ERROR, wire.encodePayload(wire.problemPayload(problem))) + b"\n")
        self.cursor.stopProducing()
        self.transport.unregisterProducer()
        if self._held:  # or the peer's own goodbye would not be read
            self._held = frozenset()
            self.resumeProducing()
        self.transport.loseConnection()
        self._timer = self.factory.clock.callLater(CLOSE_TIMEOUT, self._abort)

    def _abort(self) -> None:
        self._timer = None
        self.transport.abortConnection()

    def failed(self, failure: Failure) -> None:
        """Something of ours went wrong while this client was served: the client may try again."""
        if failure.check(error.ConnectionClosed):
            return
        if isinstance(failure.value, WireProblem):
            self.close(failure.value)
            return
        self.log.failure("serving {who} failed", failure, who=self.aiId or self.peer)
        self.close(WireProblem("shutting_down", "the hub could not serve this connection; come back"))

    def connectionLost(self, reason: Failure = Failure(error.ConnectionDone())) -> None:  # noqa: B008
        self._cancelTimer()
        if self._slowed is not None:
            self._slowed.cancel()
        self.closing = True
        self.cursor.stopProducing()
        self.factory.disconnected(self, reason)
