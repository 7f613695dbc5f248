"""
Lines to messages and back: a pure codec.

It knows no transport: bytes in, checked values out.  Whatever bytes arrive, the result is a
`NetworkMessage` or one `WireProblem`, which is what the peer is told.

Error codes and their class (what a client should do about them):

==========================  =========  ====================================================
code                        class      meaning
==========================  =========  ====================================================
``invalid_message``         permanent  a field is missing, unknown, or has a bad value
``spoofed_sender``          permanent  ``sender_id`` is not who was authenticated
``unknown_target``          permanent  ``target_ai`` was never enrolled
``conflicting_duplicate``   permanent  ``message_id`` was used for another content
``unsupported``             permanent  nothing takes this type yet
``storage_full``            retry      the hub's disk is full; send again later
``busy``                    retry      the hub can't take it now; send again later
``bad_credentials``         closing    unknown id or wrong token
``too_many_failures``       closing    others at your address failed too often; the token was not looked at, come back
``taken_over``              closing    a newer connection of the same ``ai_id``
``line_too_long``           closing    over the limit, before a newline came
``not_json``                closing    not a line of JSON in UTF-8
``too_slow``                closing    it did not keep up (version 1), or retention's hard limit passed it
``auth_timeout``            closing    no handshake line in time
``shutting_down``           closing    the hub is going away; come back
==========================  =========  ====================================================
"""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Struct

from kernelnet import message as m
from kernelnet.message import ErrorClass, MessageType, NetworkMessage
from kernelnet.payloads import PayloadAnswer, PayloadRequest

__all__ = [
    "AUTHENTICATED_LINE",
    "ERRORS",
    "HANDSHAKE_LINE",
    "MAX_DEPTH",
    "WireProblem",
    "decode",
    "decodeFromHub",
    "decodeHandshake",
    "decodePayload",
    "encode",
    "encodePayload",
    "isPosition",
    "newMessage",
    "newMessageId",
    "problemPayload",
    "rfc3339",
    "unixTime",
    "withSeq",
]

HANDSHAKE_LINE = 4 * 1024
"""The longest first line, in bytes without the newline."""

AUTHENTICATED_LINE = 1024 * 1024
"""The longest line after it."""

MAX_DEPTH = 32
"""Maximum depth of a payload: C{{"a": 1}} is one level."""

MAX_TIMESTAMP = 64
"""Characters of the longest C{timestamp}."""

ERRORS: dict[str, ErrorClass] = {
    "invalid_message": ErrorClass.PERMANENT,
    "spoofed_sender": ErrorClass.PERMANENT,
    "unknown_target": ErrorClass.PERMANENT,
    "conflicting_duplicate": ErrorClass.PERMANENT,
    "unsupported": ErrorClass.PERMANENT,
    "storage_full": ErrorClass.RETRY,
    "busy": ErrorClass.RETRY,
    "bad_credentials": ErrorClass.CLOSING,
    "too_many_failures": ErrorClass.CLOSING,
    "taken_over": ErrorClass.CLOSING,
    "line_too_long": ErrorClass.CLOSING,
    "not_json": ErrorClass.CLOSING,
    "too_slow": ErrorClass.CLOSING,
    "auth_timeout": ErrorClass.CLOSING,
    "shutting_down": ErrorClass.CLOSING,
}

FROM_CLIENT: dict[MessageType, type[Struct] | None] = {
    MessageType.HELLO: m.Hello,
    MessageType.TRAINING_SYNC: m.SyncRequest,
    MessageType.PATTERN_SHARE: m.PatternShare,
    MessageType.CODE_SHARE: m.CodeShare,
    MessageType.OS_COMPONENT_SHARE: m.ComponentShare,
    MessageType.OS_COMPONENT_REFERENCE: m.ComponentReference,
    MessageType.PERFORMANCE_REPORT: m.PerformanceReport,
    MessageType.FEATURE_REQUEST: m.FeatureRequest,
    MessageType.FEATURE_RESPONSE: m.FeatureResponse,
    MessageType.COLLABORATION_REQUEST: m.CollaborationRequest,
    MessageType.COLLABORATION_RESPONSE: m.CollaborationResponse,
    MessageType.HEARTBEAT: m.Heartbeat,
    MessageType.PAYLOAD: PayloadRequest,
}
"""Types that a client may send, and the class that each payload must fit."""

