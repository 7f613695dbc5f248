"""Retention: what is removed from the log, what never is before it was read, and what stays of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest import mock

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub import composition
from kernelnet.hub.storage import disk_space, retention
from kernelnet.hub.storage.disk_space import DiskSpaceMonitor
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.memory.engine import MemoryEngine
from kernelnet.hub.storage.retention import LogRetention
from kernelnet.hub.storage.retention_policy import RetentionLimit, RetentionPolicy
from kernelnet.hub.storage.statements.log import Mark, MarksQueries
from kernelnet.hub.tap import Options
from kernelnet.size import parseSize
from tests.hub.databases import onEveryEngine
from tests.hub.support import NOON, Client, HubTestCase, aPattern, captureLog

DAY = 86400.0


class ParseTests(SynchronousTestCase):
    def test_right(self) -> None:
        """An age, a size, or both, in any order."""
        for text, limit in (
            ("30d", RetentionLimit(30 * DAY)),
            ("10GB", RetentionLimit(None, 10**10)),
            ("2w,500MB", RetentionLimit(14 * DAY, 5 * 10**8)),
            ("1TB, 12h", RetentionLimit(43200.0, 10**12)),
            ("90s,1000", RetentionLimit(90.0, 1000)),
        ):
            self.assertEqual(RetentionLimit.parse(text), limit, text)
        self.assertEqual(parseSize("50MB"), 50_000_000)
        self.assertEqual(parseSize("0"), 0)

    def test_wrong(self) -> None:
        """Anything else is refused in words."""
        for text in ("", "d", "0d", "0", "-1d", "30d,40d", "1GB,2GB", "30 d", "1e9", "10XB", "30d,", "٣d"):
            with self.assertRaises(ValueError, msg=text):
                RetentionLimit.parse(text)

    def test_options(self) -> None:
        """The hub's options say what is wrong with them, by name."""
        options = Options()
        options["state"] = self.mktemp()
        self.assertEqual((disk_space.policy(options), disk_space.minFree(options)), (RetentionPolicy(), 50_000_000))
        for name, text in (("retain", "soon"), ("retain-hard", "1d,2d"), ("min-free", "-1"), ("min-free", "some")):
            with self.assertRaises(SystemExit) as refused:
                Options().parseOptions(["--state", self.mktemp(), f"--{name}={text}"])
            self.assertRegex(str(refused.exception), f"^twistd kernelhub: --{name} takes .*, not '{text}'$")


class RetentionTestCase(HubTestCase):
    policy = RetentionPolicy(RetentionLimit(10 * DAY))

    def setUp(self) -> None:
        super().setUp()
        self.retain(self.policy)
        self.author = self.hub.connect("AI_1")

    def retain(self, policy: RetentionPolicy) -> None:
        self.hub.retention.policy = policy

    def say(self, *names: str, size: int = 10) -> None:
        for name in names:
            self.author.send("pattern_share", aPattern(name, data="x" * size), message_id=name)

    def round(self) -> None:
        """The next round of retention; nobody is silent for so long that it is dropped."""
        for connection in self.hub.connections.byId.values():
            connection.lastHeard = self.hub.clock.seconds() + retention.EVERY
        self.hub.clock.advance(retention.EVERY)
        self.hub.clock.pump([retention.PAUSE] * 10)

    def age(self, days: float) -> None:
        self.hub.retention.stop()
        for connection in self.hub.connections.byId.values():
            connection.lastHeard = self.hub.clock.seconds() + days * DAY
        self.hub.clock.advance(days * DAY)
        self.hub.retention.start()

    def log(self) -> list[str]:
        return [row.messageId for row in self.hub.logged()]

    def hasRead(self, client: Client, seq: int) -> None:
        client.send("heartbeat", {"seq": seq})


