"""One connection at the hub: handshake, envelope rules, heartbeat, takeover, the end."""

from __future__ import annotations

import re

import msgspec

from kernelnet import wire
from kernelnet.hub.connection import protocol
from kernelnet.hub.connection.rate_limits import TokenBucket
from kernelnet.hub.connection.sockets import TurnedAway
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.message import MessageType, NetworkMessage
from tests.hub.databases import onEveryEngine
from tests.hub.support import JOIN, Client, HubTestCase, aPattern, captureLog


@onEveryEngine
class HandshakeTests(HubTestCase):
    def test_silentSuccess(self) -> None:
        """After a right handshake the hub says nothing until the hello."""
        client = Client(self.hub, "AI_1")
        client.authenticate()
        self.assertEqual(client.received(), [])
        client.hello()
        self.assertEqual([m["message_type"] for m in client.received()], ["training_sync"])

    def test_unknownAndWrong(self) -> None:
        """An unknown id and a wrong token get the same one answer, then the end."""
        self.hub.issue("AI_1")
        answers = []
        for aiId in ("AI_1", "AI_2"):
            client = Client(self.hub, aiId)
            client.authenticate("wrong")
            answers += client.payloads()
            self.assertTrue(client.closing)
            client.leave()
        self.assertEqual(answers[0], answers[1])
        self.assertEqual((answers[0]["code"], answers[0]["class"]), ("bad_credentials", "closing"))

    def test_reserved(self) -> None:
        """Nobody is C{hub}, and an id must fit the pattern."""
        for aiId in ("hub", "../x", "", "a" * 65, "-a", "a\n"):
            client = Client(self.hub, aiId)
            client.authenticate(JOIN)
            self.assertEqual(client.errors(), ["bad_credentials"], aiId)
            self.assertTrue(client.closing)

    def test_notJSON(self) -> None:
        """A first line that is no JSON is answered and ends the connection."""
        client = Client(self.hub, "AI_1")
        client.raw(b"GET / HTTP/1.1\r\n")
        self.assertEqual(client.errors(), ["not_json"])
        self.assertTrue(client.closing)

    def test_longLine(self) -> None:
        """The first line may have 4 KiB, with or without a newline behind it."""
        for data in (b"x" * 4098, b"x" * 4098 + b"\n", b" " * 1_000_000):
            client = Client(self.hub, "AI_1")
            client.raw(data)
            self.assertEqual(client.errors(), ["line_too_long"])
            self.assertTrue(client.closing)

    def test_pipelined(self) -> None:
        """What is sent behind the handshake, however long, waits for the token check and is then served."""
        token = self.hub.issue("AI_1")
        client = Client(self.hub, "AI_1")
        self.hub.reader.held = True
        hello = wire.encode(
            NetworkMessage("h", "AI_1", MessageType.HELLO, "2026-11-22T15:00:00Z", {"protocol": 2, "x": "y" * 9000})
        )
        client.raw(b'{"ai_id": "AI_1", "token": "%s"}\r\n%s\n' % (token.encode(), hello))
        self.assertEqual(client.transport.producerState, "paused")
        self.assertEqual(client.received(), [])
        self.hub.reader.release()
        self.assertEqual(client.transport.producerState, "producing")
        self.assertEqual([m["message_type"] for m in client.received()], ["training_sync"])

    def test_bytewise(self) -> None:
        """Lines may come in pieces of any size."""
        token = self.hub.issue("AI_1")
        client = Client(self.hub, "AI_1")
        hello = client.message("hello", {"protocol": 2})
        import json

        for byte in f'{{"ai_id": "AI_1", "token": "{token}"}}\n{json.dumps(hello)}\r\n\r\n'.encode():
            client.raw(bytes([byte]))
        self.assertEqual([m["message_type"] for m in client.received()], ["training_sync"])

    def test_timeout(self) -> None:
        """Ten seconds after the accept a peer without handshake is told and cut, also one that never starts TLS."""
        client = Client(self.hub, "AI_1")
        self.hub.clock.advance(9.9)
        client.raw(b'{"ai_id"')
        self.assertFalse(client.closing)
        self.hub.clock.advance(0.2)
        self.assertEqual(client.errors(), ["auth_timeout"])
        self.assertTrue(client.closing)
        self.hub.clock.advance(5)
        self.assertTrue(client.transport.aborted)

    def test_timeoutEnds(self) -> None:
        """An authenticated client is not subject to it."""
        client = Client(self.hub, "AI_1")
        client.authenticate()
        self.hub.clock.advance(29)
        self.assertFalse(client.closing)

    def test_gone(self) -> None:
        """A client that leaves while its token is checked leaves nothing behind."""
        token = self.hub.issue("AI_1")
        client = Client(self.hub, "AI_1")
        self.hub.reader.held = True
        client.authenticate(token)
        client.leave()
        self.hub.reader.release()
        self.assertEqual(self.hub.connections.byId, {})
        self.assertEqual(self.hub.connections.count, 0)

    def test_noTokenInRepr(self) -> None:
        """What a log could show of a connection is no token."""
        client = Client(self.hub, "AI_1")
        self.hub.reader.held = True
        client.authenticate("secret")
        shown = [client.protocol, client.protocol._handshake, self.hub.connections, self.hub.admission]
        self.assertNotIn("secret", repr(shown))
        self.hub.reader.release()


