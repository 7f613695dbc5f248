"""
The reception of a client: its hello is written down, and answered by what everybody knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from kernelnet import wire
from kernelnet.hub.auth import tokens
from kernelnet.hub.auth.signing import Certify
from kernelnet.hub.connection.interfaces import Connection
from kernelnet.hub.connection.presence import Presence
from kernelnet.hub.routing import collaboration_sessions
from kernelnet.hub.routing.directory import saveHello
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.transaction import Reader, Transaction
from kernelnet.hub.views import projections
from kernelnet.message import ErrorClass, Hello, KnowledgeBase, MessageType, SyncRequest, TrainingSync
from kernelnet.wire import WireProblem

__all__ = ["HelloWork", "sendSync"]


class HelloWork:
    """
    A hello on its way into the log (`kernelnet.hub.storage.transaction.Work`): written before what is behind it.

    @param again: whether it is not the first of its connection.
    @param certify: gives a certificate for the key that it signs its verdicts with; C{None}: this hub gives none.
    @param takes: of `TrainingSync`, for version 2.
    """

    size = 1024
    source: object | None = None

    def __init__(
        self,
        connection: Connection,
        hello: Hello,
        again: bool,
        log: EventLog,
        presence: Presence,
        *,
        certify: Certify | None = None,
        takes: Sequence[str] = (),
    ) -> None:
        self.author = connection.aiId
        self._connection = connection
        self._request, self._certify = hello.certificate_request, certify
        # It is no description of the AI: nobody else is told of it, and it is kept nowhere.
        self._hello = msgspec.structs.replace(hello, certificate_request=None)
        self._takes = list(takes)
        self._again = again
        self._log = log
        self._presence = presence
        self._credential: str | None = None
        self._certificate: str | None = None

    def __repr__(self) -> str:
        return f"<HelloWork of {self._connection.aiId}>"

    def withdrawn(self) -> None:
        return None

    def apply(self, transaction: Transaction) -> None:
        connection = self._connection
        if tokens.isLockedOut(transaction, connection.aiId):  # since it came in
            raise WireProblem("bad_credentials", "unknown ai_id or wrong token")
        if connection.grant.joins and not self._again:
            self._credential = tokens.enrol(transaction, connection.aiId, connection.grant)
            if self._credential is None:
                raise WireProblem("bad_credentials", "unknown ai_id or wrong token")
        elif connection.version >= 2 and not self._again:
            self._credential = tokens.renew(transaction, connection.aiId)
        if self._request is not None and self._certify is not None and connection.version >= 2 and not self._again:
            self._certificate = self._certify(transaction, connection.aiId, self._request)
        read: int | None = None
        if connection.version >= 2:
            read = connection.readSeq if self._again else self._whereFrom()[0]
        saveHello(transaction, connection.aiId, self._hello, read)

    def settle(self, problem: WireProblem | None) -> None:
        connection = self._connection
        if problem is not None and problem.code == "storage_full" and not connection.grant.joins:
            # What was not written can wait: with a full disk, too, the hub routes what needs no log.
            problem = self._credential = self._certificate = None
            self._presence.noteUnwritten(connection.aiId, self._hello)
        if problem is not None:
            if problem.errorClass is not ErrorClass.CLOSING:
                problem = WireProblem("shutting_down", f"the hub can't take a hello now: {problem.message}")
            connection.close(problem)
            return
        self._presence.greeted(connection, self._hello, self._again)
        hello, log = self._hello, self._log
        if connection.version >= 2 and hello.resume_after and log.isFurther(hello.log_id, hello.resume_after):
            renewed = log.renew(connection.aiId, hello.resume_after)
            renewed.addCallback(lambda _: self._answer()).addErrback(connection.failed)
        else:
            self._answer()

    def _answer(self) -> None:
        connection = self._connection
        if connection.closing:
            return
        after, resumed = self._whereFrom()
        if not self._again:
            connection.readSeq = after
        takes = self._takes if connection.version >= 2 else []
        answer = TrainingSync(seq=after, resumed=resumed, credential=self._credential, takes=takes)
        answer.certificate = self._certificate
        start = None if self._again else lambda: connection.reader.start(after)
        sendSync(connection, answer, self._log, self._presence, then=start)

    def _whereFrom(self) -> tuple[int, bool]:
        """The position after which this client reads the log, and whether that is where it left off."""
        after = self._log.position(self._hello.log_id, self._hello.resume_after)
        if self._connection.version >= 2 and after is not None:
            return after, True
        return self._log.head, False


def sendSync(
    connection: Connection,
    answer: TrainingSync,
    log: EventLog,
    presence: Presence,
    *,
    request: SyncRequest | None = None,
    then: Callable[[], None] | None = None,
) -> None:
    """
    Send C{answer} with a page of the knowledge base; the first page also tells who is here.

    @param then: is called when it is sent.
    """
    request = request or SyncRequest()
    first = request.after is None
    connection.syncing = True
    clock = log.engine.readClock

    def read(reader: Reader) -> tuple[KnowledgeBase, str | None, list[dict[str, Any]], float]:
        began = clock()
        base, following = projections.page(reader, request.after, request.limit, version=connection.version)
        opportunities = collaboration_sessions.openFor(reader, connection.aiId) if first else []
        return base, following, opportunities, clock() - began

    def send(found: tuple[KnowledgeBase, str | None, list[dict[str, Any]], float]) -> None:
        connection.syncing = False
        if connection.closing:
            return
        answer.global_knowledge_base, answer.next, opportunities, seconds = found
        connection.charge(seconds)
        answer.log_id = log.logId
        if answer.seq is None:
            answer.seq = log.head
        if first:
            answer.collaboration_opportunities = opportunities
            answer.active_ais, answer.ai_info = presence.whoIsHere()
        payload = wire.encodePayload(answer)
        payload["next"] = answer.next  # null on the last page, where the default would be left out
        connection.sendPayload(MessageType.TRAINING_SYNC, payload)
        if then is not None:
            then()

    log.read(read).addCallback(send).addErrback(connection.failed)
