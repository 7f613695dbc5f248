"""Every rule of the protocol's message and handshake: `kernelnet.wire`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import UNSET
from twisted.trial.unittest import SynchronousTestCase

from kernelnet import message as m
from kernelnet import wire
from kernelnet.message import ErrorClass, MessageType, NetworkMessage
from kernelnet.wire import WireProblem
from tests import wire_examples

SIX = ["message_id", "sender_id", "message_type", "timestamp", "payload", "target_ai"]

FIELDS: dict[str, Any] = {
    "message_id": "m1",
    "sender_id": "AI_1",
    "message_type": "pattern_share",
    "timestamp": "2026-11-22T15:00:00Z",
    "payload": wire_examples.PATTERN_SHARE,
    "target_ai": None,
}


def line(**changed: Any) -> bytes:
    """A valid client line with some fields changed."""
    return json.dumps({**FIELDS, **changed}, ensure_ascii=False).encode("utf-8", "surrogatepass")


def lineWith(field: str, raw: str) -> bytes:
    """A valid client line whose C{field} is the given JSON text, however odd."""
    return line(**{field: "@@"}).replace(b'"@@"', raw.encode("utf-8"))


def payloadLine(raw: str) -> bytes:
    """A valid client line whose payload's C{a} is the given JSON text."""
    return lineWith("payload", f'{{"a": {raw}}}')


def nested(levels: int) -> dict[str, Any]:
    """A payload of so many levels, lists and objects in turn."""
    value: Any = 1
    for level in range(levels - 1):
        value = {"a": value} if level % 2 else [value]
    return {"a": value}


class CodecTests(SynchronousTestCase):
    def problem(self, data: bytes, decoder: Callable[[bytes], object] = wire.decode) -> WireProblem:
        problem = self.assertRaises(WireProblem, decoder, data)
        assert isinstance(problem, WireProblem)
        return problem

    def invalid(self, data: bytes, *words: str, messageId: str | None = "m1") -> None:
        """C{data} is refused as C{invalid_message} with those words, as a reply to that message."""
        problem = self.problem(data)
        self.assertEqual(problem.code, "invalid_message", problem)
        for word in words:
            self.assertIn(word, problem.message)
        self.assertEqual(problem.messageId, messageId)

    def notJSON(self, data: bytes) -> None:
        self.assertEqual(self.problem(data).code, "not_json", data[:80])