class OthersTests(RetentionTestCase):
    def test_othersKnow(self) -> None:
        """A node with others tells them what is about to go, and removes it some seconds later, not at once."""
        told: list[int] = []
        others = mock.Mock(isAlone=False, leads=True, tell=lambda *, first: told.append(first))
        self.say("a", "b")
        self.hasRead(self.author, 2)
        self.round()
        self.age(11)
        self.patch(self.hub, "cluster", others)
        self.hub.clock.advance(retention.EVERY)
        self.assertEqual((told, self.log()), ([3], ["a", "b"]))
        self.hub.clock.advance(composition.OTHERS_KNOW - 1)
        self.assertEqual(self.log(), ["a", "b"])
        self.hub.clock.pump([1] * 3)
        self.assertEqual(self.log(), [])


@onEveryEngine
class ReadersTests(RetentionTestCase):
    def test_age(self) -> None:
        """What is older than the limit and was read by every version 2 AI goes; what is younger stays."""
        reader = self.hub.connect("AI_2")
        self.say("a", "b")
        self.round()
        self.age(9)
        self.say("c")
        self.hasRead(reader, 3)
        self.hasRead(self.author, 3)
        self.round()
        self.assertEqual(self.log(), ["a", "b", "c"])
        self.age(1)
        self.round()
        self.assertEqual(self.log(), ["c"])
        self.assertEqual((self.hub.log.first, self.hub.log.head), (3, 3))
        self.assertEqual(self.hub.retention.removed, 2)

    def test_unread(self) -> None:
        """What one version 2 AI has not read stays, also when that AI is away."""
        reader = self.hub.connect("AI_2")
        self.say("a", "b", "c")
        self.hasRead(self.author, 3)
        self.hasRead(reader, 1)
        self.round()
        reader.leave()
        self.age(100)
        self.round()
        self.assertEqual(self.log(), ["b", "c"])
        again = self.hub.resume("AI_2", 1)
        self.assertEqual([m["message_id"] for m in again.received("pattern_share")], ["b", "c"])

    def test_onlyItsOwnWord(self) -> None:
        """What was delivered doesn't count as read, nor does a position that was never delivered."""
        reader = self.hub.connect("AI_2")
        self.say("a")
        self.assertEqual(len(reader.received("pattern_share")), 1)
        self.hasRead(self.author, 1)
        self.round()
        self.age(100)
        self.round()
        self.assertEqual(self.log(), ["a"])
        self.hasRead(reader, 1000)
        self.assertEqual(reader.protocol.readSeq, 1)

    def test_restart(self) -> None:
        """How far an AI has read survives the hub."""
        reader = self.hub.connect("AI_2")
        self.say("a", "b")
        self.hasRead(reader, 2)
        self.hasRead(self.author, 2)
        self.round()
        self.hub = self.restart()
        self.retain(self.policy)
        self.age(11)
        self.round()
        self.assertEqual(self.log(), [])
        self.assertEqual((self.hub.log.first, self.hub.log.head), (3, 2))

    def test_numbersGoOn(self) -> None:
        """When every row has gone, the numbers go on, also after a restart, and who was up to date resumes."""
        self.test_restart()
        logId = self.hub.log.logId
        self.hub = self.restart()
        self.assertEqual((self.hub.log.first, self.hub.log.head), (3, 2))
        author = self.hub.client("AI_1")
        author.hello(2, log_id=logId, resume_after=2)
        self.assertTrue(author.payloads("training_sync")[0]["resumed"])
        author.send("pattern_share", aPattern("c"))
        self.assertEqual(author.payloads("ack")[0]["acked"][0][1], 3)

    def test_revoked(self) -> None:
        """An AI whose tokens were revoked can't come back, and keeps nothing."""
        self.hub.connect("AI_2").leave()
        self.say("a")
        self.hasRead(self.author, 1)
        self.round()
        self.age(100)
        self.round()
        self.assertEqual(self.log(), ["a"])
        self.hub.transact(lambda transaction: transaction.tokens.revoke("AI_2", 1.0))
        self.round()
        self.assertEqual(self.log(), [])

    def test_version1(self) -> None:
        """A version 1 client, to which nothing is replayed, keeps nothing."""
        self.hub.connect("OLD", 1)
        self.say("a")
        self.hasRead(self.author, 1)
        self.round()
        self.age(11)
        self.round()
        self.assertEqual(self.log(), [])

    def test_asks(self) -> None:
        """With retention also who is never silent is pinged, by a position that it has been sent."""
        self.say("a")
        self.author.received()
        self.hub.clock.advance(self.hub.liveness.pingAfter / 2)
        self.say("b")
        self.hub.clock.advance(self.hub.liveness.pingAfter / 2)
        self.assertEqual([p["seq"] for p in self.author.payloads("heartbeat")], [2])

    def test_keys(self) -> None:
        """A repetition of a removed message is acked with its first seq; another content under its id is refused."""
        message = self.author.message("pattern_share", aPattern("a"))
        self.author.line(message)
        self.hasRead(self.author, 1)
        self.round()
        self.age(11)
        self.round()
        self.assertEqual(self.log(), [])
        self.author.received()
        self.author.line(message)
        self.assertEqual(self.author.payloads("ack"), [{"acked": [[message["message_id"], 1]]}])
        self.author.line({**message, "payload": aPattern("other")})
        self.assertEqual(self.author.errors(), ["conflicting_duplicate"])
        self.assertEqual(self.log(), [])
        self.assertEqual(self.hub.stored.patterns.count(), 1)