@onEveryEngine
class TakeoverTests(HubTestCase):
    def test_newerWins(self) -> None:
        """A second connection of one id takes over: the older one is told and closed, and its end changes nothing."""
        older = self.hub.connect("AI_1")
        newer = self.hub.connect("AI_1")
        self.assertEqual(older.errors(), ["taken_over"])
        self.assertTrue(older.closing)
        older.leave()
        self.assertIs(self.hub.connections.byId["AI_1"], newer.protocol)
        other = self.hub.connect("AI_2")
        other.send("pattern_share", aPattern())
        self.assertEqual(len(newer.received("pattern_share")), 1)
        self.assertEqual(older.received(), [])


@onEveryEngine
class EnvelopeTests(HubTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.client = self.hub.connect("AI_1")
        self.other = self.hub.connect("AI_2")
        self.client.received()

    def refused(self, code: str, **fields: object) -> str:
        message = self.client.message("pattern_share", aPattern())
        message.update(fields)
        self.client.line(message)
        (error,) = self.client.payloads()
        self.assertEqual(error["code"], code)
        self.assertFalse(self.client.closing)
        self.assertEqual(self.other.received("pattern_share"), [])
        return str(error["message"])

    def test_namesTheField(self) -> None:
        """A bad field is named, and the connection goes on."""
        for field, value in {
            "message_id": "",
            "message_type": "nonsense",
            "timestamp": "yesterday",
            "payload": [],
            "target_ai": 7,
            "sender_id": None,
            "surprise": 1,
            "seq": 7,
        }.items():
            self.assertIn(field, self.refused("invalid_message", **{field: value}))

    def test_wrongWay(self) -> None:
        """What only the hub says is refused from a client."""
        for type_ in ("ack", "error"):
            self.refused("invalid_message", message_type=type_)

    def test_spoofed(self) -> None:
        """Another's sender_id goes nowhere."""
        self.refused("spoofed_sender", sender_id="AI_2")
        self.refused("spoofed_sender", sender_id="hub")

    def test_unknownTarget(self) -> None:
        """A target that was never enrolled is an error; one that is away is none."""
        self.refused("unknown_target", target_ai="AI_77")
        self.hub.issue("AI_3")
        self.client.send("pattern_share", aPattern(), "AI_3")
        self.assertEqual(self.client.errors(), [])

    def test_emptyTarget(self) -> None:
        """C{""} means everyone, as C{null} does."""
        self.client.send("pattern_share", aPattern(), "")
        (message,) = self.other.received("pattern_share")
        self.assertIsNone(message["target_ai"])

    def test_payloadNamesTheField(self) -> None:
        """A bad payload is refused with the name of the field."""
        self.assertIn("confidence", self.refused("invalid_message", payload=aPattern(confidence=1.5)))

    def test_payloadReserved(self) -> None:
        """The type payload is unsupported by a hub that keeps none."""
        self.refused("unsupported", message_type="payload", payload={"step": "find"})

    def test_closingErrors(self) -> None:
        """A line that is no JSON or no UTF-8 is answered and ends the connection; what came before it counts."""
        self.client.line(self.client.message("pattern_share", aPattern()))
        self.client.raw(b'{"\xff": 1}\n')
        self.assertEqual(self.client.errors(), ["not_json"])
        self.assertTrue(self.client.closing)
        self.assertEqual(len(self.other.received("pattern_share")), 1)

    def test_longLine(self) -> None:
        """A line over 1 MiB ends the connection, before its newline came."""
        self.client.raw(b"[" * (1024 * 1024 + 1))
        self.assertEqual(self.client.errors(), ["line_too_long"])
        self.assertTrue(self.client.closing)

    def test_growingLine(self) -> None:
        """A message that would be over the limit once it is re-encoded is refused, so nobody gets too long a line."""
        data = [1.0] * 5
        line = wire.encode(
            NetworkMessage("g", "AI_1", MessageType.PATTERN_SHARE, "2026-11-22T15:00:00Z", aPattern(data=data))
        )
        line = line.replace(b"[1.0,1.0,1.0,1.0,1.0]", b"[" + b"1e9," * 200_000 + b"1]")
        self.assertLess(len(line), 1024 * 1024)
        self.client.raw(line + b"\n")
        self.assertEqual(self.client.errors(), ["invalid_message"])
        self.assertEqual(self.other.received("pattern_share"), [])

    def test_helloFirst(self) -> None:
        """Nothing is taken before the hello."""
        client = Client(self.hub, "AI_3")
        client.authenticate()
        client.send("pattern_share", aPattern())
        (error,) = client.payloads()
        self.assertIn("hello", error["message"])
        client.hello()
        client.send("pattern_share", aPattern())
        self.assertEqual(len(self.other.received("pattern_share")), 1)

    def test_reencoded(self) -> None:
        """What is passed on was encoded by the hub: of a duplicate key the last counts, for everybody."""
        self.client.raw(
            b'{ "message_id":"d", "sender_id":"AI_1","message_type":"pattern_share","timestamp":"2026-11-22T15:00:00",'
            b'"payload":{"pattern":{"id":"a","id":"b","type":"t","confidence":1}},"target_ai":null}\n'
        )
        (line,) = [line for line in self.other.lines() if b"pattern_share" in line]
        self.assertEqual(
            line,
            b'{"message_id":"d","sender_id":"AI_1","message_type":"pattern_share","timestamp":"2026-11-22T15:00:00",'
            b'"payload":{"pattern":{"id":"b","type":"t","confidence":1}},"target_ai":null,"seq":1}',
        )


@onEveryEngine
class VersionTests(HubTestCase):
    def test_sixFields(self) -> None:
        """Version 1 sees six fields in every line, whatever it is about, and never an ack."""
        old = self.hub.connect("OLD", 1, specialization="file_system", capabilities=["file_system"])
        new = self.hub.connect("NEW")
        new.send("pattern_share", aPattern())
        new.send("feature_request", {"feature": "file_system"})
        new.send("collaboration_request", {"type": "feature_development"}, "OLD")
        old.send("pattern_share", aPattern())
        old.send("collaboration_request", {"type": "feature_development"})
        old.send("nonsense", {})
        old.send("training_sync", {})
        old.send("heartbeat", {"nonce": 1})
        self.hub.clock.advance(700)
        lines = old.received()
        for message in lines:
            self.assertEqual(
                sorted(message),
                ["message_id", "message_type", "payload", "sender_id", "target_ai", "timestamp"],
            )
        self.assertEqual(
            {m["message_type"] for m in lines},
            {"training_sync", "pattern_share", "feature_request", "collaboration_request", "error", "heartbeat"},
        )

    def test_version2(self) -> None:
        """Version 2 gets C{seq} on what is logged, and acks with the same numbers."""
        author, reader = self.hub.connect("AI_1"), self.hub.connect("AI_2")
        author.received()
        ids = [author.send("pattern_share", aPattern(f"p{i}")) for i in range(3)]
        self.assertEqual(
            [pair for payload in author.payloads("ack") for pair in payload["acked"]],
            [[id_, i + 1] for i, id_ in enumerate(ids)],
        )
        self.assertEqual([m["seq"] for m in reader.received("pattern_share")], [1, 2, 3])

    def test_oneAckForACommit(self) -> None:
        """All messages of one commit are acknowledged in one line."""
        author = self.hub.connect("AI_1")
        lines = [author.message("pattern_share", aPattern(f"p{i}")) for i in range(5)]
        author.raw(b"".join(wire._encoder.encode(line) + b"\n" for line in lines))
        (ack,) = author.payloads("ack")
        self.assertEqual(ack["acked"], [[line["message_id"], i + 1] for i, line in enumerate(lines)])

    def test_noChange(self) -> None:
        """A second hello may change what an AI can do, not its protocol version."""
        client = self.hub.connect("AI_1")
        client.hello(1)
        self.assertEqual(client.errors(), ["invalid_message"])
        client.hello(2, specialization="audio")
        self.assertEqual(client.payloads("training_sync")[0]["ai_info"]["AI_1"]["specialization"], "audio")


@onEveryEngine
class HeartbeatTests(HubTestCase):
    def test_ping(self) -> None:
        """A ping is answered with its nonce; an answer is never answered."""
        client = self.hub.connect("AI_1")
        client.send("heartbeat", {"nonce": [1, "a"]})
        client.send("heartbeat", {"reply_to": 5})
        client.send("heartbeat", {"reply_to": 5, "nonce": 6})
        client.send("heartbeat", {})
        self.assertEqual(client.payloads(), [{"reply_to": [1, "a"]}])


@onEveryEngine
class ShutdownTests(HubTestCase):
    def test_order(self) -> None:
        """At the end what was accepted is committed and acked, then each peer is told, then closed."""
        client = self.hub.connect("AI_1")
        self.hub.writer.held = True
        client.send("pattern_share", aPattern())
        stopped = self.hub.stop()
        self.assertNoResult(stopped)
        self.assertEqual(client.received(), [])
        self.hub.writer.release()
        self.assertEqual([m["message_type"] for m in client.received()], ["ack", "error"])
        self.assertTrue(client.closing)
        self.assertNoResult(stopped)
        client.leave()
        self.successResultOf(stopped)
        self.assertIsInstance(self.hub.factory.buildProtocol(None), TurnedAway)

    def test_hangingDatabase(self) -> None:
        """A hub goes in time also when its database says nothing: what was sent is not acked, and comes again."""
        client = self.hub.connect("AI_1")
        self.hub.writer.held = True
        client.send("pattern_share", aPattern())
        stopped = self.hub.stop()
        self.hub.clock.pump([1.0] * 4)
        self.assertEqual({m["message_type"] for m in client.received()}, {"error"})
        self.assertTrue(client.closing)
        client.leave()
        self.successResultOf(stopped)
        self.hub.writer.release()
        self.assertEqual(client.received(), [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_stubborn(self) -> None:
        """A peer that doesn't take its goodbye is cut after some seconds."""
        client = self.hub.connect("AI_1")
        stopped = self.hub.stop()
        self.hub.clock.advance(5)
        self.assertTrue(client.transport.aborted)
        client.leave()
        self.successResultOf(stopped)


@onEveryEngine
class LogTests(HubTestCase):
    def test_strangersWords(self) -> None:
        """A name from a stranger can't break or turn a log line."""
        seen = captureLog(self)
        client = self.hub.connect("AI_1", specialization="a\nb", capabilities=["\u202ec", "\x1b[31m"])
        client.send("pattern_share", aPattern("x\ny\u202e\x00"))
        client.send("nonsense\n", {})
        text = "\n".join(line for line in seen if "AI_1" in line)
        self.assertIn("AI_1 joined", text)
        self.assertIn("pattern x?y??", text)
        self.assertIsNone(re.search("[\u202e\x00\x1b]", text))
        self.assertEqual([line for line in seen if "\n" in line], [])


@onEveryEngine
class ShareTests(HubTestCase):
    """The hub works for each AI a share of its time."""

    def test_slowedDown(self) -> None:
        """For whom the hub has worked for long is not read until it has paid; others are."""
        evil, other = self.hub.connect("EVIL"), self.hub.connect("AI_2")
        self.hub.admission.work = TokenBucket(0.1, 0.1)
        self.hub.log.tellCosts({"EVIL": 0.2, "GONE": 9.0})
        self.assertEqual([c.transport.producerState for c in (evil, other)], ["paused", "producing"])
        self.hub.clock.advance(0.9)
        self.assertEqual(evil.transport.producerState, "paused")
        self.hub.clock.advance(0.2)
        self.assertEqual(evil.transport.producerState, "producing")

    def test_reconnects(self) -> None:
        """A new connection pays what the last one owes."""
        evil = self.hub.connect("EVIL")
        self.hub.admission.work = TokenBucket(0.1, 0.1)
        self.hub.log.tellCosts({"EVIL": 0.2})
        evil.leave()
        self.assertEqual(self.hub.client("EVIL").transport.producerState, "paused")

    def test_isCharged(self) -> None:
        """What the hub does for a message is counted for its author: reading, writing and telling it."""
        self.patch(EventLog, "LARGE", 100_000)
        author, other = self.hub.connect("AI_1"), self.hub.connect("AI_2")
        self.hub.admission.work = TokenBucket(1e-6, 100.0)
        author.send("pattern_share", aPattern(data="x" * 60_000))
        left = self.hub.admission.work._level("AI_1", self.hub.clock.seconds())
        self.assertLess(left, 100 - 60_000 * self.hub.log.BYTE_SECONDS)
        author.send("pattern_share", aPattern("p2", data="x" * 100_000))
        author.send("training_sync", {})
        self.hub.clock.advance(0)
        now = self.hub.admission.work._level("AI_1", self.hub.clock.seconds())
        self.assertLess(now, left - 100_000 * self.hub.log.ALONE_SECONDS)
        self.assertEqual(self.hub.admission.work._level(other.aiId, self.hub.clock.seconds()), 100.0)

    def test_hellos(self) -> None:
        """A hello is answered before another one of the same connection is taken."""
        client = self.hub.connect("AI_1")
        self.hub.reader.held = True
        client.hello()
        client.hello()
        self.assertEqual(client.errors(), ["busy"])
        self.hub.reader.release()
        self.assertEqual(len(client.payloads("training_sync")), 1)

    def test_pageCharged(self) -> None:
        """A page of the knowledge base is charged by the engine's clock: not for how long it was let wait."""
        charged: list[float] = []
        self.patch(type(self.hub.log.engine), "readClock", staticmethod(iter((5.0, 5.25)).__next__))
        self.patch(protocol.HubProtocol, "charge", lambda _, seconds: charged.append(seconds))
        self.hub.client("AI_1").hello()
        self.assertEqual([seconds for seconds in charged if seconds == 0.25], [0.25])

    def chunk(self, client: Client) -> bytes:
        lines = [client.message("pattern_share", aPattern(), message_id=f"m{i}") for i in range(5)]
        return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)

    def test_turns(self) -> None:
        """Many lines that came in one piece are dealt with in turns, in order; others have theirs in between."""
        self.patch(protocol, "TURN", 0.0)
        author, other = self.hub.connect("AI_1"), self.hub.connect("AI_2")
        author.raw(self.chunk(author))
        self.assertEqual([row.messageId for row in self.hub.logged()], ["m0"])
        other.send("pattern_share", aPattern(), message_id="other")
        author.raw(self.chunk(author).replace(b"m4", b"m5"))
        for _ in range(12):
            self.hub.clock.advance(0.01)
        self.assertEqual([row.messageId for row in self.hub.logged()], ["m0", "other", "m1", "m2", "m3", "m4", "m5"])

    def test_turnLasts(self) -> None:
        """A turn takes the lines of half a millisecond; till the next one, others have two thirds of the time."""
        author = self.hub.connect("AI_1")
        now = iter(range(1000))
        self.patch(protocol, "perf_counter", lambda: next(now) * 0.00018)
        self.patch(protocol, "TURN", 0.0005)  # the one that it has but in tests
        author.raw(self.chunk(author))
        self.assertEqual(len(self.hub.logged()), 3)
        self.hub.clock.advance(0.0009)
        self.assertEqual(len(self.hub.logged()), 3)
        self.hub.clock.pump([0.01] * 9)
        self.assertEqual(len(self.hub.logged()), 5)

    def test_emptyLines(self) -> None:
        """Lines with nothing in them take their time, too."""
        self.patch(protocol, "TURN", 0.0)
        author = self.hub.connect("AI_1")
        author.raw(b"\n" * 9 + self.chunk(author))
        self.assertEqual(self.hub.logged(), [])
        self.hub.clock.pump([0.01] * 20)
        self.assertEqual(len(self.hub.logged()), 5)

    def spoiled(self) -> None:
        """The hub fails with the third message."""
        decode = wire.decode

        def fails(line: bytes) -> NetworkMessage:
            if b'"m2"' in line:
                raise ZeroDivisionError("ours")
            return decode(line)

        self.patch(protocol, "TURN", 0.0)
        self.patch(wire, "decode", fails)

    def test_failingTurn(self) -> None:
        """A connection on which the hub fails in a later turn is closed: it would be read no more."""
        self.spoiled()
        author = self.hub.connect("AI_1")
        author.raw(self.chunk(author))
        self.hub.clock.pump([0.01] * 9)
        self.assertEqual(author.errors(), ["shutting_down"])
        self.assertTrue(author.closing)
        author.leave()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual([row.messageId for row in self.hub.logged()], ["m0", "m1"])

    def test_failingAtTheEnd(self) -> None:
        """One that was lost meanwhile is gone all the same."""
        self.spoiled()
        author = self.hub.connect("AI_1")
        author.raw(self.chunk(author))
        author.leave()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertNotIn("AI_1", self.hub.connections.byId)
        self.hub.connect("AI_1")

    def test_takenOver(self) -> None:
        """What a connection had no turn for is dropped when another takes its place, which says it again."""
        self.patch(protocol, "TURN", 0.0)
        author = self.hub.connect("AI_1")
        chunk = self.chunk(author)
        author.raw(chunk)
        again = self.hub.client("AI_1")
        again.hello()
        again.raw(chunk)
        author.leave()
        self.hub.clock.pump([0.01] * 12)
        self.assertEqual([row.messageId for row in self.hub.logged()], [f"m{i}" for i in range(5)])
        acked = [id_ for ack in again.payloads("ack") for id_, _ in ack["acked"]]
        self.assertEqual(acked, [f"m{i}" for i in range(5)])

    def test_saidAll(self) -> None:
        """Who says much and goes at once has said it."""
        self.patch(protocol, "TURN", 0.0)
        author = self.hub.connect("AI_1")
        author.raw(self.chunk(author))
        author.leave()
        self.hub.clock.advance(1)
        self.assertEqual([row.messageId for row in self.hub.logged()], [f"m{i}" for i in range(5)])