class EnvelopeTests(CodecTests):
    """The table of fields."""

    def test_fields(self) -> None:
        """A line's fields become the message's."""
        message = wire.decode(line(target_ai="AI_2"))
        self.assertEqual(
            message,
            NetworkMessage(
                "m1", "AI_1", MessageType.PATTERN_SHARE, FIELDS["timestamp"], wire_examples.PATTERN_SHARE, "AI_2"
            ),
        )

    def test_badFieldNamesItself(self) -> None:
        """A field of a wrong type is refused by its name, whichever it is."""
        for field in SIX:
            for bad in (5, 1.5, True, [], ["x"]):
                self.invalid(line(**{field: bad}), f"`{field}`", messageId=None if field == "message_id" else "m1")
        for field in ("message_id", "sender_id", "message_type", "timestamp"):
            for null in ("null", "{}"):
                self.invalid(lineWith(field, null), f"`{field}`", messageId=None if field == "message_id" else "m1")
        self.invalid(line(payload=None), "`payload`")
        self.invalid(line(payload="{}"), "`payload`")
        self.invalid(line(target_ai={}), "`target_ai`")

    def test_missingFieldNamesItself(self) -> None:
        """A missing field is refused by its name."""
        for field in SIX[:-1]:
            short = json.dumps({k: v for k, v in FIELDS.items() if k != field}).encode()
            self.invalid(short, f"`{field}`", messageId=None if field == "message_id" else "m1")

    def test_missingTargetIsEveryone(self) -> None:
        """A line without C{target_ai} is for everyone: old clients leave it out; all six fields go on from here."""
        short = json.dumps({k: v for k, v in FIELDS.items() if k != "target_ai"}).encode()
        self.assertEqual(list(json.loads(wire.encode(wire.decode(short)))), SIX)

    def test_messageId(self) -> None:
        """A message_id is 1 to 128 printable ASCII characters."""
        for good in ("a", " ", "~", "x" * 128, '"\\'):
            self.assertEqual(wire.decode(line(message_id=good)).message_id, good)
        for bad in ("", "x" * 129, "é", "a\n", "\n", "\t", "\x7f", "\0", "a\x1b[2J"):
            self.invalid(line(message_id=bad), "`message_id`", messageId=None)

    def test_unknownTopLevelField(self) -> None:
        """A seventh field from a client is refused by its name."""
        self.invalid(line(priority=1), "`priority`")
        self.invalid(line(Payload={}), "`Payload`")

    def test_seqFromClient(self) -> None:
        """Only the hub numbers messages: C{seq} from a client is refused by its name, whatever its value."""
        for value in (0, 5, -1, None, "5"):
            self.invalid(line(seq=value), "`seq`")

    def test_seqFromHub(self) -> None:
        """C{seq} from the hub is kept; a message without it has none."""
        self.assertEqual(wire.decodeFromHub(line(seq=7)).seq, 7)
        self.assertIs(wire.decodeFromHub(line()).seq, UNSET)
        self.assertEqual(self.problem(line(seq="7"), wire.decodeFromHub).code, "invalid_message")

    def test_unknownType(self) -> None:
        """An unknown message_type is refused with the field's name and the bad word."""
        self.invalid(line(message_type="gossip"), "`message_type`", "gossip")
        self.invalid(line(message_type="HELLO"), "`message_type`", "HELLO")

    def test_wrongWay(self) -> None:
        """A type that goes the other way is refused by its name: each type, each direction."""
        for kind in MessageType:
            text = line(message_type=kind.value, payload={})
            for decoder, allowed in ((wire.decode, wire.FROM_CLIENT), (wire.decodeFromHub, wire.FROM_HUB)):
                if kind in allowed:
                    self.assertIs(decoder(text).message_type, kind)
                else:
                    problem = self.problem(text, decoder)
                    self.assertEqual((problem.code, problem.messageId), ("invalid_message", "m1"))
                    self.assertIn(f"message_type '{kind.value}' goes the other way", problem.message)

    def test_emptyTarget(self) -> None:
        """C{null} and the empty string both mean everyone, and go on as null."""
        for everyone in (None, ""):
            message = wire.decode(line(target_ai=everyone))
            self.assertIsNone(message.target_ai)
            self.assertIn(b'"target_ai":null', wire.encode(message))

    def test_timestamp(self) -> None:
        """A timestamp is RFC 3339 with the zone optional, and is kept as it was written."""
        for good in (
            "2026-11-22T15:00:00Z",
            "2026-11-22T15:00:00",
            "2026-11-22 15:00:00Z",
            "2026-11-22t15:00:00z",
            "2026-11-22T15:00:00.5+05:30",
            "2026-11-22T15:00:00.123456789-00:00",
            "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59-23:59",
        ):
            self.assertEqual(wire.decode(line(timestamp=good)).timestamp, good)
        for bad in (
            "",
            "now",
            "2026-11-22",
            "20261122T150000Z",
            "2026-11-22T15:00Z",
            "2026-02-30T00:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T15:00:00+24:00",
            "2026-11-22T15:00:00Z\n",
            " 2026-11-22T15:00:00Z",
            "1764000000",
            "٢٠٢٦-11-22T15:00:00Z",
        ):
            self.invalid(line(timestamp=bad), "`timestamp`", "RFC 3339")
        self.invalid(line(timestamp=1764000000), "`timestamp`")
        long = FIELDS["timestamp"].replace("Z", f".{'0' * 43}Z")
        self.assertEqual(len(wire.decode(line(timestamp=long)).timestamp), 64)
        self.invalid(line(timestamp=long.replace("Z", "0Z")), "`timestamp`")

    def test_longValueShortAnswer(self) -> None:
        """The answer to a huge bad value is short."""
        for field in ("message_id", "message_type", "timestamp"):
            self.assertTrue(len(self.problem(line(**{field: "é" * 100_000})).message) <= 600)
        self.assertTrue(len(self.problem(line(**{"x" * 100_000: 1})).message) <= 600)


