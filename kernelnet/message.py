"""
Messages: the envelope `NetworkMessage`, its types, and one small class per payload.

All is plain data, checked by msgspec when it is made from JSON; nothing here knows a connection, a clock or a database.

==========================  ====  =========================================================
message_type                way   payload
==========================  ====  =========================================================
``hello``                   ->    `Hello`
``training_sync``           ->    `SyncRequest`;  <- `TrainingSync`
``pattern_share``           <->   `PatternShare`
``code_share``              <->   `CodeShare`
``os_component_share``      <->   `ComponentShare`
``os_component_reference``  <->   `ComponentReference`, of version 2
``performance_report``      <->   `PerformanceReport`
``feature_request``         ->    `FeatureRequest`;  <- `ForwardedFeatureRequest`
``feature_response``        <->   `FeatureResponse`
``collaboration_request``   ->    `CollaborationRequest`;  <- `CollaborationInvitation`
``collaboration_response``  <->   `CollaborationResponse`
``heartbeat``               <->   `Heartbeat`
``payload``                 ->    `PayloadRequest`;  <- `PayloadAnswer`, of version 2
``ack``                     <-    `Ack`
``error``                   <-    `WireError`
==========================  ====  =========================================================

``->`` is client to hub, ``<-`` hub to client.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from kernelnet.artifacts import (
    AI_ID,
    SPECIALIZATIONS,
    AiId,
    CodeBlock,
    Component,
    Digest,
    Hint,
    Name,
    OSFeature,
    Pattern,
    PerformanceReport,
    SearchProgress,
    Text,
    Words,
)
from kernelnet.untrusted import MAX_NOTE

__all__ = [
    "AI_ID",
    "HUB_ID",
    "LOGGED",
    "OBSERVATIONS",
    "PROTOCOL",
    "SINCE_VERSION_2",
    "SPECIALIZATIONS",
    "Ack",
    "AiInfo",
    "CodeShare",
    "CollaborationInvitation",
    "CollaborationRequest",
    "CollaborationResponse",
    "CollaborationType",
    "ComponentReference",
    "ComponentShare",
    "ErrorClass",
    "FeatureRequest",
    "FeatureResponse",
    "ForwardedFeatureRequest",
    "Handshake",
    "Heartbeat",
    "Hello",
    "Hint",
    "KnowledgeBase",
    "MessageType",
    "NetworkMessage",
    "OSFeature",
    "PatternShare",
    "PerformanceReport",
    "SessionStep",
    "SyncRequest",
    "TrainingSync",
    "WireError",
]

PROTOCOL = 2
"""The newest protocol version this code speaks; a client that names none speaks 1."""

OBSERVATIONS = "observations"
"""The word in `TrainingSync.takes` of a hub that a trainer may send a report with an observation."""

HUB_ID = "hub"
"""The ``sender_id`` of the hub's own messages; no AI may have it."""

MessageId = Annotated[str, Meta(min_length=1, max_length=128)]
"""Printable ASCII, which `kernelnet.wire` checks: a pattern here would take half of the time to read a line."""


class MessageType(Enum):
    """The value is the word on the wire; the table at the top of this module says which way each goes."""

    HELLO = "hello"
    TRAINING_SYNC = "training_sync"
    PATTERN_SHARE = "pattern_share"
    CODE_SHARE = "code_share"
    OS_COMPONENT_SHARE = "os_component_share"
    OS_COMPONENT_REFERENCE = "os_component_reference"
    PERFORMANCE_REPORT = "performance_report"
    FEATURE_REQUEST = "feature_request"
    FEATURE_RESPONSE = "feature_response"
    COLLABORATION_REQUEST = "collaboration_request"
    COLLABORATION_RESPONSE = "collaboration_response"
    HEARTBEAT = "heartbeat"
    PAYLOAD = "payload"
    ACK = "ack"
    ERROR = "error"

    __hash__ = object.__hash__  # each is one of a kind; Enum's own is in Python, and asked several times a message


LOGGED = frozenset(
    {
        MessageType.PATTERN_SHARE,
        MessageType.CODE_SHARE,
        MessageType.OS_COMPONENT_SHARE,
        MessageType.OS_COMPONENT_REFERENCE,
        MessageType.PERFORMANCE_REPORT,
        MessageType.FEATURE_REQUEST,
        MessageType.FEATURE_RESPONSE,
        MessageType.COLLABORATION_REQUEST,
        MessageType.COLLABORATION_RESPONSE,
    }
)
"""The types that are durable before they are acked, and replayed to a trainer that was away."""

SINCE_VERSION_2 = frozenset({MessageType.COLLABORATION_RESPONSE, MessageType.OS_COMPONENT_REFERENCE})
"""Those of them that version 1 doesn't know: they are kept from its clients."""


