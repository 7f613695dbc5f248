"""Group commit: what an ack means, repetitions, poisoned messages, and refusals that must not break the order."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from unittest import mock

import msgspec
from twisted.internet.task import Clock

from kernelnet.artifacts import Pattern
from kernelnet.hub.auth import tokens
from kernelnet.hub.storage import sqlite
from kernelnet.hub.storage.engine import Committed
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.transaction import Transaction, Work
from kernelnet.hub.views import projections
from kernelnet.message import NetworkMessage
from kernelnet.wire import WireProblem
from tests.hub.databases import onEveryEngine
from tests.hub.storage.conformance.support import FunctionWork, append, appends
from tests.hub.support import NOON, Client, HubTestCase, aComponent, aPattern


@onEveryEngine
class AckTests(HubTestCase):
    def test_afterCommit(self) -> None:
        """No ack and no delivery before the commit has returned."""
        author, reader = self.hub.connect("AI_1"), self.hub.connect("AI_2")
        author.received(), reader.received()
        self.hub.writer.held = True
        author.send("pattern_share", aPattern())
        self.assertEqual(author.received() + reader.received(), [])
        self.assertEqual(self.hub.log.head, 0)
        self.hub.writer.release()
        self.assertEqual([row.seq for row in self.hub.logged()], [1])
        self.assertEqual([m["message_type"] for m in author.received()], ["ack"])
        self.assertEqual([m["message_type"] for m in reader.received()], ["pattern_share"])

    def test_first(self) -> None:
        """Who waits for an ack gets it before others get what it acknowledges: they may be many."""
        others = [self.hub.connect(f"AI_{i}") for i in range(1, 4)]
        author = self.hub.connect("AI_4")
        told: list[str] = []
        for client in (*others, author):
            write = client.transport.write

            def noted(data: bytes, who: str = client.aiId, write: Callable[[bytes], None] = write) -> None:
                told.append(who)
                write(data)

            client.transport.write = noted  # type: ignore[method-assign]
        author.send("pattern_share", aPattern())
        self.assertEqual(told, ["AI_4", "AI_1", "AI_2", "AI_3"])

    def test_committedWhenAcked(self) -> None:
        """At the moment an ack is written, who reads the database sees the message."""
        author = self.hub.connect("AI_1")
        seen: list[int] = []
        write = author.transport.write

        def spy(data: bytes) -> None:
            if b'"ack"' in data:
                seen.append(len(self.hub.logged()))
            write(data)

        with mock.patch.object(author.transport, "write", spy):
            author.send("pattern_share", aPattern())
        self.assertEqual(seen, [1])

    def test_group(self) -> None:
        """All that comes while a commit runs goes into the next one."""
        clients = [self.hub.connect(f"AI_{i}") for i in range(5)]
        self.hub.writer.held = True
        before = self.hub.writer.calls
        for client in clients:
            client.send("pattern_share", aPattern())
            client.send("pattern_share", aPattern("p2"))
        self.assertEqual(self.hub.writer.calls, before + 1)
        self.hub.writer.release()
        self.hub.clock.advance(EventLog.GATHER)
        self.assertEqual(self.hub.writer.calls, before + 2)
        self.assertEqual(self.hub.log.head, 10)
        self.assertEqual(self.hub.log.waiting, 0)

    def test_failedCommit(self) -> None:
        """When a commit fails nothing of it is acked or delivered, and its messages may be sent again."""
        author, reader = self.hub.connect("AI_1"), self.hub.connect("AI_2")
        author.received(), reader.received()
        self.hub.writer.error = self.database.busy
        message = author.message("pattern_share", aPattern())
        author.line(message)
        (error,) = author.payloads()
        self.assertEqual((error["code"], error["class"], error["message_id"]), ("busy", "retry", message["message_id"]))
        self.hub.writer.error = None
        author.line(message)
        self.assertEqual(author.payloads("ack"), [{"acked": [[message["message_id"], 1]]}])
        self.assertEqual(len(reader.received()), 1)


class FileTests(HubTestCase):
    def test_fullSync(self) -> None:
        """The writer's commits are synced: WAL with synchronous=FULL, and no other thread writes."""
        connection = sqlite.connect(self.hub.sqlite.path)
        self.addCleanup(connection.close)
        self.assertEqual(connection.execute("PRAGMA journal_mode").fetchone(), ("wal",))
        self.assertEqual(connection.execute("PRAGMA synchronous").fetchone(), (2,))
        with self.assertRaises(sqlite3.OperationalError):
            self.hub.sqlite.reader.connection.execute("DELETE FROM events")

    def test_failedCommit(self) -> None:
        """When a commit fails nothing of it is acked or delivered, and its messages may be sent again."""
        author, reader = self.hub.connect("AI_1"), self.hub.connect("AI_2")
        author.received(), reader.received()
        self.hub.sqlite.writer.connection.execute("PRAGMA query_only=ON")
        message = author.message("pattern_share", aPattern())
        author.line(message)
        (error,) = author.payloads()
        self.assertEqual((error["code"], error["class"], error["message_id"]), ("busy", "retry", message["message_id"]))
        self.hub.sqlite.writer.connection.execute("PRAGMA query_only=OFF")
        author.line(message)
        self.assertEqual(author.payloads("ack"), [{"acked": [[message["message_id"], 1]]}])
        self.assertEqual(len(reader.received()), 1)