class PayloadRuleTests(CodecTests):
    """Depth, numbers, text, duplicate keys."""

    def payload(self, raw: str) -> Any:
        """What C{{"a": raw}} comes to, and the same once more after it was sent on."""
        message = wire.decode(payloadLine(raw))
        self.assertEqual(wire.decode(wire.encode(message)), message)
        return message.payload["a"]

    def test_depth(self) -> None:
        """A payload may nest 32 levels, not 33."""
        self.assertEqual(wire.decode(line(payload=nested(32))).payload, nested(32))
        self.invalid(line(payload=nested(33)), "`payload`", "32 levels")

    def test_wideIsNotDeep(self) -> None:
        """Thousands of brackets side by side are no nesting."""
        wide: dict[str, Any] = {"a": [{"b": []} for _ in range(5000)]}
        self.assertEqual(wire.decode(line(payload=wide)).payload, wide)

    def test_bracketsInText(self) -> None:
        """Brackets within strings don't count."""
        self.assertEqual(self.payload(json.dumps("[{" * 500)), "[{" * 500)

    def test_bomb(self) -> None:
        """A hundred thousand levels get the same answer as 33, whichever field was bad first, and take no stack."""
        bomb = '{"a":' + "[" * 100_000 + "]" * 100_000 + "}"
        self.invalid(lineWith("payload", bomb), "32 levels", messageId=None)
        self.invalid(lineWith("payload", bomb).replace(b'"AI_1"', b"5"), messageId=None)
        self.invalid(lineWith("payload", "[" * 100_000), messageId=None)

    def test_integers(self) -> None:
        """Integers must fit 64 bits, signed or unsigned, and come through exactly."""
        for good in (0, -1, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1):
            self.assertEqual(self.payload(str(good)), good)
        for bad in (str(-(2**63) - 1), str(2**64), "1" + "0" * 25):
            self.invalid(payloadLine(f"[{bad}]"), "`payload`", "64 bits")
        for huge in ("9" * 5000, "-" + "9" * 5000):
            self.invalid(payloadLine(f"[{huge}]"), "`payload", "out of range")

    def test_floats(self) -> None:
        """Floats come through exactly."""
        for good in ("1e23", "5e-324", "1.7976931348623157e308", "0.1", "123456789012345678901234567890.5", "1E+2"):
            self.assertEqual(self.payload(good), float(good))
        self.assertEqual(str(self.payload("-0.0")), "-0.0")

    def test_tooLargeFloat(self) -> None:
        """A number beyond the floats is refused, and the answer still names the message."""
        for bad in ("1e400", "-1e400", "1e99999"):
            self.invalid(payloadLine(bad), "`payload", "out of range")

    def test_notANumber(self) -> None:
        """NaN and Infinity are no JSON."""
        for bad in ("NaN", "Infinity", "-Infinity", "nan", "01", "1.", ".5", "+1", "0x1", "1_000"):
            self.notJSON(payloadLine(bad))

    def test_duplicateKeys(self) -> None:
        """Of a duplicate key the last counts, and only that goes on."""
        message = wire.decode(lineWith("payload", '{"a": 1, "b": {"c": 1, "c": 2}, "a": 3}'))
        self.assertEqual(message.payload, {"a": 3, "b": {"c": 2}})
        twice = line().replace(b'"m1"', b'"m1", "message_id": "m2"')
        self.assertEqual(wire.decode(twice).message_id, "m2")
        self.assertEqual(wire.encode(wire.decode(twice)).count(b"message_id"), 1)

    def test_surrogates(self) -> None:
        """A surrogate without its other half is no UTF-8, escaped or not; a pair is the character it means."""
        self.assertEqual(self.payload(r'"\ud83d\ude00"'), "😀")
        for bad in (r'"\ud800"', r'"\udc00"', r'"\ud800\ud800"', r'"\ude00\ud83d"'):
            self.notJSON(payloadLine(bad))
        self.notJSON(line(payload={"a": "\ud800"}))

    def test_nul(self) -> None:
        """An escaped NUL in a payload comes through; a bare one is no JSON."""
        self.assertEqual(self.payload(r'"a\u0000b"'), "a\0b")
        self.notJSON(payloadLine('"\0"'))

    def test_controlCharacters(self) -> None:
        """A bare control character within a string is no JSON."""
        for code in range(0x20):
            self.notJSON(payloadLine(f'"{chr(code)}"'))