class NetworkMessage(Struct, forbid_unknown_fields=True):
    """
    One line on the wire: six fields, and for protocol version 2 ``seq`` on what the hub logged.

    C{{"message_id": "0198…", "sender_id": "AI_1", "message_type": "pattern_share",
    "timestamp": "2026-11-22T15:00:00Z", "payload": {…}, "target_ai": null}}

    @ivar timestamp: RFC 3339; without a zone it is UTC.
    @ivar payload: a JSON object, whose form is the payload class of C{message_type}.
    @ivar target_ai: whom it is for; C{None} (on the wire also C{""}): everyone it concerns.
    @ivar seq: the position in the hub's log; only ever from the hub.
    """

    message_id: MessageId
    sender_id: str
    message_type: MessageType
    timestamp: str
    payload: dict[str, Any]
    target_ai: str | None = None
    seq: int | UnsetType = UNSET


class Handshake(Struct, forbid_unknown_fields=True):
    """The first line a client sends: C{{"ai_id": "AI_1", "token": "…"}}.  Its repr hides the token."""

    ai_id: AiId
    token: Annotated[str, Meta(min_length=1, max_length=1024)]

    def __repr__(self) -> str:
        return f"Handshake(ai_id={self.ai_id!r}, token=…)"


class Hello(Struct, omit_defaults=True):
    """
    First message of a client: who it is, what it can do; with C{"protocol": 2} it may resume where it left off.

    @ivar certificate_request: PKCS #10 in PEM, for the key that it signs its verdicts with.
    """

    specialization: Name = "general"
    capabilities: Words = []
    version: Annotated[str, Meta(max_length=64)] = ""
    features_supported: Words = []
    collaboration_ready: bool = True
    protocol: Annotated[int, Meta(ge=1)] = 1
    log_id: Annotated[str, Meta(max_length=64)] | None = None
    resume_after: Annotated[int, Meta(ge=0)] | None = None
    generators: Words = []
    workbenches: Words = []
    certificate_request: Annotated[str, Meta(max_length=2048)] | None = None


class AiInfo(Struct, omit_defaults=True):
    """
    One AI as the hub tells of it; C{since} is RFC 3339, C{None} while it is away; C{owner}: whose it is, if the
    operator says so.
    """

    specialization: str
    capabilities: list[str] = []
    collaboration_ready: bool = True
    connected: bool = True
    since: str | None = None
    generators: list[str] = []
    workbenches: list[str] = []
    owner: str | None = None


class SyncRequest(Struct, omit_defaults=True):
    """Asks for one page of the knowledge base; C{after} is a cursor that an earlier page gave as C{next}."""

    after: Annotated[str, Meta(max_length=256)] | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class KnowledgeBase(Struct):
    """
    A page of what all AIs know: patterns, components, and reports by component id.

    @ivar references: components whose source is a blob; an earlier client looks for none here, and could measure none.
    """

    patterns: list[dict[str, Any]] = []
    components: list[dict[str, Any]] = []
    benchmarks: dict[str, list[dict[str, Any]]] = {}
    references: list[dict[str, Any]] | UnsetType = UNSET


class TrainingSync(Struct, omit_defaults=True):
    """
    The hub's answer to a hello or a `SyncRequest`; with just C{ai_info} the news that an AI came or went.

    @ivar next: the cursor of the next page, C{None} after the last.
    @ivar resumed: whether the replay continues from the hello's C{resume_after}.
    @ivar takes: of the hub: what it takes that an earlier one would not, by name (`OBSERVATIONS`).
    @ivar credential: an enrolling AI's own token, to be kept and used from then on.
    @ivar certificate: (PEM) for the key of the hello's C{certificate_request}.
    """

    global_knowledge_base: KnowledgeBase | None = None
    active_ais: list[str] | None = None
    collaboration_opportunities: list[dict[str, Any]] | None = None
    ai_info: dict[str, AiInfo] = {}
    log_id: str | None = None
    seq: int | None = None
    resumed: bool | None = None
    next: str | None = None
    credential: str | None = None
    takes: list[str] = []
    certificate: Annotated[str, Meta(max_length=4096)] | None = None


class PatternShare(Struct):
    pattern: Pattern


class CodeShare(Struct):
    code: CodeBlock