@onEveryEngine
class SizeTests(RetentionTestCase):
    policy = RetentionPolicy(RetentionLimit(None, 10_000))

    def test_size(self) -> None:
        """Over its size the log loses what is oldest, down to a mark at or below the limit."""
        self.patch(retention, "MARK_ROWS", 2)
        self.say(*[f"m{i}" for i in range(20)], size=1000)
        self.hasRead(self.author, 20)
        self.round()
        left = self.log()
        self.assertEqual(left, [f"m{i}" for i in range(20 - len(left), 20)])
        size = sum(len(row.body) for row in self.hub.logged())
        self.assertLessEqual(size, 10_000)
        self.assertGreater(size, 6_000)
        self.round()
        self.assertEqual(self.log(), left)


class MarksTests(SynchronousTestCase):
    def marks(self, head: int) -> list[tuple[int, int]]:
        """@return: position and bytes of each that is made anew for a log whose rows have 7 bytes each."""

        def measure(after: int, head: int, rows: int) -> tuple[int | None, int]:
            upTo = min(after + rows, head)
            return upTo if upTo < head else None, 7 * (upTo - after)

        found = retention.newMarks(cast(MarksQueries, SimpleNamespace(last=lambda: None, measure=measure)), head, NOON)
        return [(mark.seq, mark.bytes) for mark in found]

    def test_rows(self) -> None:
        """A mark stands every 10,000 rows, and at the head; a hundred are made at once."""
        self.assertEqual(self.marks(25_000), [(10_000, 70_000), (20_000, 140_000), (25_000, 175_000)])
        self.assertEqual([seq for seq, _ in self.marks(2_000_000)], [*range(10_000, 1_000_001, 10_000)])


