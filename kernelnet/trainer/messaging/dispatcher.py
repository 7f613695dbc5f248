"""What each message from the hub means for a trainer: a table from type to method, no network and no learning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, Struct
from twisted.internet.defer import inlineCallbacks
from twisted.logger import Logger

from kernelnet import artifacts as k
from kernelnet import message as m
from kernelnet.identity import IdentityError
from kernelnet.learning.specializations import canHelpWith
from kernelnet.message import ErrorClass, MessageType, NetworkMessage, SyncRequest
from kernelnet.trainer.storage.database import Changes
from kernelnet.untrusted import plain
from kernelnet.wire import WireProblem, decodePayload, encodePayload

if TYPE_CHECKING:
    from kernelnet.trainer.service import Trainer

__all__ = ["Inbox"]

MAX_PAGES = 20
"""How many pages of the knowledge base a newcomer reads: best and newest come first."""


MAX_TRIES = 3
"""A message whose handling raised so often is skipped."""


class Inbox:
    """
    Takes batches of messages; each becomes `Changes` to the trainer's store, among them the cursor.

    @ivar logId: the hub's log that C{cursor} is a position in.
    @ivar cursor: up to which C{seq} everything that is for us was taken.
    @ivar failed: how many messages were skipped, since this trainer's store began.
    """

    log = Logger()

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self.logId: str | None = None
        self.cursor: int | None = None
        self._page: str | None = None
        self._pages = 0
        self._synced = False
        self._tries = ("", 0)
        self._reportWanted = False
        self.failed = 0

    @inlineCallbacks
    def load(self) -> Any:
        meta = dict((yield self._trainer.store.read("SELECT key, value FROM meta")))
        self.logId = meta.get("log_id")
        self.cursor = int(meta["cursor"]) if "cursor" in meta else None
        self.failed = int(meta.get("skipped", 0))
        tries, _, place = meta.get("tries", "0 ").partition(" ")
        self._tries = (place, int(tries))
        self._page = meta.get("page")

    def connected(self) -> None:
        """A new connection: the next full C{training_sync} is the answer to our hello."""
        self._synced = False
        self._pages = 0

    def take(self, batch: list[NetworkMessage]) -> tuple[Changes, list[NetworkMessage]]:
        """
        What C{batch} changes, in order.

        A logged message whose handling raises changes nothing; it is tried again, and after `MAX_TRIES` it is skipped:
        logged and counted.  What is no valid message, or is not replayed, is skipped at once.

        @return: the changes, and what is to be taken again after a while: the message that failed and all behind it.
        """
        changes = Changes()
        before, failed = self.cursor, self.failed
        left: list[NetworkMessage] = []
        for i, message in enumerate(batch):
            last = self.cursor
            if message.seq is not UNSET:
                if self.cursor is not None and message.seq <= self.cursor:
                    continue
                self.cursor = message.seq
            own = Changes()
            try:
                handler, payloadClass = self._handlers[message.message_type]
                handler(self, message, decodePayload(message, payloadClass), own)
            except WireProblem as problem:
                self.failed += 1
                reason = plain(str(problem), 300)
                self.log.warn("can't use a message of {sender}: {reason}", sender=message.sender_id, reason=reason)
            except Exception:
                tries = self._tried(message, changes)
                self.log.failure(
                    "handling {type} {id} of {sender} failed, try {n} of {max}",
                    type=message.message_type.value,
                    id=message.message_id,
                    sender=message.sender_id,
                    n=tries,
                    max=MAX_TRIES,
                )
                if tries < MAX_TRIES:
                    self.cursor, left = last, batch[i:]
                    break
                self.failed += 1
            else:
                changes.extend(own)
        if self.cursor != before:
            changes.add("REPLACE INTO meta VALUES ('cursor', ?)", str(self.cursor))
        if self.failed != failed:
            changes.add("REPLACE INTO meta VALUES ('skipped', ?)", str(self.failed))
        return changes, left

    def _tried(self, message: NetworkMessage, changes: Changes) -> int:
        """Count one more try of C{message}, durably.  @return: how many that makes."""
        if message.seq is UNSET:
            return MAX_TRIES  # the hub won't send it again
        place = f"{self.logId} {message.seq}"
        self._tries = (place, self._tries[1] + 1 if self._tries[0] == place else 1)
        changes.add("REPLACE INTO meta VALUES ('tries', ?)", f"{self._tries[1]} {place}")
        return self._tries[1]

    def takeReport(self) -> int | None:
        """How far we have read, if the hub wanted to know since the last call."""
        wanted, self._reportWanted = self._reportWanted, False
        return self.cursor if wanted else None

    def _heartbeat(self, message: NetworkMessage, beat: m.Heartbeat, changes: Changes) -> None:
        """The hub has sent us all that is for us up to C{seq}: what is between there and us is not ours."""
        if beat.seq is not None and self._synced and self.cursor is not None:
            self.cursor = max(self.cursor, beat.seq)
            self._reportWanted = True

    def _trainingSync(self, message: NetworkMessage, sync: m.TrainingSync, changes: Changes) -> None:
        trainer = self._trainer
        if sync.credential is not None:
            # Before anything else: from the first use of it on, the join token is of no use to this id.
            what = "Enrolled as" if trainer.credentials.joining else "New credential for"
            try:
                trainer.credentials.keep(sync.credential)
            except (OSError, ValueError, IdentityError) as e:
                trainer.fail(f"can't keep the credential in {trainer.credentials.path}: {e}")
                return
            self.log.info("{what} {aiId}", what=what, aiId=trainer.aiId)
        trainer.knowledge.ais.update(sync.ai_info)
        if sync.log_id is None:
            return  # just news of who came or went
        if sync.active_ais is not None:
            here = set(sync.active_ais)
            for aiId, info in trainer.knowledge.ais.items():
                info.connected = aiId in here
                info.since = info.since if info.connected else None
        following = sync.next
        if not self._synced:
            self._synced = True
            if sync.resumed:
                following = self._page  # a newcomer whose connection was lost goes on with its reading
            else:
                trainer.collaboration.forgotten(changes)
                self.logId, self.cursor = sync.log_id, sync.seq
                changes.add("REPLACE INTO meta VALUES ('log_id', ?)", self.logId)
                changes.add("REPLACE INTO meta VALUES ('cursor', ?)", str(self.cursor))
            self._pages = MAX_PAGES
            trainer.greeted()
        if sync.global_knowledge_base is not None:
            self._learn(sync.global_knowledge_base, changes)
        self._read(following if self._pages > 0 else None, changes)

    def _read(self, page: str | None, changes: Changes) -> None:
        """Ask for a page of the knowledge base; C{None}: the last that we want was read."""
        if page is not None:
            self._pages -= 1
            changes.add("REPLACE INTO meta VALUES ('page', ?)", page)
            self._trainer.sayNow(MessageType.TRAINING_SYNC, SyncRequest(after=page))
        elif self._page is not None:
            changes.add("DELETE FROM meta WHERE key = 'page'")
        self._page = page

    def _learn(self, base: m.KnowledgeBase, changes: Changes) -> None:
        for entry in base.patterns:
            self._each(entry, k.Pattern, self._trainer.knowledge.addPattern, changes)
        for entry in base.components:
            if entry.get("kind") == "code":
                self._each(entry, k.CodeBlock, self._trainer.knowledge.addBlock, changes)
            else:
                self._each(entry, k.Component, self._addComponent, changes)
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
            self.log.debug("passed over an entry of the knowledge base: {error}", error=str(e))
            return
        if isinstance(source, str) and source != self._trainer.aiId:
            use(source, value, changes)

    def _addComponent(self, source: str, component: k.Component, changes: Changes) -> None:
        known = self._trainer.knowledge.addComponent(source, component, changes)
        if known is not None and component.manifest is not None and component.manifest.report is not None:
            self._trainer.workshop.addMeasurement(component, changes)

    def _addReport(self, source: str, report: m.PerformanceReport, changes: Changes) -> None:
        self._trainer.knowledge.addReport(source, report, "", changes)

    def _patternShare(self, message: NetworkMessage, share: m.PatternShare, changes: Changes) -> None:
        self._trainer.knowledge.addPattern(message.sender_id, share.pattern, changes)
        self.log.info(
            "Pattern {id} ({type}) from {source}",
            id=plain(share.pattern.id),
            type=plain(share.pattern.type),
            source=message.sender_id,
        )

    def _codeShare(self, message: NetworkMessage, share: m.CodeShare, changes: Changes) -> None:
        self._trainer.knowledge.addBlock(message.sender_id, share.code, changes)

    def _componentShare(self, message: NetworkMessage, share: m.ComponentShare, changes: Changes) -> None:
        self.log.info("Component {id} from {source}", id=plain(share.component.id), source=message.sender_id)
        self._addComponent(message.sender_id, share.component, changes)
        if share.session_id is not None and share.collaboration_complete:
            self._trainer.collaboration.componentCame(share.session_id, message.sender_id, changes)

    def _performanceReport(self, message: NetworkMessage, report: m.PerformanceReport, changes: Changes) -> None:
        self._trainer.knowledge.addReport(message.sender_id, report, message.timestamp, changes)
        if report.verdict is not None:
            self.log.info(
                "{id} was {verdict} by {reporter}",
                id=plain(report.component_id),
                verdict=report.verdict.value,
                reporter=message.sender_id,
            )

    def _featureRequest(self, message: NetworkMessage, forwarded: m.ForwardedFeatureRequest, changes: Changes) -> None:
        request = forwarded.original_request
        if not canHelpWith(request.feature, self._trainer.capabilities):
            self.log.info("can't help {ai} with {feature}", ai=forwarded.requestor, feature=plain(request.feature))
            return
        self._trainer.workshop.addFeature(message.message_id, forwarded, changes)

    def _featureResponse(self, message: NetworkMessage, response: m.FeatureResponse, changes: Changes) -> None:
        self.log.info(
            "Answer to our request for {feature}: {what}",
            feature=plain(response.original_request.feature),
            what=plain(response.component.id if response.component is not None else response.reason or "nothing yet"),
        )
        if response.component is not None:
            self._addComponent(message.sender_id, response.component, changes)

    def _invitation(self, message: NetworkMessage, invitation: m.CollaborationInvitation, changes: Changes) -> None:
        self._trainer.collaboration.invited(invitation, changes)

    def _collaborationResponse(
        self, message: NetworkMessage, response: m.CollaborationResponse, changes: Changes
    ) -> None:
        self._trainer.collaboration.answered(message.sender_id, response, changes)

    def _ack(self, message: NetworkMessage, ack: m.Ack, changes: Changes) -> None:
        self._trainer.outbox.acked([messageId for messageId, _ in ack.acked], changes)

    def _error(self, message: NetworkMessage, error: m.WireError, changes: Changes) -> None:
        trainer = self._trainer
        if error.code == "bad_credentials":
            trainer.fail(trainer.credentials.refusal(error.message))
        elif error.code == "taken_over":
            trainer.fail(f"another process connected as {trainer.aiId}: {error.message}")
        elif error.code == "line_too_long":
            trainer.outbox.dropLongest(changes)
        elif error.class_ is ErrorClass.PERMANENT:
            self.log.error("the hub will not take {id}: {m}", id=error.message_id, m=plain(error.message, 300))
            if error.message_id is not None:
                trainer.outbox.acked([error.message_id], changes)
        else:
            self.log.warn("the hub says {code}: {m}", code=error.code, m=error.message)
            if error.class_ is ErrorClass.RETRY:
                # Coming back later sends all that is unacked again, in its order.
                trainer.comeBackLater()

    _handlers: dict[MessageType, tuple[Any, Any]] = {
        MessageType.TRAINING_SYNC: (_trainingSync, m.TrainingSync),
        MessageType.PATTERN_SHARE: (_patternShare, m.PatternShare),
        MessageType.CODE_SHARE: (_codeShare, m.CodeShare),
        MessageType.OS_COMPONENT_SHARE: (_componentShare, m.ComponentShare),
        MessageType.PERFORMANCE_REPORT: (_performanceReport, m.PerformanceReport),
        MessageType.FEATURE_REQUEST: (_featureRequest, m.ForwardedFeatureRequest),
        MessageType.FEATURE_RESPONSE: (_featureResponse, m.FeatureResponse),
        MessageType.COLLABORATION_REQUEST: (_invitation, m.CollaborationInvitation),
        MessageType.COLLABORATION_RESPONSE: (_collaborationResponse, m.CollaborationResponse),
        MessageType.HEARTBEAT: (_heartbeat, m.Heartbeat),
        MessageType.ACK: (_ack, m.Ack),
        MessageType.ERROR: (_error, m.WireError),
    }


def greetingPayload(trainer: Trainer, inbox: Inbox, generators: list[str], workbenches: list[str]) -> dict[str, Any]:
    """The payload of our hello."""
    return encodePayload(
        m.Hello(
            specialization=trainer.specialization,
            capabilities=trainer.capabilities,
            version=trainer.version,
            features_supported=[f.value for f in m.OSFeature],
            protocol=m.PROTOCOL,
            log_id=inbox.logId,
            resume_after=inbox.cursor,
            generators=generators,
            workbenches=workbenches,
        )
    )