class SessionStep(Struct, omit_defaults=True):
    """
    One step of a collaboration session, as who did it tells it.

    @ivar by: who did it; C{what}: C{start} (the best that was there before, and whose it is), C{build}, C{improve},
        C{measure} or C{send}; C{decline}, whose C{note} says why; C{note}, of which this is all.
    @ivar task: workbench, trace and settings that the score is about.
    @ivar note: for people.
    @ivar objective: of a build: C{score} or C{fuel}; C{parents}: digests of what it began with.
    @ivar hints: what of another bench it began with; of C{send}: what the component descends from.
    @ivar component: id of what came of it, C{None} if nothing passed the guard; C{digest}: its digest.
    @ivar score: on validation, in the workbench's unit; C{fuel}: there; C{level}: development level on held-out.
    @ivar verdict: of a measurement; C{seconds}: how long it took.
    """

    by: AiId
    what: Annotated[str, Meta(max_length=32)]
    objective: Annotated[str, Meta(max_length=32)] = ""
    parents: Annotated[list[Digest], Meta(max_length=64)] = []
    hints: Annotated[list[Hint], Meta(max_length=16)] = []
    task: Annotated[str, Meta(max_length=256)] = ""
    note: Annotated[str, Meta(max_length=MAX_NOTE)] = ""
    component: Name | None = None
    digest: Digest | None = None
    score: int | None = None
    fuel: int | None = None
    level: float | None = None
    verdict: Annotated[str, Meta(max_length=32)] = ""
    seconds: float = 0.0


class ComponentShare(Struct, omit_defaults=True):
    """@ivar transcript: of the session that it completes, or that it adds to: what the initiator got out of it."""

    component: Component
    session_id: Name | None = None
    collaboration_complete: bool = False
    transcript: Annotated[list[SessionStep], Meta(max_length=64)] = []
    original_requestor: AiId | None = None
    feature_name: Name | None = None


class ComponentReference(Struct, omit_defaults=True):
    """A component whose source is a blob, see `Component`; it completes no session."""

    component: Component
    original_requestor: AiId | None = None
    feature_name: Name | None = None


class FeatureRequest(Struct, omit_defaults=True):
    feature: Name
    requirements: dict[str, Any] = {}


class ForwardedFeatureRequest(Struct):
    original_request: FeatureRequest
    requestor: AiId


class FeatureResponse(Struct, omit_defaults=True):
    """The best answer there is at once: a stored component, or the reason why there is none (yet)."""

    original_request: FeatureRequest
    component: Component | None = None
    reason: Text = ""


class CollaborationType(Enum):
    FEATURE_DEVELOPMENT = "feature_development"
    CROSS_SPECIALIZATION = "cross_specialization"
    PERFORMANCE_OPTIMIZATION = "performance_optimization"


class CollaborationRequest(Struct, omit_defaults=True):
    type: CollaborationType
    description: Text = ""
    target_ai: str | None = None
    expertise_offered: Words = []
    seeking_expertise: Words = []
    requirements: dict[str, Any] = {}


class CollaborationInvitation(Struct, omit_defaults=True):
    """A `CollaborationRequest` as the hub passes it on to those it invites."""

    session_id: Name
    type: CollaborationType
    description: Text
    initiator: AiId
    partner_specialization: str
    expertise_offered: list[str] = []
    seeking_expertise: list[str] = []
    requirements: dict[str, Any] = {}


class CollaborationResponse(Struct, omit_defaults=True):
    """
    C{accepted}, C{declined}: from who was invited; C{note}, by its C{reason}: from the two; C{expired}: from the hub.

    @ivar partner: (from the hub) who accepted; C{type}: (from the hub) the session's.
    @ivar transcript: of a session that is declined, the steps that were done.
    """

    session_id: Name
    response: Annotated[str, Meta(pattern=r"^(accepted|declined|note|expired)\Z")]
    reason: Text = ""
    partner: AiId | None = None
    type: CollaborationType | None = None
    transcript: Annotated[list[SessionStep], Meta(max_length=64)] = []


class Heartbeat(Struct, omit_defaults=True):
    """
    A ping has a C{nonce}; its answer has it as C{reply_to} and is never answered.

    @ivar seq: position of the log: of the hub, up to where it has sent all; of a client, up to where it has read.
    @ivar progress: of a version 2 client: how its search goes.
    """

    nonce: Any = None
    reply_to: Any = None
    seq: int | None = None
    progress: SearchProgress | None = None


class Ack(Struct):
    """C{acked}: the message ids that are now durable, each with its position in the log."""

    acked: list[tuple[str, int]]


class ErrorClass(Enum):
    """Remedy for an error, on the client's side: drop the message, wait and resend, or reconnect."""

    PERMANENT = "permanent"
    RETRY = "retry"
    CLOSING = "closing"


class WireError(Struct, omit_defaults=True, rename={"class_": "class"}):
    """
    Why something was refused.

    @ivar code: one of the words of the protocol's error table, for programs.
    @ivar message: what was wrong and what would be right, for people.
    @ivar message_id: the message it is about, where there is one.
    """

    code: str
    message: str
    class_: ErrorClass
    message_id: str | None = None
