"""The envelope's and the payloads' own rules: `kernelnet.message`."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec
from msgspec import Struct
from twisted.trial.unittest import SynchronousTestCase

from kernelnet import artifacts as k
from kernelnet import message as m
from kernelnet import wire
from kernelnet.message import MessageType
from kernelnet.observations import Observation, ObservedScore
from tests import wire_examples
from tests.wire_examples import DIGEST


def make(cls: type[Any], value: object) -> Any:
    return msgspec.convert(value, cls)


class TableTests(SynchronousTestCase):
    """The table of types at the top of the module, its classes, and the codec's two maps say the same."""

    def rows(self) -> list[tuple[str, str, str | None]]:
        """(type, way, class) as the module's docstring has them."""
        found = []
        for line in (m.__doc__ or "").splitlines():
            row = re.match(r"``(\w+)``\s+(<?->?)\s+(.*)", line)
            if row is None:
                continue
            kind, way, rest = row.groups()
            first, _, second = rest.partition("<-")
            names = [re.search(r"`(\w+)`", part) for part in (first, second)]
            if way in ("->", "<->"):
                found.append((kind, "->", names[0] and names[0].group(1)))
            if way in ("<-", "<->"):
                found.append((kind, "<-", names[0] and names[0].group(1)))
            if second:
                found.append((kind, "<-", names[1] and names[1].group(1)))
        return found

    def test_documented(self) -> None:
        """Each row of the module's table is what the codec takes from that side, and nothing is left out."""
        coded = [(t.value, "->", c and c.__name__) for t, c in wire.FROM_CLIENT.items()]
        coded += [(t.value, "<-", c and c.__name__) for t, c in wire.FROM_HUB.items()]
        documented = self.rows()
        self.assertEqual(sorted(documented, key=str), sorted(coded, key=str))

    def test_everyTypeHasADirection(self) -> None:
        """Every message type may be sent by at least one side."""
        self.assertEqual(set(wire.FROM_CLIENT) | set(wire.FROM_HUB), set(MessageType))

    def test_directions(self) -> None:
        """Only a client says hello, only the hub says ack and error."""
        self.assertEqual(set(wire.FROM_CLIENT) - set(wire.FROM_HUB), {MessageType.HELLO})
        self.assertEqual(set(wire.FROM_HUB) - set(wire.FROM_CLIENT), {MessageType.ACK, MessageType.ERROR})

    def test_logged(self) -> None:
        """What is logged is what AIs tell each other, not what they tell the hub alone."""
        alone = {"hello", "training_sync", "heartbeat", "payload", "ack", "error"}
        self.assertEqual({t.value for t in m.LOGGED}, {t.value for t in MessageType} - alone)

    def test_sinceVersion2(self) -> None:
        """What is kept from version 1 is logged; of what isn't, the hub knows itself whom it answers."""
        self.assertLessEqual(m.SINCE_VERSION_2, m.LOGGED)

    def test_examples(self) -> None:
        """There is a wire example for every type and direction."""
        self.assertEqual(set(wire_examples.FROM_CLIENT), set(wire.FROM_CLIENT))
        self.assertEqual(set(wire_examples.FROM_HUB), set(wire.FROM_HUB))