class LineTests(CodecTests):
    """What makes a line a line of JSON."""

    def test_notJSON(self) -> None:
        """What is no JSON at all is C{not_json}, also behind a bad field."""
        for bad in (
            b"",
            b"\r",
            b"hello",
            b"{",
            b"\xff\xfe",
            b"GET / HTTP/1.1",
            line()[:-1],
            line() + b"}",
            line() + line(),
            line(sender_id=5) + b"}",
            line().replace(b'"AI_1"', b"'AI_1'"),
            line().replace(b"null", b"None"),
            line()[:-1] + b",}",
        ):
            self.notJSON(bad)

    def test_notUTF8(self) -> None:
        """Bytes that are no UTF-8 are C{not_json}, wherever they stand."""
        for bad in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe9"):
            for field in ("message_id", "sender_id", "timestamp", "target_ai"):
                self.notJSON(line(**{field: "@"}).replace(b"@", bad))
            self.notJSON(line(payload={"a": "@"}).replace(b"@", bad))
            self.notJSON(line(payload={"@": 1}).replace(b"@", bad))
            self.notJSON(line(**{"@": 1}).replace(b"@", bad))

    def test_notAnObject(self) -> None:
        """JSON that is no object is an invalid message, not a reason to close."""
        for bad in (b"5", b"null", b"[]", b'"x"', b"[" + line() + b"]", b"true"):
            self.invalid(bad, messageId=None)

    def test_byteOrderMark(self) -> None:
        """A byte order mark is no JSON."""
        self.notJSON(b"\xef\xbb\xbf" + line())

    def test_crlf(self) -> None:
        """A carriage return before the newline is tolerated, and so is other white space around the object."""
        self.assertEqual(wire.decode(line() + b"\r"), wire.decode(line()))
        self.assertEqual(wire.decode(b" \t" + line() + b" \r"), wire.decode(line()))
        self.assertEqual(wire.decodeHandshake(b'{"ai_id": "a", "token": "t"}\r'), m.Handshake("a", "t"))


class EncodeTests(CodecTests):
    def test_sixFields(self) -> None:
        """A version 1 line has exactly the six fields, for every type and both directions."""
        for kind, payload in [*wire_examples.FROM_CLIENT.items(), *wire_examples.FROM_HUB.items()]:
            message = NetworkMessage("m1", "AI_1", kind, FIELDS["timestamp"], payload)
            self.assertEqual(list(json.loads(wire.encode(message))), SIX)

    def test_withSeq(self) -> None:
        """The version 2 line is the same line with C{seq} as its seventh field."""
        encoded = wire.encode(wire.decode(line()))
        for seq in (0, 1, 2**63 - 1):
            fields = json.loads(wire.withSeq(encoded, seq))
            self.assertEqual(list(fields), [*SIX, "seq"])
            self.assertEqual(fields.pop("seq"), seq)
            self.assertEqual(fields, json.loads(encoded))
            self.assertEqual(wire.decodeFromHub(wire.withSeq(encoded, seq)).seq, seq)

    def test_oneLine(self) -> None:
        """An encoded message never holds a newline or carriage return, whatever its strings do."""
        encoded = wire.encode(wire.decode(line(payload={"a\r\n": "b\r\n\u2028"}, target_ai="x\ny")))
        self.assertNotIn(b"\n", encoded)
        self.assertNotIn(b"\r", encoded)

    def test_roundTrip(self) -> None:
        """Each wire example, sent, read and its payload taken apart and put together again, is the same."""
        for decoder, examples, classes in (
            (wire.decode, wire_examples.FROM_CLIENT, wire.FROM_CLIENT),
            (wire.decodeFromHub, wire_examples.FROM_HUB, wire.FROM_HUB),
        ):
            for kind, example_ in examples.items():
                message = decoder(line(message_type=kind.value, payload=example_))
                cls = classes[kind]
                if cls is not None:
                    message.payload = wire.encodePayload(wire.decodePayload(message, cls))
                back = json.loads(wire.encode(message))
                self.assertEqual(back, {**FIELDS, "message_type": kind.value, "payload": example_})

    def test_rfc3339(self) -> None:
        """Unix time is written in UTC with microseconds, in a form that the decoder takes."""
        self.assertEqual(wire.rfc3339(0), "1970-01-01T00:00:00.000000Z")
        self.assertEqual(wire.rfc3339(1795359600.25), "2026-11-22T15:00:00.250000Z")
        wire.decode(line(timestamp=wire.rfc3339(1795359600)))

    def test_newMessage(self) -> None:
        """A new message has an id of its own and the present time, and goes through the codec unchanged."""
        before = wire.rfc3339(time.time())
        payload = m.SyncRequest(after="c:1")
        made = [wire.newMessage("AI_1", MessageType.TRAINING_SYNC, payload, target) for target in (None, "AI_2")]
        after = wire.rfc3339(time.time())
        self.assertNotEqual(made[0].message_id, made[1].message_id)
        for message, target in zip(made, (None, "AI_2"), strict=True):
            self.assertTrue(before <= message.timestamp <= after)
            self.assertEqual((message.sender_id, message.target_ai), ("AI_1", target))
            self.assertEqual(message.payload, {"after": "c:1"})
            self.assertEqual(wire.decode(wire.encode(message)), message)