@onEveryEngine
class DuplicateTests(HubTestCase):
    def test_repetition(self) -> None:
        """A repetition is acked with the first seq and not delivered again: also later, and in another key order."""
        author, reader = self.hub.connect("AI_1"), self.hub.connect("AI_2")
        reader.received()
        message = author.message("pattern_share", aPattern())
        author.line(message)
        author.send("pattern_share", aPattern("p2"))
        author.line(message)
        author.line(dict(reversed(message.items())))
        again = self.hub.connect("AI_1")
        again.line(message)
        acks = [pair for c in (author, again) for p in c.payloads("ack") for pair in p["acked"]]
        self.assertEqual([seq for id_, seq in acks if id_ == message["message_id"]], [1, 1, 1, 1])
        self.assertEqual([m["seq"] for m in reader.received("pattern_share")], [1, 2])
        self.assertEqual(self.hub.log.head, 2)

    def test_eachType(self) -> None:
        """
        The same content in another order is known, other content is a conflict, whatever type it is.

        Also when retention has removed the row.
        """
        author = self.hub.connect("AI_1", capabilities=["networking"])
        self.hub.connect("AI_2", specialization="file_system")
        code = {"code": {"id": "k", "type": "parameters", "data": {"b": [1.5, 2], "a": "é"}}}
        sent = [
            ("pattern_share", {"note": "x", **aPattern(data={"z": -0.0, "a": 1e300, "n": None})}, None, "note"),
            ("code_share", {**code, "x": [[], {}]}, None, "x"),
            ("os_component_share", {**aComponent(wasm="AGFzbQ=="), "extra": True}, None, "extra"),
            ("performance_report", {"component_id": "c1", "performance": {"miss_ratio": 0.25}}, "AI_2", "component_id"),
            ("feature_request", {"feature": "file_system", "requirements": {"b": 1, "a": 2}}, None, "requirements"),
            ("collaboration_request", {"type": "cross_specialization", "description": "d"}, None, "description"),
        ]

        def check(seqs: list[int]) -> None:
            for seq, (message, key) in zip(seqs, messages, strict=True):
                payload = message["payload"]
                author.line({**message, "payload": dict(reversed(payload.items()))})
                (acked,) = (pair for p in author.payloads("ack") for pair in p["acked"])
                self.assertEqual(acked, [message["message_id"], seq], message["message_type"])
                author.line({**message, "payload": {**payload, key: "other"}})
                self.assertIn(author.errors(), (["conflicting_duplicate"], ["invalid_message"]))
                author.line({**message, "payload": {**payload, "more": 1}})
                self.assertEqual(author.errors(), ["conflicting_duplicate"], message["message_type"])

        messages = [(author.message(type_, payload, target), key) for type_, payload, target, key in sent]
        for message, _ in messages:
            author.line(message)
        seqs = [pair[1] for p in author.payloads("ack") for pair in p["acked"]]
        check(seqs)
        self.hub.transact(lambda transaction: transaction.marks.remove(self.hub.log.head, 1000))
        self.assertEqual(self.hub.logged(), [])
        check(seqs)

    def test_manyInACommit(self) -> None:
        """Rows go in by the dozen: each stays its sender's and its own, with a repetition among them, too."""
        authors = [self.hub.connect(f"AI_{i}") for i in range(1, 4)]
        self.hub.writer.held = True
        self.hub.log.write(lambda transaction: None)
        for i in range(100):
            for author in authors:
                author.send("pattern_share", aPattern(f"{author.aiId}-{i}", confidence=i / 100), message_id=f"m{i}")
        authors[1].send("pattern_share", aPattern("AI_2-7", confidence=0.07), message_id="m7")
        self.hub.writer.release()
        self.hub.clock.advance(EventLog.GATHER)
        logged = [row[:3] for row in self.hub.logged()]
        self.assertEqual([seq for seq, _, _ in logged], [*range(1, 301)])
        for author in authors:
            mine = [id_ for _, sender, id_ in logged if sender == author.aiId]
            self.assertEqual(mine, [f"m{i}" for i in range(100)])
        found = self.hub.stored.patterns.after(None)
        self.assertEqual(
            sorted((one.author, msgspec.json.decode(one.body)["id"], one.confidence) for one in found),
            sorted((f"AI_{j + 1}", f"AI_{j + 1}-{i}", i / 100) for i in range(100) for j in range(3)),
        )
        acked = [pair for p in authors[1].payloads("ack") for pair in p["acked"]]
        (first,) = [seq for seq, sender, id_ in logged if (sender, id_) == ("AI_2", "m7")]
        self.assertEqual([seq for id_, seq in acked if id_ == "m7"], [first, first])
        self.assertEqual(len(acked), 101)

    def test_withinACommit(self) -> None:
        """A repetition is known as such also within one commit."""
        author, reader = self.hub.connect("AI_1"), self.hub.connect("AI_2")
        reader.received()
        message = author.message("pattern_share", aPattern())
        line = msgspec.json.encode(message)
        author.raw(line + b"\n" + line + b"\n")
        self.assertEqual([p["acked"] for p in author.payloads("ack")], [[[message["message_id"], 1]] * 2])
        self.assertEqual(len(reader.received()), 1)

    def test_conflict(self) -> None:
        """The same id with another content is an error, and the first content stays."""
        author, reader = self.hub.connect("AI_1"), self.hub.connect("AI_2")
        reader.received()
        message = author.message("pattern_share", aPattern())
        author.line(message)
        for change in (
            {"payload": aPattern(confidence=0.6)},
            {"target_ai": "AI_2"},
            {"message_type": "code_share", "payload": {"code": {"id": "x"}}},
        ):
            author.line({**message, **change})
        errors = author.payloads("error")
        self.assertEqual([e["code"] for e in errors], ["conflicting_duplicate"] * 3)
        self.assertEqual({e["message_id"] for e in errors}, {message["message_id"]})
        self.assertEqual(len(reader.received()), 1)

    def test_bySender(self) -> None:
        """Two senders may use the same id."""
        a, b = self.hub.connect("AI_1"), self.hub.connect("AI_2")
        a.send("pattern_share", aPattern(), message_id="same")
        b.send("pattern_share", aPattern(), message_id="same")
        self.assertEqual(a.errors() + b.errors(), [])
        self.assertEqual(self.hub.log.head, 2)