@onEveryEngine
class HardTests(RetentionTestCase):
    policy = RetentionPolicy(None, RetentionLimit(10 * DAY))

    def old(self, *names: str) -> None:
        self.say(*names)
        self.round()
        self.age(11)

    def test_away(self) -> None:
        """Over the hard limit rows go unread; who still needed them is told that it can't resume."""
        self.hub.connect("AI_2").leave()
        self.old("a", "b")
        self.round()
        self.assertEqual(self.log(), [])
        again = self.hub.resume("AI_2", 0)
        (sync,) = again.payloads("training_sync")
        self.assertEqual((sync["resumed"], sync["seq"]), (False, 2))

    def test_slowReader(self) -> None:
        """A connected reader whose next rows went is told and closed: it is never passed over in silence."""
        reader: Any = self.hub.connect("AI_2")
        reader.pause()
        self.old("a", "b")
        self.round()
        self.assertEqual(self.log(), [])
        reader.resume()
        self.assertEqual(reader.errors(), ["too_slow"])
        self.assertTrue(reader.closing)

    def test_whileReading(self) -> None:
        """A page that was on its way while its rows were removed is not taken for all there was."""
        reader = self.hub.connect("AI_2")
        reader.pause()
        self.old("a", "b")
        self.hub.log._recent.startAfter(2)
        self.hub.log._recent._events.clear()
        self.hub.reader.held = True
        reader.resume()
        self.hub.log.first = 3
        self.hub.transact(lambda transaction: transaction.marks.remove(2, 1000))
        self.say("c")
        self.hub.reader.release()
        self.assertEqual(reader.errors(), ["too_slow"])

    def test_chunks(self) -> None:
        """Much is removed in several transactions, so that messages get through."""
        self.patch(retention, "CHUNK", 3)
        self.old(*[f"m{i}" for i in range(10)])
        left: list[int] = []
        self.hub.log.subscribe(lambda committed: left.append(len(self.log())))
        self.round()
        self.assertEqual([*dict.fromkeys(left)], [10, 7, 4, 1, 0])
        self.assertEqual(self.database.known, 10)

    def test_goneBack(self) -> None:
        """When the hub goes back to a backup amid of this, nothing of that log is removed by what the other one had."""
        self.patch(retention, "CHUNK", 3)
        self.old(*[f"m{i}" for i in range(10)])
        self.hub.clock.advance(retention.EVERY)
        left = self.log()
        self.assertLess(len(left), 10)
        self.hub.log.logId = "another"
        self.hub.clock.pump([retention.PAUSE] * 10)
        self.assertEqual(self.log(), left)


@onEveryEngine
class GreetingTests(RetentionTestCase):
    def readSeq(self, aiId: str) -> object:
        return {ai.aiId: ai.readSeq for ai in self.hub.stored.ais.all()}[aiId]

    def test_hello(self) -> None:
        """A hello says how far the AI has read: where it resumes, or, where it can't, from now on."""
        self.say("a", "b", "c")
        self.hub.connect("AI_2")
        self.assertEqual(self.readSeq("AI_2"), 3)
        self.hub.resume("AI_2", 1)
        self.assertEqual(self.readSeq("AI_2"), 1)
        client = self.hub.client("AI_2")
        client.hello(2, log_id="another", resume_after=1)
        self.assertEqual(self.readSeq("AI_2"), 3)

    def test_again(self) -> None:
        """A second hello on a connection, which says nothing of that, changes nothing."""
        self.say("a", "b", "c")
        reader = self.hub.resume("AI_2", 1)
        reader.hello(2)
        self.assertEqual(self.readSeq("AI_2"), 1)


@onEveryEngine
class FullTests(HubTestCase):
    def test_freeDisk(self) -> None:
        """Below the free-disk limit messages are refused with storage_full while what needs no log goes on."""
        free = [1000]
        self.hub.log.findStorageProblem = DiskSpaceMonitor(Path(), 500, lambda folder: free[0]).problem
        author, reader = self.hub.connect("AI_1"), self.hub.connect("AI_2")
        author.received(), reader.received()
        message = author.message("pattern_share", aPattern())
        free[0] = 499
        author.line(message)
        author.send("pattern_share", aPattern("p2"))
        self.assertEqual(author.errors(), ["storage_full", "busy"])
        self.assertEqual(self.hub.logged(), [])
        author.send("heartbeat", {"nonce": 1})
        author.send("training_sync", {})
        self.assertEqual([m["message_type"] for m in author.received()], ["heartbeat", "training_sync"])
        newcomer = self.hub.connect("AI_3")
        self.assertFalse(newcomer.closing)
        free[0] = 500
        author.line(message)
        self.assertEqual(author.payloads("ack"), [{"acked": [[message["message_id"], 1]]}])
        self.assertEqual(len(reader.received("pattern_share")), 1)


