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
from time import perf_counter
from typing import Any

import msgspec
from twisted.internet import error
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from kernelnet import wire
from kernelnet.hub.auth.tokens import Grant
from kernelnet.hub.connection.back_pressure import BackPressure
from kernelnet.hub.connection.context import ConnectionContext
from kernelnet.hub.connection.hello import HelloWork, sendSync
from kernelnet.hub.connection.log_reader import Broadcast, LogReader
from kernelnet.hub.connection.rate_limits import addressKey
from kernelnet.hub.connection.sockets import setUpSocket
from kernelnet.hub.routing.payload_bounds import checkHeartbeat, checkHello
from kernelnet.hub.routing.router import Logged
from kernelnet.hub.storage.transaction import Work, checkLine, hubMessage
from kernelnet.line_protocol import LineProtocol
from kernelnet.message import (
    LOGGED,
    OBSERVATIONS,
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
from kernelnet.payloads import PAYLOADS, PayloadRequest
from kernelnet.untrusted import plain
from kernelnet.wire import WireProblem

__all__ = ["HubProtocol"]

CLOSE_TIMEOUT = 2.0
"""Seconds that a peer has to take the last lines before it is cut."""
TURN = 0.0005
"""Seconds of one client's lines after which the others have their turn."""
PAUSE = 0.001
"""
Seconds until that client's next one: its lines are read faster than they are committed all the same, and a commit that
runs meanwhile, which others wait for, need not share the core with them.
"""


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

    transport: Any
    log = Logger(namespace="kernelnet.hub")

    # What few connections ever change stands here: up to 30 attributes of its own an object has without a dict.
    closing = False
    syncing = False
    lastPing = 0.0
    news: frozenset[str] = frozenset()
    _mustResend: str | None = None
    _unread: list[bytes] | None = None

    def __init__(self, context: ConnectionContext) -> None:
        super().__init__()
        self._context = context
        self.aiId = ""
        self.version = 1
        self.greeted = False
        self.since = 0.0
        self.readSeq = 0
        self.ordered = False
        self.lastHeard = context.clock.seconds()
        self.reader = LogReader(self, context.log)
        self.grant = Grant.REFUSED
        self._pressure = BackPressure(self, context.clock)
        self._handshake: Handshake | None = None
        self._timer: IDelayedCall | None = None
        self._acks: list[tuple[str, int]] = []
        self.peer = ""
        self.address = ""
        self.MAX_LENGTH = context.admission.bounds.handshakeLine
        self.maxLine = context.admission.bounds.line

    def __repr__(self) -> str:
        state = "closing" if self.closing else "greeted" if self.greeted else "authenticated" if self.aiId else "new"
        return f"<HubProtocol {self.aiId or '?'} v{self.version} {state} {self.peer}>"

    @property
    def isKeptWaiting(self) -> bool:
        """Whether it is not read because an answer of the hub's is due: its silence tells nothing."""
        return "payload" in self._pressure

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
        self._timer = self._context.clock.callLater(self._context.admission.bounds.authTimeout, self._authTimedOut)
        self._context.listener.connected(self)
        self._context.admission.entered(self)
        self.transport.registerProducer(self.reader, True)

    def dataReceived(self, data: bytes) -> None:
        self.lastHeard = self._context.clock.seconds()
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
        self._pressure.hold("token")
        checked = self._context.admission.authenticate(self, self._handshake)
        checked.addCallback(self._authenticated).addErrback(self.failed)

    def _authenticated(self, grant: Grant) -> None:
        assert self._handshake is not None
        if self.closing:
            return
        if grant.refusal:
            self.close(WireProblem("bad_credentials", grant.refusal))
            return
        self.grant = grant
        self.aiId = self._handshake.ai_id
        self.since = self._context.wallClock()
        self._context.listener.authenticated(self)
        self.setRawMode()
        self.charge(0.0)  # of what it has cost before it came anew
        self._pressure.release("token")

    def _authTimedOut(self) -> None:
        self._timer = None
        seconds = self._context.admission.bounds.authTimeout
        self.close(WireProblem("auth_timeout", f"no handshake line within {seconds:g} s"))

    def _cancelTimer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- lines in

    def linesReceived(self, lines: list[bytes]) -> None:
        """As many of them as there is time for now; the others in turns to come, so that nobody waits."""
        began = perf_counter()
        works: list[Work] = []
        count = 0
        for count, line in enumerate(lines, 1):  # noqa: B007
            if self.closing:
                break
            if line and line != b"\r":
                try:
                    work = self._messageReceived(wire.decode(line.removesuffix(b"\r")), len(line))
                except WireProblem as problem:
                    self._refuse(problem)
                else:
                    if work is not None:
                        works.append(work)
            if perf_counter() - began > TURN:
                break
        log, rate = self._context.log, self._context.admission.messageRate
        log.submit(works)
        if log.mustWait(self.aiId) and "log" not in self._pressure:
            self._pressure.hold("log")
            log.whenRelieved(self.aiId, lambda: self._pressure.release("log"))
        if not self.closing and (wait := rate.take(self.aiId, count, self.lastHeard)):
            self._pressure.slowDown(wait)
        if count < len(lines) and not self.closing:
            self._unread = lines[count:]
            self._pressure.hold("turn")
            self._context.clock.callLater(PAUSE, self._nextTurn)
        self.charge(perf_counter() - began)

    def _nextTurn(self) -> None:
        self._goOn()
        if self._unread is None:
            self._pressure.release("turn")

    def _goOn(self) -> None:
        """Deal with the lines that there was no time for."""
        lines, self._unread = self._unread, None
        if lines:
            try:
                self.linesReceived(lines)
            except Exception:
                self.failed(Failure())  # nobody else hears of it, and it would be read no more

    def _messageReceived(self, message: NetworkMessage, size: int) -> Work | None:
        if message.sender_id != self.aiId:
            raise WireProblem(
                "spoofed_sender",
                f"`sender_id` is {plain(message.sender_id)!r}, you are {self.aiId!r}",
                message.message_id,
            )
        self._context.received[message.message_type._value_] += 1
        if not self.greeted and message.message_type is not MessageType.HELLO:
            raise WireProblem(
                "invalid_message", "`message_type`: the first message must be a hello", message.message_id
            )
        if message.message_type in LOGGED:
            return Logged(message, self._context.router.plan(message), size, self)
        return self._own[message.message_type](self, message)

    def lineTooLong(self) -> None:
        limit = self.maxLine if self.aiId else self.MAX_LENGTH
        self.close(WireProblem("line_too_long", f"a line may have at most {limit} bytes"))

    # --- the types that concern the connection

    def _hello(self, message: NetworkMessage) -> Work | None:
        hello = wire.decodePayload(message, Hello)
        checkHello(hello, message.message_id)
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
        if again and self.syncing:
            raise WireProblem("busy", "one hello at a time: wait for the answer", message.message_id)
        self.syncing = again
        self.greeted = True
        self.version = version
        self.ordered = version >= 2
        context = self._context
        takes = [OBSERVATIONS] if context.payloads is None else [OBSERVATIONS, PAYLOADS]
        return HelloWork(self, hello, again, context.log, context.presence, certify=context.certify, takes=takes)

    def _trainingSync(self, message: NetworkMessage) -> None:
        request = wire.decodePayload(message, SyncRequest)
        if self.syncing:
            raise WireProblem("busy", "one training_sync at a time: wait for the answer", message.message_id)
        sendSync(self, TrainingSync(), self._context.log, self._context.presence, request=request)

    def _heartbeat(self, message: NetworkMessage) -> None:
        if self.version < 2:
            message.payload.pop("progress", None)
        checkHeartbeat(message.payload, message.message_id)
        beat = wire.decodePayload(message, Heartbeat)
        if beat.progress is not None:
            self._context.searches.told(self.aiId, beat.progress)
            self._context.idleness.told(self.aiId, beat.progress)
        if beat.seq is not None:
            self.readSeq = max(self.readSeq, min(beat.seq, self.reader.position))
        if beat.nonce is not None and beat.reply_to is None:
            self.send(MessageType.HEARTBEAT, Heartbeat(reply_to=beat.nonce))

    def _payload(self, message: NetworkMessage) -> None:
        request = wire.decodePayload(message, PayloadRequest)
        payloads = self._context.payloads
        if self.version < 2 or payloads is None:
            raise WireProblem("unsupported", "payloads are for version 2, and hubs that keep them", message.message_id)
        if "payload" in self._pressure:
            raise WireProblem("busy", "one payload at a time: wait for the answer", message.message_id)

        def answered(answer: dict[str, Any] | WireProblem, seconds: float) -> None:
            began = perf_counter()
            if isinstance(answer, WireProblem):
                self._refuse(answer)
            else:
                self.sendPayload(MessageType.PAYLOAD, answer)
            telling = perf_counter() - began
            payloads.charge(telling)
            self.charge(seconds + telling)

        def readOn(_: None) -> None:
            self.lastHeard = self._context.clock.seconds()  # it could not be heard: other reasons may be left
            self._pressure.release("payload")

        answering = payloads.answer(request, message.message_id, self.aiId, answered)
        self._pressure.hold("payload")
        answering.addCallback(readOn).addErrback(self.failed)

    _own: dict[MessageType, Callable[[HubProtocol, NetworkMessage], Work | None]] = {
        MessageType.HELLO: _hello,
        MessageType.TRAINING_SYNC: _trainingSync,
        MessageType.HEARTBEAT: _heartbeat,
        MessageType.PAYLOAD: _payload,
    }

    # --- what became of a logged message (kernelnet.hub.routing.router.Owner)

    def withdrawn(self, work: Logged) -> WireProblem | None:
        if self._mustResend is None or self._mustResend == work.messageId:
            return self._context.log.storageProblem
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
            self._context.fanOut.acknowledge(self)

    def takeAcks(self) -> bytes:
        """The line that acknowledges what was committed since the last one."""
        acks, self._acks = self._acks, []
        if not acks or self.closing:
            return b""
        return self._line(MessageType.ACK, {"acked": acks}) + b"\n"

    # --- lines out (kernelnet.hub.connection.log_reader.LineSink)

    def _line(self, messageType: MessageType, payload: dict[str, Any]) -> bytes:
        return checkLine(wire.encode(hubMessage(messageType, payload, self._context.wallClock())))

    def send(self, messageType: MessageType, payload: msgspec.Struct) -> None:
        """Send a message of the hub's own that is not logged."""
        self.sendPayload(messageType, wire.encodePayload(payload))

    def sendPayload(self, messageType: MessageType, payload: dict[str, Any]) -> None:
        # Version 2 isn't read while it doesn't read.  Version 1 may read later; what it doesn't take meanwhile is lost.
        if self.closing or (self.reader.paused and self.version == 1):
            return
        self.transport.write(self._line(messageType, payload) + b"\n")

    def writeLines(self, data: bytes) -> None:
        if not self.closing:
            self.transport.write(data)

    def committed(self, broadcast: Broadcast | None) -> None:
        """A commit has ended."""
        acks = self.takeAcks() if self._acks else b""
        if broadcast is not None:
            self.reader.take(broadcast, acks)
        elif acks:
            self.writeLines(acks)

    def tellNews(self, data: bytes, info: dict[str, AiInfo]) -> None:
        """Others came or went; while the client doesn't read, only whom it concerns is kept."""
        if self.reader.paused:
            self.news |= info.keys()
        else:
            self.writeLines(data)

    def outputChanged(self, paused: bool) -> None:
        if paused:
            if self.version >= 2:
                self._pressure.hold("output")
            return
        self.lastHeard = self._context.clock.seconds()  # it took what we had: it is alive
        self._pressure.release("output")
        if self.news:
            news, self.news = self.news, frozenset()
            for info in self._context.presence.infoInParts(news):
                self.send(MessageType.TRAINING_SYNC, TrainingSync(ai_info=info))

    def charge(self, seconds: float) -> None:
        wait = self._context.admission.work.take(self.aiId, seconds, self._context.clock.seconds())
        if wait and not self.closing:
            self._pressure.slowDown(wait)

    def hold(self, why: str) -> None:
        """Read no more of this client until all reasons are gone."""
        self._pressure.hold(why)

    # --- the end

    def _refuse(self, problem: WireProblem) -> None:
        """Tell the client of an error; the end, if it is of that class."""
        if problem.errorClass is ErrorClass.CLOSING:
            self.close(problem)
            return
        self._context.errors[problem.code] += 1
        if self._context.admission.mayLog(problem.code):
            self.log.info("{ai}: {code}: {reason}", ai=self.aiId, code=problem.code, reason=plain(problem.message, 300))
        self.send(MessageType.ERROR, wire.problemPayload(problem))

    def close(self, problem: WireProblem) -> None:
        """Say why, and end; a peer that doesn't take it is cut after some seconds."""
        if self.closing:
            return
        self.closing = True
        self._cancelTimer()
        self._context.errors[problem.code] += 1
        if self.aiId or self._context.admission.mayLog(problem.code):
            self.log.info(
                "closing {who} ({peer}): {code}: {reason}",
                who=self.aiId or (self._handshake.ai_id if self._handshake else "a connection"),
                peer=self.peer,
                code=problem.code,
                reason=plain(problem.message, 300),
            )
        self.transport.write(self._line(MessageType.ERROR, wire.encodePayload(wire.problemPayload(problem))) + b"\n")
        self.reader.stopProducing()
        self.transport.unregisterProducer()
        self._pressure.end()
        self.transport.loseConnection()
        self._timer = self._context.clock.callLater(CLOSE_TIMEOUT, self._closeTimedOut)

    def _closeTimedOut(self) -> None:
        self._timer = None
        self.abort()

    def abort(self) -> None:
        """Cut it, with nothing said."""
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
        if self.closing and self._timer is not None:
            # We have said why, and it took that in time: how the last bytes of TLS went is no news.
            reason = Failure(error.ConnectionDone())
        while self._unread and not self.closing:  # it had said them all before it went
            self._goOn()
        self._cancelTimer()
        self._pressure.stop()
        self.closing = True
        self.reader.stopProducing()
        self._context.admission.left(self)
        self._context.listener.disconnected(self, reason)
