"""`HubSync`: how far this trainer has read the hub's log, who is there, and the pages that a newcomer reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct
from twisted.internet.defer import inlineCallbacks
from twisted.logger import Logger

from kernelnet import artifacts as k
from kernelnet import message as m
from kernelnet.artifacts import AI_ID
from kernelnet.identity import IdentityError, isToken
from kernelnet.message import Hello, MessageType, SyncRequest
from kernelnet.payloads import PAYLOADS
from kernelnet.trainer.connection.credentials import Credentials
from kernelnet.trainer.connection.interfaces import Connection
from kernelnet.trainer.messaging.payload_exchange import PayloadExchange
from kernelnet.trainer.profile import Profile
from kernelnet.trainer.storage.database import Changes, Store
from kernelnet.trainer.storage.knowledge_base import KnowledgeBase
from kernelnet.trainer.storage.outbox import Outbox
from kernelnet.trainer.work.signing import VerdictSigner
from kernelnet.trainer.work.verification import Verification
from kernelnet.untrusted import plain
from kernelnet.wire import WireProblem, isPosition

__all__ = ["MAX_PAGES", "HubSync"]

MAX_CREDENTIALS = 8
"""Maximum number of credentials that are kept of one connection: each is a file that is written and synced."""

MAX_PAGES = 20
"""Maximum number of pages of the knowledge base that a newcomer reads: best and newest come first."""

MAX_LOG_ID = 64
MAX_PAGE_CURSOR = 256
"""Characters that a hub takes back, see `kernelnet.message.Hello` and `kernelnet.message.SyncRequest`."""


class HubSync:
    """
    State that a trainer and the hub keep in step: the log that is read, how far, and who is there.

    @ivar logId: the hub's log that C{cursor} is a position in.
    @ivar cursor: up to which C{seq} everything that is for us was taken.

    @param signer: has the key that verdicts are signed with, which the hub certifies.
    @param workbenches: tells the names of those that this trainer trains on.
    @param forgotten: called when the hub has another log, or we missed a part of it.
    @param fail: called with a reason, for the user, to end the trainer.
    """

    log = Logger()

    def __init__(
        self,
        *,
        profile: Profile,
        store: Store,
        credentials: Credentials,
        knowledge: KnowledgeBase,
        outbox: Outbox,
        verification: Verification,
        signer: VerdictSigner,
        workbenches: Callable[[], list[str]],
        payloads: PayloadExchange,
        forgotten: Callable[[Changes], None],
        fail: Callable[[str], None],
    ) -> None:
        self._profile = profile
        self._store = store
        self._credentials = credentials
        self._knowledge = knowledge
        self._outbox = outbox
        self._verification = verification
        self._signer = signer
        self._workbenches = workbenches
        self._payloads = payloads
        self._forgotten = forgotten
        self._fail = fail
        self._connection: Connection | None = None
        self.logId: str | None = None
        self.cursor: int | None = None
        self._page: str | None = None
        self._pages = 0
        self._synced = False
        self._given = 0
        self._isUnsure = False
        self._reportWanted = False
        self._takesObservations = False

    @inlineCallbacks
    def load(self) -> Any:
        """Take up the reading where an earlier run left it."""
        meta = dict((yield self._store.read("SELECT key, value FROM meta")))
        self.logId = meta.get("log_id")
        self.cursor = int(meta["cursor"]) if "cursor" in meta else None
        self._page = meta.get("page")

    # -- this trainer's part

    def observed(self) -> str | None:
        """Log id of the hub that is to be told observations; C{None}: it would take them for something else."""
        return self.logId if self._takesObservations else None

    def connected(self, connection: Connection) -> Hello:
        """
        A new connection: the next full C{training_sync} is the answer to our hello.

        @return: the hello.
        """
        self._connection = connection
        self._synced = self._isUnsure = False
        self._given = 0
        self._pages = 0
        self._takesObservations = False
        return Hello(
            specialization=self._profile.specialization,
            capabilities=self._profile.capabilities,
            version=self._profile.version,
            features_supported=[f.value for f in m.OSFeature],
            protocol=m.PROTOCOL,
            log_id=self.logId,
            resume_after=self.cursor,
            generators=list(self._profile.generators),
            workbenches=self._workbenches(),
            certificate_request=self._signer.request(self._credentials.joining),
        )

    def comeBackLater(self) -> None:
        """Leave a hub in trouble alone for a while."""
        if self._connection is not None:
            self._connection.comeBackLater()

    def isRead(self, seq: int) -> bool:
        """Whether what the hub sends with C{seq} was taken before."""
        return self.cursor is not None and seq <= self.cursor and not self._isUnsure

    def move(self, seq: int | None) -> None:
        """All that is for us up to C{seq} was taken."""
        self.cursor, self._isUnsure = seq, False

    def skipped(self) -> None:
        """
        A line of the hub was too long to be heard.  If it was the answer to our hello, we go on without it.

        Which log it is, and whether it goes on where we were, nobody has told us then: so whatever is logged is taken
        once, and the next hello asks again.
        """
        if not self._synced and self._connection is not None:
            self._synced = self._isUnsure = True
            self._outbox.connected(self._connection.sendLines)

    def keepCursor(self, changes: Changes) -> None:
        changes.add("REPLACE INTO meta VALUES ('cursor', ?)", str(self.cursor))

    def takeReport(self) -> int | None:
        """Position up to which we have read, if the hub wanted to know since the last call."""
        wanted, self._reportWanted = self._reportWanted, False
        return self.cursor if wanted else None

    # -- the hub's part

    def pinged(self, beat: m.Heartbeat) -> None:
        """The hub has sent us all that is for us up to C{seq}: what is between there and us is not ours."""
        if beat.seq is not None and isPosition(beat.seq) and self._synced and self.cursor is not None:
            self.move(beat.seq if self._isUnsure else max(self.cursor, beat.seq))
            self._reportWanted = True

    def synced(self, sync: m.TrainingSync, changes: Changes) -> None:
        """
        The answer to our hello, a page of the knowledge base, or news of who came or went.

        @raise WireProblem: it says what no hub says, and what the next one would not take from us.
        """
        _check(sync)
        knowledge = self._knowledge
        if sync.credential is not None and not isToken(sync.credential):
            self.log.error("the hub sent a credential that is no line of ASCII, which is not kept")
        elif sync.credential is not None and self._given < MAX_CREDENTIALS:
            self._given += 1
            # Before anything else: from the first use of it on, the join token is of no use to this id.
            what = "Enrolled as" if self._credentials.joining else "New credential for"
            try:
                self._credentials.keep(sync.credential)
            except (OSError, ValueError, IdentityError) as e:
                self._fail(f"can't keep the credential in {self._credentials.path}: {e}")
                return
            self.log.info("{what} {aiId}", what=what, aiId=self._profile.aiId)
        if sync.certificate is not None:
            self._signer.keep(sync.certificate)
        knowledge.tell(sync.ai_info)
        if sync.log_id is None:
            return  # just news of who came or went
        if sync.active_ais is not None:
            here = set(sync.active_ais)
            for aiId, info in knowledge.ais.items():
                info.connected = aiId in here
                info.since = info.since if info.connected else None
        following = sync.next
        if not self._synced:
            self._synced = True
            self._takesObservations = m.OBSERVATIONS in sync.takes
            if PAYLOADS in sync.takes and (connection := self._connection) is not None:
                self._payloads.connected(lambda request: connection.sayNow(m.MessageType.PAYLOAD, request))
            if sync.resumed:
                following = self._page  # a newcomer whose connection was lost goes on with its reading
            else:
                self._forgotten(changes)
                self.logId = sync.log_id
                self.move(sync.seq)
                changes.add("REPLACE INTO meta VALUES ('log_id', ?)", self.logId)
                self.keepCursor(changes)
            self._pages = MAX_PAGES
            if self._connection is not None:
                # It knows us: what is unacked goes out.
                self._outbox.connected(self._connection.sendLines)
        if sync.global_knowledge_base is not None:
            self._learn(sync.global_knowledge_base, changes)
        self._read(following if self._pages > 0 else None, changes)

    def _read(self, page: str | None, changes: Changes) -> None:
        """Ask for a page of the knowledge base; C{None}: the last that we want was read."""
        if page is not None:
            self._pages -= 1
            changes.add("REPLACE INTO meta VALUES ('page', ?)", page)
            if self._connection is not None:
                self._connection.sayNow(MessageType.TRAINING_SYNC, SyncRequest(after=page))
        elif self._page is not None:
            changes.add("DELETE FROM meta WHERE key = 'page'")
        self._page = page

    def _learn(self, base: m.KnowledgeBase, changes: Changes) -> None:
        for entry in base.patterns:
            self._each(entry, k.Pattern, self._knowledge.addPattern, changes)
        for entry in [*base.components, *(base.references or ())]:
            if entry.get("kind") == "code":
                self._each(entry, k.CodeBlock, self._knowledge.addBlock, changes)
            else:
                self._each(entry, k.Component, self._verification.learn, changes)
        for componentId, entries in base.benchmarks.items():
            for entry in entries:
                entry.update(component_id=componentId, source=entry.get("reporter"))
                self._each(entry, m.PerformanceReport, self._addReport, changes)

    def _each(self, entry: dict[str, Any], cls: type[Struct], use: Any, changes: Changes) -> None:
        """One entry of the knowledge base, which a stranger wrote: what doesn't fit is passed over."""
        if entry.get("too_large"):
            return
        source = entry.get("source")
        try:
            value = msgspec.convert(entry, cls)
        except ValueError as e:
            self.log.debug("passed over an entry of the knowledge base: {error}", error=plain(str(e), 300))
            return
        if isinstance(source, str) and AI_ID.fullmatch(source) and source != self._profile.aiId:
            use(source, value, changes)

    def _addReport(self, source: str, report: m.PerformanceReport, changes: Changes) -> None:
        self._knowledge.addReport(source, report, "", changes)


def _check(sync: m.TrainingSync) -> None:
    """Whether a hub may have said it: what a trainer keeps of it must not shut it out from this hub or the next."""
    if sync.log_id is not None and not (0 < len(sync.log_id) <= MAX_LOG_ID and sync.log_id.isprintable()):
        raise WireProblem("invalid_message", f"`log_id` must be 1 to {MAX_LOG_ID} printable characters")
    if sync.seq is not None and not isPosition(sync.seq):
        raise WireProblem("invalid_message", "`seq` is no position in a log")
    if sync.next is not None and len(sync.next) > MAX_PAGE_CURSOR:
        raise WireProblem("invalid_message", f"`next` must have at most {MAX_PAGE_CURSOR} characters")