class PayloadTests(SynchronousTestCase):
    def test_roundTrip(self) -> None:
        """Each payload's wire example becomes its class, and that class the same JSON values again."""
        for examples, classes in (
            (wire_examples.FROM_CLIENT, wire.FROM_CLIENT),
            (wire_examples.FROM_HUB, wire.FROM_HUB),
        ):
            for kind, example in examples.items():
                cls = classes[kind]
                if cls is not None:
                    back = msgspec.json.decode(msgspec.json.encode(wire.encodePayload(make(cls, example))))
                    self.assertEqual(back, example, f"{kind} as {cls.__name__}")

    def test_complete(self) -> None:
        """The wire examples use every field of every payload class, so the round trip loses none unseen."""

        def missing(cls: type[Struct], example: dict[str, Any]) -> set[str]:
            return {f.encode_name for f in msgspec.structs.fields(cls)} - set(example)

        hub = wire_examples.FROM_HUB
        sync = hub[MessageType.TRAINING_SYNC]
        pairs: list[tuple[type[Struct], dict[str, Any]]] = [
            *((c, wire_examples.FROM_CLIENT[t]) for t, c in wire.FROM_CLIENT.items() if c),
            *((c, hub[t]) for t, c in wire.FROM_HUB.items() if c),
            (k.Component, {**wire_examples.COMPONENT, "component_name": "the older name of name", "source_size": 1}),
            (k.Manifest, wire_examples.COMPONENT["manifest"]),
            (k.Report, wire_examples.COMPONENT["manifest"]["report"]),
            (k.SplitScore, wire_examples.COMPONENT["manifest"]["report"]["splits"]["held_out"]),
            (m.SessionStep, wire_examples.STEP),
            (m.Hint, wire_examples.STEP["hints"][0]),
            (m.KnowledgeBase, sync["global_knowledge_base"]),
            (m.AiInfo, sync["ai_info"]["AI_1"]),
        ]
        observed = wire_examples.OBSERVED  # a report has either figures or an observation
        pairs = [(c, {**observed, **e} if c is k.PerformanceReport else e) for c, e in pairs]
        pairs += [(Observation, observed["observation"]), (ObservedScore, observed["observation"]["component"])]
        pairs += [(k.Provenance, wire_examples.COMPONENT["manifest"]["provenance"])]
        for cls, example in pairs:
            self.assertEqual(missing(cls, example), set(), cls.__name__)

    def test_smallHello(self) -> None:
        """An empty hello is a version 1 client of no special field that is ready to collaborate."""
        hello = make(m.Hello, {})
        self.assertEqual(
            (hello.specialization, hello.protocol, hello.collaboration_ready, hello.resume_after),
            ("general", 1, True, None),
        )
        self.assertEqual(wire.encodePayload(hello), {})

    def test_versionOneExtras(self) -> None:
        """A field that a payload class does not know is no error: other programs may send more than we read."""
        self.assertEqual(make(m.Hello, {"mood": "good"}), m.Hello())

    def test_bounds(self) -> None:
        """A value outside its bounds is refused with the field's name."""
        share = wire_examples.PATTERN_SHARE["pattern"]
        cases: list[tuple[type[Struct], dict[str, Any], str]] = [
            (k.Pattern, {**share, "confidence": 1.0000001}, "$.confidence"),
            (k.Pattern, {**share, "confidence": -0.1}, "$.confidence"),
            (k.Pattern, {**share, "confidence": "0.5"}, "$.confidence"),
            (k.Pattern, {**share, "id": ""}, "$.id"),
            (k.Pattern, {**share, "id": "x" * 257}, "$.id"),
            (m.Hello, {"protocol": 0}, "$.protocol"),
            (m.Hello, {"resume_after": -1}, "$.resume_after"),
            (m.Hello, {"capabilities": "page_cache"}, "$.capabilities"),
            (m.Hello, {"capabilities": ["x" * 129]}, "$.capabilities[0]"),
            (m.SyncRequest, {"limit": 0}, "$.limit"),
            (m.SyncRequest, {"limit": 1001}, "$.limit"),
            (k.Component, {"id": "c", "wasm": "?"}, "$.wasm"),
            (m.PerformanceReport, {"component_id": "c", "performance": {}, "digest": DIGEST.upper()}, "$.digest"),
            (m.PerformanceReport, {"component_id": "c", "performance": {}, "digest": DIGEST + "\n"}, "$.digest"),
            (m.PerformanceReport, {"component_id": "c", "performance": {}, "verdict": "maybe"}, "$.verdict"),
            (m.CollaborationRequest, {"type": "chat"}, "$.type"),
            (m.CollaborationResponse, {"session_id": "s", "response": "perhaps"}, "$.response"),
            (m.ComponentShare, {"component": {"id": "c"}, "original_requestor": "a b"}, "$.original_requestor"),
            (k.Manifest, {}, "source_sha256"),
        ]
        for cls, value, name in cases:
            error = self.assertRaises(msgspec.ValidationError, make, cls, value)
            self.assertIn(f"`{name}`", str(error), f"{cls.__name__} {value}")

    def test_wireErrorClass(self) -> None:
        """An error's class stands on the wire as C{class}, which is no name for a Python attribute."""
        problem = m.WireError("busy", "later", m.ErrorClass.RETRY)
        self.assertEqual(wire.encodePayload(problem), {"code": "busy", "message": "later", "class": "retry"})


class ComponentTests(SynchronousTestCase):
    def test_digest(self) -> None:
        """A component's digest is SHA-256 over the digests of its source and its module."""
        component = k.Component(id="c", implementation="é", wasm=b"\0asm")
        parts = hashlib.sha256("é".encode()).digest() + hashlib.sha256(b"\0asm").digest()
        self.assertEqual(component.digest, hashlib.sha256(parts).hexdigest())

    def test_digestParts(self) -> None:
        """Bytes moved from the source to the module change the digest."""
        self.assertNotEqual(
            k.Component(id="c", implementation="ab", wasm=b"c").digest,
            k.Component(id="c", implementation="a", wasm=b"bc").digest,
        )

    def test_digestIsOfCodeOnly(self) -> None:
        """Name and author's words don't change the digest: a verdict is about what runs."""
        self.assertEqual(k.Component(id="a", name="x").digest, k.Component(id="b", description="y").digest)

    def test_title(self) -> None:
        """A component is called by its name, by the older C{component_name}, or else by its id."""
        self.assertEqual(k.Component(id="c", name="n", component_name="o").title, "n")
        self.assertEqual(k.Component(id="c", component_name="o").title, "o")
        self.assertEqual(k.Component(id="c").title, "c")


class HandshakeTests(SynchronousTestCase):
    def test_reprHidesToken(self) -> None:
        """A handshake in a log or traceback never shows its token, through repr, str or a format."""
        handshake = m.Handshake("AI_1", "sesame")
        for text in (repr(handshake), str(handshake), f"{handshake}", f"{handshake!r}", repr([handshake])):
            self.assertIn("AI_1", text)
            self.assertNotIn("sesame", text)


class AiIdTests(SynchronousTestCase):
    def test_same(self) -> None:
        """The pattern for programs and the one in the payload classes take the same ids."""
        for candidate in ("a", "A.b-c_9", "x" * 64, "9", "", "x" * 65, "_a", ".a", "a b", "é", "a\n", "a/b", "١"):
            try:
                msgspec.convert({"ai_id": candidate, "token": "t"}, m.Handshake)
                taken = True
            except msgspec.ValidationError:
                taken = False
            self.assertEqual(bool(m.AI_ID.fullmatch(candidate)), taken, repr(candidate))
            self.assertEqual(taken, candidate in ("a", "A.b-c_9", "x" * 64, "9"), repr(candidate))