class FullFileTests(HubTestCase):
    def test_helloOnAFullDisk(self) -> None:
        """A hello that can't be written down is answered all the same."""
        self.hub.connect("AI_1")
        self.hub.issue("AI_2")
        (pages,) = self.hub.sqlite.writer.connection.execute("PRAGMA page_count").fetchone()
        self.hub.sqlite.writer.connection.execute(f"PRAGMA max_page_count={pages}")
        client = self.hub.client("AI_1")
        client.hello(2, capabilities=["x" * 128] * 56)
        self.assertEqual([m["message_type"] for m in client.received()][:1], ["training_sync"])
        self.assertEqual(self.hub.logged(), [])
        self.flushLoggedErrors()


class JumpTests(SynchronousTestCase):
    """A clock that jumps ahead removes nothing unless it stays there."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.ahead = 0.0
        self.log = log = EventLog(MemoryEngine(), self.clock, lambda: NOON + self.clock.seconds())
        log.open()
        self.retention = LogRetention(log, list, self.clock, self.wall, RetentionPolicy())

    def wall(self) -> float:
        return NOON + self.clock.seconds() + self.ahead

    def believed(self) -> float:
        """By how much the time that is believed is ahead."""
        return self.retention._believe(self.wall()) - NOON - self.clock.seconds()

    def test_jump(self) -> None:
        """400 days for 70 seconds are not believed, and told of once."""
        seen = captureLog(self)
        self.ahead = 400 * 86400.0
        self.assertEqual(self.believed(), 0)
        self.clock.advance(70)
        self.assertEqual(self.believed(), 0)
        self.ahead = 0.0
        self.assertEqual(self.believed(), 0)
        self.assertEqual(len([line for line in seen if "jumped ahead by 34560000 s" in line]), 1)

    def start(self, days: float) -> None:
        """Another hub starts in the same log, by a clock that is so far ahead."""
        self.ahead = days * 86400.0
        self.retention = LogRetention(self.log, list, self.clock, self.wall, RetentionPolicy())

    def keep(self) -> float:
        """A round, then how far the time that is believed is ahead."""
        self.successResultOf(self.retention._round())
        return self.believed()

    def test_start(self) -> None:
        """A hub that starts by a clock which is 400 days ahead says so, and believes it in an hour at the earliest."""
        self.log.write(lambda transaction: transaction.marks.add([Mark(1, NOON, 10)]))
        seen = captureLog(self)
        self.start(400)
        self.assertAlmostEqual(self.keep(), 0, delta=1)
        self.assertEqual(len([line for line in seen if "jumped ahead by 34560000 s" in line]), 1)
        self.clock.advance(3599)
        self.assertAlmostEqual(self.keep(), 0, delta=1)
        self.clock.advance(2)
        self.assertEqual(self.keep(), 400 * 86400)

    def test_pause(self) -> None:
        """A hub that was away for an evening, or that is new, believes its clock."""
        self.start(400)
        self.assertEqual(self.keep(), 400 * 86400)
        self.ahead = 0.0
        self.log.write(lambda transaction: transaction.marks.add([Mark(1, NOON, 10)]))
        self.start(0.9)
        self.assertEqual(self.keep(), 0.9 * 86400)

    def test_stays(self) -> None:
        """A clock that stays ahead for an hour is right; one that is set back is believed at once."""
        self.ahead = 86400.0
        self.assertEqual(self.believed(), 0)
        self.clock.advance(3599)
        self.assertEqual(self.believed(), 0)
        self.clock.advance(2)
        self.assertEqual(self.believed(), 86400)
        self.ahead = -5.0
        self.assertEqual(self.believed(), -5)

    def test_time(self) -> None:
        """Time that goes by is no jump, nor is a clock that is set by a minute."""
        for _ in range(50):
            self.clock.advance(60)
            self.ahead += 1
            self.assertEqual(self.believed(), self.ahead)
