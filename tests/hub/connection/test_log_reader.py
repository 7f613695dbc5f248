"""A connection as a reader of the log: resume, slow readers, bounded memory."""

from __future__ import annotations

import json
import random
from types import SimpleNamespace
from typing import cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.connection.log_reader import Broadcast, LogReader
from kernelnet.hub.storage import log_pages
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.log_pages import Event, Page
from tests.hub.databases import onEveryEngine
from tests.hub.support import Client, Hub, HubTestCase, aPattern


def seqs(client: Client) -> list[int]:
    return [m["seq"] for m in client.received("pattern_share")]


@onEveryEngine
class ResumeTests(HubTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(log_pages, "PAGE_ROWS", 7)
        self.author = self.hub.connect("AI_1")

    def share(self, n: int, target: str | None = None) -> None:
        for _ in range(n):
            self.author.send("pattern_share", aPattern(), target)

    def test_whatItMissed(self) -> None:
        """Who comes back gets all that was for it meanwhile, once, in order; then what comes."""
        reader = self.hub.connect("AI_2")
        self.hub.connect("AI_3")
        self.share(3)
        self.assertEqual(seqs(reader), [1, 2, 3])
        reader.leave()
        self.share(30)
        self.share(1, "AI_3")
        self.share(1, "AI_2")
        reader = self.hub.resume("AI_2", 3)
        first, *rest = reader.received()
        self.assertEqual(first["message_type"], "training_sync")
        self.assertEqual((first["payload"]["resumed"], first["payload"]["seq"]), (True, 3))
        self.assertEqual([m["seq"] for m in rest], [*range(4, 34), 35])
        self.share(1)
        self.assertEqual(seqs(reader), [36])

    def test_ownMessages(self) -> None:
        """A replay leaves out what the AI itself had sent."""
        self.share(2)
        back = self.hub.resume("AI_1", 0)
        self.assertEqual(seqs(back), [])

    def test_fromTheDatabase(self) -> None:
        """The same from the database, after a restart of the hub."""
        self.hub.connect("AI_2").leave()
        self.share(20)
        hub = self.restart()
        back = hub.resume("AI_2", 4)
        self.assertEqual(seqs(back), list(range(5, 21)))

    def test_otherLog(self) -> None:
        """Another log_id, a position outside the log, or none at all: not resumed, and on from now."""
        self.share(2)
        for hello in (
            {"log_id": "other", "resume_after": 1},
            {"log_id": self.hub.log.logId, "resume_after": 99},
            {"resume_after": 1},
            {},
        ):
            client = self.hub.client("AI_2")
            client.hello(2, **hello)
            (sync,) = client.payloads()
            self.assertEqual((sync["resumed"], sync["seq"]), (False, 2), hello)

    def test_version1(self) -> None:
        """Version 1 begins from now, whatever it says."""
        self.share(2)
        client = self.hub.client("OLD")
        client.hello(1, log_id=self.hub.log.logId, resume_after=0)
        self.assertEqual([m["message_type"] for m in client.received()], ["training_sync"])

    def test_noGapAtTheSwitch(self) -> None:
        """What is committed while a newcomer reads pages comes after them: no gap, nothing twice."""
        self.hub.connect("AI_2").leave()
        self.share(20)
        hub = self.restart()
        self.author = hub.connect("AI_1")
        client = hub.client("AI_2")
        hub.reader.held = True
        client.hello(2, log_id=hub.log.logId, resume_after=0)
        self.assertEqual(client.received(), [])
        found = []
        for _ in range(12):  # each time one read, and meanwhile a commit
            self.share(1)
            hub.reader.release()
            hub.reader.held = True
            found += seqs(client)
        hub.reader.release()
        found += seqs(client)
        self.assertEqual(found, list(range(1, 33)))
        self.assertTrue(client.protocol.reader.live)

    def test_uncommittedIsNoPage(self) -> None:
        """A page never covers what the reactor's thread doesn't know as committed yet."""
        self.share(3)
        page = self.successResultOf(self.hub.engine.page(0, 2, "AI_2"))
        self.assertEqual(([e.seq for e in page.events], page.upTo), ([1, 2], 2))


@onEveryEngine
class SlowReaderTests(HubTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.author = self.hub.connect("AI_1")

    def share(self, n: int, size: int = 10) -> None:
        for _ in range(n):
            self.author.send("pattern_share", aPattern(data="x" * size))

    def test_lagsAndCatchesUp(self) -> None:
        """A reader whose transport asks to pause gets nothing until it resumes, then all of it in order."""
        slow, quick = self.hub.connect("SLOW"), self.hub.connect("QUICK")
        slow.received(), quick.received()
        self.share(2)
        slow.pause()
        self.share(5)
        self.assertEqual(seqs(slow), [1, 2])
        self.assertEqual(seqs(quick), list(range(1, 8)))
        slow.resume()
        self.assertEqual(seqs(slow), list(range(3, 8)))
        self.share(1)
        self.assertEqual(seqs(slow), [8])

    def test_boundedMemory(self) -> None:
        """Readers that never read hold nothing but a position, and the hub's memory of the log's end is bounded."""
        self.patch(self.hub.log._recent, "_maxBytes", 20_000)
        slow = [self.hub.connect(f"SLOW_{i}") for i in range(3)]
        for client in slow:
            client.received()
            client.pause()
        self.share(200, 1000)
        self.assertLessEqual(sum(len(e.line) for e in self.hub.log._recent._events), 20_000)
        for client in slow:
            self.assertEqual(client.transport.value(), b"")
            self.assertEqual(client.protocol.reader.position, 0)
        slow[0].resume()
        self.assertEqual(seqs(slow[0]), list(range(1, 201)))

    def test_pausedInTheMiddle(self) -> None:
        """When the transport is full in the middle of a replay, the rest waits for it."""
        self.patch(log_pages, "PAGE_ROWS", 5)
        slow = self.hub.connect("SLOW")
        slow.received()
        slow.pause()
        self.share(23)
        write, room = slow.transport.write, [3]

        def full(data: bytes) -> None:
            write(data)
            room[0] -= 1
            if room[0] <= 0:
                slow.pause()

        slow.transport.write = full  # type: ignore[method-assign]
        slow.resume()
        self.assertEqual(seqs(slow), list(range(1, 16)))
        room[0] = 100
        slow.resume()
        self.assertEqual(seqs(slow), list(range(16, 24)))

    def test_largeFlush(self) -> None:
        """A large commit goes out in pages, so that nobody gets all of it at once when it is slow."""
        slow = self.hub.connect("SLOW")
        slow.received()
        sizes: list[int] = []
        write = slow.transport.write

        def full(data: bytes) -> None:
            write(data)
            sizes.append(len(data))
            slow.pause()

        self.hub.writer.held = True
        self.share(12, 100_000)
        slow.transport.write = full  # type: ignore[method-assign]
        self.hub.writer.release()
        self.hub.clock.advance(EventLog.GATHER)
        for _ in range(30):
            slow.resume()
        self.assertLessEqual(max(sizes), Broadcast.MAX_BYTES + 1000)
        self.assertEqual(seqs(slow), list(range(1, 13)))

    def test_cut(self) -> None:
        """A commit goes out in pieces of 256 KiB, or of one message that is larger; nothing of it is left out."""

        def pieces(*sizes: int) -> list[int]:
            events = [Event(seq, "AI_1", None, b"x" * size) for seq, size in enumerate(sizes, 1)]
            return [piece.upTo for piece in Broadcast.of(events)]

        kib = 1 << 10
        self.assertEqual(pieces(128 * kib, 128 * kib, 1, 300 * kib, 256 * kib - 1, 1), [2, 3, 4, 6])
        self.assertEqual((pieces(1), pieces(300 * kib, 1)), ([1], [1, 2]))

    def test_notReadEither(self) -> None:
        """A version 2 client that doesn't read is not read, so that acks can't pile up."""
        slow = self.hub.connect("SLOW")
        slow.pause()
        self.assertEqual(slow.transport.producerState, "paused")
        slow.resume()
        self.assertEqual(slow.transport.producerState, "producing")

    def test_version1TooSlow(self) -> None:
        """A version 1 client that doesn't keep up is told too_slow and cut; one that pauses for a moment is not."""
        self.patch(self.hub.log._recent, "_maxBytes", 5_000)
        slow, brief = self.hub.connect("SLOW", 1), self.hub.connect("BRIEF", 1)
        slow.received(), brief.received()
        slow.pause()
        brief.pause()
        self.share(2)
        self.hub.clock.advance(5)
        self.assertFalse(slow.closing)
        brief.resume()
        self.share(10, 1000)
        self.hub.clock.advance(5)
        self.assertEqual(slow.errors(), ["too_slow"])
        self.assertTrue(slow.closing)
        self.assertFalse(brief.closing)
        self.assertEqual(len(brief.received("pattern_share")), 12)

    def test_version1Chatter(self) -> None:
        """What a version 1 client provokes while it doesn't read is not kept for it."""
        slow = self.hub.connect("SLOW", 1)
        slow.received()
        slow.pause()
        for _ in range(100):
            slow.send("nonsense", {})
            slow.send("heartbeat", {"nonce": "x" * 1000})
            slow.send("training_sync", {})
        self.assertEqual(slow.transport.value(), b"")
        self.assertEqual(slow.transport.producerState, "producing")

    def test_repr(self) -> None:
        """A reader's repr says whose it is, where it stands and how."""
        client = self.hub.connect("AI_2")
        self.assertEqual(repr(client.protocol.reader), "<LogReader of AI_2 at 0, live>")
        client.pause()
        self.assertEqual(repr(client.protocol.reader), "<LogReader of AI_2 at 0, paused>")


@onEveryEngine
class RandomTests(HubTestCase):
    def test_anyInterleaving(self) -> None:
        """Whatever pauses, restarts and commits interleave: each reader gets each message once, in order."""
        self.patch(log_pages, "PAGE_ROWS", 4)
        for seed in range(5):
            self.interleave(seed)

    def interleave(self, seed: int) -> None:
        chance = random.Random(seed)
        readers = [f"R_{seed}_{i}" for i in range(4)]
        got: dict[str, list[int]] = {id_: [] for id_ in readers}
        clients: dict[str, Client] = {}

        def collect() -> None:
            for id_, client in clients.items():
                got[id_] += seqs(client)

        def join(hub: Hub, id_: str) -> None:
            clients[id_] = hub.resume(id_, got[id_][-1] if got[id_] else 0)

        def begin(hub: Hub) -> Client:
            for id_ in readers:
                hub.issue(id_)
            return hub.connect("AI_1")

        author = begin(self.hub)
        for step in range(400):
            collect()
            match chance.randrange(9):
                case 0 | 1 | 2 | 3:
                    author.send("pattern_share", aPattern(), message_id=f"m{seed}-{step}")
                case 4:
                    join(self.hub, chance.choice(readers))
                case 5 if clients:
                    chance.choice(list(clients.values())).pause()
                case 6 if clients:
                    client = chance.choice(list(clients.values()))
                    if not client.closing:
                        client.resume()
                case 7:
                    for pool in (self.hub.reader, self.hub.writer):
                        pool.held = not pool.held
                        if not pool.held:
                            pool.release()
                    self.hub.clock.advance(EventLog.GATHER)
                case 8 if step % 50 == 0:
                    clients.clear()
                    author = begin(self.restart())
        self.hub.writer.release()
        self.hub.reader.release()
        self.hub.clock.advance(EventLog.GATHER)
        for id_ in readers:
            collect()
            join(self.hub, id_)
            self.hub.clock.advance(EventLog.GATHER)
        collect()
        expected = [row.seq for row in self.hub.logged()]
        self.assertGreater(len(expected), 100)
        for id_ in readers:
            self.assertEqual(got[id_], expected)


class RenderTests(SynchronousTestCase):
    def test_whom(self) -> None:
        """Each gets what is to all but its sender, and what is to it; version 1 without numbers, nor what is new."""
        broadcast = Broadcast(
            [
                Event(1, "A", None, b'{"n":1}'),
                Event(2, "A", frozenset("B"), b'{"n":2}'),
                Event(3, "B", None, b'{"n":3}', newOnly=True),
            ]
        )

        def told(aiId: str, version: int) -> list[dict[str, int]]:
            return [json.loads(line) for line in broadcast.render(aiId, version).splitlines()]

        for aiId, numbers in (("A", [3]), ("B", [1, 2]), ("C", [1, 3]), ("D", [1, 3])):
            self.assertEqual(told(aiId, 2), [{"n": n, "seq": n} for n in numbers], aiId)
            self.assertEqual(told(aiId, 1), [{"n": n} for n in numbers if n != 3], aiId)
        alone = Broadcast([Event(1, "A", frozenset("B"), b"{}")])
        self.assertEqual([alone.render(aiId, 1) for aiId in "ABC"], [b"", b"{}\n", b""])


class FailingSink:
    aiId, version = "B", 2

    def __init__(self) -> None:
        self.data = b""
        self.problems: list[str] = []

    def writeLines(self, data: bytes) -> None:
        self.data += data

    def outputChanged(self, paused: bool) -> None: ...

    def failed(self, failure: Failure) -> None:
        self.problems.append(str(failure.value))


class LatePageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.sink = FailingSink()
        self.page: Deferred[Page] = Deferred()
        self.log = SimpleNamespace(head=9, first=1, page=lambda after, aiId: self.page)
        self.reader = LogReader(self.sink, cast(EventLog, self.log))
        self.event = Event(9, "A", None, b'{"n":1}')

    def test_stopped(self) -> None:
        """A page that comes when the connection has ended is not written."""
        self.reader.start(3)
        self.reader.stopProducing()
        self.page.callback(Page([self.event], 9))
        self.assertEqual((self.sink.data, self.reader.position), (b"", 3))

    def test_removed(self) -> None:
        """Where what comes next was removed from the log the reader is told so; where it was not it goes on."""
        self.reader.start(3)
        self.log.first = 5
        self.page.callback(Page([self.event], 9))
        self.assertEqual(len(self.sink.problems), 1)
        self.assertEqual(self.sink.data, b"")

    def test_next(self) -> None:
        """The first that is left may be the next."""
        self.log.first = 4
        self.reader.start(3)
        self.page.callback(Page([self.event], 9))
        self.assertEqual((self.sink.data, self.sink.problems), (b'{"n":1,"seq":9}\n', []))
        self.assertTrue(self.reader.live)