FROM_HUB: dict[MessageType, type[Struct] | None] = {
    MessageType.TRAINING_SYNC: m.TrainingSync,
    MessageType.PATTERN_SHARE: m.PatternShare,
    MessageType.CODE_SHARE: m.CodeShare,
    MessageType.OS_COMPONENT_SHARE: m.ComponentShare,
    MessageType.OS_COMPONENT_REFERENCE: m.ComponentReference,
    MessageType.PERFORMANCE_REPORT: m.PerformanceReport,
    MessageType.FEATURE_REQUEST: m.ForwardedFeatureRequest,
    MessageType.FEATURE_RESPONSE: m.FeatureResponse,
    MessageType.COLLABORATION_REQUEST: m.CollaborationInvitation,
    MessageType.COLLABORATION_RESPONSE: m.CollaborationResponse,
    MessageType.HEARTBEAT: m.Heartbeat,
    MessageType.PAYLOAD: PayloadAnswer,
    MessageType.ACK: m.Ack,
    MessageType.ERROR: m.WireError,
}
"""Types that the hub may send, and the class that each payload fits."""

_envelope = msgspec.json.Decoder(NetworkMessage)
_handshake = msgspec.json.Decoder(m.Handshake)
_anything = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()
_zerosAndBraces = bytes.maketrans(b"123456789[", b"000000000{")

S = TypeVar("S", bound=Struct)


class _OnlyMessageId(Struct):
    """Skips all other fields unread, so that a number out of range there doesn't hide the id."""

    message_id: m.MessageId


_messageId = msgspec.json.Decoder(_OnlyMessageId)


class WireProblem(Exception):
    """
    Mistake of a peer (or what the hub could not do), as it is told to the peer.

    @ivar code: a key of `ERRORS`.
    @ivar message: what was wrong and what would be right.
    @ivar messageId: the message it is about, where that is known.
    """

    def __init__(self, code: str, message: str, messageId: str | None = None) -> None:
        super().__init__(code, message, messageId)
        self.code = code
        self.message = message
        self.messageId = messageId

    @property
    def errorClass(self) -> ErrorClass:
        return ERRORS[self.code]

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def problemPayload(problem: WireProblem) -> m.WireError:
    """The payload of the C{error} message that tells a peer of C{problem}."""
    return m.WireError(problem.code, problem.message, problem.errorClass, problem.messageId)


def newMessageId(seconds: float) -> str:
    """A UUIDv7 (RFC 9562 §5.7) for the Unix time C{seconds}: ids that sort by time are cheap to index."""
    milliseconds = int(seconds * 1000) & ((1 << 48) - 1)
    random = secrets.randbits(74)
    value = milliseconds << 80 | 7 << 76 | (random >> 62) << 64 | 2 << 62 | random & ((1 << 62) - 1)
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def unixTime(timestamp: str) -> float:
    """A message's C{timestamp} → Unix time; without a zone it is UTC."""
    at = msgspec.convert(timestamp, datetime)
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()