@onEveryEngine
class PoisonTests(HubTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.author, self.other, self.reader = (self.hub.connect(id_) for id_ in ("AI_1", "AI_2", "AI_3"))
        self.reader.received()
        store = projections.storePattern

        def sometimes(message: NetworkMessage, pattern: Pattern) -> projections.Then:
            then = store(message, pattern)

            def fails(transaction: Transaction, event: Event) -> None:
                then(transaction, event)
                if pattern.id in self.raises:
                    raise self.raises[pattern.id]

            return fails

        self.raises: dict[str, Exception] = {}
        self.patch(projections, "storePattern", sometimes)

    def batch(self, *sends: tuple[Client, str]) -> None:
        """All in one commit."""
        self.hub.writer.held = True
        self.hub.log.write(lambda transaction: None)
        for client, id_ in sends:
            client.send("pattern_share", aPattern(id_), message_id=id_)
        self.hub.writer.release()
        self.hub.clock.advance(EventLog.GATHER)

    def test_alone(self) -> None:
        """A message that can't be stored is refused for good, and takes none of its batch down."""
        self.raises["bad"] = self.database.poison
        self.batch((self.author, "a"), (self.other, "b"), (self.author, "bad"), (self.author, "c"), (self.other, "d"))
        (error,) = self.author.payloads("error")
        self.assertEqual((error["code"], error["class"], error["message_id"]), ("invalid_message", "permanent", "bad"))
        self.assertEqual(sorted(m["message_id"] for m in self.reader.received()), ["a", "b", "c", "d"])
        self.assertEqual(sorted(row.messageId for row in self.hub.logged()), ["a", "b", "c", "d"])
        self.assertEqual(self.hub.stored.patterns.count(), 4)
        self.assertEqual(len(self.flushLoggedErrors(type(self.database.poison))), 1)

    def test_damage(self) -> None:
        """A message that can't be stored since the database is damaged is not refused for good; the hub hears of it."""
        damage: list[BaseException] = []
        self.hub.log.damaged = damage.append
        self.raises["a"] = self.database.damage
        self.batch((self.author, "a"))
        self.assertEqual(damage, [self.raises["a"]])
        (error,) = self.author.payloads("error")
        self.assertEqual((error["code"], error["class"], error["message_id"]), ("busy", "retry", "a"))
        self.assertEqual(len(self.flushLoggedErrors(type(self.database.damage))), 1)

    def test_orderHolds(self) -> None:
        """After a refusal for now nothing later of that connection is taken until it was sent again."""
        self.raises["full"] = self.database.full
        self.batch((self.author, "a"), (self.author, "full"), (self.author, "c"), (self.other, "d"))
        self.assertEqual(
            [(e["code"], e["message_id"]) for e in self.author.payloads("error")],
            [("storage_full", "full"), ("storage_full", "c")],
        )
        self.assertEqual(sorted(m["message_id"] for m in self.reader.received()), ["a", "d"])
        # The disk has room again, but what is next in order has not come yet.
        self.raises.clear()
        self.author.send("pattern_share", aPattern("e"), message_id="e")
        self.assertEqual(self.author.errors(), ["busy"])
        for id_ in ("full", "c", "e"):
            self.author.send("pattern_share", aPattern(id_), message_id=id_)
        self.assertEqual([m["message_id"] for m in self.reader.received()], ["full", "c", "e"])
        self.assertEqual(len(self.flushLoggedErrors(type(self.database.full))), 1)

    def test_reconnect(self) -> None:
        """A reconnect begins anew."""
        self.raises["full"] = self.database.full
        self.batch((self.author, "full"))
        again = self.hub.connect("AI_1")
        again.send("pattern_share", aPattern("x"), message_id="x")
        self.assertEqual(again.errors(), [])
        self.flushLoggedErrors(type(self.database.full))

    def test_waitingOnes(self) -> None:
        """What was already waiting behind a refused message is refused, too."""
        self.raises["full"] = self.database.full
        self.hub.writer.held = True
        self.author.send("pattern_share", aPattern("full"), message_id="full")
        self.author.send("pattern_share", aPattern("b"), message_id="b")
        self.hub.writer.release()
        self.hub.clock.advance(EventLog.GATHER)
        self.assertEqual(self.author.errors(), ["storage_full", "busy"])
        self.assertEqual(self.hub.log.head, 0)
        self.flushLoggedErrors(type(self.database.full))

    def test_oldOnes(self) -> None:
        """A version 1 client, which can't know of acks, is not held back."""
        old = self.hub.connect("OLD", 1)
        self.raises["full"] = self.database.full
        self.batch((old, "full"), (old, "b"))
        self.assertEqual([m["message_id"] for m in self.reader.received("pattern_share")], ["b"])
        self.flushLoggedErrors(type(self.database.full))


class FullDiskTests(HubTestCase):
    def test_fullAndBack(self) -> None:
        """With a really full database nothing is acked that isn't stored; with room again all goes on."""
        author, reader = self.hub.connect("AI_1"), self.hub.connect("AI_2")
        reader.received()
        connection = self.hub.sqlite.writer.connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages + 5}")
        message = author.message("pattern_share", aPattern(data="x" * 100_000))
        author.line(message)
        self.hub.clock.advance(0)
        self.assertEqual(author.errors(), ["storage_full"])
        self.assertEqual(self.hub.logged(), [])
        connection.execute("PRAGMA max_page_count=100000")
        author.line(message)
        self.hub.clock.advance(0)
        self.assertEqual(author.errors(), [])
        self.assertEqual(len(reader.received()), 1)
        self.flushLoggedErrors(sqlite3.OperationalError)


