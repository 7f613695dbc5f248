"""Who is here, and what others hear of who comes and goes."""

from __future__ import annotations

import msgspec

from kernelnet.hub.connection import presence
from kernelnet.message import Hello
from tests.hub.connection.support import FakeConnection
from tests.hub.databases import onEveryEngine
from tests.hub.support import NOON, Hub, HubTestCase, captureLog


@onEveryEngine
class NewsTests(HubTestCase):
    def test_comeAndGo(self) -> None:
        """Version 2 peers hear in a small training_sync who came and who left; version 1 does not."""
        old, new = self.hub.connect("OLD", 1), self.hub.connect("NEW")
        old.received(), new.received()
        third = self.hub.connect("AI_3", specialization="audio", capabilities=["sound"])
        (news,) = new.payloads("training_sync")
        self.assertEqual(list(news), ["ai_info"])
        self.assertEqual(news["ai_info"]["AI_3"]["specialization"], "audio")
        self.assertIn("since", news["ai_info"]["AI_3"])
        third.leave()
        self.hub.clock.advance(1)
        (news,) = new.payloads("training_sync")
        self.assertEqual(news["ai_info"]["AI_3"]["connected"], False)
        self.assertEqual(old.received(), [])

    def test_pausedPeer(self) -> None:
        """A peer that doesn't read hears the last news of each AI once it reads again."""
        slow = self.hub.connect("SLOW")
        slow.pause()
        for _ in range(3):
            self.hub.connect("AI_1").leave()
            self.hub.clock.advance(1)
        self.assertEqual(slow.received(), [])
        slow.resume()
        (news,) = slow.payloads()
        self.assertEqual(news["ai_info"]["AI_1"]["connected"], False)


@onEveryEngine
class SeenTests(HubTestCase):
    def seen(self, hub: Hub, aiId: str = "AI_1") -> float:
        return round(hub.presence.seenAt(aiId) - NOON, 3)

    def test_untilItLeft(self) -> None:
        """An AI was here last when its connection ended, however long ago its hello was; also after a restart."""
        client = self.hub.connect("AI_1")
        self.hub.clock.advance(100)
        self.assertEqual(self.seen(self.hub), 100.1)
        self.hub.clock.advance(7)
        client.leave()
        self.hub.clock.advance(50)
        self.assertEqual(self.seen(self.hub), 107.1)
        (stored,) = self.hub.stored.ais.all()
        self.assertEqual(round(stored.seenAt - NOON, 3), 107.1)

    def test_killed(self) -> None:
        """Of a hub that was killed the next knows to the minute who was here."""
        self.hub.connect("AI_1")
        for _ in range(100):
            self.hub.clock.advance(5)
        (stored,) = self.hub.stored.ais.all()
        self.assertTrue(440 <= stored.seenAt - NOON <= 500.1, stored.seenAt - NOON)

    def test_stopped(self) -> None:
        """A hub that stops writes down until when everybody was here."""
        client = self.hub.connect("AI_1")
        self.hub.clock.advance(3)
        stopped = self.hub.stop()
        client.leave()
        self.successResultOf(stopped)
        (stored,) = self.hub.stored.ais.all()
        self.assertEqual(round(stored.seenAt - NOON, 3), 3.1)


@onEveryEngine
class PresenceTests(HubTestCase):
    def test_whoIsHere(self) -> None:
        """Those who are here come first, then those who were here last; what is known of them is bounded."""
        for aiId in ("OLDEST", "OLDER"):
            self.hub.connect(aiId).leave()
            self.hub.clock.advance(10)
        self.hub.connect("AI_1")
        here, info = self.hub.presence.whoIsHere()
        self.assertEqual((here, list(info)), (["AI_1"], ["AI_1", "OLDER", "OLDEST"]))
        self.assertEqual([one.connected for one in info.values()], [True, False, False])
        self.assertEqual(list(self.hub.presence.whoIsHere(2)[1]), ["AI_1", "OLDER"])

    def test_many(self) -> None:
        """Of hundreds the ids of 480 are told, and what is known of 200, also of those who are away."""
        for i in range(250):
            self.hub.presence.noteUnwritten(f"AWAY_{i}", Hello())
        self.assertEqual(len(self.hub.presence.whoIsHere()[1]), 200)
        for i in range(500):
            self.hub.connections.byId[f"AI_{i}"] = FakeConnection(self.hub.log, f"AI_{i}")
            self.hub.presence.noteUnwritten(f"AI_{i}", Hello())
        here, info = self.hub.presence.whoIsHere()
        self.assertEqual((len(here), len(info)), (480, 200))
        self.hub.connections.byId.clear()

    def test_info(self) -> None:
        """Nothing is told of who never said hello."""
        self.hub.connect("AI_1", specialization="audio")
        self.hub.client("SILENT")
        (info,) = self.hub.presence.infoInParts(["AI_1", "SILENT", "NOBODY"])
        self.assertEqual({aiId: one.specialization for aiId, one in info.items()}, {"AI_1": "audio"})

    def test_parts(self) -> None:
        """A line has room for as many AIs, and bytes of what they said, as the bounds say; the next has the others."""
        ids = [f"AI_{i}" for i in range(5)]
        for aiId in ids:
            self.hub.presence.noteUnwritten(aiId, Hello(specialization="audio"))

        def parts() -> list[int]:
            found = [*self.hub.presence.infoInParts(ids)]
            self.assertEqual([aiId for part in found for aiId in part], ids)
            return [len(part) for part in found]

        (whole,) = self.hub.presence.infoInParts(ids)
        two = len(msgspec.json.encode(dict([*whole.items()][:2])))
        for bound, value, expected in (
            ("MAX_TOLD", 2, [2, 2, 1]),
            ("MAX_INFO", two, [2, 2, 1]),
            ("MAX_INFO", two - 1, [1] * 5),
            ("MAX_INFO", 1, [1] * 5),
        ):
            before = self.patch(presence, bound, value)
            self.assertEqual(parts(), expected, (bound, value))
            before.restore()

    def test_noted(self) -> None:
        """Who is here is written down once a minute, not at each look; also when the clock was set back."""
        self.hub.connect("AI_1")
        now = NOON
        for seconds, written in ((61, True), (59, False), (1, True), (-3600, True), (5, False)):
            now += seconds
            self.patch(self.hub.presence, "_wallClock", lambda now=now: now)
            self.assertEqual(self.hub.presence.note(self.hub.log) is not None, written, seconds)

    def test_unwritten(self) -> None:
        """A hello that the disk had no room for is known all the same."""
        self.hub.presence.noteUnwritten("AI_1", Hello(specialization="audio"))
        self.assertEqual(self.hub.directory.ais["AI_1"].hello.specialization, "audio")

    def test_closing(self) -> None:
        """Of who is being closed nobody hears that it has come."""
        seen = captureLog(self)
        connection = FakeConnection(self.hub.log)
        connection.closing = True
        self.hub.presence.greeted(connection, Hello(), again=False)
        self.assertEqual(seen, [])

    def test_stop(self) -> None:
        """After the end nothing is told, and no timer is left."""
        other = self.hub.connect("AI_1")
        self.hub.presence.left("AI_2")
        self.hub.presence.stop()
        self.hub.presence.left("AI_3")
        self.hub.clock.advance(1)
        self.assertEqual(other.received(), [])
        self.assertEqual(repr(self.hub.presence), "<Presence of 1 AIs>")