class PayloadDecodingTests(CodecTests):
    def test_badPayload(self) -> None:
        """A payload that does not fit its type names type, field and message."""
        message = wire.decode(line(payload={"pattern": {**wire_examples.PATTERN_SHARE["pattern"], "confidence": 2}}))
        problem = self.assertRaises(WireProblem, wire.decodePayload, message, m.PatternShare)
        self.assertEqual((problem.code, problem.messageId), ("invalid_message", "m1"))
        self.assertIn("payload of pattern_share", problem.message)
        self.assertIn("`pattern.confidence`", problem.message)

    def test_missing(self) -> None:
        """A payload without what its type needs names what is missing."""
        for kind, cls in wire.FROM_CLIENT.items():
            if cls is None or kind in (MessageType.HELLO, MessageType.TRAINING_SYNC, MessageType.HEARTBEAT):
                continue
            message = wire.decode(line(message_type=kind.value, payload={}))
            problem = self.assertRaises(WireProblem, wire.decodePayload, message, cls)
            self.assertIn("missing required field", problem.message, kind)


class HandshakeTests(CodecTests):
    def test_good(self) -> None:
        """The first line gives id and token."""
        self.assertEqual(wire.decodeHandshake(b'{"ai_id": "AI_1", "token": "t"}'), m.Handshake("AI_1", "t"))

    def test_bad(self) -> None:
        """JSON that is no handshake is C{bad_credentials}, with a reason that never holds the token."""
        for bad in (
            b"{}",
            b"[]",
            b"null",
            b'{"ai_id": "AI_1"}',
            b'{"token": "sesame"}',
            b'{"ai_id": "AI_1", "token": ""}',
            b'{"ai_id": "AI_1", "token": 5}',
            b'{"ai_id": 5, "token": "sesame"}',
            b'{"ai_id": "AI_1", "token": "sesame", "x": 1}',
            b'{"ai_id": "", "token": "sesame"}',
            b'{"ai_id": "a b", "token": "sesame"}',
            b'{"ai_id": "AI_1\\n", "token": "sesame"}',
            b'{"ai_id": "\xc3\xa9", "token": "sesame"}',
            b'{"ai_id": "' + b"x" * 65 + b'", "token": "sesame"}',
            b'{"ai_id": "AI_1", "token": "' + b"sesame" * 200 + b'"}',
            b'{"ai_id": "hub", "token": "sesame"}',
            line(),
        ):
            problem = self.problem(bad, wire.decodeHandshake)
            self.assertEqual(problem.code, "bad_credentials", bad)
            self.assertNotIn("sesame", f"{problem} {problem!r} {problem.args}")
            self.assertIsNone(problem.__cause__)

    def test_notJSON(self) -> None:
        """What is no JSON is C{not_json}: a browser, another protocol, a line cut short."""
        for bad in (b"", b"GET / HTTP/1.1\r", b'{"ai_id": "AI_1", "token": "sesame', b"\xff", b"AI_1 sesame"):
            problem = self.problem(bad, wire.decodeHandshake)
            self.assertEqual(problem.code, "not_json", bad)
            self.assertNotIn("sesame", f"{problem!r}")

    def test_ids(self) -> None:
        """An ai_id is 1 to 64 of the letters, digits, C{_.-}, and starts with a letter or digit."""
        for good in ("a", "9", "A.b_c-d", "x" * 64, "hub2", "HUB"):
            self.assertEqual(wire.decodeHandshake(json.dumps({"ai_id": good, "token": "t"}).encode()).ai_id, good)


