"""Dispatch of the hub's messages: a table from type to method says what each means; no network and no learning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from msgspec import UNSET
from twisted.internet.defer import inlineCallbacks
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from kernelnet import message as m
from kernelnet.learning.specializations import canHelpWith
from kernelnet.message import ErrorClass, MessageType, NetworkMessage
from kernelnet.payloads import PayloadAnswer
from kernelnet.trainer.collaboration.sessions import Sessions
from kernelnet.trainer.messaging.hub_sync import HubSync
from kernelnet.trainer.messaging.payload_exchange import PayloadExchange
from kernelnet.trainer.profile import Profile
from kernelnet.trainer.storage.database import Changes, Store
from kernelnet.trainer.storage.knowledge_base import KnowledgeBase
from kernelnet.trainer.storage.outbox import Outbox
from kernelnet.trainer.work.feature_requests import FeatureRequests
from kernelnet.trainer.work.verification import Verification
from kernelnet.untrusted import LinePace, plain
from kernelnet.wire import WireProblem, decodePayload

__all__ = ["Dispatcher"]

MAX_TRIES = 3
"""Number of failures after which a message is skipped."""

MAX_TOLD = 16
"""Maximum number of peers that one log line names."""


_SHARES = (MessageType.OS_COMPONENT_SHARE, MessageType.OS_COMPONENT_REFERENCE)


class Dispatcher:
    """
    Takes batches of messages; each becomes `Changes` to the trainer's store, among them the cursor.

    @ivar failed: number of messages that were skipped, since this trainer's store began.

    @param sync: the cursor, and what the hub tells of itself.
    @param refusal: makes, of what the hub says to our credentials, a line for the user.
    @param fail: called with a reason, for the user, to end the trainer.
    """

    log = Logger()

    def __init__(
        self,
        *,
        profile: Profile,
        store: Store,
        knowledge: KnowledgeBase,
        outbox: Outbox,
        verification: Verification,
        features: FeatureRequests,
        sessions: Sessions,
        sync: HubSync,
        payloads: PayloadExchange,
        clock: IReactorTime,
        refusal: Callable[[str], str],
        fail: Callable[[str], None],
    ) -> None:
        self._profile = profile
        self._store = store
        self._knowledge = knowledge
        self._outbox = outbox
        self._verification = verification
        self._features = features
        self._sessions = sessions
        self._sync = sync
        self._payloads = payloads
        self._refusal = refusal
        self._fail = fail
        self._tries = ("", 0)
        self._patterns: Counter[str] = Counter()
        self._pace = LinePace()
        self._clock = clock
        self.failed = 0

    @inlineCallbacks
    def load(self) -> Any:
        """Take up the counts of an earlier run."""
        rows = yield self._store.read("SELECT key, value FROM meta WHERE key IN ('skipped', 'tries')")
        meta = dict(rows)
        self.failed = int(meta.get("skipped", 0))
        tries, _, place = meta.get("tries", "0 ").partition(" ")
        self._tries = (place, int(tries))

    def take(self, batch: list[NetworkMessage]) -> tuple[Changes, list[NetworkMessage]]:
        """
        Make the changes that C{batch} brings, in order.

        A logged message whose handling raises changes nothing; it is tried again, and after `MAX_TRIES` it is skipped:
        logged and counted.  What is no valid message, or is not replayed, is skipped at once.

        @return: the changes, and what is to be taken again after a while: the message that failed and all behind it.
        """
        changes = Changes()
        sync = self._sync
        before, failed = sync.cursor, self.failed
        left: list[NetworkMessage] = []
        for i, message in enumerate(batch):
            last = sync.cursor
            if message.seq is not UNSET:
                if sync.isRead(message.seq):
                    continue
                sync.move(message.seq)
            own = Changes()
            try:
                handler, payloadClass = self._handlers[message.message_type]
                handler(self, message, decodePayload(message, payloadClass), own)
            except WireProblem as problem:
                self.failed += 1
                if self._tells("unusable"):
                    reason = plain(str(problem), 300)
                    self.log.warn("can't use a message of {sender}: {reason}", sender=message.sender_id, reason=reason)
            except Exception:
                tries = self._tried(message, changes)
                if self._tells("failure"):
                    self.log.failure(
                        "handling {type} {id} of {sender} failed, try {n} of {max}",
                        type=message.message_type.value,
                        id=message.message_id,
                        sender=message.sender_id,
                        n=tries,
                        max=MAX_TRIES,
                    )
                if tries < MAX_TRIES:
                    sync.move(last)
                    left = batch[i:]
                    break
                self.failed += 1
            else:
                changes.extend(own)
        if sync.cursor != before:
            sync.keepCursor(changes)
        if self.failed != failed:
            changes.add("REPLACE INTO meta VALUES ('skipped', ?)", str(self.failed))
        self._tellPatterns()
        return changes, left

    def _tells(self, kind: str) -> bool:
        """Whether one more line of a kind goes to the log: strangers cause as many as they like."""
        return self._pace.admits(kind, self._clock.seconds())

    def _tellPatterns(self) -> None:
        """Log in one line whose patterns came with a batch: who starts shares all of its own at once."""
        if self._patterns and self._tells("patterns"):
            most = self._patterns.most_common(MAX_TOLD)
            told = ", ".join(f"{count} from {source}" for source, count in sorted(most))
            told += f", and of {len(self._patterns) - MAX_TOLD} others" if len(self._patterns) > MAX_TOLD else ""
            self.log.info("Patterns: {told}", told=told)
        self._patterns.clear()

    def _tried(self, message: NetworkMessage, changes: Changes) -> int:
        """Count one more try of C{message}, durably.  @return: how many that makes."""
        if message.seq is UNSET:
            return MAX_TRIES  # the hub won't send it again
        place = f"{self._sync.logId} {message.seq}"
        self._tries = (place, self._tries[1] + 1 if self._tries[0] == place else 1)
        changes.add("REPLACE INTO meta VALUES ('tries', ?)", f"{self._tries[1]} {place}")
        return self._tries[1]

    def _patternShare(self, message: NetworkMessage, share: m.PatternShare, changes: Changes) -> None:
        self._knowledge.addPattern(message.sender_id, share.pattern, changes)
        self._patterns[message.sender_id] += 1

    def _codeShare(self, message: NetworkMessage, share: m.CodeShare, changes: Changes) -> None:
        self._knowledge.addBlock(message.sender_id, share.code, changes)

    def _componentShare(self, message: NetworkMessage, share: m.ComponentShare, changes: Changes) -> None:
        if self._tells("component"):
            self.log.info("Component {id} from {source}", id=plain(share.component.id), source=message.sender_id)
        self._verification.learn(message.sender_id, share.component, changes)
        if share.session_id is not None and share.collaboration_complete:
            self._sessions.componentCame(share.session_id, message.sender_id, changes)

    def _componentReference(self, message: NetworkMessage, said: m.ComponentReference, changes: Changes) -> None:
        self._componentShare(message, m.ComponentShare(said.component), changes)

    def _performanceReport(self, message: NetworkMessage, report: m.PerformanceReport, changes: Changes) -> None:
        if report.observation is not None:
            return  # no hub sends one; it must not stand in the place of a verdict
        report.attestation = None  # it is for who was not here to hear it from the hub
        self._knowledge.addReport(message.sender_id, report, message.timestamp, changes)
        if report.verdict is not None and self._tells("report"):
            self.log.info(
                "{id} was {verdict} by {reporter}",
                id=plain(report.component_id),
                verdict=report.verdict.value,
                reporter=message.sender_id,
            )

    def _featureRequest(self, message: NetworkMessage, forwarded: m.ForwardedFeatureRequest, changes: Changes) -> None:
        request = forwarded.original_request
        if not canHelpWith(request.feature, self._profile.capabilities):
            if self._tells("request"):
                self.log.info("can't help {ai} with {feature}", ai=forwarded.requestor, feature=plain(request.feature))
            return
        self._features.enqueue(message.message_id, forwarded, changes)

    def _featureResponse(self, message: NetworkMessage, response: m.FeatureResponse, changes: Changes) -> None:
        if self._tells("response"):
            what = response.component.id if response.component is not None else response.reason or "nothing yet"
            feature = plain(response.original_request.feature)
            self.log.info("Answer to our request for {feature}: {what}", feature=feature, what=plain(what))
        if response.component is not None:
            self._verification.learn(message.sender_id, response.component, changes)

    def _invitation(self, message: NetworkMessage, invitation: m.CollaborationInvitation, changes: Changes) -> None:
        self._sessions.invited(invitation, changes)

    def _collaborationResponse(
        self, message: NetworkMessage, response: m.CollaborationResponse, changes: Changes
    ) -> None:
        if response.response == "note":
            self._sessions.notes.came(message.sender_id, response, changes)
        else:
            self._sessions.answered(message.sender_id, response, changes)

    def _trainingSync(self, message: NetworkMessage, sync: m.TrainingSync, changes: Changes) -> None:
        self._sync.synced(sync, changes)

    def _heartbeat(self, message: NetworkMessage, beat: m.Heartbeat, changes: Changes) -> None:
        self._sync.pinged(beat)

    def _ack(self, message: NetworkMessage, ack: m.Ack, changes: Changes) -> None:
        self._outbox.acked([messageId for messageId, _ in ack.acked], changes)

    def _error(self, message: NetworkMessage, error: m.WireError, changes: Changes) -> None:
        if error.code == "bad_credentials":
            self._fail(self._refusal(plain(error.message, 300)))
        elif error.code == "taken_over":
            self._fail(f"another process connected as {self._profile.aiId}: {plain(error.message, 300)}")
        elif error.code == "line_too_long":
            self._refused(self._outbox.longest(), error, changes)
        elif error.class_ is ErrorClass.PERMANENT:
            self._refused(error.message_id, error, changes)
        elif not self._payloads.busy(error):
            if self._tells("error"):
                self.log.warn("the hub says {code}: {m}", code=plain(error.code), m=plain(error.message, 300))
            if error.class_ is ErrorClass.RETRY:
                # Coming back later sends all that is unacked again, in its order.
                self._sync.comeBackLater()

    def _refused(self, messageId: str | None, error: m.WireError, changes: Changes) -> None:
        """
        The hub will never take what we said.

        A component stays our own, and what was measured of it is true; but it isn't shared, and completes no session.
        """
        about, why = plain(messageId or "what we said", 128), plain(error.message, 300)
        said = self._outbox.refused(messageId, changes) if messageId is not None else None
        if said is not None and said.message_type in _SHARES:
            share = decodePayload(said, m.ComponentShare)
            about = f"our component {plain(share.component.id)}, which isn't shared"
            if share.session_id is not None:
                self._sessions.notTaken(share.session_id, why, changes)
        if self._tells("refusal"):
            self.log.error("the hub will not take {about}: {m}", about=about, m=why)

    def _payload(self, message: NetworkMessage, answer: PayloadAnswer, changes: Changes) -> None:
        self._payloads.answered(answer)

    _handlers: dict[MessageType, tuple[Any, Any]] = {
        MessageType.TRAINING_SYNC: (_trainingSync, m.TrainingSync),
        MessageType.PATTERN_SHARE: (_patternShare, m.PatternShare),
        MessageType.CODE_SHARE: (_codeShare, m.CodeShare),
        MessageType.OS_COMPONENT_SHARE: (_componentShare, m.ComponentShare),
        MessageType.OS_COMPONENT_REFERENCE: (_componentReference, m.ComponentReference),
        MessageType.PERFORMANCE_REPORT: (_performanceReport, m.PerformanceReport),
        MessageType.FEATURE_REQUEST: (_featureRequest, m.ForwardedFeatureRequest),
        MessageType.FEATURE_RESPONSE: (_featureResponse, m.FeatureResponse),
        MessageType.COLLABORATION_REQUEST: (_invitation, m.CollaborationInvitation),
        MessageType.COLLABORATION_RESPONSE: (_collaborationResponse, m.CollaborationResponse),
        MessageType.HEARTBEAT: (_heartbeat, m.Heartbeat),
        MessageType.PAYLOAD: (_payload, PayloadAnswer),
        MessageType.ACK: (_ack, m.Ack),
        MessageType.ERROR: (_error, m.WireError),
    }
