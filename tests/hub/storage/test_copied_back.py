"""An older copy of the database in its place: nobody goes on where the log is another."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.hub.databases import onEveryEngine
from tests.hub.support import Client, HubTestCase, aPattern, captureLog


class CopiedTests(HubTestCase):
    """Of an SQLite file, which is what can be copied."""

    def share(self, client: Client, count: int) -> None:
        for i in range(count):
            client.send("pattern_share", aPattern(f"p{i}"))

    def copyBack(self, markToo: bool) -> None:
        """Go back to the 100 of 150 messages; nobody tells the hub."""
        path = self.hub.sqlite.path
        author = self.hub.connect("AI_1")
        self.share(author, 100)
        self.hub.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        copy = Path(f"{path}.copy")
        shutil.copy(path, copy)
        self.share(author, 50)
        self.former = self.hub.log.logId
        self.hub.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.hub.kill()
        self.hubs.remove(self.hub)
        self.database.writer.connection.close()  # type: ignore[attr-defined]
        self.database.reader.connection.close()  # type: ignore[attr-defined]
        for suffix in ("-wal", "-shm", *(["-head"] if markToo else [])):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        shutil.copy(copy, path)
        self.database = self.databaseType(self.path)
        self.hub = self.makeHub()

    def resumed(self, aiId: str, after: int, logId: str) -> tuple[bool, str]:
        client = self.hub.client(aiId)
        client.hello(2, log_id=logId, resume_after=after)
        answer = client.payloads("training_sync")[0]
        return answer["resumed"], answer["log_id"]

    def test_mark(self) -> None:
        """A hub sees at its start that it had given out more numbers: its log has another id, and it warns."""
        seen = captureLog(self)
        self.copyBack(markToo=False)
        self.assertEqual(self.hub.log.head, 100)
        self.assertNotEqual(self.hub.log.logId, self.former)
        (warning,) = [line for line in seen if "older copy" in line]
        self.assertIn("given numbers up to 150, and its database ends at 100", warning)
        self.share(self.hub.connect("AI_1"), 40)
        self.assertEqual(self.resumed("AI_2", 120, self.former)[0], False)
        # Up to where it was copied it is the same log: from there nothing is missed.
        self.assertEqual(self.resumed("AI_3", 90, self.former)[0], True)
        self.restart()
        self.assertEqual(len([line for line in seen if "older copy" in line]), 1)

    def test_cursor(self) -> None:
        """Without the mark a cursor beyond the head tells it; who comes after that with one in between is told, too."""
        seen = captureLog(self)
        self.copyBack(markToo=True)
        self.assertEqual(self.hub.log.logId, self.former)
        resumed, logId = self.resumed("AI_2", 150, self.former)
        self.assertFalse(resumed)
        self.assertNotEqual(logId, self.former)
        self.assertEqual(len([line for line in seen if "AI_2 has read up to 150" in line]), 1)
        self.share(self.hub.connect("AI_1"), 60)
        self.assertEqual(self.resumed("AI_3", 120, self.former)[0], False)
        self.assertEqual(self.resumed("AI_4", 90, self.former)[0], True)
        self.restart()
        self.assertEqual(self.resumed("AI_5", 90, self.former)[0], True)


@onEveryEngine
class ClaimTests(HubTestCase):
    def test_liar(self) -> None:
        """Who claims to be further again and again changes nothing for others but once, and then loses them nothing."""
        author = self.hub.connect("AI_1")
        author.send("pattern_share", aPattern())
        self.restart()
        former, head = self.hub.log.logId, self.hub.log.head
        ids = set()
        for i in range(3):
            client = self.hub.client(f"EVIL_{i}")
            client.hello(2, log_id=self.hub.log.logId, resume_after=9999)
            ids.add(client.payloads("training_sync")[0]["log_id"])
        self.assertEqual(len(ids), 1)
        other = self.hub.client("AI_2")
        other.hello(2, log_id=former, resume_after=head - 1)
        self.assertEqual([m["message_type"] for m in other.received()], ["training_sync", "pattern_share"])
