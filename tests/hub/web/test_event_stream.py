"""The log as server-sent events."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from tests.hub.support import aPattern
from tests.hub.web.support import WebTestCase


class EventStreamTests(WebTestCase):
    def events(self, data: bytes) -> list[tuple[int, str]]:
        found = [json.loads(line[6:]) for line in data.decode().splitlines() if line.startswith("data: ")]
        return [(event.get("seq", 0), event.get("sender", "")) for event in found]

    def test_live(self) -> None:
        """What is committed is told within a quarter of a second, to all who look."""
        author = self.hub.connect("AI_1")
        streams = [self.open("/api/events", Authorization=f"Bearer {self.token}") for _ in range(3)]
        author.send("pattern_share", aPattern("p1"))
        author.send("pattern_share", aPattern("p2"))
        self.hub.clock.advance(0.25)
        told = [self.events(stream.value()) for stream in streams]
        self.assertEqual(len({str(t) for t in told}), 1)
        self.assertEqual([sender for _, sender in told[0]], ["AI_1", "AI_1"])
        self.assertIn(b"text/event-stream", streams[0].value())

    def test_many(self) -> None:
        """200 streams are open at once; one more is refused, until another one ends."""
        token = {"Authorization": f"Bearer {self.token}"}
        streams = [self.open("/api/events", host=f"192.0.2.{i % 9}", **token) for i in range(200)]
        self.assertEqual((len(self.dashboard.streams), self.ask("/api/events").code), (200, 503))
        self.assertEqual(streams[-1].value().split()[1], b"200")
        self.channels.pop(0).connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.open("/api/events", **token).value().split()[1], b"200")

    def test_pace(self) -> None:
        """After a quiet time a commit is told at once, then four times a second; without any nothing is read."""
        author = self.hub.connect("AI_1")
        stream = self.open("/api/events", Authorization=f"Bearer {self.token}")
        calls = self.hub.reader.calls
        self.hub.clock.pump([0.25] * 8)
        self.assertEqual(self.hub.reader.calls, calls)
        told = []
        for number in range(4):
            author.send("pattern_share", aPattern(f"p{number}"))
            self.hub.clock.advance(0.1)
            told.append(len(self.events(stream.value())))
        self.assertEqual(told, [1, 1, 1, 4])
        self.assertEqual(self.hub.reader.calls - calls, 2)

    def test_quiet(self) -> None:
        """Who has heard nothing for 15 s is told that the hub is there still."""
        stream = self.open("/api/events", Authorization=f"Bearer {self.token}")
        heard = []
        for _ in range(6):
            stream.clear()
            self.hub.clock.pump([1.0] * 5)
            heard.append(b"still here" in stream.value())
        self.assertEqual(heard, [False, False, True] * 2)

    def test_resume(self) -> None:
        """Who comes back with the last number that he has misses nothing, and gets nothing twice."""
        author = self.hub.connect("AI_1")
        for number in range(1200):
            author.send("pattern_share", aPattern(f"p{number}"))
        head = self.hub.log.head
        for headers, path in (
            ({"Last_Event_ID": str(head - 700)}, "/api/events"),
            ({}, f"/api/events?after={head - 700}"),
            ({"Last_Event_ID": str(head - 700)}, "/api/events?after=1"),
        ):
            stream = self.open(path, Authorization=f"Bearer {self.token}", **headers)
            for _ in range(4):
                self.hub.clock.advance(0.25)
            self.assertEqual([seq for seq, _ in self.events(stream.value())], list(range(head - 699, head + 1)))
        self.assertEqual(self.ask("/api/events?after=x").code, 400)

    def test_slow(self) -> None:
        """Who does not read is not written to, and goes on where it was."""
        author = self.hub.connect("AI_1")
        stream = self.open("/api/events", Authorization=f"Bearer {self.token}")
        assert stream.producer is not None
        stream.producer.pauseProducing()
        before = len(stream.value())
        for number in range(5):
            author.send("pattern_share", aPattern(f"p{number}"))
            self.hub.clock.advance(0.25)
        self.assertEqual(len(stream.value()), before)
        stream.producer.resumeProducing()
        self.hub.clock.advance(0.25)
        self.assertEqual(len(self.events(stream.value())), 5)

    def test_condensed(self) -> None:
        """Who wants no more than some a second gets the newest, and how many and what came before them."""
        author = self.hub.connect("AI_1")
        streams = [self.open("/api/events?most=3", Authorization=f"Bearer {self.token}") for _ in range(3)]
        for number in range(10):
            author.send("pattern_share", aPattern(f"p{number}"))
        calls = self.hub.reader.calls
        self.hub.clock.pump([0.25] * 8)
        head = self.hub.log.head
        self.assertEqual(self.hub.reader.calls - calls, 1)
        for stream in streams:
            self.assertEqual([seq for seq, _ in self.events(stream.value())[1:]], [head - 2, head - 1, head])
            self.assertIn(b'event: skipped\ndata: {"count":7,"types":["hello","pattern_share"]}\n\n', stream.value())
        author.send("pattern_share", aPattern("last"))
        self.hub.clock.pump([0.25] * 4)
        self.assertEqual(streams[0].value().count(b"skipped"), 1)
        self.assertEqual(self.events(streams[0].value())[-1][0], head + 1)
        for wrong in ("0", "x", "501", "-1", ""):
            self.assertEqual(self.ask(f"/api/events?most={wrong}").code, 400, wrong)

    def test_slowDisk(self) -> None:
        """While a page of the log is being read, it is not read again, and nobody is told anything twice."""
        author = self.hub.connect("AI_1")
        streams = [self.open(f"/api/events{most}", Authorization=f"Bearer {self.token}") for most in ("", "?most=9")]
        author.send("pattern_share", aPattern())
        calls = self.hub.reader.calls
        self.hub.reader.held = True
        self.hub.clock.pump([0.25] * 16)
        self.assertEqual(self.hub.reader.calls - calls, 2)
        self.hub.reader.release()
        self.hub.clock.pump([0.25] * 8)
        self.assertEqual([len(self.events(stream.value())) for stream in streams], [1, 1])

    def test_dead(self) -> None:
        """Who has read nothing for a minute is left; it may come back to where it was."""
        author = self.hub.connect("AI_1")
        stream = self.open("/api/events", Authorization=f"Bearer {self.token}")
        assert stream.producer is not None
        stream.producer.pauseProducing()
        author.send("pattern_share", aPattern())
        self.hub.clock.pump([0.25] * 4 * 59)
        self.assertEqual((len(self.dashboard.streams), stream.disconnecting), (1, False))
        self.hub.clock.pump([0.25] * 8)
        self.assertEqual((len(self.dashboard.streams), stream.disconnecting), (0, True))

    def test_goneBack(self) -> None:
        """When the hub has gone back to a backup, what comes next is told, although it has numbers that were told."""
        author = self.hub.connect("AI_1")
        streams = [self.open(f"/api/events{most}", Authorization=f"Bearer {self.token}") for most in ("", "?most=9")]
        file = self.path / "copy.db"
        self.hub.execute("VACUUM INTO ?", str(file))
        for number in range(5):
            author.send("pattern_share", aPattern(f"p{number}"))
        self.hub.clock.pump([0.25] * 8)
        with closing(sqlite3.connect(file)) as source:
            source.backup(self.hub.sqlite.writer.connection)
        self.hub.log.open()
        self.hub.clock.pump([0.25] * 8)
        told = [len(stream.value()) for stream in streams]
        author.send("pattern_share", aPattern("again"))
        self.hub.clock.pump([0.25] * 8)
        for stream, before in zip(streams, told, strict=True):
            self.assertEqual(self.events(stream.value()[before:]), [(1, "AI_1")])

    def test_gone(self) -> None:
        """Who left is forgotten, and with the last one the looking ends."""
        stream = self.open("/api/events", Authorization=f"Bearer {self.token}")
        self.assertEqual(len(self.dashboard.streams), 1)
        assert stream.producer is not None
        stream.producer.stopProducing()
        self.assertEqual(len(self.dashboard.streams), 0)