def rfc3339(seconds: float) -> str:
    """Unix time → C{2026-11-22T15:00:00.123456Z}."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def decodeHandshake(line: bytes) -> m.Handshake:
    """
    The first line of a connection.

    @raise WireProblem: C{not_json}, or C{bad_credentials} for JSON that is no handshake; no text of it holds the token.
    """
    try:
        handshake = _handshake.decode(line)
    except (ValueError, RecursionError) as e:
        if _isJSON(line):
            raise WireProblem(
                "bad_credentials", f'the first line must be {{"ai_id": …, "token": …}}: {_reason(e)}'
            ) from None
        raise WireProblem("not_json", 'the first line must be JSON: {"ai_id": …, "token": …}') from None
    if handshake.ai_id == m.HUB_ID:
        raise WireProblem("bad_credentials", f"the ai_id {m.HUB_ID!r} is reserved")
    return handshake


def decode(line: bytes) -> NetworkMessage:
    """
    A line from a client as a checked envelope; C{target_ai} is C{None} for everyone.

    @raise WireProblem: C{not_json} or C{invalid_message}, which names the field.
    """
    return _decode(line, FROM_CLIENT, seqAllowed=False)


def decodeFromHub(line: bytes) -> NetworkMessage:
    """The same for a line from the hub, where C{seq} may be."""
    return _decode(line, FROM_HUB, seqAllowed=True)


def _decode(line: bytes, types: dict[MessageType, type[Struct] | None], seqAllowed: bool) -> NetworkMessage:
    try:
        message = _envelope.decode(line)
        if not (message.message_id.isascii() and message.message_id.isprintable()):
            raise ValueError("`message_id` must be 1 to 128 printable ASCII characters")
        _checkPayload(line, message.payload)
        _checkTimestamp(message.timestamp)
        if message.seq is not UNSET and not seqAllowed:
            raise ValueError("Object contains unknown field `seq`: only the hub sends it")
        if message.message_type not in types:
            raise ValueError(f"message_type {message.message_type.value!r} goes the other way")
        if seqAllowed:
            _checkHub(message)
    except RecursionError:
        raise WireProblem("invalid_message", f"nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as e:
        # msgspec stops at the first bad field: what follows may not be JSON at all.
        if not _isJSON(line):
            raise WireProblem("not_json", "a line must be one JSON object in UTF-8") from None
        raise WireProblem("invalid_message", _reason(e), _findMessageId(line)) from None
    if message.target_ai == "":
        message.target_ai = None
    return message


def decodePayload(message: NetworkMessage, cls: type[S]) -> S:
    """
    The payload as an instance of its class.

    @raise WireProblem: C{invalid_message} naming the field.
    """
    try:
        return msgspec.convert(message.payload, cls)
    except (ValueError, RecursionError) as e:
        raise WireProblem(
            "invalid_message", f"payload of {message.message_type.value}: {_reason(e)}", message.message_id
        ) from None


def encodePayload(payload: Struct) -> dict[str, Any]:
    """A payload class → the plain JSON values that `NetworkMessage.payload` holds."""
    result: dict[str, Any] = msgspec.to_builtins(payload)
    return result


def newMessage(sender: str, kind: MessageType, payload: Struct, target: str | None = None) -> NetworkMessage:
    """A message with an id of its own, said now."""
    now = time.time()
    return NetworkMessage(newMessageId(now), sender, kind, rfc3339(now), encodePayload(payload), target)


def encode(message: NetworkMessage) -> bytes:
    """A message → its line, without the newline.  Six fields, and C{seq} if it is set."""
    return _encoder.encode(message)


def withSeq(line: bytes, seq: int) -> bytes:
    """The six-field line as protocol version 2 sees it: one encoding serves both versions."""
    return b'%s,"seq":%d}' % (line[:-1], seq)


def _isJSON(line: bytes) -> bool:
    try:
        _anything.decode(line)
    except msgspec.ValidationError:
        return True  # such as a number out of range: well-formed, but of no use
    except RecursionError:
        return True  # at least nobody can tell; the peer hears of the depth, whichever field came first
    except ValueError:
        return False
    return True


def _reason(error: BaseException) -> str:
    """The words of msgspec, with its C{$} written as a person would name the place."""
    return str(error).replace("`$.", "`").replace("`$`", "the top level")[:500]


def _findMessageId(line: bytes) -> str | None:
    try:
        found = _messageId.decode(line).message_id
    except (ValueError, RecursionError):
        return None
    return found if found.isascii() and found.isprintable() else None


def _checkHub(message: NetworkMessage) -> None:
    """Check what a trainer keeps of it, and says to the next hub, which must take it."""
    if message.sender_id != m.HUB_ID and not m.AI_ID.fullmatch(message.sender_id):
        raise ValueError("`sender_id` is no ai_id")
    if message.seq is not UNSET and not isPosition(message.seq):
        raise ValueError("`seq` is no position in a log")


def isPosition(seq: int) -> bool:
    """Whether C{seq} may be a position in the hub's log."""
    return 0 <= seq < 1 << 63


def _checkTimestamp(value: str) -> None:
    try:
        if len(value) > MAX_TIMESTAMP:  # of a fraction there may be any number of digits
            raise ValueError
        msgspec.convert(value, datetime)
    except ValueError:
        raise ValueError(f"`timestamp` must be RFC 3339, such as 2026-11-22T15:00:00Z, not {value[:64]!r}") from None


def _checkPayload(line: bytes, payload: dict[str, Any]) -> None:
    # Few brackets can't nest deep, and short digits can't be huge: most lines are not walked.
    suspects = line.translate(_zerosAndBraces)
    if suspects.count(b"{") > MAX_DEPTH or b"0" * 19 in suspects:
        _walk(payload, MAX_DEPTH)


def _walk(value: object, depth: int) -> None:
    if isinstance(value, dict | list):
        if depth == 0:
            raise ValueError(f"`payload` is nested deeper than {MAX_DEPTH} levels")
        for item in value.values() if isinstance(value, dict) else value:
            _walk(item, depth - 1)
    elif isinstance(value, int) and not -(1 << 63) <= value < (1 << 64):
        raise ValueError("`payload` holds an integer that does not fit 64 bits")