@onEveryEngine
class BacklogTests(HubTestCase):
    def test_backPressure(self) -> None:
        """When too much waits for the disk, who sends is not read until it has gone down."""
        self.hub.log.MAX_OWN_BYTES = 1000
        author, other = self.hub.connect("AI_1"), self.hub.connect("AI_2")
        self.hub.writer.held = True
        author.send("pattern_share", aPattern())
        author.send("pattern_share", aPattern("p2", data="x" * 2000))
        other.send("pattern_share", aPattern())
        self.assertEqual([c.transport.producerState for c in (author, other)], ["paused", "producing"])
        self.hub.writer.release()
        self.hub.clock.advance(EventLog.GATHER)
        self.assertEqual(author.transport.producerState, "producing")
        self.assertEqual(self.hub.log.head, 3)

    def test_all(self) -> None:
        """When much waits of all together, who has little of it goes on."""
        self.hub.log.MAX_BACKLOG_BYTES, self.hub.log.FEW_BYTES = 3000, 1000
        author, other = self.hub.connect("AI_1"), self.hub.connect("AI_2")
        self.hub.writer.held = True
        author.send("pattern_share", aPattern())
        author.send("pattern_share", aPattern("p2", data="x" * 4000))
        other.send("pattern_share", aPattern())
        self.assertEqual([c.transport.producerState for c in (author, other)], ["paused", "producing"])
        self.hub.writer.release()

    def test_64MiB(self) -> None:
        """Who has 2 MiB of its own waits; with 64 MiB of all together also who has 100 KiB of it."""

        class Large(FunctionWork):
            def settle(self, problem: WireProblem | None) -> None: ...

        def submit(author: str, size: int) -> None:
            work = Large(lambda transaction: None)
            work.author, work.size = author, size
            self.hub.log.submit([work])

        self.hub.writer.held = True
        submit("AI_0", 1)  # is being committed, and waits no more
        submit("AI_1", 100 << 10)
        submit("AI_2", 2 << 20)
        self.assertFalse(self.hub.log.mustWait("AI_2"))
        submit("AI_2", 1)
        self.assertTrue(self.hub.log.mustWait("AI_2"))
        submit("AI_2", (62 << 20) - (100 << 10) - 1)
        self.assertEqual((self.hub.log.backlogged, self.hub.log.mustWait("AI_1")), (False, False))
        submit("AI_3", 1)
        self.assertEqual((self.hub.log.backlogged, self.hub.log.mustWait("AI_1")), (True, True))
        self.assertFalse(self.hub.log.mustWait("AI_3"))
        self.hub.writer.release()
        self.hub.clock.pump([EventLog.GATHER] * 6)

    def test_refused(self) -> None:
        """What waits can be refused; who sent it is told, and what is being committed goes on."""
        author = self.hub.connect("AI_1")
        self.hub.writer.held = True
        author.send("pattern_share", aPattern())
        author.send("pattern_share", aPattern("p2"))
        self.hub.log.refuse(WireProblem("shutting_down", "going"))
        self.assertEqual(author.errors(), ["shutting_down"])
        self.hub.writer.release()
        self.assertEqual((self.hub.log.head, self.hub.log.waiting), (1, 0))

    def test_boundedCommit(self) -> None:
        """One commit takes a bounded number of bytes, and the rest follows."""
        self.hub.log.MAX_BATCH_BYTES = 1000
        author = self.hub.connect("AI_1")
        before = self.hub.writer.calls
        lines = [
            msgspec.json.encode(author.message("pattern_share", aPattern(f"p{i}", data="x" * 400))) for i in range(6)
        ]
        author.raw(b"\n".join(lines) + b"\n")
        self.hub.clock.pump([EventLog.GATHER] * 3)
        self.assertEqual(self.hub.log.head, 6)
        self.assertEqual(self.hub.writer.calls, before + 3)