class ProblemTests(SynchronousTestCase):
    def test_table(self) -> None:
        """The codes in the module's table and in `wire.ERRORS` are the same, with the same class."""
        rows = {}
        for text in (wire.__doc__ or "").splitlines():
            if text.startswith("``"):
                code, kind, *_ = text.split()
                rows[code.strip("`")] = ErrorClass(kind)
        self.assertEqual(rows, wire.ERRORS)

    def test_payload(self) -> None:
        """What the peer is told of a problem has its code, words, class and message_id."""
        told = wire.encodePayload(wire.problemPayload(WireProblem("busy", "later", "m1")))
        self.assertEqual(told, {"code": "busy", "message": "later", "class": "retry", "message_id": "m1"})
        told = wire.encodePayload(wire.problemPayload(WireProblem("not_json", "no")))
        self.assertEqual(told, {"code": "not_json", "message": "no", "class": "closing"})

    def test_str(self) -> None:
        """As text a problem is its code and its words."""
        self.assertEqual(str(WireProblem("busy", "later")), "busy: later")


json_ = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)

valid = st.sampled_from(
    [
        line(message_type=kind.value, payload=payload)
        for kind, payload in [*wire_examples.FROM_CLIENT.items(), *wire_examples.FROM_HUB.items()]
    ]
    + [b'{"ai_id": "AI_1", "token": "sesame"}', line(seq=5)]
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid line with pieces removed, repeated, overwritten or thrown in."""
    data = bytearray(draw(valid))
    pieces = st.binary(max_size=6) | st.sampled_from(
        [
            b"{",
            b"}",
            b"[" * 40,
            b'"',
            b"\\",
            b"\\ud800",
            b"\\u0000",
            b",",
            b"null",
            b"1e999",
            b"-9" * 12,
            b"9" * 20,
            b"\xff",
        ]
    )
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 12)))
        data[at:end] = draw(pieces | st.just(bytes(data[at:end]) * 2))
    return bytes(data)


@st.composite
def envelopes(draw: st.DrawFn) -> bytes:
    """An envelope with one of its fields, or its payload's, replaced by any JSON value."""
    kind, payload = draw(st.sampled_from([*wire_examples.FROM_CLIENT.items(), *wire_examples.FROM_HUB.items()]))
    fields = {**FIELDS, "message_type": kind.value, "payload": dict(payload)}
    where = draw(st.sampled_from([fields, fields["payload"], fields["payload"]]))
    where[draw(st.sampled_from(sorted(where)))] = draw(json_)
    return json.dumps(fields, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


class AnythingTests(SynchronousTestCase):
    """Whatever arrives, the answer is a message or one error."""

    def check(self, data: bytes) -> None:
        try:
            wire.decodeHandshake(data)
        except WireProblem as problem:
            self.assertIn(problem.code, ("not_json", "bad_credentials"))
        for decoder, classes in ((wire.decode, wire.FROM_CLIENT), (wire.decodeFromHub, wire.FROM_HUB)):
            try:
                message = decoder(data)
            except WireProblem as problem:
                self.tellable(problem, ("not_json", "invalid_message"))
                continue
            self.assertEqual(decoder(wire.encode(message)), message)
            self.assertNotIn(b"\n", wire.encode(message))
            cls = classes[message.message_type]
            if cls is None:
                continue
            try:
                payload = wire.decodePayload(message, cls)
            except WireProblem as problem:
                self.tellable(problem, ("invalid_message",))
                self.assertEqual(problem.messageId, message.message_id)
                continue
            message.payload = wire.encodePayload(payload)
            self.assertEqual(wire.decodePayload(decoder(wire.encode(message)), cls), payload)

    def tellable(self, problem: WireProblem, codes: tuple[str, ...]) -> None:
        """The problem has one of those codes, is short, and can itself be sent."""
        self.assertIn(problem.code, codes)
        self.assertTrue(len(problem.message) <= 600)
        told = NetworkMessage(
            "e1", "hub", MessageType.ERROR, FIELDS["timestamp"], wire.encodePayload(wire.problemPayload(problem))
        )
        self.assertEqual(wire.decodeFromHub(wire.encode(told)), told)

    @given(st.binary(max_size=200))
    @example(b"")
    @example(b"[" * 5000)
    @example(b'{"a":' * 5000)
    def test_randomBytes(self, data: bytes) -> None:
        """Random bytes are answered with one error."""
        self.check(data)

    @given(mutated())
    def test_mutated(self, data: bytes) -> None:
        """A valid line with bytes changed becomes a message that can be sent on, or one error."""
        self.check(data)

    @given(envelopes())
    def test_anyValue(self, data: bytes) -> None:
        """Any JSON value in any field becomes a message that can be sent on, or one error."""
        self.check(data)