@onEveryEngine
class GatherTests(HubTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.author = self.hub.connect("AI_1")
        self.hub.clock.advance(1)
        self.delay = 0.0

    def share(self, count: int = 1) -> int:
        """@return: where the log stands right after."""
        for _ in range(count):
            self.author.send("pattern_share", aPattern())
        return self.hub.log.head

    def telling(self, seconds: float) -> None:
        """It takes so long to tell everybody of a commit."""
        if not self.delay:
            self.hub.log.subscribe(self.slowly)
        self.delay = seconds

    def slowly(self, committed: Committed) -> None:
        self.hub.clock.rightNow += self.delay

    def test_idle(self) -> None:
        """A message that comes alone is committed at once, also when others come now and then."""
        self.telling(0.003)
        for i in range(5):
            self.assertEqual(self.share(), i + 1)
            self.hub.clock.advance(0.01)

    def test_few(self) -> None:
        """Where it takes no time to tell everybody, nobody waits."""
        for i in range(5):
            self.assertEqual(self.share(), i + 1)

    def test_load(self) -> None:
        """Where it takes long, what comes then shares the next commit, but does not wait for long."""
        self.telling(0.001)
        self.share()
        for _ in range(4):
            self.assertEqual(self.share(), 1)
            self.hub.clock.advance(0.0002 * EventLog.REST)
        self.hub.clock.advance(0.0002 * EventLog.REST)
        self.assertEqual(self.hub.log.head, 5)
        self.telling(0.02)
        self.hub.clock.advance(1)
        self.share()
        self.assertEqual(self.share(), 6)
        self.hub.clock.advance(EventLog.GATHER)
        self.assertEqual(self.hub.log.head, 7)

    def test_settling(self) -> None:
        """What settling the messages takes is no reason to wait: it is the same however many are told."""
        settle = self.hub.log._settle

        def slowly(work: Work, problem: WireProblem | None) -> None:
            self.hub.clock.rightNow += 0.001
            settle(work, problem)

        self.patch(self.hub.log, "_settle", slowly)
        for i in range(5):
            self.assertEqual(self.share(), i + 1)

    def test_enough(self) -> None:
        """Nobody waits for more when enough is there."""
        self.telling(0.003)
        self.hub.log.ENOUGH = 4
        self.share()
        self.share(4)
        self.assertEqual(self.hub.log.head, 1)
        self.hub.clock.advance(0)
        self.assertEqual(self.hub.log.head, 5)


@onEveryEngine
class FollowTests(HubTestCase):
    def test_order(self) -> None:
        """Those who asked for it are told before works are settled, the others after; each of all that was written."""
        told: list[str] = []
        self.hub.log.subscribe(lambda committed: told.append("after"))
        self.hub.log.subscribe(lambda committed: told.append(f"first {len(committed.events)}"), first=True)
        self.hub.writer.held = True
        done = self.hub.log.write(appends("AI_1", "a"))
        done.addCallback(lambda _: told.append("settled"))
        self.hub.writer.release()
        self.assertEqual(told, ["first 1", "settled", "after"])

    def test_what(self) -> None:
        """Hellos are told of with their time, and who got a token; of what was rolled back nothing is."""
        told: list[Committed] = []
        self.hub.log.subscribe(told.append)
        self.hub.issue("AI_1")
        self.hub.connect("AI_1", specialization="memory")
        self.assertEqual([committed.enrolled for committed in told if committed.enrolled], [["AI_1"]])
        ((aiId, hello, at),) = [one for committed in told for one in committed.hellos]
        self.assertEqual((aiId, hello.specialization, at), ("AI_1", "memory", NOON))

        def fails(transaction: Transaction) -> None:
            tokens.issue(transaction, "AI_2")
            raise self.database.poison

        told.clear()
        self.failureResultOf(self.hub.log.write(fails), WireProblem)
        self.assertEqual(told, [Committed()])
        self.assertFalse(self.hub.directory.isKnown("AI_2"))
        self.flushLoggedErrors(type(self.database.poison))

    def test_failing(self) -> None:
        """One that fails is logged, and keeps nobody else from being told; one that left is told no more."""
        told: list[Committed] = []

        def fails(committed: Committed) -> None:
            raise ValueError("mine")

        self.hub.log.subscribe(fails)
        self.hub.log.subscribe(told.append)
        self.hub.transact(lambda transaction: None)
        self.assertEqual((len(told), len(self.flushLoggedErrors(ValueError))), (1, 1))
        self.hub.log.unsubscribe(fails)
        self.hub.log.unsubscribe(told.append)
        self.hub.transact(lambda transaction: None)
        self.assertEqual(len(told), 1)


@onEveryEngine
class LossTests(HubTestCase):
    """Nothing is kept any more of what is written."""

    def setUp(self) -> None:
        super().setUp()
        self.lost: WireProblem | None = None
        self.hub.log.findLoss = lambda: self.lost
        self.author, self.reader = self.hub.connect("AI_1"), self.hub.connect("AI_2")
        self.author.received()

    def test_before(self) -> None:
        """What comes then is not written, acked or delivered, and may be sent again."""
        self.lost = WireProblem("busy", "it is gone")
        self.author.send("pattern_share", aPattern())
        self.assertEqual([m["message_type"] for m in self.author.received()], ["error"])
        self.failureResultOf(self.hub.log.write(lambda transaction: None), WireProblem)
        self.assertEqual((self.reader.received(), self.hub.logged()), ([], []))

    def test_meanwhile(self) -> None:
        """What was on its way is not acked or delivered either, whether its commit went well or not."""
        for error in (None, OSError("gone")):
            self.hub.writer.held, self.hub.writer.error = True, error
            self.author.send("pattern_share", aPattern(str(error)))
            self.lost = WireProblem("busy", "it is gone")
            self.hub.writer.release()
            self.assertEqual(self.author.errors(), ["busy"])
            self.lost = self.hub.writer.error = None
        self.assertEqual(self.reader.received(), [])


@onEveryEngine
class WithdrawnTests(HubTestCase):
    def test_all(self) -> None:
        """A batch that is withdrawn as a whole commits nothing, and no other batch is taken for it."""

        class Withdrawn:
            author = "AI_1"
            size = 1
            source: object | None = None
            problem: WireProblem | None = None

            def withdrawn(self) -> WireProblem:
                return WireProblem("busy", "not now")

            def apply(self, transaction: Transaction) -> None:
                raise AssertionError("it was withdrawn")

            def settle(self, problem: WireProblem | None) -> None:
                self.problem = problem

        author = self.hub.connect("AI_1")
        work = Withdrawn()
        self.hub.writer.held = True
        calls = self.hub.writer.calls
        self.hub.log.submit([work])
        self.assertEqual(self.hub.writer.calls, calls)
        assert work.problem is not None
        self.assertEqual(work.problem.code, "busy")
        author.send("pattern_share", aPattern())
        self.assertEqual(author.payloads("ack"), [])
        self.hub.writer.release()
        self.assertEqual(len(author.payloads("ack")), 1)


@onEveryEngine
class NumberTests(HubTestCase):
    def test_afterRetention(self) -> None:
        """Numbers go on after the last row is gone; a repetition of a removed row is acked with its first number."""
        author = self.hub.connect("AI_1")
        message = author.message("pattern_share", aPattern())
        author.line(message)

        self.hub.transact(lambda transaction: transaction.marks.remove(1, 1000))
        self.assertEqual(self.hub.logged(), [])
        author.send("pattern_share", aPattern("p2"))
        author.line(message)
        author.line({**message, "payload": aPattern("p3")})
        found = author.received()
        self.assertEqual(
            [pair[1] for m in found if m["message_type"] == "ack" for pair in m["payload"]["acked"]], [1, 2, 1]
        )
        self.assertEqual(
            [m["payload"]["code"] for m in found if m["message_type"] == "error"], ["conflicting_duplicate"]
        )

    def test_readsWhatWasPut(self) -> None:
        """What reads within a transaction sees what was appended and put before it, in the same commit."""
        author = self.hub.connect("AI_1")

        def appendAndRead(transaction: Transaction) -> list[int]:
            for i in range(3):
                append(transaction, "AI_1", f"m{i}", payload=aPattern())
            return [header.seq for header in transaction.log.headers(0, 99, 99)]

        self.assertEqual(self.hub.transact(appendAndRead), [1, 2, 3])
        author.send("pattern_share", aPattern())
        self.assertEqual(self.hub.log.head, 4)

    def test_rollback(self) -> None:
        """A refused message leaves no gap, and nothing of it stays, also when it had appended before it failed."""
        author = self.hub.connect("AI_1")

        def fails(transaction: Transaction) -> None:
            append(transaction, "AI_1", "gone", payload=aPattern())
            raise self.database.poison

        self.hub.writer.held = True
        self.hub.log.write(lambda transaction: None)
        author.send("pattern_share", aPattern("a"))
        failed = self.hub.log.write(fails)
        author.send("pattern_share", aPattern("b"))
        self.hub.writer.release()
        self.hub.clock.advance(EventLog.GATHER)
        self.failureResultOf(failed, WireProblem)
        self.assertEqual([row.seq for row in self.hub.logged()], [1, 2])
        self.assertEqual([pair[1] for p in author.payloads("ack") for pair in p["acked"]], [1, 2])
        self.flushLoggedErrors(type(self.database.poison))


@onEveryEngine
class OpenTests(HubTestCase):
    def test_repr(self) -> None:
        """The log's repr shows where it stands."""
        self.assertEqual(repr(EventLog(self.hub.engine, Clock(), float)), "<EventLog head=0 waiting=0 committing=0>")

    def test_goesOn(self) -> None:
        """After a restart the numbers go on, under the same log_id."""
        author = self.hub.connect("AI_1")
        author.send("pattern_share", aPattern())
        before = self.hub.log.logId
        hub = self.restart()
        self.assertEqual((hub.log.logId, hub.log.head), (before, 1))
        author = hub.connect("AI_1")
        author.send("pattern_share", aPattern("p2"))
        self.assertEqual(author.payloads("ack")[0]["acked"][0][1], 2)
